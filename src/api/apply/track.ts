import { rfc3339 } from '../../base/clock.ts';
import type { ObjectSchema } from '../schema.ts';
import type { ManagedFieldsEntry, ObjectMeta } from '../types/meta-v1.ts';
import { deepEqual, isObject, type JsonObject } from '../util/values.ts';
import { type Comparison, changedPaths, compareObjects, noDifference } from './compare.ts';
import { difference, type FieldSet, isEmptySet, recursiveDifference, union } from './field-set.ts';
import {
  asksForReset,
  capUpdates,
  decodeManaged,
  encodeManaged,
  type Managed,
  sameManager,
  trustManaged,
  withFields,
} from './managed-fields.ts';

/** An object as apply sees it. */
export type ApplyObject = { metadata?: Partial<ObjectMeta>; apiVersion?: string; kind?: string };

/** Other versions of the same kind, for entries written at them. Without this, all versions are taken to have the same fields. */
export interface OtherVersions {
  /** The object at that version; undefined when the version is gone, whose entries are then dropped. */
  convert(object: JsonObject, apiVersion: string): JsonObject | undefined;
  schema(apiVersion: string): ObjectSchema | undefined;
}

export interface WriteContext {
  /** The field manager's name. */
  readonly manager: string;
  readonly schema: ObjectSchema;
  /** The version of the request, "apps/v1". */
  readonly apiVersion: string;
  /** "" for the main resource. */
  readonly subresource?: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Paths that this endpoint resets (status for the main resource, spec for status), with all below them. */
  readonly resetFields?: FieldSet;
  readonly versions?: OtherVersions;
}

export interface UpdateInput extends WriteContext {
  /** The stored object; undefined on create. */
  readonly old?: ApplyObject | undefined;
  readonly updated: ApplyObject;
}

/**
 * The managedFields of an object after create, update or a patch that is no apply: fields that changed become the writer's, and
 * leave all others; removed fields leave everyone. Nothing is changed in place; the old list itself is returned when no field
 * changed, so that a write without change makes no new revision.
 */
export function trackUpdate(input: UpdateInput): ManagedFieldsEntry[] | undefined {
  const { old, updated } = input;
  const before = base(input);
  const comparison = compareWith(input, old ?? {}, updated);
  if (comparison === noDifference && !before.changed)
    return old?.metadata?.managedFields ?? emptyToUndefined(before.entries);
  const entries =
    comparison === noDifference ? before.entries : recordUpdate(input, before.entries, old ?? {}, updated, comparison);
  return emptyToUndefined(entries);
}

function emptyToUndefined(entries: readonly Managed[]): ManagedFieldsEntry[] | undefined {
  return entries.length > 0 ? encodeManaged(entries) : undefined;
}

/** What the list is before this write: the client's own list when it sent a good one, else the stored one. */
function base({ old, updated, subresource }: UpdateInput): { entries: Managed[]; changed: boolean } {
  const stored = old?.metadata?.managedFields;
  const sent = updated.metadata?.managedFields;
  if (subresource || sent === undefined || deepEqual(sent, stored))
    return { entries: trustManaged(stored), changed: false };
  if (asksForReset(sent)) return { entries: [], changed: stored !== undefined };
  const decoded = decodeManaged(sent);
  if (!decoded || decoded.length === 0) return { entries: trustManaged(stored), changed: false };
  return { entries: decoded, changed: true };
}

export function compareWith(context: WriteContext, a: object, b: object): Comparison {
  const comparison = compareObjects(context.schema, a as JsonObject, b as JsonObject);
  return comparison === noDifference ? comparison : withoutReset(comparison, context.resetFields);
}

function withoutReset(comparison: Comparison, reset: FieldSet | undefined): Comparison {
  if (!reset || isEmptySet(reset)) return comparison;
  const added = recursiveDifference(comparison.added, reset);
  const modified = recursiveDifference(comparison.modified, reset);
  const removed = recursiveDifference(comparison.removed, reset);
  if (isEmptySet(added) && isEmptySet(modified) && isEmptySet(removed)) return noDifference;
  return { added, modified, removed };
}

/** The comparison as the entry's version sees it; undefined when that version is gone. */
export function comparisonAt(
  context: WriteContext,
  apiVersion: string,
  a: object,
  b: object,
  same: Comparison,
): Comparison | undefined {
  if (apiVersion === context.apiVersion || !context.versions) return same;
  const left = context.versions.convert(a as JsonObject, apiVersion);
  const right = context.versions.convert(b as JsonObject, apiVersion);
  const schema = context.versions.schema(apiVersion);
  if (!left || !right || !schema) return undefined;
  return compareWith({ ...context, schema, apiVersion }, left, right);
}

function recordUpdate(
  context: WriteContext,
  entries: readonly Managed[],
  a: object,
  b: object,
  comparison: Comparison,
): Managed[] {
  const left: Managed[] = [];
  for (const entry of entries) {
    const seen = comparisonAt(context, entry.apiVersion, a, b, comparison);
    if (!seen) continue;
    const fields = difference(difference(difference(entry.fields, seen.modified), seen.added), seen.removed);
    if (!isEmptySet(fields)) left.push(withFields(entry, fields));
  }
  const mine = changedPaths(comparison);
  return isEmptySet(mine) ? left : capUpdates(addUpdate(context, left, mine));
}

/** Gives the fields to the writer's update entry, now. */
function addUpdate(context: WriteContext, entries: Managed[], fields: FieldSet): Managed[] {
  const { manager, apiVersion, subresource = '' } = context;
  const mine: Managed = { manager, operation: 'Update', apiVersion, subresource, time: rfc3339(context.now), fields };
  const at = entries.findIndex(entry => sameManager(entry, mine));
  const previous = entries[at];
  if (!previous) return [...entries, mine];
  return entries.with(at, { ...mine, fields: union(previous.fields, fields) });
}

/** For objects that were stored before anyone's fields were tracked. */
export function recordBeforeFirstApply(context: WriteContext, live: object): Managed[] {
  const everything = changedPaths(compareObjects(context.schema, {}, live as JsonObject));
  if (isEmptySet(everything)) return [];
  return addUpdate({ ...context, manager: 'before-first-apply', subresource: '' }, [], everything);
}

/** True when the objects are equal but for their managedFields' times, in which case a write can be skipped. */
export function sameButTimes(a: readonly ManagedFieldsEntry[] = [], b: readonly ManagedFieldsEntry[] = []): boolean {
  if (a.length !== b.length) return false;
  const timeless = (entry: ManagedFieldsEntry) => JSON.stringify({ ...entry, time: undefined });
  const theirs = new Set(b.map(timeless));
  return a.every(entry => isObject(entry) && theirs.has(timeless(entry)));
}
