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

function itemDefinition({ props }: CustomResource, dialect: Dialect, implied: Json): Json {
  if (!props) return { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  const body = (dialect.version === 3 ? structuredClone(props) : legacy(props)) as Json;
  if (props['x-kubernetes-preserve-unknown-fields'] && !props.properties) return { ...body, type: 'object' };
  body['properties'] = { ...(body['properties'] as Json | undefined), ...implied };
  return body;
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
  if (props.properties)
    out['properties'] = Object.fromEntries(Object.entries(props.properties).map(([k, v]) => [k, legacy(v)]));
  const isSchema = (v: unknown): v is JSONSchemaProps => typeof v === 'object' && v !== null && !Array.isArray(v);
  if (isSchema(props.items)) out['items'] = legacy(props.items);
  if (isSchema(props.additionalProperties)) out['additionalProperties'] = legacy(props.additionalProperties);
  return out;
}
