/** Compares two values of a type and says which paths were added, modified and removed. Allocates only where they differ. */
import type { ListSchema } from '../schema.ts';
import { deepEqual, getOwn, type JsonObject } from '../util/values.ts';
import { emptySet, type FieldSet, insertPath, type MutableFieldSet, union } from './field-set.ts';
import { elementOf, fieldSchema, isHeldByValue, sameElement, shapeOf, type TypedSchema } from './typed.ts';

export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}
export const noDifference: Comparison = Object.freeze({ added: emptySet, modified: emptySet, removed: emptySet });

type Step = string | { readonly list: ListSchema; readonly item: unknown };

class Walker {
  added: MutableFieldSet = {};
  modified: MutableFieldSet = {};
  removed: MutableFieldSet = {};
  differs = false;
  /** Fields by name, items as they are: written as path elements only when a difference is found. */
  readonly path: Step[] = [];
  private readonly inner = new Set<MutableFieldSet>();

  insert(set: MutableFieldSet, subtree?: MutableFieldSet): void {
    this.differs = true;
    const path: string[] = [];
    for (const step of this.path) {
      path.push(typeof step === 'string' ? `f:${step}` : (elementOf(step.list, step.item) ?? 'i:0'));
    }
    insertPath(set, path, subtree, this.inner);
  }

  /** Undefined stands for absent. `silent`: absence of the value itself is no difference. */
  walk(schema: TypedSchema, a: unknown, b: unknown, silent: boolean): void {
    if (a === b) return;
    const left = a === undefined ? undefined : shapeOf(schema, a);
    const right = b === undefined ? undefined : shapeOf(schema, b);
    if (left === 'fields' && right === 'fields') this.fields(schema, a as JsonObject, b as JsonObject);
    else if (left === 'items' && right === 'items') this.items(schema as ListSchema, a as unknown[], b as unknown[]);
    else if (left !== undefined && right !== undefined) this.mixed(schema, a, b);
    else this.oneSided(schema, a, b, silent);
  }

  /** An empty object or list against a full one: only what is inside differs. */
  private mixed(schema: TypedSchema, a: unknown, b: unknown): void {
    const listType = schema?.kind === 'list' ? schema.listType : undefined;
    const granular = listType === 'map' || listType === 'set';
    if (granular && Array.isArray(a) && Array.isArray(b)) this.items(schema as ListSchema, a, b);
    else if (!deepEqual(a, b)) this.insert(this.modified);
  }

  private oneSided(schema: TypedSchema, a: unknown, b: unknown, silent: boolean): void {
    if (b === undefined) this.insert(this.removed, treeOf(schema, a, true, false));
    else this.insert(this.added, treeOf(schema, b, false, silent));
  }

  fields(schema: TypedSchema, a: JsonObject, b: JsonObject): void {
    for (const key in a) {
      const present = a[key];
      if (present === undefined) continue;
      const next = getOwn(b, key);
      if (present !== next) this.field(schema, key, present, next);
    }
    for (const key in b) {
      const next = b[key];
      if (next !== undefined && getOwn(a, key) === undefined) this.field(schema, key, undefined, next);
    }
  }

  private field(schema: TypedSchema, key: string, a: unknown, b: unknown): void {
    this.path.push(key);
    this.walk(fieldSchema(schema, key), a, b, a === undefined && isSilent(schema, key, b));
    this.path.pop();
  }

  items(schema: ListSchema, a: readonly unknown[], b: readonly unknown[]): void {
    let at = 0;
    while (at < a.length && at < b.length && sameElement(schema, a[at], b[at])) at++;
    if (at === a.length && at === b.length && !this.hasDuplicates(schema, a)) {
      for (let i = 0; i < a.length; i++) this.item(schema, a[i], b[i]);
    } else this.itemsByIdentity(schema, a, b);
  }

  /** Cheap for short lists, which nearly all are; long ones take the path through a map. */
  private hasDuplicates(schema: ListSchema, list: readonly unknown[]): boolean {
    if (list.length > 16) return true;
    for (let i = 1; i < list.length; i++) {
      for (let j = 0; j < i; j++) if (sameElement(schema, list[i], list[j])) return true;
    }
    return false;
  }

  private item(schema: ListSchema, a: unknown, b: unknown): void {
    // Most items are unchanged, and comparing is several times quicker than walking by schema.
    if (a === b || (a !== undefined && deepEqual(a, b))) return;
    this.path.push({ list: schema, item: a ?? b });
    this.walk(schema.items, a, b, false);
    this.path.pop();
  }

  private itemsByIdentity(schema: ListSchema, a: readonly unknown[], b: readonly unknown[]): void {
    const before = group(schema, a);
    const after = group(schema, b);
    for (const [element, mine] of before) this.group(schema, mine, after.get(element) ?? []);
    for (const [element, theirs] of after) if (!before.has(element)) this.group(schema, [], theirs);
  }

  /** Duplicates have no identity of their own: they are owned together. */
  private group(schema: ListSchema, a: readonly unknown[], b: readonly unknown[]): void {
    if (a.length <= 1 && b.length <= 1) {
      this.item(schema, a[0], b[0]);
      return;
    }
    this.path.push({ list: schema, item: a[0] ?? b[0] });
    if (a.length >= 2 && b.length >= 2) {
      if (!deepEqual(a, b)) this.insert(this.modified);
    } else if (a.length >= 2) {
      if (b.length > 0) this.walk(schema.items, undefined, b[0], false);
      this.insert(this.removed);
    } else {
      if (a.length > 0) this.walk(schema.items, a[0], undefined, false);
      this.insert(this.added);
    }
    this.path.pop();
  }
}

/** A full object that Go holds by value is there before it gets content. */
function isSilent(schema: TypedSchema, key: string, value: unknown): boolean {
  return isHeldByValue(schema, key) && typeof value === 'object' && value !== null && Object.keys(value).length > 0;
}

/** The paths of a value that is added or removed as a whole, itself included unless `silent`. */
function treeOf(schema: TypedSchema, value: unknown, removing: boolean, silent: boolean): MutableFieldSet {
  const shape = shapeOf(schema, value);
  // The element that stands for the node itself comes first, as it does on the wire.
  const node: MutableFieldSet = silent || shape === 'leaf' ? {} : { '.': {} };
  if (shape === 'fields') {
    const object = value as JsonObject;
    for (const key in object) {
      const field = object[key];
      if (field === undefined) continue;
      node[`f:${key}`] = treeOf(fieldSchema(schema, key), field, removing, !removing && isSilent(schema, key, field));
    }
  } else if (shape === 'items') {
    const list = schema as ListSchema;
    for (const item of value as readonly unknown[]) {
      const element = elementOf(list, item);
      if (element !== undefined) node[element] = element in node ? {} : treeOf(list.items, item, removing, false);
    }
  }
  return hasChildren(node) ? node : {};
}
function hasChildren(node: FieldSet): boolean {
  for (const key in node) if (key !== '.') return true;
  return false;
}

function group(schema: ListSchema, list: readonly unknown[]): Map<string, unknown[]> {
  const groups = new Map<string, unknown[]>();
  for (const item of list) {
    const element = elementOf(schema, item);
    if (element === undefined) continue;
    const known = groups.get(element);
    if (known) known.push(item);
    else groups.set(element, [item]);
  }
  return groups;
}

/** Fields that belong to the server and are never owned (managedfields/internal/stripmeta.go). */
const strippedMetadata = new Set([
  'name',
  'namespace',
  'creationTimestamp',
  'selfLink',
  'uid',
  'clusterName',
  'generation',
  'managedFields',
  'resourceVersion',
]);

/** Compares two whole objects, leaving out type and server-owned metadata. */
export function compareObjects(schema: TypedSchema, a: JsonObject, b: JsonObject): Comparison {
  const walker = new Walker();
  walkRoot(walker, schema, a, b);
  if (!walker.differs) return noDifference;
  return { added: walker.added, modified: walker.modified, removed: walker.removed };
}

function walkRoot(walker: Walker, schema: TypedSchema, a: JsonObject, b: JsonObject): void {
  const top = (key: string, left: unknown, right: unknown) => {
    if (key === 'apiVersion' || key === 'kind' || left === right) return;
    if (left !== undefined && deepEqual(left, right)) return;
    walker.path.push(key);
    const inner = fieldSchema(schema, key);
    if (key === 'metadata') walker.fields(inner, ownedMetadata(left), ownedMetadata(right));
    else walker.walk(inner, left, right, left === undefined && isSilent(schema, key, right));
    walker.path.pop();
  };
  for (const key in a) top(key, a[key], getOwn(b, key));
  for (const key in b) if (getOwn(a, key) === undefined) top(key, undefined, b[key]);
}

function ownedMetadata(value: unknown): JsonObject {
  const out: JsonObject = {};
  if (typeof value !== 'object' || value === null) return out;
  const metadata = value as JsonObject;
  for (const key in metadata) if (key !== '__proto__' && !strippedMetadata.has(key)) out[key] = metadata[key];
  return out;
}

/** The same without type and server-owned metadata. */
export function stripServerFields(set: FieldSet): FieldSet {
  const { 'f:apiVersion': _version, 'f:kind': _kind, ...rest } = set;
  const metadata = rest['f:metadata'];
  if (!metadata) return rest;
  const kept: MutableFieldSet = {};
  for (const key in metadata) {
    if (key !== '.' && !strippedMetadata.has(key.slice(2))) kept[key] = metadata[key] as MutableFieldSet;
  }
  if (Object.keys(kept).length > 0) return { ...rest, 'f:metadata': kept };
  const { 'f:metadata': _metadata, ...others } = rest;
  return others;
}

export const changedPaths = (comparison: Comparison): FieldSet => union(comparison.added, comparison.modified);
