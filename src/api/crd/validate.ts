/**
 * Values of custom resources against their schema, in the order and words of upstream (k8s.io/kube-openapi/pkg/validation and
 * k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype).
 */
import { RE2JS } from 're2js';
import type { Constraints, ListSchema, ObjectSchema, ScalarSchema, Schema, ValueSchema } from '../schema.ts';
import { goQuote } from '../util/go-text.ts';
import { deepEqual } from '../util/values.ts';
import { hasFormat } from './formats.ts';
import { type Problem, problem } from './problems.ts';

type Json = Record<string, unknown>;

/** So many are enough to tell: a body of commas could break millions of rules. */
const enough = 10_000;

/** All violations of a whole object or of one value at `path`. Metadata is checked elsewhere. */
export function validateCustom(value: unknown, schema: Schema, path = ''): Problem[] {
  const out: Problem[] = [];
  check(value, schema, path, out, undefined);
  checkLists(value, schema, path, out);
  return out;
}

/** Violations that an update brings: parts that are as they were stay allowed (upstream's ratcheting). */
export function validateCustomUpdate(value: unknown, old: unknown, schema: Schema): Problem[] {
  const out: Problem[] = [];
  check(value, schema, '', out, old);
  const before: Problem[] = [];
  checkLists(old, schema, '', before);
  if (before.length === 0) checkLists(value, schema, '', out);
  return out;
}

const child = (path: string, name: string) => (path ? `${path}.${name}` : name);

function typeOf(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

const scalarTypes: Partial<Record<ScalarSchema['type'], readonly string[]>> = {
  string: ['string'],
  bool: ['boolean'],
  int32: ['integer'],
  int64: ['integer'],
  double: ['number', 'integer'],
  intOrString: ['integer', 'string'],
};
function allowedTypes(schema: Schema): readonly string[] | undefined {
  if (schema.kind === 'list') return ['array'];
  return schema.kind === 'scalar' ? scalarTypes[schema.type] : ['object'];
}

function check(value: unknown, schema: Schema, path: string, out: Problem[], old: unknown): void {
  if (out.length >= enough) return;
  if (old !== undefined && deepEqual(value, old)) return;
  const actual = typeOf(value);
  const allowed = allowedTypes(schema);
  if (value === null && schema.nullable) return;
  if (allowed && !allowed.includes(actual)) {
    const wanted = schema.kind === 'scalar' && schema.type === 'double' ? 'number' : allowed.join(',');
    out.push(problem.typeInvalid(path, actual, `${path} in body must be of type ${wanted}: "${actual}"`));
    return;
  }
  if (schema.constraints) checkConstraints(value, schema.constraints, path, out);
  if (schema.kind === 'list') {
    const before = correlate(value as unknown[], schema, old);
    (value as unknown[]).forEach((item, i) => void check(item, schema.items, `${path}[${i}]`, out, before(item)));
  } else if (schema.kind === 'map')
    for (const [key, inner] of Object.entries(value as Json))
      check(inner, schema.values, child(path, key), out, memberOf(old, key));
  else if (schema.kind === 'object') checkObject(value as Json, schema, path, out, old);
}

function memberOf(object: unknown, key: string): unknown {
  const isObject = typeof object === 'object' && object !== null && !Array.isArray(object);
  return isObject && Object.hasOwn(object, key) ? (object as Json)[key] : undefined;
}

/** What an item was before: only items of "map" lists can be told. */
function correlate(list: readonly unknown[], schema: ListSchema, old: unknown): (item: unknown) => unknown {
  const { mapKeys } = schema;
  if (schema.listType !== 'map' || !mapKeys || !Array.isArray(old) || list.length === 0) return () => undefined;
  const keyOf = (item: unknown) => canonical(mapKeys.map(k => memberOf(item, k) ?? null));
  const known = new Map<string, unknown>(old.map(item => [keyOf(item), item]));
  return item => known.get(keyOf(item));
}

function checkObject(value: Json, schema: ObjectSchema, path: string, out: Problem[], old: unknown): void {
  checkRequired(value, schema.required, path, out);
  if (schema.embeddedResource)
    for (const name of ['apiVersion', 'kind'])
      if (!Object.hasOwn(value, name)) out.push(problem.required(child(path, name), 'must not be empty'));
  for (const [name, field] of schema.fields) {
    if (!Object.hasOwn(value, name)) continue;
    const inner = field.schema;
    // A schema with a name is a built-in type: metadata, which has its own rules besides those on names.
    if (inner.kind !== 'object' || inner.name === undefined)
      check(value[name], inner, child(path, name), out, memberOf(old, name));
    else if (inner.constraints) out.push(...checkValue(value[name], inner.constraints, child(path, name)));
  }
}

function checkRequired(value: Json, required: readonly string[], path: string, out: Problem[]): void {
  for (const name of required) if (!Object.hasOwn(value, name)) out.push(problem.required(child(path, name)));
}

function checkConstraints(value: unknown, c: Constraints, path: string, out: Problem[]): void {
  if (c.enum && !c.enum.some(allowed => deepEqual(allowed, value))) out.push(problem.notSupported(path, value, c.enum));
  if (typeof value === 'string') checkString(value, c, path, out);
  else if (typeof value === 'number') checkNumber(value, c, path, out);
  else if (Array.isArray(value)) checkList(value, c, path, out);
  else if (typeof value === 'object' && value !== null) checkSize(value as Json, c, path, out);
  checkJunctors(value, c, path, out);
}

const patterns = new Map<string, RE2JS>();
function matches(pattern: string, text: string): boolean {
  let compiled = patterns.get(pattern);
  if (!compiled) {
    if (patterns.size > 1000) patterns.clear();
    compiled = RE2JS.compile(pattern);
    patterns.set(pattern, compiled);
  }
  return compiled.matcher(text).find();
}

/** Characters, not UTF-16 units. */
function lengthOf(text: string): number {
  let length = 0;
  for (const _ of text) length++;
  return length;
}

function checkString(value: string, c: Constraints, path: string, out: Problem[]): void {
  if (c.maxLength !== undefined && lengthOf(value) > c.maxLength) out.push(problem.tooLong(path, c.maxLength));
  if (c.minLength !== undefined && lengthOf(value) < c.minLength)
    out.push(problem.invalid(path, value, `${path} in body should be at least ${c.minLength} chars long`));
  if (c.pattern !== undefined && !matches(c.pattern, value))
    out.push(problem.invalid(path, value, `${path} in body should match '${c.pattern}'`));
  if (c.format !== undefined && !hasFormat(value, c.format))
    out.push(problem.typeInvalid(path, value, `${path} in body must be of type ${c.format}: ${goQuote(value)}`));
}

function checkNumber(value: number, c: Constraints, path: string, out: Problem[]): void {
  const complain = (what: string) => out.push(problem.invalid(path, value, `${path} in body should be ${what}`));
  if (c.multipleOf !== undefined && !isMultiple(value, c.multipleOf)) complain(`a multiple of ${c.multipleOf}`);
  if (c.maximum !== undefined && (c.exclusiveMaximum ? value >= c.maximum : value > c.maximum))
    complain(`less than ${c.exclusiveMaximum ? '' : 'or equal to '}${c.maximum}`);
  if (c.minimum !== undefined && (c.exclusiveMinimum ? value <= c.minimum : value < c.minimum))
    complain(`greater than ${c.exclusiveMinimum ? '' : 'or equal to '}${c.minimum}`);
}

function isMultiple(value: number, of: number): boolean {
  const ratio = value / of;
  return Math.abs(ratio - Math.round(ratio)) < 1e-9 * Math.max(1, Math.abs(ratio));
}

function checkList(value: unknown[], c: Constraints, path: string, out: Problem[]): void {
  if (c.minItems !== undefined && value.length < c.minItems)
    out.push(problem.invalid(path, value.length, `${path} in body should have at least ${c.minItems} items`));
  if (c.maxItems !== undefined && value.length > c.maxItems) out.push(problem.tooMany(path, value.length, c.maxItems));
  if (c.uniqueItems && duplicatesOf(value).length > 0)
    out.push(problem.invalid(path, '', `${path} in body shouldn't contain duplicates`));
}

function checkSize(value: Json, c: Constraints & ValueSchema, path: string, out: Problem[]): void {
  const size = Object.keys(value).length;
  if (c.minProperties !== undefined && size < c.minProperties)
    out.push(problem.invalid(path, size, `${path} in body should have at least ${c.minProperties} properties`));
  if (c.maxProperties !== undefined && size > c.maxProperties) out.push(problem.tooMany(path, size, c.maxProperties));
}

function checkValue(value: unknown, schema: ValueSchema, path: string): Problem[] {
  const out: Problem[] = [];
  checkConstraints(value, schema, path, out);
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items) value.forEach((item, i) => void out.push(...checkValue(item, items, `${path}[${i}]`)));
  } else if (typeof value === 'object' && value !== null) {
    const object = value as Json;
    checkRequired(object, schema.required ?? [], path, out);
    for (const [name, inner] of Object.entries(schema.properties ?? {}))
      if (Object.hasOwn(object, name)) out.push(...checkValue(object[name], inner, child(path, name)));
  }
  return out;
}

/** Upstream reports junctors without a field, and then what the best branch lacks. */
function checkJunctors(value: unknown, c: Constraints, path: string, out: Problem[]): void {
  const name = JSON.stringify(path);
  const complain = (text: string) => void out.push(problem.invalid('<nil>', '', `${name} ${text}`));
  const results = (branches: readonly ValueSchema[]) => branches.map(b => checkValue(value, b, path));
  if (c.anyOf?.length) {
    const found = results(c.anyOf);
    if (!found.some(r => r.length === 0)) {
      complain('must validate at least one schema (anyOf)');
      out.push(...fewest(found));
    }
  }
  if (c.oneOf?.length) {
    const found = results(c.oneOf);
    const valid = found.filter(r => r.length === 0).length;
    if (valid === 0) {
      complain('must validate one and only one schema (oneOf). Found none valid');
      out.push(...fewest(found));
    } else if (valid > 1) complain(`must validate one and only one schema (oneOf). Found ${valid} valid alternatives`);
  }
  if (c.allOf?.length) {
    const failed = results(c.allOf).filter(r => r.length > 0);
    if (failed.length > 0) {
      complain(`must validate all the schemas (allOf)${failed.length === c.allOf.length ? '. None validated' : ''}`);
      out.push(...failed.flat());
    }
  }
  if (c.not && checkValue(value, c.not, path).length === 0) complain('must not validate the schema (not)');
}

const fewest = (results: readonly Problem[][]) => results.reduce((a, b) => (b.length < a.length ? b : a));

function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

/** Indexes of the second appearance of values. */
function duplicatesOf(list: readonly unknown[], keyOf: (item: unknown) => unknown = item => item): number[] {
  const seen = new Map<string, number>();
  const out: number[] = [];
  list.forEach((item, i) => {
    const key = canonical(keyOf(item));
    const times = seen.get(key) ?? 0;
    if (times === 1) out.push(i);
    seen.set(key, times + 1);
  });
  return out;
}

function checkLists(value: unknown, schema: Schema, path: string, out: Problem[]): void {
  if (out.length >= enough) return;
  if (schema.kind === 'list' && Array.isArray(value)) {
    if (schema.listType === 'set')
      for (const i of duplicatesOf(value)) out.push(problem.duplicate(`${path}[${i}]`, value[i]));
    else if (schema.listType === 'map') checkListMap(value, schema, path, out);
    value.forEach((item, i) => void checkLists(item, schema.items, `${path}[${i}]`, out));
  } else if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    if (schema.kind === 'map')
      for (const [key, inner] of Object.entries(value)) checkLists(inner, schema.values, `${path}[${key}]`, out);
    else if (schema.kind === 'object' && schema.name === undefined)
      for (const [name, field] of schema.fields)
        if (Object.hasOwn(value, name)) checkLists((value as Json)[name], field.schema, child(path, name), out);
  }
}

function checkListMap(list: readonly unknown[], schema: ListSchema, path: string, out: Problem[]): void {
  const keys = schema.mapKeys ?? [];
  const keyOf = (item: unknown) =>
    Object.fromEntries(keys.filter(k => Object.hasOwn(item as Json, k)).map(k => [k, (item as Json)[k]]));
  const bad = list.findIndex(item => typeof item !== 'object' || item === null || Array.isArray(item));
  if (bad >= 0)
    out.push(problem.invalid(`${path}[${bad}]`, list[bad], 'must be an object for an array of list-type map'));
  else for (const i of duplicatesOf(list, keyOf)) out.push(problem.duplicate(`${path}[${i}]`, keyOf(list[i])));
}
