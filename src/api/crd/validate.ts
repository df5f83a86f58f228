/**
 * Values of custom resources against their schema, in the order and words of upstream (k8s.io/kube-openapi/pkg/validation). All that a
 * schema says of a value is checked, also when the value is of a wrong type.
 */
import { RE2JS } from 're2js';
import type { Constraints, ListSchema, ObjectSchema, ScalarSchema, Schema, ValueSchema } from '../schema.ts';
import { goQuote } from '../util/go-text.ts';
import { deepEqual } from '../util/values.ts';
import { hasFormat, isKnownFormat } from './formats.ts';
import { checkLists } from './lists.ts';
import { canonical, enough, type Problem, problem } from './problems.ts';

type Json = Record<string, unknown>;

/** All violations of a whole object. Metadata is checked elsewhere. */
export function validateCustom(value: unknown, schema: Schema): Problem[] {
  return [...validateValue(value, schema), ...checkLists(value, schema)];
}

/** Violations that an update brings: parts that are as they were stay allowed (upstream's ratcheting). */
export function validateCustomUpdate(value: unknown, old: unknown, schema: Schema): Problem[] {
  return [...validateValue(value, schema, '', old), ...checkListsUpdate(value, old, schema)];
}

/** The same for a write of the status alone, which says nothing of the rest. */
export function validateStatusUpdate(value: Json, old: Json, schema: ObjectSchema): Problem[] {
  const { status } = value;
  const own = schema.fields.get('status')?.schema;
  const found = own && status !== undefined ? validateValue(status, own, 'status', old['status']) : [];
  return [...found, ...checkListsUpdate(value, old, schema)];
}

function checkListsUpdate(value: unknown, old: unknown, schema: Schema): Problem[] {
  const found = checkLists(value, schema);
  return found.length > 0 && checkLists(old, schema).length === 0 ? found : [];
}

/** What the keywords of a schema forbid. `prefix` says where the value stands: texts name only what lies below it. */
export function validateValue(value: unknown, schema: Schema, prefix = '', old?: unknown): Problem[] {
  const out: Problem[] = [];
  check(value, schema, { path: '', schema, old, out });
  const seen = new Set<string>();
  return out.flatMap(found => {
    const text = `${found.field} ${found.message}`;
    if (seen.has(text)) return [];
    seen.add(text);
    return [{ ...found, field: [prefix, found.field].filter(Boolean).join('.') || '<nil>' }];
  });
}

/** Where a value stands. */
interface Place {
  readonly path: string;
  /** The structure there, also for the branches of a junctor. */
  readonly schema: Schema | undefined;
  /** What stood there before; undefined when nobody knows. */
  readonly old: unknown;
  readonly out: Problem[];
}

function typeOf(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

const scalarTypes: Partial<Record<ScalarSchema['type'], readonly string[]>> = {
  string: ['string'],
  bool: ['boolean'],
  int32: ['integer'],
  int64: ['integer'],
  double: ['number'],
  intOrString: ['integer', 'string'],
};
function allowedTypes(schema: Schema): readonly string[] | undefined {
  if (schema.kind === 'list') return ['array'];
  return schema.kind === 'scalar' ? scalarTypes[schema.type] : ['object'];
}

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Whether it is as it was, and so may stay. */
const unchanged = (value: unknown, { old }: Place) => old !== undefined && deepEqual(value, old);

function check(value: unknown, schema: Schema, place: Place): void {
  if (place.out.length >= enough || unchanged(value, place)) return;
  checkType(value, schema, place);
  const { constraints = {} } = schema;
  const inner = schema.kind === 'list' ? schema.items : undefined;
  checkConstraints(value, constraints, place, inner && ((item, at) => check(item, inner, at)));
  if (isObject(value)) checkMembers(value, schema, place);
}

/** A branch of a junctor, which speaks of values only. */
function checkBranch(value: unknown, branch: ValueSchema, place: Place): void {
  const { items, properties = {}, required = [] } = branch;
  checkConstraints(value, branch, place, items && ((item, at) => checkPart(item, items, at)));
  if (!isObject(value)) return;
  for (const [name, inner] of Object.entries(properties))
    if (Object.hasOwn(value, name)) checkPart(value[name], inner, memberPlace(place, name));
  checkRequired(value, required, place);
}

function checkPart(value: unknown, branch: ValueSchema, place: Place): void {
  if (place.out.length < enough && !unchanged(value, place)) checkBranch(value, branch, place);
}

function checkType(value: unknown, schema: Schema, { path, out }: Place): void {
  const allowed = allowedTypes(schema);
  if (!allowed || (value === null && schema.nullable)) return;
  const actual = value === null ? 'null' : typeOf(value);
  if (allowed.includes(actual) || (actual === 'integer' && allowed.includes('number'))) return;
  const { format = '' } = schema.constraints ?? {};
  const formatted = value !== null && schema.kind === 'scalar' && schema.type === 'string' && isKnownFormat(format);
  const [wanted, found] = formatted ? [format, formatOf(value)] : [allowed.join(','), actual];
  if (found === undefined) return;
  const detail = `${path} in body must be of type ${wanted}: ${goQuote(found)}`;
  out.push(problem.typeInvalid(path, found, detail));
}

/** What upstream takes a value's own format to be. It overlooks lists where a format is asked for. */
function formatOf(value: unknown): string | undefined {
  if (typeof value === 'number') return Number.isInteger(value) ? 'int64' : 'float64';
  return Array.isArray(value) ? undefined : '';
}

function memberOf(object: unknown, key: string): unknown {
  return isObject(object) && Object.hasOwn(object, key) ? object[key] : undefined;
}

function memberPlace({ path, schema, old, out }: Place, name: string): Place {
  const known = schema?.kind === 'object' ? schema.fields.get(name)?.schema : undefined;
  const inner = schema?.kind === 'map' ? schema.values : known;
  return { path: path ? `${path}.${name}` : name, schema: inner, old: memberOf(old, name), out };
}

/** The places of a list's items. What an item was before can only be told in "map" lists. */
function itemPlaces(list: readonly unknown[], { path, schema, old, out }: Place): (item: unknown, i: number) => Place {
  const { items, listType, mapKeys } = (schema ?? {}) as Partial<ListSchema>;
  const place = (i: number, before: unknown): Place => ({ path: `${path}[${i}]`, schema: items, old: before, out });
  if (listType !== 'map' || !mapKeys || !Array.isArray(old) || list.length === 0) return (_, i) => place(i, undefined);
  const keyOf = (item: unknown) => canonical(mapKeys.map(k => memberOf(item, k) ?? null));
  const known = new Map<string, unknown>(old.map(item => [keyOf(item), item]));
  return (item, i) => place(i, known.get(keyOf(item)));
}

function checkMembers(value: Json, schema: Schema, place: Place): void {
  if (schema.kind === 'map')
    for (const [key, inner] of Object.entries(value)) check(inner, schema.values, memberPlace(place, key));
  if (schema.kind !== 'object') return;
  for (const [name, { schema: inner }] of schema.fields) {
    if (!Object.hasOwn(value, name)) continue;
    const at = memberPlace(place, name);
    // A schema with a name is a built-in type: metadata, which has its own rules besides those on names.
    if (inner.kind !== 'object' || inner.name === undefined) check(value[name], inner, at);
    else if (inner.constraints) checkPart(value[name], inner.constraints, at);
  }
  checkRequired(value, schema.required, place);
}

function checkRequired(value: Json, required: readonly string[], { path, out }: Place): void {
  for (const name of required)
    if (!Object.hasOwn(value, name)) out.push(problem.required(path ? `${path}.${name}` : name));
}

/** All that is said of the value itself, and of its items by `checkItem`. */
function checkConstraints(
  value: unknown,
  c: ValueSchema,
  place: Place,
  checkItem: ((item: unknown, at: Place) => void) | undefined,
): void {
  const { path, out } = place;
  if (value !== null) checkJunctors(value, c, place);
  if (typeof value === 'string') checkString(value, c, path, out);
  else if (typeof value === 'number') checkNumber(value, c, path, out);
  else if (Array.isArray(value)) {
    const at = itemPlaces(value, place);
    if (checkItem) for (const [i, item] of value.entries()) checkItem(item, at(item, i));
    checkLength(value, c, path, out);
  }
  // Upstream finds null in no enum.
  if (c.enum && !c.enum.some(one => one !== null && deepEqual(one, value)))
    out.push(problem.notSupported(path, value, c.enum));
  if (isObject(value)) checkSize(value, c, path, out);
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
  else if (c.minLength !== undefined && lengthOf(value) < c.minLength)
    out.push(problem.invalid(path, value, `${path} in body should be at least ${c.minLength} chars long`));
  else if (c.pattern && !matches(c.pattern, value))
    out.push(problem.invalid(path, value, `${path} in body should match '${c.pattern}'`));
  if (c.format !== undefined && !hasFormat(value, c.format))
    out.push(problem.typeInvalid(path, value, `${path} in body must be of type ${c.format}: ${goQuote(value)}`));
}

/** Upstream compares an integer with the whole part of a bound. */
function checkNumber(value: number, c: Constraints, path: string, out: Problem[]): void {
  const complain = (what: string) => out.push(problem.invalid(path, value, `${path} in body should be ${what}`));
  const bound = (limit: number) => (Number.isInteger(value) ? Math.trunc(limit) : limit);
  if (c.multipleOf !== undefined) {
    const factor = bound(c.multipleOf);
    if (factor <= 0)
      out.push(problem.invalid(path, factor, `factor MultipleOf declared for ${path} must be positive: ${factor}`));
    else if (!isMultiple(value, factor)) complain(`a multiple of ${factor}`);
  }
  if (c.minimum !== undefined) {
    const least = bound(c.minimum);
    if (c.exclusiveMinimum ? value <= least : value < least)
      complain(`greater than ${c.exclusiveMinimum ? '' : 'or equal to '}${least}`);
  }
  if (c.maximum !== undefined) {
    const most = bound(c.maximum);
    if (c.exclusiveMaximum ? value >= most : value > most)
      complain(`less than ${c.exclusiveMaximum ? '' : 'or equal to '}${most}`);
  }
}

function isMultiple(value: number, of: number): boolean {
  const ratio = value / of;
  return Math.abs(ratio - Math.round(ratio)) < 1e-9 * Math.max(1, Math.abs(ratio));
}

function checkLength(value: readonly unknown[], c: Constraints, path: string, out: Problem[]): void {
  if (c.minItems !== undefined && value.length < c.minItems)
    out.push(problem.invalid(path, value.length, `${path} in body should have at least ${c.minItems} items`));
  if (c.maxItems !== undefined && value.length > c.maxItems) out.push(problem.tooMany(path, value.length, c.maxItems));
}

function checkSize(value: Json, c: Constraints, path: string, out: Problem[]): void {
  const size = Object.keys(value).length;
  if (c.minProperties !== undefined && size < c.minProperties)
    out.push(problem.invalid(path, size, `${path} in body should have at least ${c.minProperties} properties`));
  if (c.maxProperties !== undefined && size > c.maxProperties) out.push(problem.tooMany(path, size, c.maxProperties));
}

/** Upstream reports junctors without a field, and then what the branch lacks in which it looked at most. */
function checkJunctors(value: unknown, c: Constraints, place: Place): void {
  const { path, out } = place;
  const name = goQuote(path);
  const complain = (text: string) => void out.push(problem.invalid('', '', `${name} ${text}`));
  const tried = (branches: readonly ValueSchema[]) => branches.map(branch => tryBranch(value, branch, place));
  if (c.anyOf?.length) {
    const results = tried(c.anyOf);
    if (!results.some(r => r.length === 0)) {
      complain('must validate at least one schema (anyOf)');
      out.push(...mostSeen(value, c.anyOf, results));
    }
  }
  if (c.oneOf?.length) {
    const results = tried(c.oneOf);
    const valid = results.filter(r => r.length === 0).length;
    if (valid === 0) {
      complain('must validate one and only one schema (oneOf). Found none valid');
      out.push(...mostSeen(value, c.oneOf, results));
    } else if (valid > 1) complain(`must validate one and only one schema (oneOf). Found ${valid} valid alternatives`);
  }
  if (c.allOf?.length) {
    const failed = tried(c.allOf).filter(r => r.length > 0);
    for (const found of failed) out.push(...found);
    if (failed.length > 0)
      complain(`must validate all the schemas (allOf)${failed.length === c.allOf.length ? '. None validated' : ''}`);
  }
  if (c.not && tryBranch(value, c.not, place).length === 0) complain('must not validate the schema (not)');
}

function tryBranch(value: unknown, branch: ValueSchema, place: Place): readonly Problem[] {
  const out: Problem[] = [];
  checkBranch(value, branch, { ...place, out });
  return out;
}

function mostSeen(
  value: unknown,
  branches: readonly ValueSchema[],
  results: readonly (readonly Problem[])[],
): readonly Problem[] {
  let best = 0;
  const counts = branches.map(branch => checksOf(value, branch));
  for (const [i, count] of counts.entries()) if (count > (counts[best] ?? 0)) best = i;
  return results[best] ?? [];
}

/** How many checks upstream makes of a value (its MatchCount), as far as branches of one junctor can differ in it. */
function checksOf(value: unknown, branch: ValueSchema): number {
  if (value === null) return 1;
  const { items, properties = {} } = branch;
  let count = typeof value === 'boolean' ? 4 : typeof value === 'string' ? 5 : 6;
  if (typeof value === 'string' && isKnownFormat(branch.format ?? '')) count++;
  if (Array.isArray(value) && items) for (const item of value) count += checksOf(item, items);
  if (isObject(value))
    for (const [name, inner] of Object.entries(properties))
      if (Object.hasOwn(value, name)) count += checksOf(value[name], inner);
  return count;
}
