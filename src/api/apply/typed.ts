/** How a schema says that values are compared and merged: sigs.k8s.io/structured-merge-diff's view of a type. */
import type { ListSchema, Schema } from '../schema.ts';
import { getOwn, isObject, type JsonObject } from '../util/values.ts';

/** Undefined stands for data of unknown type: objects merge by field, lists are atomic. */
export type TypedSchema = Schema | undefined;

export type Shape = 'leaf' | 'fields' | 'items';

/** How the value is looked at: as one leaf, as named fields, or as items with an identity. */
export function shapeOf(schema: TypedSchema, value: unknown): Shape {
  if (typeof value !== 'object' || value === null) return 'leaf';
  if (Array.isArray(value)) {
    if (schema?.kind !== 'list' || (schema.listType !== 'map' && schema.listType !== 'set')) return 'leaf';
    return value.length === 0 ? 'leaf' : 'items';
  }
  if (schema === undefined) return 'fields';
  if (schema.kind === 'map' || schema.kind === 'object') return schema.mapType === 'atomic' ? 'leaf' : 'fields';
  return 'leaf';
}

/** The type of a field. */
export function fieldSchema(schema: TypedSchema, name: string): TypedSchema {
  if (schema === undefined) return undefined;
  if (schema.kind === 'object') return schema.fields.get(name)?.schema;
  return schema.kind === 'map' ? schema.values : undefined;
}

/** A declared field of a struct, as opposed to a key of a map. */
export function isDeclared(schema: TypedSchema, name: string): boolean {
  return schema?.kind === 'object' && schema.fields.has(name);
}

/**
 * Fields that Go holds by value, not by pointer: an object without them has an empty one, so that adding to them adds no field of
 * this name. Custom resources have none.
 */
const heldByValue = new Set([
  'metadata',
  'spec',
  'status',
  'template',
  'jobTemplate',
  'strategy',
  'updateStrategy',
  'state',
  'lastState',
  'nodeInfo',
  'daemonEndpoints',
  'kubeletEndpoint',
]);
export function isHeldByValue(schema: TypedSchema, name: string): boolean {
  return schema?.kind === 'object' && (schema.name?.startsWith('io.k8s.') ?? false) && heldByValue.has(name);
}

/** What an absent map key stands for: its default. A port's protocol has one in Go only. */
function keyDefault(items: Schema, key: string): unknown {
  const schema = items.kind === 'object' ? items.fields.get(key)?.schema : undefined;
  if (schema?.default !== undefined) return schema.default;
  return key === 'protocol' ? 'TCP' : undefined;
}

/** The path element of a list item, or undefined when it has no identity. */
export function elementOf(schema: ListSchema, item: unknown): string | undefined {
  if (schema.listType === 'set')
    return typeof item === 'object' && item !== null ? undefined : `v:${JSON.stringify(item)}`;
  if (!isObject(item)) return undefined;
  const keys = schema.mapKeys ?? [];
  if (keys.length === 1) return singleKey(schema.items, item, keys[0] ?? '');
  const identity: JsonObject = {};
  let found = false;
  for (const key of [...keys].sort()) {
    const value = getOwn(item, key) ?? keyDefault(schema.items, key);
    if (value === undefined) continue;
    identity[key] = value;
    found = true;
  }
  return found ? `k:${JSON.stringify(identity)}` : undefined;
}

function singleKey(items: Schema, item: JsonObject, key: string): string | undefined {
  const value = getOwn(item, key) ?? keyDefault(items, key);
  return value === undefined ? undefined : `k:{${JSON.stringify(key)}:${JSON.stringify(value)}}`;
}

/** Whether two items have the same identity, without writing it down. */
export function sameElement(schema: ListSchema, a: unknown, b: unknown): boolean {
  if (schema.listType === 'set') return a === b;
  if (!isObject(a) || !isObject(b)) return false;
  for (const key of schema.mapKeys ?? []) {
    const left = a[key] ?? keyDefault(schema.items, key);
    const right = b[key] ?? keyDefault(schema.items, key);
    if (left !== right) return false;
  }
  return true;
}
