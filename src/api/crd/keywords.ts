/** Keywords that definitions may not use, or only together (ValidateCustomResourceDefinitionOpenAPISchema). */
import type { JSONSchemaProps } from '../types/apiextensions-v1.ts';
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

export function checkKeywords(s: JSONSchemaProps, path: string, out: Problem[], root = true): void {
  if (s.type && !types.includes(s.type)) out.push(problem.notSupported(`${path}.type`, s.type, types));
  for (const name of unsupported)
    if (s[name] !== undefined && s[name] !== '')
      out.push(problem.forbidden(`${path}.${name}`, `${name} is not supported`));
  if (s.type === 'null')
    out.push(problem.forbidden(`${path}.type`, 'type cannot be set to null, use nullable as an alternative'));
  if (Array.isArray(s.items))
    out.push(problem.forbidden(`${path}.items`, 'items must be a schema object and not an array'));
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
  if (s['x-kubernetes-preserve-unknown-fields'] === false)
    out.push(problem.invalid(`${path}.x-kubernetes-preserve-unknown-fields`, false, 'must be true or undefined'));
  collectionTypes(s, path, out);
  children(s, path, out, root);
}

function children(s: JSONSchemaProps, path: string, out: Problem[], root: boolean): void {
  const values = asSchema(s.additionalProperties);
  if (values) checkKeywords(values, `${path}.additionalProperties`, out, false);
  for (const [name, inner] of Object.entries(s.properties ?? {})) {
    const at = `${path}.properties[${name}]`;
    if (root && inner.default !== undefined && ['metadata', 'kind', 'apiVersion'].includes(name))
      out.push(problem.forbidden(`${at}.default`, `must not be set in top-level ${name}`));
    checkKeywords(inner, at, out, false);
  }
  const items = asSchema(s.items);
  if (items) checkKeywords(items, `${path}.items`, out, false);
  if (s.not) checkKeywords(s.not, `${path}.not`, out, false);
  for (const name of ['allOf', 'oneOf', 'anyOf'] as const)
    s[name]?.forEach((inner, i) => void checkKeywords(inner, `${path}.${name}[${i}]`, out, false));
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
