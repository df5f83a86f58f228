/** Whole objects inside of custom resources (k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta/validation.go). */
import type { Schema } from '../../api/schema.ts';
import type { ObjectMeta } from '../../api/types/meta-v1.ts';
import { isDns1035Label, nameIsPathSegment } from '../../api/validation/names.ts';
import { type FieldError, field } from '../registry/field-errors.ts';
import { anyFinalizer, validateObjectMeta } from '../registry/meta/object-meta.ts';

type Json = Readonly<Record<string, unknown>>;

/** The check of all objects inside of an object of this schema. */
export function embeddedCheck(schema: Schema): (value: unknown) => FieldError[] {
  if (!embeds(schema)) return () => [];
  return value => {
    const out: FieldError[] = [];
    walk(value, schema, '', out);
    return out;
  };
}

function embeds(schema: Schema): boolean {
  if (schema.kind === 'list') return embeds(schema.items);
  if (schema.kind === 'map') return embeds(schema.values);
  if (schema.kind !== 'object' || schema.name !== undefined) return false;
  return schema.embeddedResource === true || [...schema.fields.values()].some(f => embeds(f.schema));
}

function walk(value: unknown, schema: Schema, path: string, out: FieldError[]): void {
  if (schema.kind === 'list' && Array.isArray(value))
    value.forEach((item, i) => void walk(item, schema.items, `${path}[${i}]`, out));
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
  const object = value as Json;
  if (schema.kind === 'map')
    for (const [key, inner] of Object.entries(object)) walk(inner, schema.values, `${path}[${key}]`, out);
  if (schema.kind !== 'object' || schema.name !== undefined) return;
  if (schema.embeddedResource) out.push(...validateEmbedded(object, path));
  for (const [name, { schema: inner }] of schema.fields)
    if (Object.hasOwn(object, name)) walk(object[name], inner, path ? `${path}.${name}` : name, out);
}

/** That these are texts, and the metadata has its type, was seen when the object was decoded. */
function validateEmbedded(object: Json, path: string): FieldError[] {
  const { apiVersion, kind, metadata } = object as { apiVersion?: string; kind?: string; metadata?: ObjectMeta };
  return [
    ...(apiVersion === undefined ? [field.required(`${path}.apiVersion`)] : []),
    ...(kind === undefined ? [field.required(`${path}.kind`)] : []),
    ...validateApiVersion(apiVersion, `${path}.apiVersion`),
    ...validateKind(kind, `${path}.kind`),
    ...(metadata ? validateMetadata(metadata, path) : []),
  ];
}

function validateApiVersion(apiVersion: string | undefined, path: string): FieldError[] {
  if (apiVersion === '') return [field.invalid(path, '', 'must not be empty')];
  if (apiVersion === undefined || apiVersion.split('/').length <= 2) return [];
  return [field.invalid(path, apiVersion, `unexpected GroupVersion string: ${apiVersion}`)];
}

function validateKind(kind: string | undefined, path: string): FieldError[] {
  if (kind === '') return [field.invalid(path, '', 'must not be empty')];
  const complaints = kind === undefined ? [] : isDns1035Label(kind.toLowerCase());
  if (complaints.length === 0) return [];
  return [field.invalid(path, kind, `may have mixed case, but should otherwise match: ${complaints.join(',')}`)];
}

/** The name may be missing. */
function validateMetadata(metadata: ObjectMeta, path: string): FieldError[] {
  const named = metadata.name ? metadata : { ...metadata, name: 'fakename' };
  const found = validateObjectMeta(named, Boolean(metadata.namespace), nameIsPathSegment);
  return anyFinalizer(found).map(error => ({ ...error, field: `${path}.${error.field}` }));
}
