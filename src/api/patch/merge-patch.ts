/** JSON merge patch (RFC 7386), and how kubectl computes one. Nothing here changes its arguments. */

import { deepClone, deepEqual, getOwn, isObject, type JsonObject, setOwn, shallowCopy } from '../util/values.ts';
import { checkDepth } from './errors.ts';

/** The document after the patch: null removes a field, objects merge, everything else replaces. @throws PatchError when nested too deeply */
export function applyMergePatch<T>(document: T, patch: unknown): T {
  checkDepth(document, patch);
  return merge(document, patch) as T;
}

function merge(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return deepClone(patch);
  const out = isObject(target) ? shallowCopy(target) : {};
  for (const key of Object.keys(patch)) {
    const change = patch[key];
    if (change === null || change === undefined) delete out[key];
    else setOwn(out, key, merge(getOwn(out, key), change));
  }
  return out;
}

/** The smallest patch that turns `from` into `to`; `{}` when they are equal. Nulls inside `to` cannot be expressed. */
export function createMergePatch(from: JsonObject, to: JsonObject): JsonObject {
  const patch: JsonObject = {};
  for (const key of Object.keys(to)) {
    const wanted = to[key];
    const present = getOwn(from, key);
    if (isObject(wanted) && isObject(present)) {
      const inner = createMergePatch(present, wanted);
      if (Object.keys(inner).length > 0) setOwn(patch, key, inner);
    } else if (!Object.hasOwn(from, key) || !deepEqual(present, wanted)) setOwn(patch, key, deepClone(wanted));
  }
  for (const key of Object.keys(from)) if (!Object.hasOwn(to, key)) setOwn(patch, key, null);
  return patch;
}

function keep(patch: JsonObject, wanted: (value: unknown) => boolean): JsonObject {
  const out: JsonObject = {};
  for (const key of Object.keys(patch)) {
    const value = patch[key];
    if (isObject(value)) {
      const inner = keep(value, wanted);
      if (Object.keys(inner).length > 0) setOwn(out, key, inner);
    } else if (wanted(value)) setOwn(out, key, value);
  }
  return out;
}

/**
 * For `kubectl apply` on kinds without merge keys: additions and changes from `current` to `modified`, deletions from `original`
 * (the configuration applied last) to `modified`.
 */
export function createThreeWayJsonMergePatch(
  original: JsonObject,
  modified: JsonObject,
  current: JsonObject,
): JsonObject {
  const changes = keepAdded(createMergePatch(current, modified));
  const deletions = keep(createMergePatch(original, modified), value => value === null);
  return overlay(deletions, changes);
}

/** Drops the nulls but keeps empty objects that are additions. */
function keepAdded(patch: JsonObject): JsonObject {
  const out: JsonObject = {};
  for (const key of Object.keys(patch)) {
    const value = patch[key];
    if (value === null) continue;
    if (!isObject(value) || Object.keys(value).length === 0) setOwn(out, key, value);
    else {
      const inner = keepAdded(value);
      if (Object.keys(inner).length > 0) setOwn(out, key, inner);
    }
  }
  return out;
}

/** Joins two patches, keeping nulls; the second wins. */
function overlay(first: JsonObject, second: JsonObject): JsonObject {
  const out = shallowCopy(first);
  for (const key of Object.keys(second)) {
    const a = getOwn(out, key);
    const b = second[key];
    setOwn(out, key, isObject(a) && isObject(b) ? overlay(a, b) : b);
  }
  return out;
}
