/** metadata.managedFields: who set which fields. Upstream: k8s.io/apimachinery/pkg/util/managedfields. */
import type { ManagedFieldsEntry } from '../types/meta-v1.ts';
import { isObject, type JsonObject } from '../util/values.ts';
import { decodeFieldSet, emptySet, encodeFieldSet, type FieldSet, isEmptySet, union } from './field-set.ts';

/** One decoded entry. */
export interface Managed {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly subresource: string;
  readonly time: string | undefined;
  readonly fields: FieldSet;
  /** The entry this was read from, while it is unchanged. */
  readonly source?: ManagedFieldsEntry;
}

export const maxUpdateManagers = 10;
const oldUpdatesManager = 'ancient-changes';

function decodeEntry(entry: unknown): Managed | undefined {
  if (!isObject(entry)) return undefined;
  const { manager = '', operation, apiVersion, subresource = '', time, fieldsType, fieldsV1 } = entry;
  if (operation !== 'Apply' && operation !== 'Update') return undefined;
  if (typeof apiVersion !== 'string' || apiVersion === '' || fieldsType !== 'FieldsV1') return undefined;
  if (typeof manager !== 'string' || typeof subresource !== 'string') return undefined;
  const fields = fieldsV1 === undefined || fieldsV1 === null ? emptySet : decodeFieldSet(fieldsV1);
  if (!fields) return undefined;
  const source = entry as ManagedFieldsEntry;
  return {
    manager,
    operation,
    apiVersion,
    subresource,
    time: typeof time === 'string' ? time : undefined,
    fields,
    source,
  };
}

/** Entries that came from a client. Undefined when one of them is wrong. */
export function decodeManaged(entries: unknown): Managed[] | undefined {
  if (entries === undefined || entries === null) return [];
  if (!Array.isArray(entries)) return undefined;
  const out: Managed[] = [];
  for (const each of entries) {
    const decoded = decodeEntry(each);
    if (!decoded) return undefined;
    const same = out.findIndex(known => sameManager(known, decoded));
    if (same >= 0) out[same] = decoded;
    else out.push(decoded);
  }
  return out;
}

/** Entries that this server wrote: taken as they are. */
export function trustManaged(entries: readonly ManagedFieldsEntry[] | undefined): Managed[] {
  return (entries ?? []).map(entry => ({
    manager: entry.manager ?? '',
    operation: entry.operation === 'Apply' ? 'Apply' : 'Update',
    apiVersion: entry.apiVersion ?? '',
    subresource: entry.subresource ?? '',
    time: entry.time,
    fields: (entry.fieldsV1 ?? emptySet) as unknown as FieldSet,
    source: entry,
  }));
}

/** `[]` or one empty entry: the client asks to forget all owners. */
export function asksForReset(entries: unknown): boolean {
  if (!Array.isArray(entries)) return false;
  return entries.length === 0 || (entries.length === 1 && isObject(entries[0]) && Object.keys(entries[0]).length === 0);
}

/** Appliers are told apart without the version. */
export function sameManager(a: Managed, b: Managed): boolean {
  return (
    a.manager === b.manager &&
    a.operation === b.operation &&
    a.subresource === b.subresource &&
    (a.operation === 'Apply' || a.apiVersion === b.apiVersion)
  );
}

export function withFields(entry: Managed, fields: FieldSet): Managed {
  if (fields === entry.fields) return entry;
  const { source: _source, ...rest } = entry;
  return { ...rest, fields };
}

/** Wire form, sorted: appliers first, then by time, manager, version and subresource. */
export function encodeManaged(entries: readonly Managed[]): ManagedFieldsEntry[] {
  const sorted = entries.length > 1 ? [...entries].sort(order) : entries;
  return sorted.map(encodeEntry);
}

function encodeEntry(entry: Managed): ManagedFieldsEntry {
  if (entry.source) return entry.source;
  return {
    ...(entry.manager && { manager: entry.manager }),
    operation: entry.operation,
    apiVersion: entry.apiVersion,
    ...(entry.time !== undefined && { time: entry.time }),
    fieldsType: 'FieldsV1',
    fieldsV1: encodeFieldSet(entry.fields) as ManagedFieldsEntry['fieldsV1'] & JsonObject,
    ...(entry.subresource && { subresource: entry.subresource }),
  };
}

const text = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
function order(a: Managed, b: Managed): number {
  return (
    text(a.operation, b.operation) ||
    text(a.time ?? '', b.time ?? '') ||
    text(a.manager, b.manager) ||
    text(a.apiVersion, b.apiVersion) ||
    text(a.subresource, b.subresource)
  );
}

/** Merges the oldest update entries, per version, until at most ten are left. */
export function capUpdates(entries: Managed[]): Managed[] {
  const updates = entries.filter(entry => entry.operation === 'Update');
  let surplus = updates.length - maxUpdateManagers;
  if (surplus <= 0) return entries;
  const oldestFirst = updates.sort((a, b) => text(a.time ?? '', b.time ?? '') || text(a.manager, b.manager));
  const gone = new Set<Managed>();
  const buckets = new Map<string, Managed>();
  const firsts = new Map<string, Managed>();
  for (const entry of oldestFirst) {
    if (surplus <= 0) break;
    const first = firsts.get(entry.apiVersion);
    if (!first) {
      firsts.set(entry.apiVersion, entry);
      continue;
    }
    const fields = union((buckets.get(entry.apiVersion) ?? first).fields, entry.fields);
    const { apiVersion, time } = entry;
    buckets.set(apiVersion, {
      manager: oldUpdatesManager,
      operation: 'Update',
      apiVersion,
      subresource: '',
      time,
      fields,
    });
    gone.add(first).add(entry);
    surplus--;
  }
  return [...entries.filter(entry => !gone.has(entry)), ...buckets.values()];
}

export const dropEmpty = (entries: readonly Managed[]): Managed[] => entries.filter(entry => !isEmptySet(entry.fields));
