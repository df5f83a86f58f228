/** Merging, reading and pruning values by type, as sigs.k8s.io/structured-merge-diff/typed does. Nothing is changed in place. */
import type { ListSchema, ScalarType } from '../schema.ts';
import { goPrint, goSyntax, goTypeOf } from '../util/go-text.ts';
import { getOwn, isObject, type JsonObject, setOwn } from '../util/values.ts';
import {
  emptySet,
  type FieldSet,
  formatPath,
  insertPath,
  isEmptySet,
  isMember,
  type MutableFieldSet,
} from './field-set.ts';
import { elementOf, fieldSchema, isDeclared, shapeOf, type TypedSchema } from './typed.ts';

function isGranularList(schema: TypedSchema): schema is ListSchema {
  return schema?.kind === 'list' && (schema.listType === 'map' || schema.listType === 'set');
}
function isGranularMap(schema: TypedSchema): boolean {
  if (schema === undefined) return true;
  return (schema.kind === 'map' || schema.kind === 'object') && schema.mapType !== 'atomic';
}

/** What an applied value does to a live one: it wins, field by field and item by item. */
export function mergeValues(schema: TypedSchema, live: unknown, applied: unknown): unknown {
  if (applied === undefined) return live;
  if (live === undefined || live === null) return applied;
  if (isObject(live) && isObject(applied) && isGranularMap(schema)) {
    const out: JsonObject = { ...live };
    for (const key of Object.keys(applied)) {
      setOwn(out, key, mergeValues(fieldSchema(schema, key), getOwn(live, key), applied[key]));
    }
    return out;
  }
  if (Array.isArray(live) && Array.isArray(applied) && isGranularList(schema)) return mergeItems(schema, live, applied);
  return applied;
}

/** Applied items in their order; items that only the live list has stay where they were among the shared ones. */
function mergeItems(schema: ListSchema, live: readonly unknown[], applied: readonly unknown[]): unknown[] {
  const liveElements = live.map(item => elementOf(schema, item));
  const appliedElements = applied.map(item => elementOf(schema, item));
  const wanted = new Set(appliedElements);
  const present = new Map<string | undefined, unknown>();
  // Duplicates of the live list have no one partner.
  for (const [i, element] of liveElements.entries()) present.set(element, present.has(element) ? undefined : live[i]);
  const shared = appliedElements.filter(element => present.has(element));
  const out: unknown[] = [];
  let at = 0;
  let nextShared = 0;
  for (const [i, item] of applied.entries()) {
    const element = appliedElements[i];
    for (; at < live.length && liveElements[at] !== shared[nextShared]; at++) {
      if (!wanted.has(liveElements[at])) out.push(live[at]);
    }
    out.push(mergeValues(schema.items, present.get(element), item));
    if (element !== shared[nextShared]) continue;
    nextShared++;
    at++;
  }
  for (; at < live.length; at++) if (!wanted.has(liveElements[at])) out.push(live[at]);
  return out;
}

/** One complaint about a value that does not fit its type. */
export interface TypeComplaint {
  readonly path: string;
  readonly message: string;
}

/** What scalars are in the schemas of apply. Any other may be whatever it is. */
const scalars: Readonly<Partial<Record<ScalarType, 'string' | 'number' | 'boolean' | 'any'>>> = {
  ...{ string: 'string', bytes: 'string', bool: 'boolean' },
  ...{ int32: 'number', int64: 'number', double: 'number' },
  ...{ quantity: 'any', intOrString: 'any', time: 'any', microTime: 'any' },
};

class Reader {
  readonly set: MutableFieldSet = {};
  readonly path: string[] = [];
  private readonly inner = new Set<MutableFieldSet>();
  readonly complaints: TypeComplaint[] | undefined;
  constructor(complaints: TypeComplaint[] | undefined) {
    this.complaints = complaints;
  }

  complain(message: string): void {
    this.complaints?.push({ path: formatPath(this.path), message });
  }

  /** Adds the leaves below the value, and the value itself when it is one. */
  read(schema: TypedSchema, value: unknown): void {
    this.checkKind(schema, value);
    const shape = shapeOf(schema, value);
    if (shape === 'items') this.items(schema as ListSchema, value as unknown[]);
    else if (shape === 'fields' && Object.keys(value as object).length > 0) this.fields(schema, value as JsonObject);
    else insertPath(this.set, this.path, undefined, this.inner);
  }

  private checkKind(schema: TypedSchema, value: unknown): void {
    if (!this.complaints || schema === undefined || value === null) return;
    const list = schema.kind === 'list';
    if (schema.kind === 'scalar') this.checkScalar(schema.type, value);
    else if (list && !Array.isArray(value)) this.complain(`expected list, got &{${goPrint(value)}}`);
    else if (!list && !isObject(value)) this.complain(`expected map, got &{${goPrint(value)}}`);
  }

  private checkScalar(type: ScalarType, value: unknown): void {
    const scalar = scalars[type];
    if (scalar === undefined || scalar === typeof value) return;
    if (scalar === 'number') this.complain(`expected numeric (int or float), got ${goTypeOf(value)}`);
    else if (scalar === 'string')
      this.complain(`expected string, got &value.valueUnstructured{Value:${goSyntax(value)}}`);
    else if (scalar === 'boolean') this.complain(`expected boolean, got &{${goPrint(value)}}`);
    else if (typeof value === 'object') this.complain(`expected any scalar, got &{${goPrint(value)}}`);
  }

  fields(schema: TypedSchema, value: JsonObject): void {
    for (const key of Object.keys(value)) {
      const field = value[key];
      if (field === undefined) continue;
      this.path.push(`f:${key}`);
      const declared = isDeclared(schema, key);
      if (!declared && schema?.kind === 'object' && !schema.preserveUnknown && this.path.length > 0) {
        if (!(this.path.length === 1 && (key === 'apiVersion' || key === 'kind')))
          this.complain('field not declared in schema');
      }
      this.read(fieldSchema(schema, key), field);
      if (!declared) insertPath(this.set, this.path, undefined, this.inner);
      this.path.pop();
    }
  }

  private items(schema: ListSchema, value: readonly unknown[]): void {
    const seen = new Set<string>();
    for (const [i, item] of value.entries()) {
      const element = elementOf(schema, item);
      if (element === undefined) {
        this.complain(`element ${i}: ${unidentified(schema, item)}`);
        return;
      }
      if (seen.has(element)) this.complain(`duplicate entries for key ${formatPath([element])}`);
      seen.add(element);
      this.path.push(element);
      insertPath(this.set, this.path, undefined, this.inner);
      this.read(schema.items, item);
      this.path.pop();
    }
  }
}

/** Why an item cannot be told from others. */
function unidentified({ listType, mapKeys = [] }: ListSchema, item: unknown): string {
  if (listType === 'set')
    return Array.isArray(item)
      ? 'not supported: associative list with lists as elements'
      : "associative list without keys has an element that's a map type";
  if (item === null) return 'associative list with keys may not have a null element';
  if (!isObject(item)) return 'associative list with keys may not have non-map elements';
  const keys = mapKeys.map(key => JSON.stringify(key)).join(' ');
  return `associative list with keys has an element that omits all key fields [${keys}] (and doesn't have default values for any key fields)`;
}

/** The fields that a value sets. With `complaints`, what does not fit the type is added to them. */
export function fieldSetOf(schema: TypedSchema, value: JsonObject, complaints?: TypeComplaint[]): FieldSet {
  const reader = new Reader(complaints);
  reader.fields(schema, value);
  return reader.set;
}

/** The value without the paths of the set; what becomes empty goes too. */
export function removeItems(schema: TypedSchema, value: unknown, set: FieldSet): unknown {
  if (Array.isArray(value)) {
    if (!isGranularList(schema) || value.length === 0) return isGranularList(schema) ? undefined : value;
    return removeFromList(schema, value, set);
  }
  if (!isObject(value) || !isGranularMap(schema)) return value;
  const out: JsonObject = {};
  for (const key of Object.keys(value)) {
    const node = set[`f:${key}`];
    if (node === undefined) setOwn(out, key, value[key]);
    else if (!isMember(node)) {
      const kept = removeItems(fieldSchema(schema, key), value[key], node);
      if (kept !== undefined) setOwn(out, key, kept);
    }
  }
  return Object.keys(out).length > 0 ? out : undefined;
}

function removeFromList(schema: ListSchema, list: readonly unknown[], set: FieldSet): unknown {
  const out: unknown[] = [];
  for (const item of list) {
    const element = elementOf(schema, item);
    const node = element === undefined ? undefined : set[element];
    if (node === undefined) out.push(item);
    else if (!isMember(node)) out.push(removeItems(schema.items, item, node) ?? {});
  }
  return out.length > 0 ? out : undefined;
}

/** The set with every declared field on the way to a member made a member itself. */
export function withNamedFields(schema: TypedSchema, set: FieldSet): FieldSet {
  const out: MutableFieldSet = {};
  for (const key in set) {
    if (key === '.') {
      out['.'] = {};
      continue;
    }
    const node = set[key] as FieldSet;
    const name = key.slice(2);
    const isField = key.startsWith('f:');
    const inner = isField ? fieldSchema(schema, name) : schema?.kind === 'list' ? schema.items : undefined;
    const child = { ...withNamedFields(inner, node) } as MutableFieldSet;
    if (isField && isDeclared(schema, name) && !isEmptySet(child)) child['.'] = {};
    out[key] = child;
  }
  return out;
}

/** A set written when a type was granular that has become atomic since: the whole value is owned instead of its parts. */
export function reconcileWithSchema(schema: TypedSchema, set: FieldSet, root = true): FieldSet {
  const atomic = schema?.kind === 'list' ? !isGranularList(schema) : !isGranularMap(schema);
  if (!root && atomic && schema?.kind !== 'scalar') return isEmptySet(set) ? set : emptySet;
  let out: MutableFieldSet | undefined;
  for (const key in set) {
    if (key === '.') continue;
    const inner = key.startsWith('f:')
      ? fieldSchema(schema, key.slice(2))
      : schema?.kind === 'list'
        ? schema.items
        : undefined;
    if (inner === undefined) continue;
    const before = set[key] as FieldSet;
    const after = reconcileWithSchema(inner, before, false);
    if (after === before) continue;
    out ??= { ...set } as MutableFieldSet;
    out[key] = after as MutableFieldSet;
  }
  return out ?? set;
}
