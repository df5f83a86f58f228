/** Every rule of webhooks and policies in upstream's words (pkg/apis/admissionregistration/validation of v1.35). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleOf } from '../samples.ts';
import { cells, created, onCreate, onSubresource, onUpdate, type Rule, withValue } from '../testing.ts';
import { validatingAdmissionPolicies, validatingAdmissionPolicyBindings } from './policies.ts';
import { mutatingWebhookConfigurations, validatingWebhookConfigurations } from './webhooks.ts';

const group = 'admissionregistration.k8s.io';
const subdomain =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const form = 'desired format: https://host[/path]';
const operations = '"*", "CONNECT", "CREATE", "DELETE", "UPDATE"';

test('webhooks', () => {
  const base = sampleOf(`${group}/mutatingwebhookconfigurations`, false);
  const hook = 'webhooks[0]';
  const rule = `${hook}.rules[0]`;
  const url = `${hook}.clientConfig.url`;
  const service = `${hook}.clientConfig.service`;
  const both = { url: 'https://a', service: { name: 'a', namespace: 'b' } };
  const rules: Rule[] = [
    ['webhooks.0.name', '', `${hook}.name: Required value`],
    [
      'webhooks.0.name',
      'a.b',
      `${hook}.name: Invalid value: "a.b": should be a domain with at least three segments separated by dots`,
    ],
    [
      'webhooks.0.failurePolicy',
      'Panic',
      `${hook}.failurePolicy: Unsupported value: "Panic": supported values: "Fail", "Ignore"`,
    ],
    [
      'webhooks.0.matchPolicy',
      'Some',
      `${hook}.matchPolicy: Unsupported value: "Some": supported values: "Equivalent", "Exact"`,
    ],
    [
      'webhooks.0.sideEffects',
      undefined,
      `${hook}.sideEffects: Required value: must specify one of None, NoneOnDryRun`,
    ],
    [
      'webhooks.0.sideEffects',
      'Some',
      `${hook}.sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"`,
    ],
    [
      'webhooks.0.timeoutSeconds',
      31,
      `${hook}.timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds`,
    ],
    [
      'webhooks.0.reinvocationPolicy',
      'Often',
      `${hook}.reinvocationPolicy: Unsupported value: "Often": supported values: "IfNeeded", "Never"`,
    ],
    [
      'webhooks.0.admissionReviewVersions',
      [],
      `${hook}.admissionReviewVersions: Required value: must specify one of v1, v1beta1`,
    ],
    [
      'webhooks.0.admissionReviewVersions',
      ['v2', 'v2'],
      `${hook}.admissionReviewVersions[1]: Invalid value: "v2": duplicate version`,
      `${hook}.admissionReviewVersions: Invalid value: ["v2","v2"]: must include at least one of v1, v1beta1`,
    ],
    ['webhooks.0.clientConfig', {}, `${hook}.clientConfig: Required value: exactly one of url or service is required`],
    [
      'webhooks.0.clientConfig',
      both,
      `${hook}.clientConfig: Required value: exactly one of url or service is required`,
    ],
    [
      'webhooks.0.clientConfig',
      { url: 'http://u:p@a?b#c' },
      `${url}: Invalid value: "http": 'https' is the only allowed URL scheme; ${form}`,
      `${url}: Invalid value: "u:p": user information is not permitted in the URL`,
      `${url}: Invalid value: "c": fragments are not permitted in the URL`,
      `${url}: Invalid value: "b": query parameters are not permitted in the URL`,
    ],
    ['webhooks.0.clientConfig', { service: { namespace: 'b' } }, `${service}.namespace: Required value`],
    [
      'webhooks.0.clientConfig',
      { service: { name: 'a', namespace: 'b', port: 0, path: 'a//B' } },
      `${service}.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive`,
      `${service}.path: Invalid value: "a//B": must start with a '/'`,
      `${service}.path: Invalid value: "a//B": segment[0] may not be empty`,
      `${service}.path: Invalid value: "a//B": segment[1] may not be empty`,
      `${service}.path: Invalid value: "a//B": segment[2]: ${subdomain}`,
    ],
    ['webhooks.0.rules.0.operations', [], `${rule}.operations: Required value`],
    [
      'webhooks.0.rules.0.operations',
      ['*', 'PATCH'],
      `${rule}.operations: Invalid value: ["*","PATCH"]: if '*' is present, must not specify other operations`,
      `${rule}.operations[1]: Unsupported value: "PATCH": supported values: ${operations}`,
    ],
    [
      'webhooks.0.rules.0.apiGroups',
      ['*', 'a'],
      `${rule}.apiGroups: Invalid value: ["*","a"]: if '*' is present, must not specify other API groups`,
    ],
    ['webhooks.0.rules.0.apiVersions', [''], `${rule}.apiVersions[0]: Required value`],
    ['webhooks.0.rules.0.resources', [''], `${rule}.resources[0]: Required value`],
    [
      'webhooks.0.rules.0.resources',
      ['pods/*', 'pods/log', '*/scale', 'a/scale'],
      `${rule}.resources[1]: Invalid value: "pods/log": if 'pods/*' is present, must not specify pods/log`,
      `${rule}.resources[3]: Invalid value: "a/scale": if '*/scale' is present, must not specify a/scale`,
    ],
    [
      'webhooks.0.rules.0.resources',
      ['*', 'pods'],
      `${rule}.resources: Invalid value: ["*","pods"]: if '*' is present, must not specify other resources without subresources`,
    ],
    [
      'webhooks.0.rules.0.resources',
      ['*/*', 'pods/log'],
      `${rule}.resources: Invalid value: ["*/*","pods/log"]: if '*/*' is present, must not specify other resources`,
    ],
    [
      'webhooks.0.rules.0.scope',
      'Here',
      `${rule}.scope: Unsupported value: "Here": supported values: "*", "Cluster", "Namespaced"`,
    ],
    [
      'webhooks.0.matchConditions',
      [{ name: 'a', expression: ' ' }],
      `${hook}.matchConditions[0].expression: Required value`,
    ],
    [
      'webhooks.0.matchConditions',
      [{ name: 'a', expression: 'true' }, { name: 'a', expression: 'true' }, { expression: 'true' }],
      `${hook}.matchConditions[1].name: Duplicate value: "a"`,
      `${hook}.matchConditions[2].name: Required value`,
    ],
  ];
  assert.deepEqual(onCreate(mutatingWebhookConfigurations, base, rules), rules);
  assert.equal(mutatingWebhookConfigurations.allowUnconditionalUpdate, false);
});

test('what a stored webhook has wrong may stay', () => {
  const base = sampleOf(`${group}/validatingwebhookconfigurations`, false);
  const old = withValue(base, 'webhooks.0.sideEffects', 'Some');
  const rules: Rule[] = [
    ['webhooks.0.timeoutSeconds', 20],
    [
      'webhooks.0.timeoutSeconds',
      0,
      'webhooks[0].timeoutSeconds: Invalid value: 0: the timeout value must be between 1 and 30 seconds',
    ],
  ];
  assert.deepEqual(onUpdate(validatingWebhookConfigurations, old, rules), rules);
});

test('validating policies', () => {
  const base = sampleOf(`${group}/validatingadmissionpolicies`, false);
  const one = 'validations or auditAnnotations must contain at least one item';
  const label =
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
  const rules: Rule[] = [
    [
      'spec.failurePolicy',
      'Panic',
      'spec.failurePolicy: Unsupported value: "Panic": supported values: "Fail", "Ignore"',
    ],
    ['spec.paramKind', {}, 'spec.paramKind.apiVersion: Required value', 'spec.paramKind.kind: Required value'],
    [
      'spec.paramKind',
      { apiVersion: 'a/b/c', kind: '1' },
      'spec.paramKind.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c',
      `spec.paramKind.kind: Invalid value: "1": may have mixed case, but should otherwise match: ${label}`,
    ],
    [
      'spec.paramKind',
      { apiVersion: 'A/', kind: 'Kind' },
      `spec.paramKind.apiVersion: Invalid value: "A": ${subdomain}`,
      'spec.paramKind.apiVersion: Invalid value: "A/": version must be specified',
    ],
    ['spec.matchConstraints', undefined, 'spec.matchConstraints: Required value'],
    ['spec.matchConstraints', {}, 'spec.matchConstraints.resourceRules: Required value'],
    [
      'spec.matchConstraints.resourceRules.0.resourceNames',
      ['a', 'a', 'b/c'],
      'spec.matchConstraints.resourceRules[0].resourceNames[2]: Invalid value: "b/c": may not contain \'/\'',
      'spec.matchConstraints.resourceRules[0].resourceNames[1]: Duplicate value: "a"',
    ],
    [
      'spec.validations',
      [],
      `spec.validations: Required value: ${one}`,
      `spec.auditAnnotations: Required value: ${one}`,
    ],
    [
      'spec.validations.0.expression',
      '',
      'spec.validations[0].expression: Required value: expression is not specified',
    ],
    [
      'spec.validations.0.message',
      ' ',
      'spec.validations[0].message: Invalid value: " ": must be non-empty if specified',
    ],
    [
      'spec.validations.0.message',
      'a\nb',
      'spec.validations[0].message: Invalid value: "a\\nb": must not contain line breaks',
    ],
    [
      'spec.validations.0.messageExpression',
      ' ',
      'spec.validations[0].messageExpression: Invalid value: " ": must be non-empty if specified',
    ],
    [
      'spec.validations.0.reason',
      'Unauthorized',
      'spec.validations[0].reason: Unsupported value: "Unauthorized": supported values: "Forbidden", "Invalid", "RequestEntityTooLarge"',
    ],
    [
      'spec.auditAnnotations',
      [{ key: 'a' }, { key: 'a', valueExpression: "'x'" }],
      'spec.auditAnnotations[0].valueExpression: Required value: valueExpression is not specified',
      'spec.auditAnnotations[1].key: Duplicate value: "a"',
    ],
    [
      'spec.variables',
      [{ name: 'in', expression: 'true' }],
      'spec.variables[0].name: Invalid value: "in": must be a valid CEL identifier',
    ],
    [
      'spec.variables',
      [{}],
      'spec.variables[0].name: Required value: name is not specified',
      'spec.variables[0].expression: Required value: expression is not specified',
    ],
  ];
  assert.deepEqual(onCreate(validatingAdmissionPolicies, base, rules), rules);
  const status: Rule[] = [
    [
      'status.conditions',
      [{ type: 'A', status: 'Yes', reason: 'a b' }],
      'status.conditions[0].status: Unsupported value: "Yes": supported values: "False", "True", "Unknown"',
      'status.conditions[0].lastTransitionTime: Required value',
      "status.conditions[0].reason: Invalid value: \"a b\": a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')",
    ],
    [
      'status.typeChecking',
      { expressionWarnings: [{}] },
      'status.typeChecking.expressionWarnings[0].warning: Required value',
      'status.typeChecking.expressionWarnings[0].fieldRef: Required value',
    ],
  ];
  assert.deepEqual(onSubresource(validatingAdmissionPolicies, 'status', base, status), status);
});

test('bindings of policies', () => {
  const base = sampleOf(`${group}/validatingadmissionpolicybindings`, false);
  const both = 'name and selector are mutually exclusive';
  const rules: Rule[] = [
    ['spec.policyName', '', 'spec.policyName: Required value'],
    [
      'spec.paramRef',
      {},
      'spec.paramRef: Required value: one of name or selector must be specified',
      'spec.paramRef.parameterNotFoundAction: Required value',
    ],
    [
      'spec.paramRef',
      { name: 'a', selector: {}, parameterNotFoundAction: 'Ask' },
      `spec.paramRef.name: Forbidden: ${both}`,
      `spec.paramRef.selector: Forbidden: ${both}`,
      'spec.paramRef.parameterNotFoundAction: Unsupported value: "Ask": supported values: "Deny", "Allow"',
    ],
    [
      'spec.validationActions',
      [],
      'spec.validationActions: Required value: at least one validation action is required',
    ],
    [
      'spec.validationActions',
      ['Deny', 'Warn', 'Warn'],
      'spec.validationActions[2]: Duplicate value: "Warn"',
      'spec.validationActions: Invalid value: ["Deny","Warn","Warn"]: must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)',
    ],
  ];
  assert.deepEqual(onCreate(validatingAdmissionPolicyBindings, base, rules), rules);
  const shown = (paramRef: object) =>
    cells(
      validatingAdmissionPolicyBindings,
      created(validatingAdmissionPolicyBindings, withValue(base, 'spec.paramRef', paramRef)),
    )['ParamRef'];
  assert.equal(shown({ name: 'a' }), '*/a');
  assert.equal(shown({ name: 'a', namespace: 'b' }), 'b/a');
  assert.equal(
    shown({ selector: { matchLabels: { a: 'b' } } }),
    '&LabelSelector{MatchLabels:map[string]string{a: b,},MatchExpressions:[]LabelSelectorRequirement{},}',
  );
});
