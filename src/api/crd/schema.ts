/** Custom resources' schemas: from the JSON schema of a definition to the schema that the pipeline runs on. */
import { schemaOf } from '../catalog/index.ts';
import type { Constraints, Field, ListSchema, ObjectSchema, Schema, ValueSchema } from '../schema.ts';
import type { JSONSchemaProps } from '../types/apiextensions-v1.ts';
import type { JsonValue } from '../types/scalars.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** The schema of a whole object: kind, apiVersion and metadata are implied. Without a JSON schema anything is kept. */
export function structuralSchema(props: JSONSchemaProps | undefined): ObjectSchema {
  const preserve = !props || props['x-kubernetes-preserve-unknown-fields'] === true;
  return objectSchema(props ?? {}, preserve, true);
}

const typeMeta: readonly [string, Schema][] = [
  ['apiVersion', { kind: 'scalar', type: 'string' }],
  ['kind', { kind: 'scalar', type: 'string' }],
];

function objectSchema(props: JSONSchemaProps, preserve: boolean, whole: boolean): ObjectSchema {
  const schemas = new Map<string, Schema>();
  for (const [name, inner] of Object.entries(props.properties ?? {})) schemas.set(name, schemaFor(inner));
  if (whole) {
    for (const [name, schema] of typeMeta) schemas.set(name, schema);
    schemas.set('metadata', metadataSchema(props.properties?.['metadata']));
  }
  const fields = new Map<string, Field>();
  for (const name of [...schemas.keys()].sort()) {
    const schema = schemas.get(name);
    if (schema) fields.set(name, { name, schema, protobuf: 0 });
  }
  const mapType = props['x-kubernetes-map-type'];
  return {
    kind: 'object',
    fields,
    required: props.required ?? [],
    ...(preserve && { preserveUnknown: true }),
    ...(props['x-kubernetes-embedded-resource'] && { embeddedResource: true }),
    ...((mapType === 'atomic' || mapType === 'granular') && { mapType }),
    ...common(props),
  };
}

/** The built-in type; a definition may only constrain the names in it. */
function metadataSchema(props: JSONSchemaProps | undefined): ObjectSchema {
  const meta = schemaOf('meta.v1.ObjectMeta');
  if (!props?.properties) return meta;
  const constraints: ValueSchema = valueSchema({ properties: props.properties });
  const { name = '', fields } = meta;
  return { kind: 'object', name, fields, required: [], constraints };
}

/** What every kind of schema carries. */
function common(props: JSONSchemaProps): Pick<Schema, 'nullable' | 'default' | 'constraints' | 'description'> {
  const constraints = constraintsOf(props);
  return {
    ...(props.nullable && { nullable: true }),
    ...(props.default !== undefined && { default: props.default }),
    ...(constraints && { constraints }),
    ...(props.description && { description: props.description }),
  };
}

/** @throws nothing: what is not structural is read as far as it can be; see validateStructural. */
export function schemaFor(props: JSONSchemaProps): Schema {
  const preserve = props['x-kubernetes-preserve-unknown-fields'] === true;
  if (props['x-kubernetes-int-or-string']) return { kind: 'scalar', type: 'intOrString', ...common(props) };
  switch (props.type) {
    case 'string':
      return { kind: 'scalar', type: 'string', ...common(props) };
    case 'boolean':
      return { kind: 'scalar', type: 'bool', ...common(props) };
    case 'integer':
      return { kind: 'scalar', type: props.format === 'int32' ? 'int32' : 'int64', ...common(props) };
    case 'number':
      return { kind: 'scalar', type: 'double', ...common(props) };
    case 'array':
      return listSchema(props);
    case 'object':
      return objectOrMap(props, preserve);
    default:
      return props.properties || props['x-kubernetes-embedded-resource']
        ? objectOrMap(props, preserve)
        : { kind: 'scalar', type: 'json', ...common(props) };
  }
}

function listSchema(props: JSONSchemaProps): ListSchema {
  const listType = props['x-kubernetes-list-type'];
  return {
    kind: 'list',
    items: schemaFor(asSchema(props.items) ?? {}),
    ...((listType === 'atomic' || listType === 'set' || listType === 'map') && { listType }),
    ...(props['x-kubernetes-list-map-keys'] && { mapKeys: props['x-kubernetes-list-map-keys'] }),
    ...common(props),
  };
}

function objectOrMap(props: JSONSchemaProps, preserve: boolean): Schema {
  const values = props.additionalProperties;
  if (values === undefined || values === false || values === null)
    return objectSchema(props, preserve, props['x-kubernetes-embedded-resource'] === true);
  const mapType = props['x-kubernetes-map-type'];
  return {
    kind: 'map',
    values: values === true ? { kind: 'scalar', type: 'emptied', nullable: true } : schemaFor(asSchema(values) ?? {}),
    ...((mapType === 'atomic' || mapType === 'granular') && { mapType }),
    ...common(props.required ? { ...props, allOf: [...(props.allOf ?? []), { required: props.required }] } : props),
  };
}

export function asSchema(value: JsonValue | undefined): JSONSchemaProps | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as unknown as JSONSchemaProps)
    : undefined;
}

const plainConstraints = [
  'enum',
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'multipleOf',
  'minLength',
  'maxLength',
  'pattern',
  'format',
  'minItems',
  'maxItems',
  'uniqueItems',
  'minProperties',
  'maxProperties',
] as const satisfies readonly (keyof JSONSchemaProps & keyof Constraints)[];

function constraintsOf(props: JSONSchemaProps): Constraints | undefined {
  const out: Record<string, unknown> = {};
  for (const name of plainConstraints) if (props[name] !== undefined) out[name] = props[name];
  for (const name of ['allOf', 'anyOf', 'oneOf'] as const)
    if (props[name]?.length && !(name === 'anyOf' && props['x-kubernetes-int-or-string'] && isIntOrString(props.anyOf)))
      out[name] = props[name].map(valueSchema);
  if (props.not) out['not'] = valueSchema(props.not);
  const rules = props['x-kubernetes-validations'];
  if (rules?.length) out['rules'] = rules;
  return Object.keys(out).length > 0 ? (out as Constraints) : undefined;
}

/** `anyOf: [{type: integer}, {type: string}]`, the one place below a junctor where types may stand. */
export function isIntOrString(anyOf: readonly JSONSchemaProps[] | undefined): boolean {
  return JSON.stringify(anyOf) === '[{"type":"integer"},{"type":"string"}]';
}

function valueSchema(props: JSONSchemaProps): ValueSchema {
  const out: Mutable<ValueSchema> = { ...constraintsOf(props) };
  // Types are only allowed in the int-or-string pattern, which the scalar's own type covers.
  if (props.anyOf && isIntOrString(props.anyOf)) delete out.anyOf;
  if (props.required?.length) out.required = props.required;
  if (props.properties)
    out.properties = Object.fromEntries(Object.entries(props.properties).map(([k, v]) => [k, valueSchema(v)]));
  const items = asSchema(props.items);
  if (items) out.items = valueSchema(items);
  return out;
}
