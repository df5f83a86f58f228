/** Definitions of custom resources: the author's own schema with kind, apiVersion and metadata, and a list. */
import type { JSONSchemaProps } from '../types/apiextensions-v1.ts';
import type { Definitions, Dialect } from './definitions.ts';
import type { CustomResource, Described, Docs, Json } from './source.ts';

const objectMeta = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';
const listMeta = 'io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta';
const podKind = 'io.k8s.api.core.v1.Pod';

export function addCustom(definitions: Definitions, dialect: Dialect, described: Described, docs: Docs = {}): void {
  const { custom, item, list, listKind, info } = described;
  if (!custom) return;
  const common = docs[podKind] ?? {};
  const text = (name: string, type: Json) => ({ ...(common[name] && { description: common[name] }), ...type });
  const identity = {
    apiVersion: text('apiVersion', { type: 'string' }),
    kind: text('kind', { type: 'string' }),
  };
  const reference = (name: string) =>
    dialect.version === 3 ? { allOf: [definitions.ref(name)] } : definitions.ref(name);
  const selectable = selectableFields(custom);
  definitions.out[item] = {
    ...itemDefinition(custom, dialect, { ...identity, metadata: reference(objectMeta) }),
    ...selectable,
  };
  definitions.out[list] = {
    ...selectable,
    description: `${listKind} is a list of ${info.kind}`,
    type: 'object',
    required: ['items'],
    properties: {
      ...identity,
      items: { type: 'array', items: definitions.ref(item) },
      metadata: reference(listMeta),
    },
  };
}

function selectableFields({ selectable = [] }: CustomResource): Json {
  return selectable.length > 0
    ? { 'x-kubernetes-selectable-fields': selectable.map(fieldPath => ({ fieldPath })) }
    : {};
}

/** `implied` is what every object has: in the kind itself, and in the objects that are embedded in it. */
function itemDefinition({ props }: CustomResource, dialect: Dialect, implied: Json): Json {
  // Clients of version 2 would refuse what the definition does not name.
  if (!props || (dialect.version === 2 && props['x-kubernetes-preserve-unknown-fields'])) return { type: 'object' };
  const body = (dialect.version === 3 ? structuredClone(props) : legacy(props)) as Json;
  completeEmbedded(body, dialect, implied);
  body['properties'] = { ...(body['properties'] as Json | undefined), ...implied };
  return body;
}

const isObject = (v: unknown): v is Json => typeof v === 'object' && v !== null && !Array.isArray(v);

function completeEmbedded(schema: Json, dialect: Dialect, implied: Json): void {
  const { properties, items, additionalProperties } = schema;
  for (const inner of [...(isObject(properties) ? Object.values(properties) : []), items, additionalProperties])
    if (isObject(inner)) completeEmbedded(inner, dialect, implied);
  if (!schema['x-kubernetes-embedded-resource']) return;
  if (dialect.version === 2 && schema['x-kubernetes-preserve-unknown-fields']) return;
  schema['properties'] = { ...(isObject(properties) ? properties : {}), ...implied };
  const required = Array.isArray(schema['required']) ? schema['required'] : [];
  schema['required'] = [...new Set([...required, 'kind', 'apiVersion'])];
}

/** Version 2 knows neither nullable nor junctors, and clients must not be told more than they can check. */
function legacy(props: JSONSchemaProps): Json {
  const { nullable, oneOf: _o, anyOf: _a, allOf: _l, not: _n, ...rest } = props;
  const out: Json = { ...rest };
  delete out['example'];
  if (props['x-kubernetes-int-or-string']) delete out['type'];
  if (nullable || props['x-kubernetes-preserve-unknown-fields']) {
    for (const name of ['type', 'items', 'properties', 'additionalProperties', 'required']) delete out[name];
    return out;
  }
  const { properties, required, items, additionalProperties } = props;
  if (properties) out['properties'] = Object.fromEntries(Object.entries(properties).map(([k, v]) => [k, legacy(v)]));
  // Null would count as missing.
  if (required) out['required'] = required.filter(name => !properties?.[name]?.nullable);
  if (isObject(items)) out['items'] = legacy(items);
  if (isObject(additionalProperties)) out['additionalProperties'] = legacy(additionalProperties);
  return out;
}
