/** Formats in a definition's schemas that nobody checks (getUnrecognizedFormatsInCRD). */
import { asSchema, isKnownFormat } from '../../../api/crd/index.ts';
import type { CustomResourceDefinition, JSONSchemaProps } from '../../../api/types/apiextensions-v1.ts';

function below(s: JSONSchemaProps): JSONSchemaProps[] {
  const inner = [asSchema(s.items), s.not, asSchema(s.additionalProperties)].filter(v => v !== undefined);
  return [...inner, ...(s.allOf ?? []), ...(s.anyOf ?? []), ...(s.oneOf ?? []), ...Object.values(s.properties ?? {})];
}

function collect(s: JSONSchemaProps, into: Set<string>): void {
  if (s.format && s.type === 'string' && !isKnownFormat(s.format)) into.add(s.format);
  for (const inner of below(s)) collect(inner, into);
}

/** Each once, in the order in which they are met. */
export function unknownFormats({ spec }: CustomResourceDefinition): string[] {
  const found = new Set<string>();
  for (const { schema } of spec?.versions ?? []) if (schema?.openAPIV3Schema) collect(schema.openAPIV3Schema, found);
  return [...found];
}
