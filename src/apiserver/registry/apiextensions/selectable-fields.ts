/** Fields that a custom resource can be selected by (ValidateCustomResourceSelectableFields). */
import { asSchema } from '../../../api/crd/index.ts';
import type { JSONSchemaProps, SelectableField } from '../../../api/types/apiextensions-v1.ts';
import { type Errors, each } from '../checks.ts';
import { field } from '../field-errors.ts';

const maxSelectable = 8;
const selectableTypes = ['string', 'boolean', 'integer'];
const notThere = 'does not refer to a valid field';

/** Follows a path of names, ".spec.color"; a text says why it cannot be followed (ValidFieldPath without lists). */
function follow(path: string, root: JSONSchemaProps): JSONSchemaProps | undefined | string {
  if (/[[\]]/.test(path)) return 'array notation is not allowed';
  if (!path.startsWith('.')) return `expected [ or . but got: ${path.split('.')[0]}`;
  let schema: JSONSchemaProps | undefined = root;
  for (const name of path.slice(1).split('.')) {
    if (name === '') return path.endsWith('.') ? 'unexpected end of JSON path' : notThere;
    const values: JSONSchemaProps | undefined = asSchema(schema?.additionalProperties);
    if (schema?.properties) {
      schema = schema.properties[name];
      if (!schema) return notThere;
    } else if (values) schema = values;
    else return notThere;
  }
  return schema;
}

export function validateSelectableFields(
  fields: readonly SelectableField[] = [],
  props: JSONSchemaProps | undefined,
  path: string,
): Errors {
  if (!props || fields.length === 0) return [];
  const seen = new Set<string>();
  const errors = each(fields, path, ({ jsonPath }, item) => {
    const at = `${item}.jsonPath`;
    if (!jsonPath) return [field.required(at)];
    const found = follow(jsonPath, props);
    if (typeof found === 'string') return [field.invalid(at, jsonPath, `is an invalid path: ${found}`)];
    const twice = seen.has(jsonPath);
    seen.add(jsonPath);
    return [
      ...(jsonPath.startsWith('.metadata.') || jsonPath === '.metadata'
        ? [field.invalid(at, jsonPath, 'must not point to fields in metadata')]
        : []),
      ...(selectableTypes.includes(found?.type ?? '')
        ? []
        : [
            field.invalid(
              at,
              jsonPath,
              'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.',
            ),
          ]),
      ...(twice ? [field.duplicate(at, jsonPath)] : []),
    ];
  });
  return seen.size > maxSelectable ? [...errors, field.tooMany(path, seen.size, maxSelectable)] : errors;
}
