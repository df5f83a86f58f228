import { rfc3339 } from '../../base/clock.ts';
import { ApiError, errors, type StatusCause } from '../../base/errors.ts';
import { type ObjectSchema, parseApiVersion } from '../schema.ts';
import { goMapJson } from '../util/go-text.ts';
import { deepClone, deepEqual, isObject, type JsonObject } from '../util/values.ts';
import { compareObjects, stripServerFields } from './compare.ts';
import {
  difference,
  type FieldSet,
  formatPath,
  hasPath,
  intersection,
  isEmptySet,
  pathsOf,
  recursiveDifference,
  setsEqual,
  union,
} from './field-set.ts';
import { decodeManaged, dropEmpty, encodeManaged, type Managed, sameManager, withFields } from './managed-fields.ts';
import {
  fieldSetOf,
  mergeValues,
  reconcileWithSchema,
  removeItems,
  type TypeComplaint,
  withNamedFields,
} from './merge.ts';
import { type ApplyObject, compareWith, comparisonAt, recordBeforeFirstApply, type WriteContext } from './track.ts';

export interface ApplyInput extends WriteContext {
  /** The stored object at the version of the request; undefined when apply creates it. */
  readonly live: ApplyObject | undefined;
  /** The configuration as the client sent it, decoded, without defaults. */
  readonly applied: ApplyObject;
  /** Takes fields away from other managers instead of failing. */
  readonly force?: boolean;
}

export interface ApplyResult<T> {
  /** A new object with its managedFields set; shares nothing with the input. */
  readonly object: T;
  /** Whether anything but managedFields differs from the live object. */
  readonly changed: boolean;
}

interface Conflict {
  readonly manager: Managed;
  readonly path: readonly string[];
}

const lastAppliedAnnotation = 'kubectl.kubernetes.io/last-applied-configuration';

/**
 * Server-side apply. Upstream: managedfields/internal and structured-merge-diff/merge/update.go.
 * @throws ApiError 409 with causes FieldManagerConflict, 400 for a wrong request, 500 for a configuration that does not fit the type
 */
export function applyPatch<T extends ApplyObject = ApplyObject>(input: ApplyInput): ApplyResult<T> {
  checkRequest(input);
  const live = liveWithoutManaged(input);
  const applied = input.applied as JsonObject;
  const before = startingEntries(input, live);
  const fields = appliedFields(input);
  const mine = newEntry(input, fields);
  const last = before.find(entry => sameManager(entry, mine));
  const others = before.filter(entry => entry !== last);
  const merged = mergeValues(input.schema, live, applied) as JsonObject;
  const pruned = last ? prune(input, merged, [...others, mine], last) : merged;
  const result = keepServerMetadata(merged, pruned);
  const left = settleOthers(input, live, result, others);
  const changed = !deepEqual(live, result);
  const own = ownEntry(mine, last, changed);
  const object = deepClone(result) as JsonObject;
  finish(input, object, dropEmpty([...left, own]));
  return { object: object as T, changed: changed || input.live === undefined };
}

function checkRequest({ applied, apiVersion }: ApplyInput): void {
  if (applied.apiVersion !== apiVersion) {
    throw errors.badRequest(
      `Incorrect version specified in apply patch. Specified patch version: ${applied.apiVersion ?? ''}, expected: ${apiVersion}`,
    );
  }
  const managed = applied.metadata?.managedFields;
  if (managed !== undefined && managed !== null) throw errors.badRequest('metadata.managedFields must be nil');
}

function liveWithoutManaged({ live, applied }: ApplyInput): JsonObject {
  if (!live) return { apiVersion: applied.apiVersion, kind: applied.kind };
  if (!live.metadata?.managedFields) return live as JsonObject;
  const { managedFields: _managedFields, ...metadata } = live.metadata;
  return { ...live, metadata };
}

/** The stored owners; for an object that was written before owners were tracked, one that owns it all. */
function startingEntries(input: ApplyInput, live: JsonObject): Managed[] {
  const entries = decodeManaged(input.live?.metadata?.managedFields);
  if (!entries) throw new ApiError(500, undefined, 'failed to decode managed fields');
  if (entries.length === 0) return input.live ? recordBeforeFirstApply(input, live) : [];
  return entries.map(entry => {
    const schema = schemaAt(input, entry.apiVersion);
    return schema ? withFields(entry, reconcileWithSchema(schema, entry.fields)) : entry;
  });
}

function schemaAt(input: WriteContext, apiVersion: string): ObjectSchema | undefined {
  if (apiVersion === input.apiVersion || !input.versions) return input.schema;
  return input.versions.schema(apiVersion);
}

type Typed = Pick<ApplyInput, 'schema' | 'apiVersion' | 'applied'>;

/** A configuration as it was sent must fit its type, and have no field that the type has not. Throws upstream's error, a 500. */
export function checkTyped(input: Typed): void {
  appliedFields(input);
}

/** The paths the configuration sets, with the server's own. */
function appliedFields(input: Typed): FieldSet {
  const complaints: TypeComplaint[] = [];
  const set = fieldSetOf(input.schema, input.applied as JsonObject, complaints);
  if (complaints.length > 0) throw new ApiError(500, undefined, typeMessage(input, complaints));
  return set;
}

function typeMessage({ applied, apiVersion }: Typed, complaints: readonly TypeComplaint[]): string {
  const { namespace = '', name = '' } = applied.metadata ?? {};
  const { group, version } = parseApiVersion(apiVersion);
  const about = `${namespace}/${name}; ${group}/${version}, Kind=${applied.kind ?? ''}`;
  const lines = complaints.map(({ path, message }) => `${path}: ${message}`);
  const detail = lines.length === 1 ? lines.join('') : `errors:\n${lines.map(line => `  ${line}`).join('\n')}`;
  return `failed to create typed patch object (${about}): ${detail}`;
}

function newEntry(input: ApplyInput, set: FieldSet): Managed {
  const { manager, apiVersion, subresource = '', resetFields, now } = input;
  const fields = resetFields ? recursiveDifference(set, resetFields) : set;
  return { manager, operation: 'Apply', apiVersion, subresource, time: rfc3339(now), fields };
}

/** The time moves only when the object or the applier's fields did. */
function ownEntry(mine: Managed, last: Managed | undefined, changed: boolean): Managed {
  const own = { ...mine, fields: stripServerFields(mine.fields) };
  if (!last || changed || last.apiVersion !== mine.apiVersion || !setsEqual(own.fields, last.fields)) return own;
  return last;
}

/** Name, uid and the like stand outside of ownership. */
function keepServerMetadata(merged: JsonObject, pruned: JsonObject): JsonObject {
  if (pruned === merged) return merged;
  const { apiVersion, kind } = merged;
  const metadata = isObject(merged['metadata']) ? merged['metadata'] : {};
  const kept = isObject(pruned['metadata']) ? pruned['metadata'] : {};
  const { labels: _l, annotations: _a, finalizers: _f, ownerReferences: _o, generateName: _g, ...server } = metadata;
  return {
    ...pruned,
    ...(apiVersion !== undefined && { apiVersion }),
    ...(kind !== undefined && { kind }),
    metadata: { ...server, ...kept },
  };
}

/** Takes out what this applier set last time and no one sets now. */
function prune(input: ApplyInput, merged: JsonObject, entries: readonly Managed[], last: Managed): JsonObject {
  if (isEmptySet(last.fields)) return merged;
  const schema = schemaAt(input, last.apiVersion);
  const start = convert(input, merged, last.apiVersion);
  if (!schema || !start) return merged;
  const lastNamed = withNamedFields(schema, last.fields);
  let pruned = asObject(removeItems(schema, start, lastNamed));
  for (const [apiVersion, owned] of byVersion(entries, last.apiVersion)) {
    pruned = addBackOwned(input, merged, pruned, apiVersion, owned) ?? pruned;
  }
  const at = convert(input, pruned, last.apiVersion);
  if (!at) return merged;
  const gone = difference(named(schema, start), named(schema, at));
  const result = asObject(removeItems(schema, start, intersection(gone, lastNamed)));
  return convert(input, result, input.apiVersion) ?? merged;
}

const asObject = (value: unknown): JsonObject => (isObject(value) ? value : {});
const named = (schema: ObjectSchema, value: JsonObject) => withNamedFields(schema, fieldSetOf(schema, value));

function convert(input: WriteContext, object: JsonObject, apiVersion: string): JsonObject | undefined {
  if (!input.versions || (object['apiVersion'] ?? input.apiVersion) === apiVersion) return object;
  return input.versions.convert(object, apiVersion);
}

/** What all managers own, per version, the given version first. */
function byVersion(entries: readonly Managed[], first: string): Map<string, FieldSet> {
  const owned = new Map<string, FieldSet>([[first, {}]]);
  for (const entry of entries) owned.set(entry.apiVersion, union(owned.get(entry.apiVersion) ?? {}, entry.fields));
  return owned;
}

function addBackOwned(
  input: ApplyInput,
  merged: JsonObject,
  pruned: JsonObject,
  apiVersion: string,
  owned: FieldSet,
): JsonObject | undefined {
  const schema = schemaAt(input, apiVersion);
  const whole = convert(input, merged, apiVersion);
  const part = convert(input, pruned, apiVersion);
  if (!schema || !whole || !part) return undefined;
  const keep = union(named(schema, part), withNamedFields(schema, owned));
  return asObject(removeItems(schema, whole, difference(named(schema, whole), keep)));
}

/** The other managers after this write. @throws ApiError when it takes fields away from them without force */
function settleOthers(input: ApplyInput, live: JsonObject, result: JsonObject, others: readonly Managed[]): Managed[] {
  const same = compareWith(input, live, result);
  const left: Managed[] = [];
  const conflicts: Conflict[] = [];
  for (const entry of others) {
    const seen = comparisonAt(input, entry.apiVersion, live, result, same);
    if (!seen) continue;
    const taken = intersection(entry.fields, union(seen.modified, seen.added));
    for (const path of pathsOf(taken)) conflicts.push({ manager: entry, path });
    left.push(withFields(entry, difference(difference(entry.fields, taken), seen.removed)));
  }
  if (conflicts.length > 0 && !input.force) refuse(allowKubectl(input, live, conflicts));
  return left;
}

/** kubectl may take over what its own client-side apply set (lastappliedmanager.go). */
function allowKubectl(input: ApplyInput, live: JsonObject, conflicts: readonly Conflict[]): readonly Conflict[] {
  const annotations = (live as ApplyObject).metadata?.annotations;
  const text =
    annotations && Object.hasOwn(annotations, lastAppliedAnnotation) ? annotations[lastAppliedAnnotation] : '';
  if (input.manager !== 'kubectl' || !text) return conflicts;
  const last = parseObject(text);
  if (!last || last['apiVersion'] !== input.apiVersion) return conflicts;
  const seen = compareObjects(input.schema, last, live);
  const set = fieldSetOf(input.schema, last);
  const allowed = difference(difference(difference(set, seen.modified), seen.added), seen.removed);
  return conflicts.filter(({ path }) => !hasPath(allowed, path));
}

function parseObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function describe({ manager, operation, apiVersion, subresource }: Managed): string {
  const name = JSON.stringify(manager) + (subresource ? ` with subresource ${JSON.stringify(subresource)}` : '');
  return operation === 'Update' ? `${name} using ${apiVersion}` : name;
}

function refuse(conflicts: readonly Conflict[]): void {
  const [first] = conflicts;
  if (!first) return;
  const causes: StatusCause[] = conflicts.map(({ manager, path }) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with ${describe(manager)}`,
    field: formatPath(path),
  }));
  throw errors.applyConflict(causes, conflictMessage(conflicts, first));
}

function conflictMessage(conflicts: readonly Conflict[], first: Conflict): string {
  if (conflicts.length === 1) {
    return `Apply failed with 1 conflict: conflict with ${describe(first.manager)}: ${formatPath(first.path)}`;
  }
  const managers = [...new Set(conflicts.map(conflict => conflict.manager))];
  const lines = managers
    .map(manager => ({ manager, name: describe(manager) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap(({ manager, name }) => [
      `conflicts with ${name}:`,
      ...conflicts.filter(each => each.manager === manager).map(each => `- ${formatPath(each.path)}`),
    ]);
  return `Apply failed with ${conflicts.length} conflicts: ${lines.join('\n')}`;
}

/** Writes the owners, and kubectl's annotation where there is one, so that client-side apply can go on from here. */
function finish(input: ApplyInput, object: JsonObject, entries: readonly Managed[]): void {
  const metadata = (object as ApplyObject).metadata ?? {};
  object['metadata'] = metadata;
  const annotations = metadata.annotations;
  if (input.manager === 'kubectl' && annotations?.[lastAppliedAnnotation]) {
    annotations[lastAppliedAnnotation] = lastAppliedText(input.applied);
  }
  if (entries.length > 0) metadata.managedFields = deepClone(encodeManaged(entries));
}

function lastAppliedText(applied: ApplyObject): string {
  const copy = deepClone(applied);
  if (copy.metadata?.annotations) delete copy.metadata.annotations[lastAppliedAnnotation];
  return `${goMapJson(copy)}\n`;
}
