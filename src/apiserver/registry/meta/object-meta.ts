/** Rules for `metadata` that hold for every kind (apimachinery pkg/api/validation/objectmeta.go). */
import type { ObjectMeta } from '../../../api/types/meta-v1.ts';
import type { FieldError } from '../field-errors.ts';
import { field } from '../field-errors.ts';

export function validateObjectMeta(
  _meta: ObjectMeta,
  _namespaced: boolean,
  _validateName: ((name: string, prefix: boolean) => string[]) | undefined,
): FieldError[] {
  return [];
}

export function validateObjectMetaUpdate(meta: ObjectMeta, old: ObjectMeta): FieldError[] {
  return meta.name === old.name ? [] : [field.invalid('metadata.name', meta.name, 'field is immutable')];
}
