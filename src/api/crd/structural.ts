/**
 * Whether a definition's JSON schema is structural
 * (k8s.io/apiextensions-apiserver/pkg/apiserver/schema/validation.go and complete.go).
 */
import { RE2JS } from 're2js';
import { prune } from '../codec/coerce.ts';
import type { JSONSchemaProps } from '../types/apiextensions-v1.ts';
import { deepEqual } from '../util/values.ts';
import { checkKeywords, unreadable } from './keywords.ts';
import { type Problem, problem } from './problems.ts';
import { asSchema, isIntOrString, schemaFor, structuralSchema } from './schema.ts';
import { validateValue } from './validate.ts';

type Level = 'root' | 'item' | 'field';

const allowedWithStatus: Readonly<Record<string, string>> = {
  description: 'Description',
  type: 'Type',
  format: 'Format',
  title: 'Title',
  maximum: 'Maximum',
  exclusiveMaximum: 'ExclusiveMaximum',
  minimum: 'Minimum',
  exclusiveMinimum: 'ExclusiveMinimum',
  maxLength: 'MaxLength',
  minLength: 'MinLength',
  pattern: 'Pattern',
  maxItems: 'MaxItems',
  minItems: 'MinItems',
  uniqueItems: 'UniqueItems',
  multipleOf: 'MultipleOf',
  required: 'Required',
  items: 'Items',
  properties: 'Properties',
  externalDocs: 'ExternalDocs',
  example: 'Example',
  'x-kubernetes-preserve-unknown-fields': 'XPreserveUnknownFields',
  'x-kubernetes-validations': 'XValidations',
};

/** A root whose status is written apart is an object with properties and little else. */
function withStatus(props: JSONSchemaProps, path: string): Problem[] {
  const because = 'at the root of the schema if the status subresource is enabled';
  if (props.type && props.type !== 'object')
    return [problem.invalid(`${path}.type`, props.type, `only "object" is allowed as the type ${because}`)];
  const set = Object.entries(props).filter(([, value]) => value !== undefined && value !== '' && value !== false);
  if (set.every(([key]) => Object.hasOwn(allowedWithStatus, key))) return [];
  const names = Object.values(allowedWithStatus).join(' ');
  return [problem.invalid(path, props, `only [${names}] fields are allowed ${because}`)];
}

/**
 * Every violation of a schema at `path` (such as "spec.validation.openAPIV3Schema"), sorted as upstream sorts them. `hasStatus`: the
 * version has the status subresource.
 */
export function validateStructural(props: JSONSchemaProps, path: string, hasStatus = false): Problem[] {
  const out = hasStatus ? withStatus(props, path) : [];
  if (props.nullable) out.push(problem.forbidden(`${path}.nullable`, 'nullable cannot be true at the root'));
  const why = unreadable(props);
  if (why === undefined) readable(props, path, out);
  checkKeywords(props, path, out);
  if (why !== undefined && out.length === 0) out.push(problem.invalid(path, '', why));
  return out;
}

function readable(props: JSONSchemaProps, path: string, out: Problem[]): void {
  const structural: Problem[] = [];
  invariants(props, 'root', path, structural);
  completeness(props, props, path, path, structural);
  const text = (p: Problem) => `${p.field}: ${p.message}`;
  out.push(...structural.sort((a, b) => (text(a) < text(b) ? -1 : 1)));
  if (structural.length === 0) defaults(props, path, out, true);
}

function invariants(s: JSONSchemaProps, level: Level, path: string, out: Problem[]): void {
  const items = asSchema(s.items);
  if (s.type === 'array' && !items) out.push(problem.required(`${path}.items`, 'must be specified'));
  if (items) invariants(items, 'item', `${path}.items`, out);
  for (const [name, inner] of Object.entries(s.properties ?? {}))
    invariants(inner, 'field', `${path}.properties[${name}]`, out);
  const values = asSchema(s.additionalProperties);
  if (s.additionalProperties !== undefined && level === 'root')
    out.push(problem.forbidden(`${path}.additionalProperties`, 'must not be used at the root'));
  if (values) invariants(values, 'field', `${path}.additionalProperties`, out);
  extensions(s, path, out);
  const intOrString = isIntOrString(s.anyOf);
  const nestedIntOrString = isIntOrString(s.allOf?.[0]?.anyOf);
  valueValidation(s, intOrString, nestedIntOrString, path, out);
  typeRules(s, level, path, out);
  metadataRules(s, level, path, out);
}

function extensions(s: JSONSchemaProps, path: string, out: Problem[]): void {
  if (!s['x-kubernetes-int-or-string']) return;
  for (const name of ['x-kubernetes-preserve-unknown-fields', 'x-kubernetes-embedded-resource'] as const)
    if (s[name])
      out.push(problem.invalid(`${path}.${name}`, true, 'must be false if x-kubernetes-int-or-string is true'));
}

function typeRules(s: JSONSchemaProps, level: Level, path: string, out: Problem[]): void {
  const embedded = s['x-kubernetes-embedded-resource'];
  const at = `${path}.type`;
  if (embedded && s.type !== 'object') {
    const why = 'must be object if x-kubernetes-embedded-resource is true';
    out.push(s.type ? problem.invalid(at, s.type, why) : problem.required(at, why));
  } else if (!s.type && !s['x-kubernetes-int-or-string'] && !s['x-kubernetes-preserve-unknown-fields']) {
    const where = { root: 'at the root', item: 'for specified array items', field: 'for specified object fields' };
    out.push(problem.required(at, `must not be empty ${where[level]}`));
  }
  if (embedded && s.additionalProperties !== undefined)
    out.push(
      problem.forbidden(`${path}.additionalProperties`, 'must not be used if x-kubernetes-embedded-resource is set'),
    );
  if (level === 'root' && s.type && s.type !== 'object')
    out.push(problem.invalid(at, s.type, 'must be object at the root'));
  if (embedded && !s['x-kubernetes-preserve-unknown-fields'] && Object.keys(s.properties ?? {}).length === 0)
    out.push(
      problem.required(
        `${path}.properties`,
        'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields',
      ),
    );
}

function metadataRules(s: JSONSchemaProps, level: Level, path: string, out: Problem[]): void {
  if (level !== 'root' && !s['x-kubernetes-embedded-resource']) return;
  for (const name of ['kind', 'apiVersion']) {
    const inner = s.properties?.[name];
    if (inner && inner.type !== 'string')
      out.push(problem.invalid(`${path}.properties[${name}].type`, inner.type ?? '', 'must be string'));
  }
  const metadata = s.properties?.['metadata'];
  if (!metadata) return;
  const at = `${path}.properties[metadata]`;
  if (metadata.type !== 'object') out.push(problem.invalid(`${at}.type`, metadata.type ?? '', 'must be object'));
  if (level !== 'root') return;
  const { type: _, default: __, properties = {}, description: ___, ...rest } = metadata;
  const onlyNames = Object.keys(properties).every(name => name === 'name' || name === 'generateName');
  if (!onlyNames || Object.keys(rest).length > 0)
    out.push(
      problem.forbidden(
        at,
        'must not specify anything other than name and generateName, but metadata is implicitly specified',
      ),
    );
}

function valueValidation(
  v: JSONSchemaProps,
  skipAnyOf: boolean,
  skipFirstAllOf: boolean,
  path: string,
  out: Problem[],
): void {
  if (!skipAnyOf) v.anyOf?.forEach((inner, i) => void nested(inner, false, `${path}.anyOf[${i}]`, out));
  v.allOf?.forEach((inner, i) => void nested(inner, skipFirstAllOf && i === 0, `${path}.allOf[${i}]`, out));
  v.oneOf?.forEach((inner, i) => void nested(inner, false, `${path}.oneOf[${i}]`, out));
  if (v.not) nested(v.not, false, `${path}.not`, out);
  const complaint = v.pattern ? patternProblem(v.pattern) : '';
  if (complaint)
    out.push(
      problem.invalid(`${path}.pattern`, v.pattern, `must be a valid regular expression, but isn't: ${complaint}`),
    );
}

function patternProblem(pattern: string): string {
  try {
    RE2JS.compile(pattern);
    return '';
  } catch (e) {
    return e instanceof Error ? e.message : String(e);
  }
}

const forbiddenBelowJunctors = [
  ['type', 'must be empty to be structural'],
  ['additionalProperties', 'must be undefined to be structural'],
  ['default', 'must be undefined to be structural'],
  ['title', 'must be empty to be structural'],
  ['description', 'must be empty to be structural'],
  ['nullable', 'must be false to be structural'],
  ['x-kubernetes-preserve-unknown-fields', 'must be false to be structural'],
  ['x-kubernetes-embedded-resource', 'must be false to be structural'],
  ['x-kubernetes-int-or-string', 'must be false to be structural'],
  ['x-kubernetes-list-map-keys', 'must be empty to be structural'],
  ['x-kubernetes-list-type', 'must be undefined to be structural'],
  ['x-kubernetes-map-type', 'must be undefined to be structural'],
  ['x-kubernetes-validations', 'must be empty to be structural'],
] as const;

function nested(v: JSONSchemaProps, skipAnyOf: boolean, path: string, out: Problem[]): void {
  valueValidation(v, skipAnyOf, false, path, out);
  const items = asSchema(v.items);
  if (items) nested(items, false, `${path}.items`, out);
  for (const [name, inner] of Object.entries(v.properties ?? {}))
    nested(inner, false, `${path}.properties[${name}]`, out);
  for (const [name, why] of forbiddenBelowJunctors) {
    const value = v[name];
    const empty =
      value === undefined || value === '' || value === false || (Array.isArray(value) && value.length === 0);
    if (!empty) out.push(problem.forbidden(`${path}.${name}`, why));
  }
  if (v.properties?.['metadata'])
    out.push(problem.forbidden(`${path}.properties[metadata]`, 'must not be specified in a nested context'));
}

/** What a junctor speaks of must exist outside of it. */
function completeness(
  v: JSONSchemaProps,
  s: JSONSchemaProps | undefined,
  at: string,
  from: string,
  out: Problem[],
): void {
  const below = (inner: JSONSchemaProps, path: string) => void nestedCompleteness(inner, s, at, path, out);
  if (v.not) below(v.not, `${from}.not`);
  for (const name of ['allOf', 'anyOf', 'oneOf'] as const)
    v[name]?.forEach((inner, i) => void below(inner, `${from}.${name}[${i}]`));
}

function nestedCompleteness(
  v: JSONSchemaProps,
  s: JSONSchemaProps | undefined,
  at: string,
  from: string,
  out: Problem[],
): void {
  if (!s) {
    out.push(problem.required(at, `because it is defined in ${from}`));
    return;
  }
  completeness(v, s, at, from, out);
  const items = asSchema(v.items);
  if (items) nestedCompleteness(items, asSchema(s.items), `${at}.items`, `${from}.items`, out);
  for (const [name, inner] of Object.entries(v.properties ?? {})) {
    const key = `properties[${name}]`;
    nestedCompleteness(inner, s.properties?.[name], `${at}.${key}`, `${from}.${key}`, out);
  }
}

/** Defaults must be pruned and valid. Upstream does not look at those below additionalProperties. */
function defaults(s: JSONSchemaProps, path: string, out: Problem[], root: boolean): void {
  if (s.default !== undefined) {
    const schema = root ? structuralSchema(s) : schemaFor(s);
    const pruned = prune(structuredClone(s.default), schema);
    if (!deepEqual(pruned, s.default))
      out.push(problem.invalid(`${path}.default`, s.default, 'must not have unknown fields'));
    out.push(...validateValue(s.default, schema, `${path}.default`));
  }
  const items = asSchema(s.items);
  if (items) defaults(items, `${path}.items`, out, false);
  for (const [name, inner] of Object.entries(s.properties ?? {}))
    defaults(inner, `${path}.properties[${name}]`, out, false);
}
