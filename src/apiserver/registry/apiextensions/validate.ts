/**
 * What a definition must satisfy (pkg/apis/apiextensions/validation of apiextensions-apiserver). Upstream validates its internal version,
 * in which what all versions have alike stands once, above them: hence paths such as "spec.validation.openAPIV3Schema".
 */
import { type Problem, validateStructural } from '../../../api/crd/index.ts';
import type {
  CustomResourceColumnDefinition,
  CustomResourceConversion,
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionVersion,
  CustomResourceSubresources,
  JSONSchemaProps,
} from '../../../api/types/apiextensions-v1.ts';
import { isDns1035Label, isDns1123Subdomain, nameIsDnsSubdomain } from '../../../api/validation/names.ts';
import { validateClientConfig } from '../admissionregistration/client-config.ts';
import { type Errors, each, forbidden, immutable, invalidAll, nonEmpty, required, same } from '../checks.ts';
import { field } from '../field-errors.ts';
import { validateObjectMeta, validateObjectMetaUpdate } from '../meta/object-meta.ts';
import { validateApproval } from './approval.ts';
import { validateSelectableFields } from './selectable-fields.ts';

type Crd = CustomResourceDefinition;
type Version = CustomResourceDefinitionVersion;

const columnTypes = ['boolean', 'date', 'integer', 'number', 'string'];
const columnFormats = ['byte', 'date', 'date-time', 'double', 'float', 'int32', 'int64', 'password'];
const maxWarning = 256;

/** All complaints about one value as one. */
const joined = (path: string, value: string, complaints: readonly string[], before = ''): Errors =>
  complaints.length > 0 ? [field.invalid(path, value, before + complaints.join(','))] : [];

const label = (value: string, path: string): Errors => joined(path, value, isDns1035Label(value));
const mixedCase = (value: string, path: string): Errors =>
  joined(path, value, isDns1035Label(value.toLowerCase()), 'may have mixed case, but should otherwise match: ');

function validateGroup(group: string | undefined, path: string): Errors {
  if (!group) return [field.required(path)];
  const complaints = isDns1123Subdomain(group);
  if (complaints.length > 0) return joined(path, group, complaints);
  return group.includes('.') ? [] : [field.invalid(path, group, 'should be a domain with at least one dot')];
}

function oneOfRequired(value: string | undefined, path: string, accepted: readonly string[]): Errors {
  if (!value) return [field.required(path)];
  return accepted.includes(value) ? [] : [field.notSupported(path, value, accepted)];
}

function validateNames(names: Partial<CustomResourceDefinitionNames>, path: string): Errors {
  const { kind, listKind } = names;
  return [
    ...nonEmpty(names.plural, `${path}.plural`, label),
    ...nonEmpty(names.singular, `${path}.singular`, label),
    ...nonEmpty(kind, `${path}.kind`, mixedCase),
    ...nonEmpty(listKind, `${path}.listKind`, mixedCase),
    ...each(names.shortNames, `${path}.shortNames`, label),
    ...(kind && kind === listKind
      ? [field.invalid(`${path}.listKind`, listKind, 'kind and listKind may not be the same')]
      : []),
    ...each(names.categories, `${path}.categories`, label),
  ];
}

function validateDeprecation({ deprecated, deprecationWarning: text }: Version, path: string): Errors {
  if (text === undefined) return [];
  const wrong = (why: string) => field.invalid(path, text, why);
  if (!deprecated) return [wrong('can only be set for deprecated versions')];
  const bad = [...text].findIndex(char => /[\p{C}\p{Zl}\p{Zp}]/u.test(char) || (/\p{Zs}/u.test(char) && char !== ' '));
  return [
    ...(text.length > maxWarning ? [wrong(`must be <= ${maxWarning} characters long`)] : []),
    ...(text === '' ? [wrong('must not be an empty string')] : []),
    ...(bad >= 0
      ? [wrong(`must only contain printable UTF-8 characters; non-printable character found at index ${bad}`)]
      : []),
  ];
}

function validateSchema(props: JSONSchemaProps | undefined, path: string, hasStatus: boolean): Errors {
  if (!props) return [];
  return validateStructural(props, `${path}.openAPIV3Schema`, hasStatus).map((found: Problem) => found);
}

function simplePath(path: string, at: string): Errors {
  return path.startsWith('.') ? [] : [field.invalid(at, path, 'must be a simple json path starting with .')];
}

function pathUnder(value: string | undefined, at: string, roots: readonly string[], detail: string): Errors {
  if (!value) return [field.required(at)];
  const wrong = simplePath(value, at);
  if (wrong.length > 0) return wrong;
  return roots.some(root => value.startsWith(root)) ? [] : [field.invalid(at, value, detail)];
}

function validateSubresources(subresources: CustomResourceSubresources | undefined, path: string): Errors {
  const scale = subresources?.scale;
  if (!scale) return [];
  const at = `${path}.scale`;
  const either = 'should be a json path under either .spec or .status';
  return [
    ...pathUnder(scale.specReplicasPath, `${at}.specReplicasPath`, ['.spec.'], 'should be a json path under .spec'),
    ...pathUnder(
      scale.statusReplicasPath,
      `${at}.statusReplicasPath`,
      ['.status.'],
      'should be a json path under .status',
    ),
    ...nonEmpty(scale.labelSelectorPath, `${at}.labelSelectorPath`, (value, where) =>
      pathUnder(value, where, ['.spec.', '.status.'], either),
    ),
  ];
}

function validateColumn(column: CustomResourceColumnDefinition, path: string): Errors {
  const { name, type, format, jsonPath } = column;
  const types = `must be one of ${columnTypes.join(',')}`;
  return [
    ...required(name, `${path}.name`),
    ...(type
      ? columnTypes.includes(type)
        ? []
        : [field.invalid(`${path}.type`, type, types)]
      : [field.required(`${path}.type`, types)]),
    ...(format && !columnFormats.includes(format)
      ? [field.invalid(`${path}.format`, format, `must be one of ${columnFormats.join(',')}`)]
      : []),
    ...(jsonPath ? simplePath(jsonPath, `${path}.JSONPath`) : [field.required(`${path}.JSONPath`)]),
  ];
}

/** The parts of versions that upstream lifts above them when all versions have the same. */
const liftable = ['schema', 'subresources', 'additionalPrinterColumns', 'selectableFields'] as const;
type Part = (typeof liftable)[number];

function liftedParts(versions: readonly Version[]): ReadonlySet<Part> {
  return new Set(liftable.filter(part => versions.every(v => same(v[part], versions[0]?.[part]))));
}

const hasStatus = (version: Version | undefined) => version?.subresources?.status !== undefined;

/** The checks of those parts of a version that `wanted` names. */
function validateParts(
  version: Version | undefined,
  wanted: (part: Part) => boolean,
  path: string,
  schemaKey: string,
  withStatus: boolean,
): Errors {
  const schema = version?.schema?.openAPIV3Schema;
  return [
    ...(wanted('schema') ? validateSchema(schema, `${path}.${schemaKey}`, withStatus) : []),
    ...(wanted('subresources') ? validateSubresources(version?.subresources, `${path}.subresources`) : []),
    ...(wanted('additionalPrinterColumns')
      ? each(version?.additionalPrinterColumns, `${path}.additionalPrinterColumns`, validateColumn)
      : []),
    ...(wanted('selectableFields')
      ? validateSelectableFields(version?.selectableFields, schema, `${path}.selectableFields`)
      : []),
  ];
}

/** A version as upstream's internal type shows in complaints. */
const shown = (version: Version, lifted: ReadonlySet<Part>) => ({
  Name: version.name,
  Served: version.served ?? false,
  Storage: version.storage ?? false,
  Deprecated: version.deprecated ?? false,
  DeprecationWarning: version.deprecationWarning ?? null,
  Schema: lifted.has('schema') ? null : (version.schema ?? null),
  Subresources: lifted.has('subresources') ? null : (version.subresources ?? null),
  AdditionalPrinterColumns: lifted.has('additionalPrinterColumns') ? null : (version.additionalPrinterColumns ?? null),
  SelectableFields: lifted.has('selectableFields') ? null : (version.selectableFields ?? null),
});

function validateVersions(versions: readonly Version[]): Errors {
  const path = 'spec.versions';
  const lifted = liftedParts(versions);
  const names = new Set(versions.map(v => v.name));
  const wrong = (why: string) =>
    field.invalid(path, versions.length > 0 ? versions.map(v => shown(v, lifted)) : null, why);
  return [
    ...each(versions, path, (version, at) =>
      version.schema?.openAPIV3Schema ? [] : [field.required(`${at}.schema.openAPIV3Schema`)],
    ),
    ...each(versions, path, (version, at) => [
      ...label(version.name ?? '', `${at}.name`),
      ...validateDeprecation(version, `${at}.deprecationWarning`),
      ...validateParts(version, part => !lifted.has(part), at, 'schema', hasStatus(version)),
    ]),
    ...(names.size < versions.length ? [wrong('must contain unique version names')] : []),
    ...(versions.filter(v => v.storage).length === 1
      ? []
      : [wrong('must have exactly one version marked as storage version')]),
  ];
}

function validateReviewVersions(versions: readonly string[] = [], path: string): Errors {
  if (versions.length === 0) return [field.required(path)];
  const known = versions.some(version => version === 'v1' || version === 'v1beta1');
  return [
    ...each(versions, path, (version, at, i) =>
      versions.indexOf(version) < i
        ? [field.invalid(at, version, 'duplicate version')]
        : invalidAll(at, version, isDns1035Label(version)),
    ),
    ...(known ? [] : [field.invalid(path, versions, 'must include at least one of v1, v1beta1')]),
  ];
}

function validateConversion(conversion: CustomResourceConversion | undefined): Errors {
  if (!conversion) return [];
  const path = 'spec.conversion';
  const { strategy, webhook } = conversion;
  const config = `${path}.webhookClientConfig`;
  const reviews = `${path}.conversionReviewVersions`;
  const errors = oneOfRequired(strategy, `${path}.strategy`, ['None', 'Webhook']);
  if (strategy !== 'Webhook') {
    const detail = 'should not be set when strategy is not set to Webhook';
    return [
      ...errors,
      ...forbidden(webhook?.clientConfig, config, detail),
      ...forbidden(webhook?.conversionReviewVersions?.length, reviews, detail),
    ];
  }
  return [
    ...errors,
    ...(webhook?.clientConfig
      ? validateClientConfig(webhook.clientConfig, config)
      : [field.required(config, 'required when strategy is set to Webhook')]),
    ...validateReviewVersions(webhook?.conversionReviewVersions, reviews),
  ];
}

function validateSpec({ spec }: Crd): Errors {
  const names: Partial<CustomResourceDefinitionNames> = spec.names ?? {};
  const versions = spec.versions ?? [];
  const lifted = liftedParts(versions);
  return [
    ...validateGroup(spec.group, 'spec.group'),
    ...oneOfRequired(spec.scope, 'spec.scope', ['Cluster', 'Namespaced']),
    ...validateVersions(versions),
    ...(['plural', 'singular', 'kind', 'listKind'] as const).flatMap(key => required(names[key], `spec.names.${key}`)),
    ...validateNames(names, 'spec.names'),
    ...validateParts(versions[0], part => lifted.has(part), 'spec', 'validation', versions.some(hasStatus)),
    ...validateConversion(spec.conversion),
  ];
}

function validateStoredVersions({ spec, status }: Crd): Errors {
  const path = 'status.storedVersions';
  const stored = status?.storedVersions ?? [];
  if (stored.length === 0) return [field.invalid(path, stored, 'must have at least one stored version')];
  const versions = spec.versions ?? [];
  return [
    ...versions
      .filter(v => v.storage && !stored.includes(v.name))
      .map(v => field.invalid(path, stored, `must have the storage version ${v.name}`)),
    ...each(stored, path, (name, at) =>
      versions.some(v => v.name === name)
        ? []
        : [
            field.invalid(
              at,
              name,
              `missing from spec.versions; ${name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${name} and removes ${name} from status.storedVersions`,
            ),
          ],
    ),
  ];
}

const accepted = ({ status }: Crd): Errors => validateNames(status?.acceptedNames ?? {}, 'status.acceptedNames');

function validatePreserve({ spec }: Crd): Errors {
  return spec.preserveUnknownFields
    ? [
        field.invalid(
          'spec.preserveUnknownFields',
          true,
          'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead',
        ),
      ]
    : [];
}

/** The name says what is defined. */
export const definitionName = (crd: Crd): Errors =>
  validateObjectMeta(crd.metadata, false, (name, prefix) => [
    ...nameIsDnsSubdomain(name, prefix),
    ...(name === `${crd.spec.names?.plural ?? ''}.${crd.spec.group ?? ''}`
      ? []
      : ['must be spec.names.plural+"."+spec.group']),
  ]);

export function validateDefinition(crd: Crd): Errors {
  return [
    ...definitionName(crd),
    ...validateSpec(crd),
    ...accepted(crd),
    ...validateStoredVersions(crd),
    ...validateApproval(crd),
    ...validatePreserve(crd),
  ];
}

export const isEstablished = ({ status }: Crd) =>
  status?.conditions?.some(c => c.type === 'Established' && c.status === 'True') ?? false;

/** What may not change once there may be objects. */
export function validateDefinitionUpdate(crd: Crd, old: Crd): Errors {
  const { spec } = crd;
  const established = isEstablished(old);
  return [
    ...validateObjectMetaUpdate(crd.metadata, old.metadata),
    ...validateSpec(crd),
    ...(established
      ? [
          ...immutable(spec.scope, old.spec.scope, 'spec.scope'),
          ...immutable(spec.names?.kind, old.spec.names?.kind, 'spec.names.kind'),
        ]
      : []),
    ...immutable(spec.group, old.spec.group, 'spec.group'),
    ...immutable(spec.names?.plural, old.spec.names?.plural, 'spec.names.plural'),
    ...accepted(crd),
    ...validateStoredVersions(crd),
    ...validateApproval(crd, old),
    ...(old.spec.preserveUnknownFields ? [] : validatePreserve(crd)),
  ];
}

export const validateDefinitionStatus = accepted;
