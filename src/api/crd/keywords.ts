/** Keywords that definitions may not use, or only together (ValidateCustomResourceDefinitionOpenAPISchema). */
import type { JSONSchemaProps, ValidationRule } from '../types/apiextensions-v1.ts';
import { type Problem, problem } from './problems.ts';
import { asSchema } from './schema.ts';

const types = ['array', 'boolean', 'integer', 'number', 'object', 'string'];

const unsupported: readonly (keyof JSONSchemaProps)[] = [
  'id',
  'additionalItems',
  'patternProperties',
  'definitions',
  'dependencies',
  '$ref',
];

const notStructural = [
  'id',
  '$schema',
  '$ref',
  'patternProperties',
  'dependencies',
  'additionalItems',
  'definitions',
] as const;

/** Why a schema cannot even be read as a structural one (NewStructural); undefined when it can. */
export function unreadable(s: JSONSchemaProps): string | undefined {
  const keyword = notStructural.find(name => s[name] !== undefined && s[name] !== '');
  if (keyword) return `OpenAPIV3Schema '${keyword.replace('$schema', 'schema')}' is not supported`;
  if (Array.isArray(s.items)) return "OpenAPIV3Schema 'items' must be a schema, but is an array";
  const below = [asSchema(s.items), asSchema(s.additionalProperties), s.not, ...Object.values(s.properties ?? {})];
  for (const inner of [...below, ...(s.allOf ?? []), ...(s.anyOf ?? []), ...(s.oneOf ?? [])]) {
    const why = inner && unreadable(inner);
    if (why) return why;
  }
  return undefined;
}

interface Place {
  readonly root: boolean;
  /** Below the metadata, kind or apiVersion of a resource. */
  readonly insideMeta: boolean;
  /** Why there may be no defaults here. */
  readonly noDefaults?: string;
}
const metaFields = ['metadata', 'kind', 'apiVersion'];

export function checkKeywords(
  s: JSONSchemaProps,
  path: string,
  out: Problem[],
  place: Place = { root: true, insideMeta: false },
): void {
  standard(s, path, out, place);
  if (s.uniqueItems)
    out.push(
      problem.forbidden(
        `${path}.uniqueItems`,
        'uniqueItems cannot be set to true since the runtime complexity becomes quadratic',
      ),
    );
  if (
    s.additionalProperties !== undefined &&
    s.additionalProperties !== true &&
    Object.keys(s.properties ?? {}).length > 0
  )
    out.push(
      problem.forbidden(`${path}.additionalProperties`, 'additionalProperties and properties are mutual exclusive'),
    );
  children(s, path, out, place);
  if (s['x-kubernetes-preserve-unknown-fields'] === false)
    out.push(problem.invalid(`${path}.x-kubernetes-preserve-unknown-fields`, false, 'must be true or undefined'));
  collectionTypes(s, path, out);
  checkRules(s['x-kubernetes-validations'], `${path}.x-kubernetes-validations`, out);
}

/** specStandardValidatorV3 of upstream. */
function standard(s: JSONSchemaProps, path: string, out: Problem[], { insideMeta, noDefaults }: Place): void {
  if (s.type && !types.includes(s.type)) out.push(problem.notSupported(`${path}.type`, s.type, types));
  if (s.default !== undefined && noDefaults !== undefined)
    out.push(problem.forbidden(`${path}.default`, `must not be set ${noDefaults}`));
  for (const name of unsupported)
    if (s[name] !== undefined && s[name] !== '')
      out.push(problem.forbidden(`${path}.${name}`, `${name} is not supported`));
  if (s.type === 'null')
    out.push(problem.forbidden(`${path}.type`, 'type cannot be set to null, use nullable as an alternative'));
  if (Array.isArray(s.items))
    out.push(problem.forbidden(`${path}.items`, 'items must be a schema object and not an array'));
  if (insideMeta && s['x-kubernetes-embedded-resource'])
    out.push(problem.forbidden(`${path}.x-kubernetes-embedded-resource`, 'must not be used inside of resource meta'));
}

function children(s: JSONSchemaProps, path: string, out: Problem[], place: Place): void {
  const below: Place = { ...place, root: false };
  const values = asSchema(s.additionalProperties);
  const noDefaults = 'inside additionalProperties applying to object metadata';
  if (values)
    checkKeywords(values, `${path}.additionalProperties`, out, place.insideMeta ? { ...below, noDefaults } : below);
  for (const [name, inner] of Object.entries(s.properties ?? {})) {
    const meta = (place.root || s['x-kubernetes-embedded-resource']) && metaFields.includes(name);
    checkKeywords(inner, `${path}.properties[${name}]`, out, {
      ...below,
      ...(meta && { insideMeta: true }),
      ...(meta && place.root && { noDefaults: `in top-level ${name}` }),
    });
  }
  const items = asSchema(s.items);
  if (items) checkKeywords(items, `${path}.items`, out, below);
  if (s.not) checkKeywords(s.not, `${path}.not`, out, below);
  for (const name of ['allOf', 'oneOf', 'anyOf'] as const)
    s[name]?.forEach((inner, i) => void checkKeywords(inner, `${path}.${name}[${i}]`, out, below));
}

const reasons = ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired'];
const hasNewlines = (text: string) => /[\n\r]/.test(text);

/** Rules without their expressions, which the evaluator compiles. */
function checkRules(rules: readonly ValidationRule[] = [], path: string, out: Problem[]): void {
  for (const [i, { rule = '', message = '', messageExpression, reason, fieldPath }] of rules.entries()) {
    const at = `${path}[${i}]`;
    const text = message.trim();
    if (!rule.trim()) out.push(problem.required(`${at}.rule`, 'rule is not specified'));
    else if (message && !text) out.push(problem.invalid(`${at}.message`, message, 'must be non-empty if specified'));
    else if (hasNewlines(text)) out.push(problem.invalid(`${at}.message`, message, 'must not contain line breaks'));
    else if (hasNewlines(rule.trim()) && !text)
      out.push(problem.required(`${at}.message`, 'message must be specified if rule contains line breaks'));
    if (messageExpression && !messageExpression.trim())
      out.push(problem.required(`${at}.messageExpression`, 'messageExpression must be non-empty if specified'));
    if (reason !== undefined && !reasons.includes(reason))
      out.push(problem.notSupported(`${at}.reason`, reason, reasons));
    if (fieldPath && !fieldPath.trim())
      out.push(problem.invalid(`${at}.fieldPath`, fieldPath, 'must be non-empty if specified'));
    if (fieldPath && hasNewlines(fieldPath))
      out.push(problem.invalid(`${at}.fieldPath`, fieldPath, 'must not contain line breaks'));
  }
}

function collectionTypes(s: JSONSchemaProps, path: string, out: Problem[]): void {
  wantsType(s, 'x-kubernetes-map-type', 'object', path, out);
  wantsType(s, 'x-kubernetes-list-type', 'array', path, out);
  const mapType = s['x-kubernetes-map-type'];
  if (mapType !== undefined && mapType !== 'atomic' && mapType !== 'granular')
    out.push(problem.notSupported(`${path}.x-kubernetes-map-type`, mapType, ['atomic', 'granular']));
  const listType = s['x-kubernetes-list-type'];
  if (listType !== undefined && !['atomic', 'set', 'map'].includes(listType))
    out.push(problem.notSupported(`${path}.x-kubernetes-list-type`, listType, ['atomic', 'set', 'map']));
  if (listType === 'set') setItems(s, path, out);
  const keys = s['x-kubernetes-list-map-keys'] ?? [];
  const why = 'must be map if x-kubernetes-list-map-keys is non-empty';
  if (keys.length > 0 && listType === undefined) out.push(problem.required(`${path}.x-kubernetes-list-type`, why));
  else if (keys.length > 0 && listType !== 'map')
    out.push(problem.invalid(`${path}.x-kubernetes-list-type`, listType, why));
  if (listType === 'map') mapItems(s, keys, path, out);
  if (listType === 'map' || listType === 'set') identifyingItems(s, listType, keys, path, out);
}

function wantsType(
  s: JSONSchemaProps,
  keyword: 'x-kubernetes-map-type' | 'x-kubernetes-list-type',
  type: string,
  path: string,
  out: Problem[],
): void {
  if (s[keyword] === undefined || s.type === type) return;
  const why = `must be ${type} if ${keyword} is specified`;
  out.push(s.type ? problem.invalid(`${path}.type`, s.type, why) : problem.required(`${path}.type`, why));
}

function setItems(s: JSONSchemaProps, path: string, out: Problem[]): void {
  const items = asSchema(s.items);
  const why = 'must be atomic as item of a list with x-kubernetes-list-type=set';
  const listType = items?.['x-kubernetes-list-type'];
  const mapType = items?.['x-kubernetes-map-type'];
  if (items?.type === 'array' && listType !== undefined && listType !== 'atomic')
    out.push(problem.invalid(`${path}.items.x-kubernetes-list-type`, listType, why));
  if (items?.type === 'object' && mapType !== 'atomic')
    out.push(problem.invalid(`${path}.items.x-kubernetes-map-type`, listType ?? null, why));
}

function mapItems(s: JSONSchemaProps, keys: readonly string[], path: string, out: Problem[]): void {
  const at = `${path}.x-kubernetes-list-map-keys`;
  if (keys.length === 0) out.push(problem.required(at, 'must not be empty if x-kubernetes-list-type is map'));
  const items = asSchema(s.items);
  if (!items) {
    out.push(problem.required(`${path}.items`, 'must have a schema if x-kubernetes-list-type is map'));
    return;
  }
  if (items.type !== 'object') {
    const why = "must be object if parent array's x-kubernetes-list-type is map";
    out.push(problem.invalid(`${path}.items.type`, items.type ?? '', why));
    return;
  }
  keys.forEach((key, i) => {
    const inner = items.properties?.[key];
    if (!inner) out.push(problem.invalid(at, keys, 'entries must all be names of item properties'));
    else if (inner.type === 'array' || inner.type === 'object') {
      const why = "must be a scalar type if parent array's x-kubernetes-list-type is map";
      out.push(problem.invalid(`${path}.items.properties[${key}].type`, items.type, why));
    }
    if (keys.indexOf(key) !== i) out.push(problem.invalid(at, keys, 'must not contain duplicate entries'));
  });
}

/** What tells items apart is always there (validateMapListKeysMapSet). */
function identifyingItems(
  s: JSONSchemaProps,
  listType: 'map' | 'set',
  keys: readonly string[],
  path: string,
  out: Problem[],
): void {
  const items = asSchema(s.items);
  if (!items) return;
  if (items.nullable)
    out.push(
      problem.forbidden(`${path}.items.nullable`, `cannot be nullable when x-kubernetes-list-type is ${listType}`),
    );
  if (listType === 'set') return;
  for (const key of keys) {
    const inner = items.properties?.[key];
    if (!inner) continue;
    const at = `${path}.items.properties[${key}]`;
    const because = 'this property is in x-kubernetes-list-map-keys, so it';
    if (!items.required?.includes(key) && inner.default === undefined)
      out.push(problem.required(`${at}.default`, `${because} must have a default or be a required property`));
    if (inner.nullable) out.push(problem.forbidden(`${at}.nullable`, `${because} cannot be nullable`));
  }
}
