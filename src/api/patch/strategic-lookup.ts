/** What strategic merge needs to know of a type, and small helpers shared by merging and diffing. */
import type { Schema } from '../schema.ts';
import { goPrint } from '../util/go-text.ts';
import { isObject, type JsonObject } from '../util/values.ts';
import { PatchError } from './errors.ts';

export const directive = '$patch';
export const retainKeys = '$retainKeys';
export const deletePrefix = '$deleteFromPrimitiveList';
export const orderPrefix = '$setElementOrder';

/** Undefined stands for free-form data: objects merge, lists are replaced. */
export type PatchSchema = Schema | undefined;

export interface FieldMeta {
  /** Of the value: the field's own type, or its items' when it is a list. */
  readonly schema: PatchSchema;
  readonly strategy: 'merge' | 'replace' | '';
  readonly retainKeys: boolean;
  readonly mergeKey: string;
}

const freeForm: FieldMeta = { schema: undefined, strategy: '', retainKeys: false, mergeKey: '' };

/** @throws PatchError when the type has no such field. */
export function lookup(parent: PatchSchema, key: string): FieldMeta {
  const schema = childOf(parent, key);
  if (!schema) return freeForm;
  if (schema.kind === 'list')
    return { ...strategyOf(schema.patchStrategy), schema: schema.items, mergeKey: schema.patchMergeKey ?? '' };
  return { ...strategyOf(schema.kind === 'object' ? schema.patchStrategy : undefined), schema, mergeKey: '' };
}

function childOf(parent: PatchSchema, key: string): PatchSchema {
  if (parent?.kind === 'map') return parent.values;
  if (parent?.kind !== 'object') return undefined;
  const field = parent.fields.get(key);
  if (field) return field.schema;
  if (parent.preserveUnknown || parent.embeddedResource) return undefined;
  const type = parent.name?.slice(parent.name.lastIndexOf('.') + 1) ?? '';
  throw new PatchError('failed', `unable to find api field in struct ${type} for the json field "${key}"`);
}

function strategyOf(strategies: readonly string[] = []): { strategy: FieldMeta['strategy']; retainKeys: boolean } {
  const rest = strategies.filter(each => each !== 'retainKeys');
  if (rest.length > 1) throw new PatchError('failed', `unexpected patch strategy: [${strategies.join(' ')}]`);
  const strategy = rest[0] === 'merge' || rest[0] === 'replace' ? rest[0] : '';
  return { strategy, retainKeys: rest.length < strategies.length };
}

export type Kind = 'map' | 'slice' | 'string' | 'number' | 'boolean' | 'null';
export function kindOf(value: unknown): Kind {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return 'slice';
  if (typeof value === 'object') return 'map';
  return typeof value === 'string' ? 'string' : typeof value === 'boolean' ? 'boolean' : 'number';
}

/** The one kind of all elements. @throws PatchError when they differ, or are lists. */
export function elementKind(...lists: readonly (readonly unknown[])[]): Kind {
  let kind: Kind | undefined;
  for (const list of lists) {
    for (const element of list) {
      const current = kindOf(element);
      if (current === 'slice') throw new PatchError('unprocessable', 'lists of lists are not supported');
      if (kind !== undefined && current !== kind)
        throw new PatchError('failed', `list element types are not identical: ${show(lists)}`);
      kind = current;
    }
  }
  if (kind === undefined) throw new PatchError('failed', 'no elements in any of the given slices');
  return kind;
}

/** A bounded picture of a value for messages. */
export function show(value: unknown): string {
  const text = goPrint(value);
  return text.length > 512 ? `${text.slice(0, 512)}…` : text;
}

const goTypes: Readonly<Record<Exclude<Kind, 'number'>, string>> = {
  map: 'map[string]interface {}',
  slice: '[]interface {}',
  string: 'string',
  boolean: 'bool',
  null: '%!s(<nil>)',
};

function goType(value: unknown): string {
  const kind = kindOf(value);
  if (kind === 'number') return Number.isInteger(value) ? 'int64' : 'float64';
  return goTypes[kind];
}

export function asList(value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  throw new PatchError('failed', `expected a []interface {}, but received a ${goType(value)}`);
}
export function asMap(value: unknown): JsonObject {
  if (isObject(value)) return value;
  throw new PatchError('failed', `expected a map[string]interface {}, but received a ${goType(value)}`);
}

/** The value that identifies a list element: itself, or its merge key. @throws PatchError when the element has none. */
export function identity(element: unknown, mergeKey: string): unknown {
  if (mergeKey === '') return element;
  const map = asMap(element);
  if (!Object.hasOwn(map, mergeKey)) {
    throw new PatchError('failed', `map: ${show(map)} does not contain declared merge key: ${mergeKey}`);
  }
  return map[mergeKey];
}

/** Identity to first position. */
export function positions(list: readonly unknown[], mergeKey: string): Map<unknown, number> {
  const at = new Map<unknown, number>();
  list.forEach((element, i) => {
    const id =
      mergeKey === '' ? element : isObject(element) && Object.hasOwn(element, mergeKey) ? element[mergeKey] : undefined;
    if (!at.has(id)) at.set(id, i);
  });
  return at;
}

/** Elements in the given order; `$patch: delete` elements and unknown ones last. */
export function sortByOrder(list: readonly unknown[], order: readonly unknown[], mergeKey: string): unknown[] {
  const at = positions(order, mergeKey);
  const rank = (element: unknown) =>
    isObject(element) && element[directive] === 'delete'
      ? Number.MAX_SAFE_INTEGER
      : (at.get(identity(element, mergeKey)) ?? order.length);
  const ranked = list.map(element => ({ element, rank: rank(element) }));
  return ranked.sort((a, b) => a.rank - b.rank).map(each => each.element);
}

export function extractKey(key: string, prefix: string): string {
  const slash = key.indexOf('/');
  if (slash >= 0 && key.slice(0, slash) === prefix) return key.slice(slash + 1);
  throw new PatchError(
    'malformed',
    `invalid patch format of ${prefix === deletePrefix ? 'primitive list' : 'setElementOrder list'}`,
  );
}

export function compareText(a: unknown, b: unknown): number {
  const left = String(a);
  const right = String(b);
  return left < right ? -1 : left > right ? 1 : 0;
}
