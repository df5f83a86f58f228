/** Helpers over JSON values. All are safe for keys such as `__proto__`, which are data here, and never change their input. */

export type JsonObject = { [key: string]: unknown };

/** A JSON object: not null, not a list. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An own field, or undefined; inherited names such as `constructor` are not fields. */
export function getOwn(object: JsonObject, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** Sets a field, in place; `__proto__` becomes an ordinary own field. */
export function setOwn(object: JsonObject, key: string, value: unknown): void {
  if (key === '__proto__') {
    Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
  } else object[key] = value;
}

/** A copy of one level. */
export function shallowCopy(object: JsonObject): JsonObject {
  // Spread defines fields instead of assigning them, so `__proto__` stays a field.
  return { ...object };
}

/** Structural equality of JSON values. A field that is undefined counts as absent. */
export function deepEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null)
    return Number.isNaN(a) && Number.isNaN(b);
  if (Array.isArray(a)) return Array.isArray(b) && listsEqual(a, b);
  if (Array.isArray(b)) return false;
  return objectsEqual(a as JsonObject, b as JsonObject);
}

function listsEqual(a: readonly unknown[], b: readonly unknown[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!deepEqual(a[i], b[i])) return false;
  return true;
}

function objectsEqual(a: JsonObject, b: JsonObject): boolean {
  let shared = 0;
  for (const key in a) {
    if (a[key] === undefined) continue;
    if (!Object.hasOwn(b, key) || b[key] === undefined || !deepEqual(a[key], b[key])) return false;
    shared++;
  }
  for (const key in b) if (b[key] !== undefined) shared--;
  return shared === 0;
}

/** A copy that shares nothing with its source. Fields that are undefined are dropped, as JSON drops them. */
export function deepClone<T>(value: T): T {
  return clone(value) as T;
}

function clone(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    const list = new Array<unknown>(value.length);
    for (let i = 0; i < value.length; i++) list[i] = clone(value[i]);
    return list;
  }
  if (value instanceof Uint8Array) return value.slice();
  const source = value as JsonObject;
  const out: JsonObject = {};
  for (const key in source) {
    const field = source[key];
    if (field !== undefined) setOwn(out, key, clone(field));
  }
  return out;
}

/** Freezes a value and all it holds; gives the same reference. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  if (ArrayBuffer.isView(value)) return value;
  Object.freeze(value);
  for (const key of Object.keys(value)) deepFreeze((value as JsonObject)[key]);
  return value;
}

function isUnset(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  if (Array.isArray(value)) return value.length === 0;
  if (typeof value === 'object') {
    for (const key in value) if (!isUnset((value as JsonObject)[key])) return false;
    return true;
  }
  return false;
}

/**
 * Equality in the API's sense (apimachinery's equality.Semantic): absent, null, an empty list and an empty map are the same.
 * Quantities are compared as text; compare those with `compareQuantity`, or canonicalise first.
 */
export function semanticEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (isUnset(a) || isUnset(b)) return isUnset(a) && isUnset(b);
  if (typeof a !== 'object' || typeof b !== 'object') return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    return a.every((item, i) => semanticEqual(item, b[i]));
  }
  const left = a as JsonObject;
  const right = b as JsonObject;
  for (const key in left) if (!semanticEqual(left[key], getOwn(right, key))) return false;
  for (const key in right) if (!Object.hasOwn(left, key) && !isUnset(right[key])) return false;
  return true;
}

/** Deepest nesting that the functions over JSON values are sure to survive; deeper documents are to be refused at the border. */
export const maxDepth = 2000;

/** Whether objects and lists are nested more than `limit` deep. */
export function exceedsDepth(value: unknown, limit = maxDepth): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (limit <= 0) return true;
  for (const key in value) if (exceedsDepth((value as JsonObject)[key], limit - 1)) return true;
  return false;
}
