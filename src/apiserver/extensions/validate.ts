/** What a definition must satisfy (upstream: pkg/apis/apiextensions/validation). */
import { validateStructural } from '../../api/crd/index.ts';
import { compileFieldPath, plainPath } from '../../api/jsonpath/index.ts';
import type { CustomResourceDefinition, CustomResourceDefinitionVersion } from '../../api/types/apiextensions-v1.ts';
import { isDns1035Label, isDns1123Subdomain } from '../../api/validation/names.ts';
import { type FieldError, field } from '../registry/field-errors.ts';

const columnTypes = ['boolean', 'date', 'integer', 'number', 'string'];
const approvalAnnotation = 'api-approved.kubernetes.io';

export function validateDefinition(crd: CustomResourceDefinition): FieldError[] {
  const { spec, metadata } = crd;
  const { names } = spec;
  const found: FieldError[] = [];
  const wanted = `${names.plural}.${spec.group}`;
  if (metadata.name !== wanted)
    found.push(field.invalid('metadata.name', metadata.name, 'must be spec.names.plural+"."+spec.group'));
  for (const why of isDns1123Subdomain(spec.group)) found.push(field.invalid('spec.group', spec.group, why));
  if (!spec.group.includes('.'))
    found.push(field.invalid('spec.group', spec.group, 'should be a domain with at least one dot'));
  found.push(...validateApproval(crd), ...validateNames(crd));
  if (spec.scope !== 'Namespaced' && spec.scope !== 'Cluster')
    found.push(field.notSupported('spec.scope', spec.scope, ['Cluster', 'Namespaced']));
  if (spec.preserveUnknownFields)
    found.push(
      field.invalid(
        'spec.preserveUnknownFields',
        true,
        'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead',
      ),
    );
  found.push(...validateVersions(crd));
  return found;
}

function validateApproval({ spec, metadata }: CustomResourceDefinition): FieldError[] {
  const protectedGroup = /(^|\.)(k8s\.io|kubernetes\.io)$/.test(spec.group);
  if (!protectedGroup || metadata.annotations?.[approvalAnnotation]) return [];
  const path = `metadata.annotations[${approvalAnnotation}]`;
  return [
    field.required(
      path,
      'protected groups must have approval annotation "api-approved.kubernetes.io", see https://github.com/kubernetes/enhancements/pull/1111',
    ),
  ];
}

function validateNames({ spec }: CustomResourceDefinition): FieldError[] {
  const { plural, singular, kind, listKind, shortNames = [], categories = [] } = spec.names;
  const found: FieldError[] = [];
  const label = (path: string, value: string | undefined, lower = false) => {
    if (!value) found.push(field.required(path));
    else
      for (const why of isDns1035Label(lower ? value.toLowerCase() : value))
        found.push(field.invalid(path, value, why));
  };
  label('spec.names.plural', plural);
  if (singular) label('spec.names.singular', singular);
  label('spec.names.kind', kind, true);
  if (listKind) label('spec.names.listKind', listKind, true);
  for (const [i, name] of shortNames.entries()) label(`spec.names.shortNames[${i}]`, name);
  for (const [i, name] of categories.entries()) label(`spec.names.categories[${i}]`, name);
  if (kind && kind === listKind)
    found.push(field.invalid('spec.names.listKind', listKind, 'kind and listKind may not be the same'));
  return found;
}

function validateVersions({ spec }: CustomResourceDefinition): FieldError[] {
  const found: FieldError[] = [];
  if (spec.versions.length === 0) return [field.required('spec.versions', 'must have at least one version')];
  const seen = new Set<string>();
  spec.versions.forEach((version, i) => {
    const path = `spec.versions[${i}]`;
    if (seen.has(version.name)) found.push(field.duplicate(`${path}.name`, version.name));
    seen.add(version.name);
    for (const why of isDns1035Label(version.name)) found.push(field.invalid(`${path}.name`, version.name, why));
    found.push(...validateVersion(version, path));
  });
  if (spec.versions.filter(v => v.storage).length !== 1)
    found.push(field.invalid('spec.versions', [...seen], 'must have exactly one version marked as storage version'));
  if (spec.conversion && spec.conversion.strategy !== 'None' && spec.conversion.strategy !== 'Webhook')
    found.push(field.notSupported('spec.conversion.strategy', spec.conversion.strategy, ['None', 'Webhook']));
  if (spec.conversion?.strategy === 'Webhook' && !spec.conversion.webhook?.clientConfig)
    found.push(field.required('spec.conversion.webhookClientConfig', 'required when strategy is set to Webhook'));
  return found;
}

function validateVersion(version: CustomResourceDefinitionVersion, path: string): FieldError[] {
  const found: FieldError[] = [];
  const props = version.schema?.openAPIV3Schema;
  if (!props) found.push(field.required(`${path}.schema.openAPIV3Schema`, 'schemas are required'));
  else found.push(...validateStructural(props, `${path}.schema.openAPIV3Schema`));
  version.additionalPrinterColumns?.forEach((column, i) => {
    const at = `${path}.additionalPrinterColumns[${i}]`;
    if (!column.name) found.push(field.required(`${at}.name`));
    if (!columnTypes.includes(column.type)) found.push(field.notSupported(`${at}.type`, column.type, columnTypes));
    if (!column.jsonPath) found.push(field.required(`${at}.jsonPath`));
    else found.push(...badPath(column.jsonPath, `${at}.jsonPath`));
  });
  version.selectableFields?.forEach((selectable, i) => {
    found.push(...badPath(selectable.jsonPath, `${path}.selectableFields[${i}].jsonPath`));
  });
  const scale = version.subresources?.scale;
  if (scale) {
    const at = `${path}.subresources.scale`;
    found.push(...scalePath(scale.specReplicasPath, `${at}.specReplicasPath`, '.spec.'));
    found.push(...scalePath(scale.statusReplicasPath, `${at}.statusReplicasPath`, '.status.'));
  }
  return found;
}

function badPath(path: string, at: string): FieldError[] {
  try {
    compileFieldPath(path);
    return [];
  } catch (e) {
    return [field.invalid(at, path, e instanceof Error ? e.message : String(e))];
  }
}

function scalePath(path: string, at: string, prefix: string): FieldError[] {
  if (!path) return [field.required(at)];
  if (!plainPath(path) || !path.startsWith(prefix))
    return [field.invalid(at, path, `should be a json path under ${prefix.slice(0, -1)}`)];
  return [];
}

/** What may not change once there may be objects. */
export function validateDefinitionUpdate(crd: CustomResourceDefinition, old: CustomResourceDefinition): FieldError[] {
  const found = validateDefinition(crd);
  const established = old.status?.conditions?.some(c => c.type === 'Established' && c.status === 'True') ?? false;
  if (crd.spec.group !== old.spec.group) found.push(field.invalid('spec.group', crd.spec.group, 'field is immutable'));
  if (crd.spec.names.plural !== old.spec.names.plural)
    found.push(field.invalid('spec.names.plural', crd.spec.names.plural, 'field is immutable'));
  if (!established) return found;
  if (crd.spec.scope !== old.spec.scope) found.push(field.invalid('spec.scope', crd.spec.scope, 'field is immutable'));
  if (crd.spec.names.kind !== old.spec.names.kind)
    found.push(field.invalid('spec.names.kind', crd.spec.names.kind, 'field is immutable'));
  const names = new Set(crd.spec.versions.map(v => v.name));
  (old.status?.storedVersions ?? []).forEach((version, i) => {
    if (!names.has(version))
      found.push(
        field.invalid(
          `status.storedVersions[${i}]`,
          version,
          `missing from spec.versions; ${version} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${version} and removes ${version} from status.storedVersions`,
        ),
      );
  });
  return found;
}
