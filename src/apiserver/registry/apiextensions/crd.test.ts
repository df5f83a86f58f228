/** Every rule of definitions in upstream's words (pkg/apis/apiextensions/validation of v1.35); those of schemas are tested with them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CustomResourceDefinition } from '../../../api/types/apiextensions-v1.ts';
import { sampleOf } from '../samples.ts';
import { created, createErrors, onCreate, onSubresource, onUpdate, type Rule, withValue } from '../testing.ts';
import { customResourceDefinitions as kind } from './crd.ts';

const base = sampleOf('apiextensions.k8s.io/customresourcedefinitions', false);
const object = { openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object' } } } };
const label1035 =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const mixed = `may have mixed case, but should otherwise match: ${label1035}`;
const shown = (more: string) =>
  `{"Name":"v1","Served":true,"Storage":${more},"Deprecated":false,"DeprecationWarning":null,"Schema":null,"Subresources":null,"AdditionalPrinterColumns":null,"SelectableFields":null}`;

test('definitions', () => {
  const config = 'spec.conversion.webhookClientConfig';
  const types = 'must be one of boolean,date,integer,number,string';
  const rules: Rule[] = [
    [
      'metadata.name',
      'gadgets.example.com',
      'metadata.name: Invalid value: "gadgets.example.com": must be spec.names.plural+"."+spec.group',
    ],
    ['spec.scope', '', 'spec.scope: Required value'],
    ['spec.scope', 'Here', 'spec.scope: Unsupported value: "Here": supported values: "Cluster", "Namespaced"'],
    [
      'spec.names.kind',
      '1',
      `spec.names.singular: Invalid value: "1": ${label1035}`,
      `spec.names.kind: Invalid value: "1": ${mixed}`,
      `spec.names.listKind: Invalid value: "1List": ${mixed}`,
    ],
    [
      'spec.names.listKind',
      'Widget',
      'spec.names.listKind: Invalid value: "Widget": kind and listKind may not be the same',
    ],
    ['spec.names.shortNames', ['W'], `spec.names.shortNames[0]: Invalid value: "W": ${label1035}`],
    ['spec.names.categories', ['All'], `spec.names.categories[0]: Invalid value: "All": ${label1035}`],
    [
      'spec.preserveUnknownFields',
      true,
      'spec.preserveUnknownFields: Invalid value: true: cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead',
    ],
    ['spec.versions.0.schema', undefined, 'spec.versions[0].schema.openAPIV3Schema: Required value'],
    [
      'spec.versions.0.schema.openAPIV3Schema',
      { properties: { a: { type: 'string' } } },
      'spec.validation.openAPIV3Schema.type: Required value: must not be empty at the root',
    ],
    [
      'spec.versions.0.storage',
      false,
      `spec.versions: Invalid value: [${shown('false')}]: must have exactly one version marked as storage version`,
      'status.storedVersions: Invalid value: []: must have at least one stored version',
    ],
    [
      'spec.versions.0.deprecationWarning',
      'old',
      'spec.versions[0].deprecationWarning: Invalid value: "old": can only be set for deprecated versions',
    ],
    [
      'spec.versions.0.additionalPrinterColumns',
      [{ type: 'text', format: 'x', jsonPath: 'spec' }, {}],
      'spec.additionalPrinterColumns[0].name: Required value',
      `spec.additionalPrinterColumns[0].type: Invalid value: "text": ${types}`,
      'spec.additionalPrinterColumns[0].format: Invalid value: "x": must be one of byte,date,date-time,double,float,int32,int64,password',
      'spec.additionalPrinterColumns[0].JSONPath: Invalid value: "spec": must be a simple json path starting with .',
      'spec.additionalPrinterColumns[1].name: Required value',
      `spec.additionalPrinterColumns[1].type: Required value: ${types}`,
      'spec.additionalPrinterColumns[1].JSONPath: Required value',
    ],
    [
      'spec.versions.0.subresources',
      { scale: { specReplicasPath: '.status.a', statusReplicasPath: 'status', labelSelectorPath: '.a' } },
      'spec.subresources.scale.specReplicasPath: Invalid value: ".status.a": should be a json path under .spec',
      'spec.subresources.scale.statusReplicasPath: Invalid value: "status": must be a simple json path starting with .',
      'spec.subresources.scale.labelSelectorPath: Invalid value: ".a": should be a json path under either .spec or .status',
    ],
    ['spec.conversion', { strategy: '' }, 'spec.conversion.strategy: Required value'],
    [
      'spec.conversion',
      { strategy: 'None', webhook: { clientConfig: {}, conversionReviewVersions: ['v1'] } },
      `${config}: Forbidden: should not be set when strategy is not set to Webhook`,
      'spec.conversion.conversionReviewVersions: Forbidden: should not be set when strategy is not set to Webhook',
    ],
    [
      'spec.conversion',
      { strategy: 'Webhook' },
      `${config}: Required value: required when strategy is set to Webhook`,
      'spec.conversion.conversionReviewVersions: Required value',
    ],
    [
      'spec.conversion',
      { strategy: 'Webhook', webhook: { clientConfig: { url: 'http://a' }, conversionReviewVersions: ['v2'] } },
      `${config}.url: Invalid value: "http": 'https' is the only allowed URL scheme; desired format: https://host[/path]`,
      'spec.conversion.conversionReviewVersions: Invalid value: ["v2"]: must include at least one of v1, v1beta1',
    ],
  ];
  assert.deepEqual(onCreate(kind, base, rules), rules);
});

test('groups', () => {
  const of = (group: string, annotations = {}) =>
    createErrors(
      kind,
      withValue(withValue(base, 'spec.group', group), 'metadata', { name: `widgets.${group}`, annotations }),
    );
  assert.deepEqual(of('example'), ['spec.group: Invalid value: "example": should be a domain with at least one dot']);
  const key = 'api-approved.kubernetes.io';
  const must = `protected groups must have approval annotation "${key}"`;
  const see = 'see https://github.com/kubernetes/enhancements/pull/1111';
  assert.deepEqual(of('a.k8s.io'), [`metadata.annotations[${key}]: Required value: ${must}, ${see}`]);
  assert.deepEqual(of('a.k8s.io', { [key]: 'yes' }), [
    `metadata.annotations[${key}]: Invalid value: "yes": ${must} with either a URL or a reason starting with "unapproved", ${see}`,
  ]);
  assert.deepEqual(of('a.k8s.io', { [key]: 'unapproved, for a test' }), []);
  assert.deepEqual(of('a.k8s.io', { [key]: 'https://example.com/1' }), []);
});

test('selectable fields', () => {
  const at = 'spec.selectableFields[0].jsonPath';
  const properties = {
    metadata: { type: 'object', properties: { name: { type: 'string' } } },
    spec: { type: 'object', properties: { color: { type: 'string' }, size: { type: 'number' } } },
  };
  const draft = withValue(base, 'spec.versions.0.schema.openAPIV3Schema', { type: 'object', properties });
  const path = 'spec.versions.0.selectableFields';
  const rules: Rule[] = [
    [path, [{ jsonPath: '.spec.color' }]],
    [path, [{}], `${at}: Required value`],
    [path, [{ jsonPath: 'spec' }], `${at}: Invalid value: "spec": is an invalid path: expected [ or . but got: spec`],
    [
      path,
      [{ jsonPath: '.spec.x' }],
      `${at}: Invalid value: ".spec.x": is an invalid path: does not refer to a valid field`,
    ],
    [
      path,
      [{ jsonPath: '.spec.a[0]' }],
      `${at}: Invalid value: ".spec.a[0]": is an invalid path: array notation is not allowed`,
    ],
    [
      path,
      [{ jsonPath: '.metadata.name' }],
      `${at}: Invalid value: ".metadata.name": must not point to fields in metadata`,
    ],
    [
      path,
      [{ jsonPath: '.spec.size' }],
      `${at}: Invalid value: ".spec.size": must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.`,
    ],
    [
      path,
      [{ jsonPath: '.spec.color' }, { jsonPath: '.spec.color' }],
      'spec.selectableFields[1].jsonPath: Duplicate value: ".spec.color"',
    ],
  ];
  assert.deepEqual(onCreate(kind, draft, rules), rules);
});

test('what versions do not have alike is complained about where it is', () => {
  const second = { name: 'v2', served: true, storage: false, schema: { openAPIV3Schema: { type: 'array' } } };
  const draft = withValue(base, 'spec.versions.1', second);
  assert.deepEqual(
    createErrors(kind, draft).map(e => e.split(':')[0]),
    ['spec.versions[1].schema.openAPIV3Schema.items', 'spec.versions[1].schema.openAPIV3Schema.type'],
  );
});

test('updates', () => {
  const rules: Rule[] = [
    ['spec.scope', 'Cluster'],
    ['spec.group', 'example.org', 'spec.group: Invalid value: "example.org": field is immutable'],
    ['spec.names.plural', 'gadgets', 'spec.names.plural: Invalid value: "gadgets": field is immutable'],
    [
      'spec.versions',
      [{ name: 'v2', served: true, storage: true, schema: object }],
      'status.storedVersions[0]: Invalid value: "v1": missing from spec.versions; v1 was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in v1 and removes v1 from status.storedVersions',
    ],
  ];
  assert.deepEqual(onUpdate(kind, base, rules), rules);
  const old = created(kind, base);
  Object.assign(old, { status: { ...old.status, conditions: [{ type: 'Established', status: 'True' }] } });
  const obj = withValue(old, 'spec.scope', 'Cluster') as CustomResourceDefinition;
  const found = kind.validateUpdate?.(obj, old, {} as never) ?? [];
  assert.deepEqual(
    found.map(e => `${e.field}: ${e.message}`),
    ['spec.scope: Invalid value: "Cluster": field is immutable'],
  );
});

test('every version that was ever stored is remembered', () => {
  const old = created(kind, base);
  assert.deepEqual(old.status, { acceptedNames: { plural: '', kind: '' }, storedVersions: ['v1'] });
  const versions = [
    { name: 'v1', served: true, storage: false, schema: object },
    { name: 'v2', served: true, storage: true, schema: object },
  ];
  const obj = withValue(old, 'spec.versions', versions) as CustomResourceDefinition;
  kind.prepareForUpdate?.(obj, old, {} as never);
  assert.deepEqual(obj.status?.storedVersions, ['v1', 'v2']);
});

test('the status', () => {
  const rules: Rule[] = [
    [
      'status.acceptedNames',
      { plural: 'W', kind: 'W' },
      `status.acceptedNames.plural: Invalid value: "W": ${label1035}`,
    ],
  ];
  assert.deepEqual(onSubresource(kind, 'status', base, rules), rules);
});

test('formats that nobody checks are warned about', () => {
  const draft = withValue(base, 'spec.versions.0.schema.openAPIV3Schema.properties', {
    a: { type: 'string', format: 'color' },
    b: { type: 'string', format: 'date-time' },
  });
  assert.deepEqual(kind.warnings?.(created(kind, draft), undefined), ['unrecognized format "color"']);
});
