/** Schemas as OpenAPI definitions, in the dialect of version 2 or 3. */
import type { Field, ObjectSchema, ScalarSchema, Schema } from '../schema.ts';
import type { Docs, Gvk, Json } from './source.ts';

export interface Dialect {
  version: 2 | 3;
  ref(name: string): string;
}
export const v2: Dialect = { version: 2, ref: name => `#/definitions/${name}` };
export const v3: Dialect = { version: 3, ref: name => `#/components/schemas/${name}` };

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1';
const extensions = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1';
const quantity = 'io.k8s.apimachinery.pkg.api.resource.Quantity';
const intOrString = 'io.k8s.apimachinery.pkg.util.intstr.IntOrString';

const scalarNames: Partial<Record<ScalarSchema['type'], string>> = {
  quantity,
  intOrString,
  time: `${meta}.Time`,
  microTime: `${meta}.MicroTime`,
  fieldsV1: `${meta}.FieldsV1`,
  raw: 'io.k8s.apimachinery.pkg.runtime.RawExtension',
};
const unionNames = {
  array: 'JSONSchemaPropsOrArray',
  bool: 'JSONSchemaPropsOrBool',
  strings: 'JSONSchemaPropsOrStringArray',
};
const plainTypes: Partial<Record<ScalarSchema['type'], Json>> = {
  string: { type: 'string' },
  bool: { type: 'boolean' },
  int32: { type: 'integer', format: 'int32' },
  int64: { type: 'integer', format: 'int64' },
  double: { type: 'number', format: 'double' },
  bytes: { type: 'string', format: 'byte' },
};

const zeros: Partial<Record<ScalarSchema['type'], string | number | boolean>> = {
  string: '',
  bool: false,
  int32: 0,
  int64: 0,
  double: 0,
};

/** Collects the definitions of types and of all they refer to. */
export class Definitions {
  readonly out: Json = {};
  readonly #dialect: Dialect;
  readonly #docs: Docs;
  constructor(dialect: Dialect, docs: Docs = {}) {
    this.#dialect = dialect;
    this.#docs = docs;
  }

  ref(name: string): Json {
    return { $ref: this.#dialect.ref(name) };
  }

  add(root: ObjectSchema): void {
    const queue = [root];
    for (let schema = queue.pop(); schema; schema = queue.pop()) {
      const name = schema.name ?? '';
      if (this.out[name]) continue;
      this.out[name] = this.#object(name, schema, queue);
    }
  }

  /** Marks a definition as a kind that clients may look up. */
  mark(name: string, gvk: Gvk): void {
    const definition = this.out[name] as Json | undefined;
    if (!definition) return;
    const kinds = (definition['x-kubernetes-group-version-kind'] ??= []) as Gvk[];
    const { group, kind, version } = gvk;
    if (!kinds.some(k => k.group === group && k.kind === kind && k.version === version))
      kinds.push({ group, kind, version });
  }

  #object(name: string, schema: ObjectSchema, queue: ObjectSchema[]): Json {
    const docs = this.#docs[name] ?? {};
    const properties: Json = {};
    for (const [field, facts] of [...schema.fields].sort(([a], [b]) => (a < b ? -1 : 1)))
      properties[field] = this.#property(facts, docs[field], queue);
    return {
      ...(docs[''] && { description: docs[''] }),
      type: 'object',
      ...(schema.required.length > 0 && { required: [...schema.required] }),
      ...(schema.fields.size > 0 && { properties }),
      ...(schema.mapType && { 'x-kubernetes-map-type': schema.mapType }),
      ...(schema.unions && { 'x-kubernetes-unions': schema.unions }),
    };
  }

  #property(field: Field, description: string | undefined, queue: ObjectSchema[]): Json {
    const { schema } = field;
    const body = this.#schema(schema, queue, field.enum);
    const around: Json = description ? { description } : {};
    if (this.#dialect.version === 3 && field.default !== undefined) around['default'] = field.default;
    if (schema.kind === 'list') {
      if (schema.mapKeys) around['x-kubernetes-list-map-keys'] = schema.mapKeys;
      if (schema.listType) around['x-kubernetes-list-type'] = schema.listType;
      if (schema.patchMergeKey) around['x-kubernetes-patch-merge-key'] = schema.patchMergeKey;
    }
    if ((schema.kind === 'list' || schema.kind === 'object') && schema.patchStrategy)
      around['x-kubernetes-patch-strategy'] = schema.patchStrategy.join(',');
    // That of an atomic object is its definition's.
    const own = schema.kind === 'map' || (schema.kind === 'object' && schema.mapType === 'granular');
    if (own && schema.mapType) around['x-kubernetes-map-type'] = schema.mapType;
    return this.#beside(body, around);
  }

  /** In version 3 nothing may stand beside a reference. */
  #beside(body: Json, around: Json): Json {
    const alone = body['$ref'] !== undefined && this.#dialect.version === 3 && Object.keys(around).length > 0;
    return alone ? { allOf: [body], ...around } : { ...body, ...around };
  }

  #schema(schema: Schema, queue: ObjectSchema[], values?: readonly string[]): Json {
    switch (schema.kind) {
      case 'list':
        return { type: 'array', items: this.#element(schema.items, queue, values) };
      case 'map':
        return { type: 'object', additionalProperties: this.#element(schema.values, queue, values) };
      case 'object':
        queue.push(schema);
        return this.ref(schema.name ?? '');
      case 'scalar':
        return { ...this.#scalar(schema, queue), ...(values && { enum: values }) };
    }
  }

  /** Items and values are never left out, so version 3 gives them all a default. */
  #element(schema: Schema, queue: ObjectSchema[], values?: readonly string[]): Json {
    const body = this.#schema(schema, queue, values);
    const zero = schema.kind === 'object' ? {} : schema.kind === 'scalar' ? zeros[schema.type] : undefined;
    return this.#beside(body, this.#dialect.version === 3 && zero !== undefined ? { default: zero } : {});
  }

  #scalar(schema: ScalarSchema, queue: ObjectSchema[]): Json {
    if (schema.union) {
      queue.push(schema.union.schema);
      return this.#special(`${extensions}.${unionNames[schema.union.or]}`, {});
    }
    const plain = plainTypes[schema.type];
    if (plain) return { ...plain };
    const name = scalarNames[schema.type];
    return name ? this.#special(name, this.#specialBody(schema.type)) : this.#special(`${extensions}.JSON`, {});
  }

  #special(name: string, body: Json): Json {
    const description = this.#docs[name]?.[''];
    this.out[name] ??= { ...(description && { description }), ...body };
    return this.ref(name);
  }

  #specialBody(type: ScalarSchema['type']): Json {
    const three = this.#dialect.version === 3;
    if (type === 'quantity') return three ? { oneOf: [{ type: 'string' }, { type: 'number' }] } : { type: 'string' };
    if (type === 'intOrString')
      return three
        ? { oneOf: [{ type: 'integer' }, { type: 'string' }], format: 'int-or-string' }
        : { type: 'string', format: 'int-or-string' };
    if (type === 'time' || type === 'microTime') return { type: 'string', format: 'date-time' };
    return { type: 'object' };
  }
}
