/** Computes strategic merge patches, as kubectl does (k8s.io/apimachinery/pkg/util/strategicpatch). Arguments are not changed. */
import { deepClone, deepEqual, getOwn, isObject, type JsonObject, setOwn } from '../util/values.ts';
import { PatchError } from './errors.ts';
import {
  asMap,
  compareText,
  deletePrefix,
  directive,
  elementKind,
  type FieldMeta,
  identity,
  kindOf,
  lookup,
  orderPrefix,
  type PatchSchema,
  retainKeys,
  show,
  sortByOrder,
} from './strategic-lookup.ts';
import { mergeMap } from './strategic-merge.ts';

interface DiffOptions {
  readonly ignoreDeletions?: boolean;
  readonly ignoreChanges?: boolean;
  readonly elementOrder?: boolean;
  readonly retainKeys?: boolean;
}

/** The patch that turns `original` into `modified`; `{}` when they are equal. @throws PatchError */
export function createTwoWayMergePatch(original: object, modified: object, schema: PatchSchema): JsonObject {
  return deepClone(diffMaps(original as JsonObject, modified as JsonObject, schema, { elementOrder: true }));
}

/**
 * For apply: additions and changes from `current` to `modified`, deletions from `original` (the configuration applied last) to
 * `modified`. Without `overwrite`, a field changed by both sides since `original` is a failure.
 * @throws PatchError
 */
export function createThreeWayMergePatch(
  original: object,
  modified: object,
  current: object,
  schema: PatchSchema,
  overwrite = true,
): JsonObject {
  const [first, wanted, live] = [original as JsonObject, modified as JsonObject, current as JsonObject];
  const changes = diffMaps(live, wanted, schema, { ignoreDeletions: true, elementOrder: true });
  const deletions = diffMaps(first, wanted, schema, { ignoreChanges: true, elementOrder: true });
  const patch = mergeMap(deepClone(deletions), deepClone(changes), schema, { apply: false });
  if (!overwrite) {
    const changed = diffMaps(first, live, schema, {});
    if (haveConflicts(patch, changed, schema)) {
      throw new PatchError(
        'failed',
        `patch:\n${show(patch)}\nconflicts with changes made from original to current:\n${show(changed)}\n`,
      );
    }
  }
  return patch;
}

function diffMaps(original: JsonObject, modified: JsonObject, schema: PatchSchema, options: DiffOptions): JsonObject {
  const patch: JsonObject = {};
  for (const key of Object.keys(modified)) {
    const wanted = modified[key];
    if (!Object.hasOwn(original, key)) {
      if (!options.ignoreChanges) setOwn(patch, key, wanted);
    } else diffField(patch, key, original[key], wanted, schema, options);
  }
  if (!options.ignoreDeletions) {
    for (const key of Object.keys(original)) if (!Object.hasOwn(modified, key)) setOwn(patch, key, null);
  }
  if (options.retainKeys) addRetainKeys(patch, original, modified);
  return patch;
}

function addRetainKeys(patch: JsonObject, original: JsonObject, modified: JsonObject): void {
  const kept = Object.keys(modified).filter(key => modified[key] !== null);
  const dropped = Object.keys(original).some(key => original[key] !== null && !Object.hasOwn(modified, key));
  if (kept.length > 0 && (dropped || Object.keys(patch).length > 0)) patch[retainKeys] = kept.sort();
}

function diffField(
  patch: JsonObject,
  key: string,
  present: unknown,
  wanted: unknown,
  schema: PatchSchema,
  options: DiffOptions,
): void {
  if (key === directive) {
    if (typeof present !== 'string' || typeof wanted !== 'string') {
      throw new PatchError('failed', `invalid value for special key: ${directive}`);
    }
    if (present !== wanted) patch[directive] = wanted;
    return;
  }
  if (kindOf(present) !== kindOf(wanted) || typeof wanted !== 'object' || wanted === null) {
    if (!options.ignoreChanges && !deepEqual(present, wanted)) setOwn(patch, key, wanted);
    return;
  }
  if (deepEqual(present, wanted)) return;
  const meta = lookup(schema, key);
  if (Array.isArray(wanted)) {
    diffLists(patch, key, present as unknown[], wanted, meta, options);
    return;
  }
  if (meta.strategy === 'replace') {
    if (!options.ignoreChanges) setOwn(patch, key, wanted);
    return;
  }
  const inner = diffMaps(present as JsonObject, wanted as JsonObject, meta.schema, {
    ...options,
    retainKeys: meta.retainKeys,
  });
  if (Object.keys(inner).length > 0) setOwn(patch, key, inner);
}

function diffLists(
  patch: JsonObject,
  key: string,
  original: unknown[],
  modified: unknown[],
  meta: FieldMeta,
  options: DiffOptions,
): void {
  if (meta.strategy !== 'merge') {
    if (!options.ignoreChanges) setOwn(patch, key, modified);
    return;
  }
  if (original.length === 0) {
    if (modified.length > 0 && !options.ignoreChanges) setOwn(patch, key, modified);
    return;
  }
  const inner = { ...options, retainKeys: meta.retainKeys };
  if (elementKind(original, modified) === 'map') diffListsOfMaps(patch, key, original, modified, meta, inner);
  else diffListsOfScalars(patch, key, original, modified, inner);
}

function diffListsOfScalars(
  patch: JsonObject,
  key: string,
  original: unknown[],
  modified: unknown[],
  options: DiffOptions,
): void {
  const before = new Set(original);
  const after = new Set(modified);
  const added = options.ignoreChanges ? [] : modified.filter(element => !before.has(element));
  const deleted = options.ignoreDeletions ? [] : [...before].filter(element => !after.has(element)).sort(compareText);
  if (added.length > 0) setOwn(patch, key, added);
  if (deleted.length > 0) setOwn(patch, `${deletePrefix}/${key}`, deleted);
  if (options.elementOrder && modified.length > 0 && (deleted.length > 0 || !options.ignoreChanges)) {
    setOwn(patch, `${orderPrefix}/${key}`, modified);
  }
}

function diffListsOfMaps(
  patch: JsonObject,
  key: string,
  original: unknown[],
  modified: unknown[],
  meta: FieldMeta,
  options: DiffOptions,
): void {
  const { mergeKey } = meta;
  // Elements with the same key are paired in their order.
  const before = Map.groupBy(original.map(asMap), element => identity(element, mergeKey));
  const changed: unknown[] = [];
  for (const element of modified) {
    const id = identity(element, mergeKey);
    const present = before.get(id)?.shift();
    if (present) {
      const inner = diffMaps(present, asMap(element), meta.schema, options);
      if (Object.keys(inner).length > 0) changed.push({ ...inner, [mergeKey]: id });
    } else if (!options.ignoreChanges) changed.push(element);
  }
  const deleted = options.ignoreDeletions
    ? []
    : [...before].flatMap(([id, left]) => left.map(() => id)).sort(compareText);
  const list = [
    ...sortByOrder(changed, modified, mergeKey),
    ...deleted.map(id => ({ [directive]: 'delete', [mergeKey]: id })),
  ];
  if (list.length > 0) setOwn(patch, key, list);
  const moved =
    original.length !== modified.length ||
    original.some((element, i) => identity(element, mergeKey) !== identity(modified[i], mergeKey));
  if (options.elementOrder && modified.length > 0 && (list.length > 0 || (moved && !options.ignoreChanges))) {
    setOwn(
      patch,
      `${orderPrefix}/${key}`,
      modified.map(element => ({ [mergeKey]: identity(element, mergeKey) })),
    );
  }
}

/** Whether two patches of the same object want different things. */
function haveConflicts(left: JsonObject, right: JsonObject, schema: PatchSchema): boolean {
  if (getOwn(left, directive) !== getOwn(right, directive)) return true;
  return Object.keys(left).some(key => {
    if (key === directive || key === retainKeys || !Object.hasOwn(right, key)) return false;
    if (key.startsWith(orderPrefix) || key.startsWith(deletePrefix)) return false;
    return valuesConflict(left[key], right[key], schema, key);
  });
}

function valuesConflict(left: unknown, right: unknown, schema: PatchSchema, key: string): boolean {
  if (isObject(left) && isObject(right)) {
    const meta = lookup(schema, key);
    return meta.strategy === 'replace' ? false : haveConflicts(left, right, meta.schema);
  }
  if (!Array.isArray(left) || !Array.isArray(right)) return !deepEqual(left, right);
  const meta = lookup(schema, key);
  if (meta.strategy !== 'merge') return !deepEqual(left, right);
  if (meta.mergeKey === '') return false;
  const theirs = new Map(right.map(element => [identity(element, meta.mergeKey), asMap(element)]));
  return left.some(element => {
    const other = theirs.get(identity(element, meta.mergeKey));
    return other !== undefined && haveConflicts(asMap(element), other, meta.schema);
  });
}
