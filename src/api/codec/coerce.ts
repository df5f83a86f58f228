/**
 * Brings a parsed value into the shape of its schema, as Go's decoder would: types checked, unknown fields dropped, null and
 * zero values left out, quantities and times in normal form, fields in canonical order.
 */
import { canonicalQuantity, QuantityError } from '../quantity.ts';
import type { ObjectSchema, Schema } from '../schema.ts';
import { DecodeError } from './decode-error.ts';
import type { MapPlan, ObjectPlan, Plan, ScalarPlan } from './plan.ts';
import { planOf } from './plan.ts';
import { maxProblems } from './scan.ts';
import { canonicalMicroTime, canonicalTime } from './time.ts';

export interface Coercion {
  /** `unknown field "spec.foo"`, in order of appearance; undefined when nobody asks. */
  unknown: string[] | undefined;
  /** An empty list of managed fields is kept: a request asks with it to forget all managers. */
  keepsReset?: boolean | undefined;
}

type Step = string | number | { key: string };

interface Walk extends Coercion {
  /** Field names, indexes, and map keys (which stand in paths of unknown fields, not in Go's type errors). */
  path: Step[];
  /** The struct around the value, for messages. */
  struct: string;
  /** How much of the path type errors leave out: the metadata of a custom resource is decoded by itself. */
  base: number;
  /** Unknown fields of the metadata of objects inside of custom resources, which are told last. */
  embedded: string[];
  /** Metadata of wrong types is dropped. */
  lenient?: boolean;
}

/** @throws DecodeError on a value of the wrong type. May reuse and change `value`. */
export function coerce(value: unknown, schema: ObjectSchema, options: Coercion): Record<string, unknown> {
  const plan = planOf(schema) as ObjectPlan;
  const unknown = plan.loose && options.unknown ? [] : options.unknown;
  const walk: Walk = { unknown, path: [], struct: '', base: 0, embedded: [] };
  if (!isObject(value)) throw mismatch(value, walk, plan);
  const forgets = options.keepsReset && forgetsManagers(value['metadata']);
  const coerced = coerceObject(value, plan, walk);
  if (forgets) (coerced['metadata'] as Record<string, unknown>)['managedFields'] = [];
  if (unknown !== options.unknown && unknown) options.unknown?.push(...inOrder(unknown), ...walk.embedded.sort());
  return coerced;
}

function forgetsManagers(metadata: unknown): boolean {
  const list = isObject(metadata) ? metadata['managedFields'] : undefined;
  return Array.isArray(list) && list.length === 0;
}

/** Custom resources: the metadata first, then all else by name. */
function inOrder(unknown: readonly string[]): string[] {
  const ofMetadata = (text: string) => text.startsWith('unknown field "metadata.');
  return [...unknown.filter(ofMetadata), ...unknown.filter(text => !ofMetadata(text)).sort()];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Assigns even "__proto__" as an own property. */
export function setOwn(target: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
  else target[key] = value;
}

function coerceObject(value: Record<string, unknown>, plan: ObjectPlan, walk: Walk): Record<string, unknown> {
  const outer = walk.struct;
  if (plan.schema.name) walk.struct = plan.schema.name;
  const { fields, loose } = plan;
  let last = -1;
  let rebuild = false;
  const depth = walk.path.length;
  for (const key in value) {
    const field = fields.get(key);
    if (!field) {
      if (plan.preserve) continue;
      walk.path[depth] = key;
      report(walk);
      rebuild = true;
      continue;
    }
    if (field.rank < last) rebuild = true;
    last = field.rank;
    const before = value[key];
    if (before === null && !loose) {
      rebuild = true;
      continue;
    }
    walk.path[depth] = key;
    const after = loose ? coerceLoose(before, field.plan, walk) : coerceValue(before, field.plan, walk);
    if (after !== before) value[key] = after;
    if (field.omitZero && isZero(after)) rebuild = true;
  }
  walk.path.length = depth;
  walk.struct = outer;
  return rebuild ? rebuilt(value, plan) : value;
}

/** A new object rather than `delete`, which would make V8 treat it as a dictionary. */
function rebuilt(value: Record<string, unknown>, plan: ObjectPlan): Record<string, unknown> {
  const keys: string[] = [];
  const ranks: number[] = [];
  for (const key in value) {
    const field = plan.fields.get(key);
    if (!field && !plan.preserve) continue;
    if (field && ((value[key] === null && !plan.loose) || (field.omitZero && isZero(value[key])))) continue;
    const rank = field?.rank ?? plan.fields.size;
    // Few declared fields, nearly in order, go to their place at once; others stay behind them as they come.
    let at = keys.length;
    for (; at > 0 && (ranks[at - 1] as number) > rank; at--) {
      keys[at] = keys[at - 1] as string;
      ranks[at] = ranks[at - 1] as number;
    }
    keys[at] = key;
    ranks[at] = rank;
  }
  const out: Record<string, unknown> = {};
  for (const key of keys) setOwn(out, key, value[key]);
  return out;
}

function isZero(value: unknown): boolean {
  if (typeof value !== 'object') return value === '' || value === 0 || value === false;
  if (value === null) return true;
  if (Array.isArray(value)) return value.length === 0;
  for (const _ in value) return false;
  return true;
}

function report(walk: Walk): void {
  if (walk.unknown && walk.unknown.length < maxProblems) walk.unknown.push(`unknown field "${join(walk.path)}"`);
}

/** "spec.containers[0].name" */
function join(path: readonly Step[]): string {
  let out = '';
  for (const part of path) {
    if (typeof part === 'number') out += `[${part}]`;
    else out += `${out ? '.' : ''}${typeof part === 'string' ? part : part.key}`;
  }
  return out;
}

function coerceValue(value: unknown, plan: Plan, walk: Walk): unknown {
  switch (plan.kind) {
    case 'scalar':
      return coerceScalar(value, plan, walk);
    case 'list':
      if (!Array.isArray(value)) throw mismatch(value, walk, plan);
      return coerceList(value, plan.items, walk);
    case 'map':
      if (!isObject(value)) throw mismatch(value, walk, plan);
      return coerceMap(value, plan, walk);
    case 'object':
      if (!isObject(value)) throw mismatch(value, walk, plan);
      return coerceObject(value, plan, walk);
  }
}

function coerceList(value: unknown[], items: Plan, walk: Walk): unknown[] {
  const depth = walk.path.length;
  for (let i = 0; i < value.length; i++) {
    walk.path[depth] = i;
    const before = value[i];
    value[i] = before === null ? zeroOf(items) : coerceValue(before, items, walk);
  }
  walk.path.length = depth;
  return value;
}

function coerceMap(value: Record<string, unknown>, plan: MapPlan, walk: Walk): Record<string, unknown> {
  const depth = walk.path.length;
  const { values } = plan;
  let last = '';
  let sorted = true;
  for (const key in value) {
    if (key < last) sorted = false;
    last = key;
    if (values.kind !== 'scalar') walk.path[depth] = { key };
    const before = value[key];
    const after = before === null ? zeroOf(values) : coerceValue(before, values, walk);
    if (after !== before) setOwn(value, key, after);
  }
  walk.path.length = depth;
  return sorted ? value : sortedMap(value);
}

/** Go writes maps in the order of their keys. */
export function sortedMap<T>(value: Readonly<Record<string, T>>): Record<string, T> {
  const out: Record<string, T> = {};
  for (const key of Object.keys(value).sort()) setOwn(out, key, value[key]);
  return out;
}

/** What a null element or map value decodes to. */
function zeroOf(plan: Plan): unknown {
  if (plan.kind === 'object' || plan.kind === 'map') return {};
  if (plan.kind === 'list') return [];
  switch (plan.type) {
    case 'int32':
    case 'int64':
    case 'double':
    case 'intOrString':
      return 0;
    case 'bool':
      return false;
    case 'quantity':
      return '0';
    case 'json':
    case 'raw':
    case 'fieldsV1':
    case 'time':
    case 'microTime':
      return null;
    default:
      return '';
  }
}

function coerceScalar(value: unknown, plan: ScalarPlan, walk: Walk): unknown {
  switch (plan.type) {
    case 'string':
      if (typeof value !== 'string') throw mismatch(value, walk, plan);
      return value;
    case 'bool':
      if (typeof value !== 'boolean') throw mismatch(value, walk, plan);
      return value;
    case 'int32':
      if (typeof value !== 'number' || (value | 0) !== value) throw mismatch(value, walk, plan);
      return value === 0 ? 0 : value;
    case 'int64':
      if (!Number.isSafeInteger(value)) throw mismatch(value, walk, plan);
      return value === 0 ? 0 : value;
    case 'double':
      if (typeof value !== 'number') throw mismatch(value, walk, plan);
      return value;
    case 'intOrString':
      if (typeof value !== 'string' && (typeof value !== 'number' || (value | 0) !== value))
        throw new DecodeError(`json: cannot unmarshal ${wordFor(value, true)} into Go value of type int32`);
      return value;
    default:
      return coerceSpecial(value, plan, walk);
  }
}

function coerceSpecial(value: unknown, plan: ScalarPlan, walk: Walk): unknown {
  switch (plan.type) {
    case 'quantity':
      return quantity(value);
    case 'time':
    case 'microTime':
      if (typeof value !== 'string')
        throw new DecodeError(`json: cannot unmarshal ${wordFor(value, false)} into Go value of type string`);
      return plan.type === 'time' ? canonicalTime(value) : canonicalMicroTime(value);
    case 'bytes':
      if (typeof value !== 'string') throw mismatch(value, walk, plan);
      return base64(value);
    default:
      return plan.union ? coerceUnion(value, plan.union, walk) : value;
  }
}

const quantities = new Map<string, string>();
function quantity(value: unknown): string {
  const text = typeof value === 'number' ? String(value) : value;
  if (typeof text !== 'string') throw new DecodeError(quantityShape);
  const known = quantities.get(text);
  if (known !== undefined) return known;
  try {
    const canonical = canonicalQuantity(text);
    if (quantities.size > 5000) quantities.clear();
    quantities.set(text, canonical);
    return canonical;
  } catch (e) {
    if (e instanceof QuantityError) throw new DecodeError(e.message);
    throw e;
  }
}
const quantityShape = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

const alphabet = /^[A-Za-z0-9+/]*={0,2}$/;
function base64(value: string): string {
  const text = /[\r\n]/.test(value) ? value.replace(/[\r\n]/g, '') : value;
  if (text.length % 4 === 0 && alphabet.test(text)) return text;
  const bad = /[^A-Za-z0-9+/]/.exec(text.replace(/={1,2}$/, m => ((text.length & 3) === 0 ? 'A'.repeat(m.length) : m)));
  throw new DecodeError(`illegal base64 data at input byte ${bad ? bad.index : text.length - (text.length & 3)}`);
}

function coerceUnion(value: unknown, union: NonNullable<ScalarPlan['union']>, walk: Walk): unknown {
  if (isObject(value)) return coerceObject(value, planOf(union.schema) as ObjectPlan, walk);
  if (union.or === 'bool' && typeof value === 'boolean') return value;
  if (union.or === 'array' && Array.isArray(value)) return coerceList(value, planOf(union.schema), walk);
  if (union.or === 'strings' && Array.isArray(value))
    return coerceList(value, { kind: 'scalar', type: 'string' }, walk);
  throw new DecodeError(union.or === 'bool' ? 'boolean or JSON schema expected' : 'JSON schema or array expected');
}

/** Custom types: only fields are followed; what has another type than the schema says is left for validation. */
function coerceLoose(value: unknown, plan: Plan, walk: Walk): unknown {
  if (plan.kind === 'list' && Array.isArray(value)) {
    const depth = walk.path.length;
    for (let i = 0; i < value.length; i++) {
      walk.path[depth] = i;
      value[i] = coerceLoose(value[i], plan.items, walk);
    }
    walk.path.length = depth;
  } else if (plan.kind === 'map' && isObject(value)) {
    const depth = walk.path.length;
    for (const key in value) {
      walk.path[depth] = { key };
      const before = value[key];
      const after = coerceLoose(before, plan.values, walk);
      if (after !== before) setOwn(value, key, after);
    }
    walk.path.length = depth;
  } else if (plan.kind === 'object' && !plan.loose && value !== null) return coerceMetadata(value, plan, walk);
  else if (plan.kind === 'object' && isObject(value)) {
    if (plan.schema.embeddedResource) requireTexts(value, walk);
    return coerceObject(value, plan, walk);
  } else if (plan.kind === 'scalar' && plan.type === 'emptied') return emptied(value, walk);
  return value;
}

/** The metadata of a custom resource, or of an object inside of one. */
function coerceMetadata(value: unknown, plan: ObjectPlan, walk: Walk): unknown {
  const { path, unknown } = walk;
  const depth = path.length;
  if (depth > 1 && unknown) walk.unknown = walk.embedded;
  walk.base = depth;
  walk.struct = plan.schema.name ?? '';
  try {
    if (!isObject(value)) throw mismatch(value, walk, plan);
    return coerceObject(value, plan, walk);
  } catch (e) {
    if (!(e instanceof DecodeError)) throw e;
    path.length = depth;
    if (walk.lenient) return isObject(value) ? readableFields(value, plan, walk) : {};
    if (depth === 1) throw e;
    throw new DecodeError(`${join(path)}: Invalid value: ${JSON.stringify(value)}: ${e.message}`);
  } finally {
    walk.unknown = unknown;
    walk.base = 0;
    walk.struct = '';
  }
}

function readableFields(value: Record<string, unknown>, plan: ObjectPlan, walk: Walk): Record<string, unknown> {
  const { path } = walk;
  const depth = path.length;
  const out: Record<string, unknown> = {};
  for (const [key, field] of Object.entries(value)) {
    try {
      Object.assign(out, coerceObject({ [key]: field }, plan, walk));
    } catch (e) {
      if (!(e instanceof DecodeError)) throw e;
      path.length = depth;
    }
  }
  return out;
}

/** An object inside of a custom resource. */
function requireTexts(value: Record<string, unknown>, { path, lenient }: Walk): void {
  for (const name of ['apiVersion', 'kind']) {
    if (!Object.hasOwn(value, name) || typeof value[name] === 'string') continue;
    if (lenient) delete value[name];
    else
      throw new DecodeError(
        `${join([...path, name])}: Invalid value: ${JSON.stringify(value[name])}: must be a string`,
      );
  }
}

function emptied(value: unknown, walk: Walk): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const depth = walk.path.length;
  for (const key in value) {
    walk.path[depth] = Array.isArray(value) ? Number(key) : key;
    if (Array.isArray(value)) value[Number(key)] = emptied(value[Number(key)], walk);
    else report(walk);
  }
  walk.path.length = depth;
  return Array.isArray(value) ? value : {};
}

function mismatch(value: unknown, walk: Walk, plan: Plan): DecodeError {
  const numeric = plan.kind === 'scalar' && (plan.type === 'int32' || plan.type === 'int64');
  const what = `json: cannot unmarshal ${wordFor(value, numeric)} into Go`;
  if (!walk.struct) return new DecodeError(`${what} value of type ${goType(plan)}`);
  const path = walk.path.slice(walk.base).filter(p => typeof p === 'string');
  return new DecodeError(
    `${what} struct field ${walk.struct.split('.').pop()}.${path.join('.')} of type ${goType(plan)}`,
  );
}

function wordFor(value: unknown, withNumber: boolean): string {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'number') return withNumber ? `number ${value}` : 'number';
  return typeof value;
}

function goType(plan: Plan): string {
  if (plan.kind === 'list') return `[]${goType(plan.items)}`;
  if (plan.kind === 'map') return `map[string]${goType(plan.values)}`;
  if (plan.kind === 'object') return plan.schema.name?.split('.').slice(-2).join('.') ?? 'map[string]interface {}';
  const names: Record<string, string> = { bytes: '[]uint8', double: 'float64', quantity: 'resource.Quantity' };
  return names[plan.type] ?? plan.type;
}

/** Drops what the schema does not know, and metadata of wrong types. Other types are left alone; `value` may be reused. */
export function prune<T>(value: T, schema: Schema): T {
  return coerceLoose(value, planOf(schema), {
    unknown: undefined,
    path: [],
    struct: '',
    base: 0,
    embedded: [],
    lenient: true,
  }) as T;
}
