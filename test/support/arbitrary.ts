/** Random objects of any kind in the catalog, for property tests: well-typed, not necessarily valid. */
import fc from 'fast-check';
import {
  apiVersionOf,
  type Field,
  type ObjectSchema,
  type ResourceInfo,
  type ScalarSchema,
  type Schema,
} from '../../src/api/schema.ts';

/** A small deterministic source (mulberry32), so that a case is its seed. */
function source(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

type Next = () => number;
type Json = Record<string, unknown>;
const pick = <T>(next: Next, values: readonly [T, ...T[]]): T =>
  values[Math.floor(next() * values.length)] ?? values[0];
const words = [
  'a',
  'web',
  'x-1',
  'kube-system',
  'é',
  '名前',
  '"quoted"',
  'a: b',
  'true',
  '1',
  'line\nline',
  ' ',
  '__proto__',
] as const;
const quantities = ['0', '1', '100m', '1500m', '128Mi', '1Gi', '1e3', '-1', '12E'] as const;

/** An object of a resource, with kind and apiVersion. */
export function arbitraryObject(resource: ResourceInfo): fc.Arbitrary<Json> {
  return fc.nat({ max: 0x7fffffff }).map(seed => ({
    ...makeObject(source(seed), resource.schema, 0),
    kind: resource.kind,
    apiVersion: apiVersionOf(resource),
  }));
}

function makeObject(next: Next, schema: ObjectSchema, depth: number): Json {
  const out: Json = {};
  const chance = depth === 0 ? 0.9 : Math.min(0.6, 8 / (schema.fields.size + 1));
  for (const field of schema.fields.values()) {
    const required = schema.required.includes(field.name);
    // Kind and apiVersion of an object inside another one have no protobuf form.
    if (depth > 0 && field.protobuf === 0) continue;
    const leaf = field.schema.kind === 'scalar';
    // Deep down only leaves and what must be there, so that recursive types end.
    if (!required && (depth > 5 ? !leaf || next() >= chance : next() >= chance)) continue;
    if (depth > 9 && field.schema.kind === 'object') continue;
    const value = makeField(next, field, depth);
    if (value !== undefined) out[field.name] = value;
  }
  return out;
}

function makeField(next: Next, { schema }: Field, depth: number): unknown {
  return make(next, schema, depth + 1);
}

function make(next: Next, schema: Schema, depth: number): unknown {
  switch (schema.kind) {
    case 'object':
      return makeObject(next, schema, depth);
    case 'list':
      return Array.from({ length: depth > 6 ? 0 : Math.floor(next() * 3) }, () => make(next, schema.items, depth + 1));
    case 'map':
      return makeMap(next, schema.values, depth);
    case 'scalar':
      return makeScalar(next, schema, depth);
  }
}

function makeMap(next: Next, values: Schema, depth: number): Json {
  const entries: [string, unknown][] = [];
  for (let i = Math.floor(next() * 3); i > 0; i--) entries.push([pick(next, words), make(next, values, depth + 1)]);
  return Object.fromEntries(entries);
}

const integer = (next: Next, bound: number) => pick(next, [0, 1, -1, bound, -bound - 1, Math.floor(next() * 1000)]);

function makeScalar(next: Next, schema: ScalarSchema, depth: number): unknown {
  switch (schema.type) {
    case 'string':
      return next() < 0.1 ? '' : pick(next, words);
    case 'bool':
      return next() < 0.5;
    case 'int32':
      return integer(next, 2 ** 31 - 1);
    case 'int64':
      return pick(next, [integer(next, 2 ** 31 - 1), Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]);
    case 'double':
      return pick(next, [0, 1.5, -2, 1e300]);
    case 'intOrString':
      return next() < 0.5 ? integer(next, 2 ** 31 - 1) : pick(next, words);
    case 'quantity':
      return pick(next, quantities);
    case 'bytes':
      return pick(next, ['', 'aGk=', 'AAEC/w==']);
    case 'time':
      return pick(next, ['2026-01-02T03:04:05Z', '1969-12-31T23:59:59Z', '2026-01-02T03:04:05+02:00']);
    case 'microTime':
      return pick(next, ['2026-01-02T03:04:05.000006Z', '2026-01-02T03:04:05Z']);
    default:
      return makeJson(next, schema, depth);
  }
}

function makeJson(next: Next, schema: ScalarSchema, depth: number): unknown {
  if (schema.union && schema.union.or === 'bool' && next() < 0.5) return next() < 0.5;
  if (schema.union) return depth > 4 ? {} : makeObject(next, schema.union.schema, depth + 1);
  return pick<unknown>(next, [
    {},
    { 'f:metadata': { 'f:name': {} } },
    { apiVersion: 'v1', kind: 'X', list: [1, 'a', null, true] },
  ]);
}
