/**
 * Strategic merge patch: JSON merge patch that knows which lists merge by key (k8s.io/apimachinery/pkg/util/strategicpatch).
 * Directives: `$patch: replace | delete | merge`, `$deleteFromPrimitiveList/f`, `$setElementOrder/f`, `$retainKeys`.
 */
import { deepClone, deepEqual, getOwn, isObject, type JsonObject, setOwn } from '../util/values.ts';
import { checkDepth, PatchError } from './errors.ts';
import {
  asList,
  asMap,
  deletePrefix,
  directive,
  elementKind,
  extractKey,
  type FieldMeta,
  identity,
  kindOf,
  lookup,
  orderPrefix,
  type PatchSchema,
  positions,
  retainKeys,
  show,
  sortByOrder,
} from './strategic-lookup.ts';

export interface MergeOptions {
  /** Applying to an object: directives act. Otherwise two patches are joined and directives are kept. */
  readonly apply: boolean;
}

/** A new object; neither argument is changed. @throws PatchError */
export function applyStrategicMergePatch<T extends object>(object: T, patch: unknown, schema: PatchSchema): T {
  if (!isObject(patch)) throw new PatchError('malformed', 'invalid JSON document');
  checkDepth(object, patch);
  return mergeMap(deepClone(object) as JsonObject, deepClone(patch), schema, { apply: true }) as T;
}

/** Merges in place: both arguments are the function's own copies. */
export function mergeMap(
  original: JsonObject,
  patch: JsonObject,
  schema: PatchSchema,
  options: MergeOptions,
): JsonObject {
  if (Object.hasOwn(patch, directive)) return mapDirective(patch);
  applyRetainKeys(original, patch, options);
  applyElementOrders(original, patch, schema, options);
  for (const key of Object.keys(patch)) mergeField(original, key, patch[key], schema, options);
  return original;
}

function mapDirective(patch: JsonObject): JsonObject {
  const kind = patch[directive];
  if (kind === 'delete') return {};
  if (kind !== 'replace') throw new PatchError('failed', `unknown patch type: ${show(kind)} in map: ${show(patch)}`);
  delete patch[directive];
  return patch;
}

function mergeField(
  original: JsonObject,
  name: string,
  change: unknown,
  schema: PatchSchema,
  options: MergeOptions,
): void {
  const deletes = name.startsWith(deletePrefix);
  if (deletes && !options.apply) {
    setOwn(original, name, change);
    return;
  }
  const key = deletes ? extractKey(name, deletePrefix) : name;
  if (change === null) {
    delete original[key];
    if (options.apply) return;
  }
  const present = getOwn(original, key);
  if (!Object.hasOwn(original, key) || kindOf(present) !== kindOf(change)) {
    if (!deletes) replaceField(original, key, change, options);
    return;
  }
  if (isObject(present) && isObject(change)) {
    const meta = lookup(schema, key);
    setOwn(original, key, meta.strategy === 'replace' ? change : mergeMap(present, change, meta.schema, options));
  } else if (Array.isArray(present) && Array.isArray(change)) {
    setOwn(original, key, mergeList(present, change, lookup(schema, key), deletes, options));
  } else if (!deletes) setOwn(original, key, change);
}

function replaceField(original: JsonObject, key: string, change: unknown, options: MergeOptions): void {
  if (options.apply) dropNulls(change);
  const kept = withoutDirectives(change);
  if (kept.keep) setOwn(original, key, kept.value);
  else delete original[key];
}

function dropNulls(value: unknown): void {
  if (Array.isArray(value)) for (const element of value) dropNulls(element);
  else if (isObject(value)) {
    for (const key of Object.keys(value)) {
      if (value[key] === null) delete value[key];
      else dropNulls(value[key]);
    }
  }
}

/** New values carry no directives: an element with one is dropped. In place. */
function withoutDirectives(value: unknown): { keep: boolean; value: unknown } {
  if (Array.isArray(value)) {
    const kept = value.map(withoutDirectives).filter(each => each.keep);
    return { keep: true, value: kept.map(each => each.value) };
  }
  if (!isObject(value)) return { keep: true, value };
  if (Object.hasOwn(value, directive)) return { keep: false, value: undefined };
  for (const key of Object.keys(value)) {
    const inner = withoutDirectives(value[key]);
    if (inner.keep) setOwn(value, key, inner.value);
    else delete value[key];
  }
  return { keep: true, value };
}

function applyRetainKeys(original: JsonObject, patch: JsonObject, options: MergeOptions): void {
  if (!Object.hasOwn(patch, retainKeys)) return;
  const keys = patch[retainKeys];
  delete patch[retainKeys];
  if (!options.apply) {
    joinRetainKeys(original, keys);
    return;
  }
  if (!Array.isArray(keys)) throw new PatchError('malformed', 'invalid patch format of retainKeys');
  const retained = new Set<unknown>(keys);
  for (const key of Object.keys(patch)) {
    if (patch[key] === null || key.startsWith(deletePrefix) || key.startsWith(orderPrefix)) continue;
    if (!retained.has(key)) throw new PatchError('malformed', 'invalid patch format of retainKeys');
  }
  for (const key of Object.keys(original)) if (!retained.has(key)) delete original[key];
}

function joinRetainKeys(original: JsonObject, keys: unknown): void {
  const present = getOwn(original, retainKeys);
  if (present !== undefined && !deepEqual(present, keys)) {
    throw new PatchError(
      'failed',
      `${show(present)} and ${show(keys)} are not deep equal: this may happen when calculating the 3-way diff patch`,
    );
  }
  original[retainKeys] = keys;
}

/** Handles `$setElementOrder/f` together with `f`, and takes both out of the patch. */
function applyElementOrders(original: JsonObject, patch: JsonObject, schema: PatchSchema, options: MergeOptions): void {
  for (const name of Object.keys(patch)) {
    if (!name.startsWith(orderPrefix)) continue;
    const order = patch[name];
    const places = asList(order);
    if (!options.apply) {
      if (Object.hasOwn(original, name) && !deepEqual(original[name], order)) {
        throw new PatchError('malformed', 'invalid patch format of setElementOrder list');
      }
      setOwn(original, name, order);
    }
    delete patch[name];
    const key = extractKey(name, orderPrefix);
    applyElementOrder(original, patch, key, places, lookup(schema, key), options);
  }
}

function applyElementOrder(
  original: JsonObject,
  patch: JsonObject,
  key: string,
  order: unknown[],
  meta: FieldMeta,
  options: MergeOptions,
): void {
  const present = Object.hasOwn(original, key) ? asList(original[key]) : undefined;
  const change = Object.hasOwn(patch, key) ? asList(patch[key]) : undefined;
  if (!present && !change) return;
  checkOrder(change ?? [], order, meta.mergeKey);
  // The merge works in place; the order before it still counts.
  const before = serverOrder(present ?? [], change ?? [], meta.mergeKey);
  let merged = present ?? [];
  if (present && change) merged = mergeList(present, change, meta, false, options);
  else if (change) merged = asList(withoutDirectives(change).value);
  if (merged.length > 0) elementKind(before, change ?? []);
  setOwn(original, key, weave(merged, order, before, meta.mergeKey));
  delete patch[key];
}

/**
 * The order that stands for the server's. Upstream deletes in place and appends into the room that this frees, so that as many new
 * elements as were deleted count as the server's last ones.
 */
function serverOrder(present: readonly unknown[], change: readonly unknown[], mergeKey: string): unknown[] {
  const isDelete = (element: unknown) => isObject(element) && element[directive] === 'delete';
  if (mergeKey === '' || !change.some(isDelete)) return [...present];
  const gone = positions(change.filter(isDelete), mergeKey);
  const kept = present.filter(element => !gone.has(identity(element, mergeKey)));
  const known = positions(kept, mergeKey);
  const added = change.filter(e => !(isObject(e) && Object.hasOwn(e, directive)) && !known.has(identity(e, mergeKey)));
  return [...kept, ...added.slice(0, present.length - kept.length)];
}

/** The patch's elements must stand in the order that it asks for. */
function checkOrder(change: readonly unknown[], order: readonly unknown[], mergeKey: string): void {
  if (change.length === 0 || order.length === 0) return;
  const wanted = change.filter(element => !(isObject(element) && Object.hasOwn(element, directive)));
  let at = 0;
  for (const place of order) {
    if (at < wanted.length && identity(wanted[at], mergeKey) === identity(place, mergeKey)) at++;
  }
  if (at >= wanted.length) return;
  throw new PatchError(
    'failed',
    `The order in patch list:\n${show(change)}\n doesn't match ${orderPrefix} list:\n${show(order)}\n`,
  );
}

/** Elements named by `order` in that order, the others where the server had them. */
function weave(
  merged: readonly unknown[],
  order: readonly unknown[],
  server: readonly unknown[],
  mergeKey: string,
): unknown[] {
  const named = positions(order, mergeKey);
  const mine = sortByOrder(
    merged.filter(e => named.has(identity(e, mergeKey))),
    order,
    mergeKey,
  );
  const others = sortByOrder(
    merged.filter(e => !named.has(identity(e, mergeKey))),
    server,
    mergeKey,
  );
  const at = positions(server, mergeKey);
  const out: unknown[] = [];
  let next = 0;
  for (const element of mine) {
    const place = at.get(identity(element, mergeKey));
    while (
      place !== undefined &&
      next < others.length &&
      (at.get(identity(others[next], mergeKey)) ?? Infinity) < place
    ) {
      out.push(others[next++]);
    }
    out.push(element);
  }
  return out.concat(others.slice(next));
}

function mergeList(
  present: unknown[],
  change: unknown[],
  meta: FieldMeta,
  deletes: boolean,
  options: MergeOptions,
): unknown[] {
  if (meta.strategy !== 'merge' && !deletes) return change;
  if (present.length === 0 && change.length === 0) return present;
  if (elementKind(present, change) !== 'map') {
    if (deletes) {
      const gone = new Set(change);
      return present.filter(element => !gone.has(element));
    }
    return weave([...new Set([...present, ...change])], change, present, '');
  }
  if (meta.mergeKey === '') {
    throw new PatchError(
      'failed',
      `cannot merge lists without merge key for ${meta.schema?.kind === 'object' ? (meta.schema.name ?? '') : ''}`,
    );
  }
  const { base, rest } = applyElementDirectives(present, change, meta.mergeKey);
  const before = [...base];
  const merged = mergeElements(base, rest, meta, options);
  return weave(merged, rest, before, meta.mergeKey);
}

/** Takes `$patch` elements out of the patch and does what they say. */
function applyElementDirectives(
  present: unknown[],
  change: unknown[],
  mergeKey: string,
): { base: unknown[]; rest: unknown[] } {
  const gone = new Set<unknown>();
  const rest: unknown[] = [];
  let replace = false;
  for (const element of change) {
    const map = asMap(element);
    const kind = getOwn(map, directive);
    if (kind === undefined) rest.push(element);
    else if (kind === 'delete') gone.add(identity(map, mergeKey));
    else if (kind === 'replace') replace = true;
    else if (kind === 'merge') throw new PatchError('failed', 'merging lists cannot yet be specified in the patch');
    else throw new PatchError('failed', `unknown patch type: ${show(kind)} in map: ${show(map)}`);
  }
  if (replace) return { base: rest, rest: [] };
  const base = gone.size === 0 ? present : present.filter(element => !gone.has(getOwn(asMap(element), mergeKey)));
  return { base, rest };
}

function mergeElements(base: unknown[], change: readonly unknown[], meta: FieldMeta, options: MergeOptions): unknown[] {
  const at = positions(base, meta.mergeKey);
  for (const element of change) {
    const id = identity(element, meta.mergeKey);
    const found = at.get(id);
    if (found !== undefined) base[found] = mergeMap(asMap(base[found]), asMap(element), meta.schema, options);
    else {
      at.set(id, base.length);
      if (options.apply) dropNulls(element);
      base.push(options.apply ? withoutDirectives(element).value : element);
    }
  }
  return base;
}
