/** Defaults and nulls of custom resources (k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting). */
import { setOwn } from '../codec/coerce.ts';
import type { ObjectSchema, Schema } from '../schema.ts';

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isForbiddenNull = (value: unknown, schema: Schema) => value === null && schema.nullable !== true;

/** Fills what is missing, and what is null although it may not be, with the schema's defaults. In place. */
export function applyDefaults(value: unknown, schema: Schema): void {
  if (schema.kind === 'object' && isObject(value)) {
    // Built-in types, such as metadata, have no defaults here.
    if (schema.name !== undefined) return;
    for (const [name, { schema: inner }] of schema.fields) {
      const present = Object.hasOwn(value, name);
      if (inner.default !== undefined && (!present || isForbiddenNull(value[name], inner)))
        setOwn(value, name, structuredClone(inner.default));
      if (Object.hasOwn(value, name)) applyDefaults(value[name], inner);
    }
  } else if (schema.kind === 'map' && isObject(value)) {
    for (const key of Object.keys(value)) {
      if (isForbiddenNull(value[key], schema.values) && schema.values.default !== undefined)
        setOwn(value, key, structuredClone(schema.values.default));
      applyDefaults(value[key], schema.values);
    }
  } else if (schema.kind === 'list' && Array.isArray(value)) {
    const { items } = schema;
    for (let i = 0; i < value.length; i++) {
      if (isForbiddenNull(value[i], items) && items.default !== undefined) value[i] = structuredClone(items.default);
      applyDefaults(value[i], items);
    }
  }
}

/** Drops nulls of fields that are neither nullable nor defaulted. In place. */
export function dropNulls(value: unknown, schema: Schema): void {
  if (schema.kind === 'object' && isObject(value)) {
    for (const [name, { schema: inner }] of schema.fields) {
      if (!Object.hasOwn(value, name)) continue;
      if (isForbiddenNull(value[name], inner) && inner.default === undefined) delete value[name];
      else dropNulls(value[name], inner);
    }
  } else if (schema.kind === 'map' && isObject(value)) {
    for (const key of Object.keys(value)) {
      if (isForbiddenNull(value[key], schema.values) && schema.values.default === undefined) delete value[key];
      else dropNulls(value[key], schema.values);
    }
  } else if (schema.kind === 'list' && Array.isArray(value)) for (const item of value) dropNulls(item, schema.items);
}

/** What a server does with a decoded custom resource before admission. In place. */
export function defaultCustom(value: object, schema: ObjectSchema): void {
  applyDefaults(value, schema);
  dropNulls(value, schema);
}
