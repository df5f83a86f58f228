/** Canonical JSON: fields in the order of Go's structs, maps by key, as upstream writes them. */
import type { ObjectSchema } from '../schema.ts';
import { setOwn, sortedMap } from './coerce.ts';
import type { ObjectPlan, Plan } from './plan.ts';
import { planOf } from './plan.ts';

const encoder = new TextEncoder();

/** The stored and served bytes of a value. The value is not changed. */
export function encodeJson(value: object, schema?: ObjectSchema): Uint8Array {
  return encoder.encode(JSON.stringify(schema ? ordered(value, schema) : value));
}

/** The value with its fields in canonical order; the same object where it already is. Undefined fields do not count. */
export function ordered<T extends object>(value: T, schema: ObjectSchema): T {
  return order(value, planOf(schema)) as T;
}

function order(value: unknown, plan: Plan): unknown {
  if (typeof value !== 'object' || value === null || plan.kind === 'scalar') return value;
  if (plan.kind === 'list') return Array.isArray(value) ? orderList(value, plan.items) : value;
  if (Array.isArray(value)) return value;
  return plan.kind === 'map'
    ? orderMap(value as Record<string, unknown>, plan.values)
    : orderObject(value as Record<string, unknown>, plan);
}

function orderList(value: unknown[], items: Plan): unknown[] {
  if (items.kind === 'scalar') return value;
  let out: unknown[] | undefined;
  for (let i = 0; i < value.length; i++) {
    const before = value[i];
    const after = order(before, items);
    if (after !== before) {
      out ??= value.slice();
      out[i] = after;
    }
  }
  return out ?? value;
}

function orderMap(value: Record<string, unknown>, values: Plan): Record<string, unknown> {
  let last = '';
  let sorted = true;
  let out: Record<string, unknown> | undefined;
  for (const key in value) {
    if (key < last) sorted = false;
    last = key;
    if (values.kind === 'scalar') continue;
    const after = order(value[key], values);
    if (after !== value[key]) {
      out ??= { ...value };
      setOwn(out, key, after);
    }
  }
  return sorted ? (out ?? value) : sortedMap(out ?? value);
}

function orderObject(value: Record<string, unknown>, plan: ObjectPlan): Record<string, unknown> {
  const { fields } = plan;
  let last = -1;
  let inOrder = true;
  let out: Record<string, unknown> | undefined;
  for (const key in value) {
    const field = fields.get(key);
    const rank = field ? field.rank : fields.size;
    if (rank < last) inOrder = false;
    last = rank;
    const before = value[key];
    if (!field || typeof before !== 'object') continue;
    const after = order(before, field.plan);
    if (after !== before) {
      out ??= { ...value };
      setOwn(out, key, after);
    }
  }
  const current = out ?? value;
  return inOrder ? current : byRank(current, plan);
}

function byRank(value: Record<string, unknown>, plan: ObjectPlan): Record<string, unknown> {
  const rank = (key: string) => plan.fields.get(key)?.rank ?? plan.fields.size;
  const out: Record<string, unknown> = {};
  for (const key of Object.keys(value).sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1)))
    setOwn(out, key, value[key]);
  return out;
}
