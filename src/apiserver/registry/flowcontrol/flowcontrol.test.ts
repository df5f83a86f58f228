/** Every rule of flow schemas and priority levels in upstream's words (pkg/apis/flowcontrol/validation of v1.35). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleOf } from '../samples.ts';
import { cells, created, onCreate, onSubresource, type Rule } from '../testing.ts';
import { withDangling } from './dangling.ts';
import { flowSchemas } from './flow-schema.ts';
import { priorityLevelConfigurations } from './priority-level.ts';

const group = 'flowcontrol.apiserver.k8s.io';
const account = { kind: 'ServiceAccount', serviceAccount: { name: '*', namespace: 'a' } };
const resource = { verbs: ['*'], apiGroups: ['*'], resources: ['*'], namespaces: ['*'] };
const rule = (subject: object, more: object = { resourceRules: [resource] }) => [{ subjects: [subject], ...more }];

test('flow schemas', () => {
  const at = 'spec.rules[0]';
  const subject = `${at}.subjects[0]`;
  const resources = `${at}.resourceRules[0]`;
  const urls = `${at}.nonResourceRules[0].nonResourceURLs`;
  const verbs = '"create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"';
  const url = (value: string) => rule(account, { nonResourceRules: [{ verbs: ['get'], nonResourceURLs: [value] }] });
  const broken = (change: object) => rule(account, { resourceRules: [{ ...resource, ...change }] });
  const rules: Rule[] = [
    ['spec.matchingPrecedence', -1, 'spec.matchingPrecedence: Invalid value: -1: must be a positive value'],
    ['spec.matchingPrecedence', 10001, 'spec.matchingPrecedence: Invalid value: 10001: must not be greater than 10000'],
    [
      'spec.matchingPrecedence',
      1,
      "spec.matchingPrecedence: Invalid value: 1: only the schema named 'exempt' may have matchingPrecedence 1",
    ],
    [
      'spec.distinguisherMethod',
      { type: 'ByAge' },
      'spec.distinguisherMethod.type: Unsupported value: {"Type":"ByAge"}: supported values: "ByNamespace", "ByUser"',
    ],
    [
      'spec.priorityLevelConfiguration',
      {},
      'spec.priorityLevelConfiguration.name: Required value: must reference a priority level',
    ],
    [
      'spec.rules',
      [{}],
      `${at}.subjects: Required value: subjects must contain at least one value`,
      `${at}: Required value: at least one of resourceRules and nonResourceRules has to be non-empty`,
    ],
    [
      'spec.rules',
      rule({ kind: 'Robot' }),
      `${subject}.kind: Unsupported value: "Robot": supported values: "Group", "ServiceAccount", "User"`,
    ],
    [
      'spec.rules',
      rule({ kind: 'User', group: { name: 'a' } }),
      `${subject}.user: Required value: user is required when subject kind is 'User'`,
      `${subject}.group: Forbidden: group is forbidden when subject kind is not 'Group'`,
    ],
    [
      'spec.rules',
      rule({ kind: 'ServiceAccount', serviceAccount: {} }),
      `${subject}.serviceAccount.name: Required value`,
      `${subject}.serviceAccount.namespace: Required value: must specify namespace for service account`,
    ],
    [
      'spec.rules',
      broken({ verbs: ['post'] }),
      `${resources}.verbs: Unsupported value: ["post"]: supported values: ${verbs}`,
    ],
    [
      'spec.rules',
      broken({ verbs: ['*', 'get'] }),
      `${resources}.verbs: Invalid value: ["*","get"]: if '*' is present, must not specify other verbs`,
    ],
    [
      'spec.rules',
      broken({ namespaces: [] }),
      `${resources}.namespaces: Required value: resource rules that are not cluster scoped must supply at least one namespace`,
    ],
    ['spec.rules', broken({ namespaces: [], clusterScope: true })],
    ['spec.rules', url('metrics'), `${urls}[0]: Invalid value: "metrics": must start with slash`],
    ['spec.rules', url('/a b'), `${urls}[0]: Invalid value: "/a b": must not contain white-space`],
    ['spec.rules', url('/a//b'), `${urls}[0]: Invalid value: "/a//b": must not contain double slash`],
    ['spec.rules', url('/*/a'), `${urls}[0]: Invalid value: "/*/a": wildcard can only do suffix matching`],
    ['spec.rules', url('/a/*')],
  ];
  const base = sampleOf(`${group}/flowschemas`, false);
  assert.deepEqual(onCreate(flowSchemas, base, rules), rules);
  const status: Rule[] = [
    [
      'status.conditions',
      [{ type: 'A' }, { type: 'A' }, {}],
      'status.conditions[1].type: Duplicate value: "A"',
      'status.conditions[2].type: Required value',
    ],
    ['metadata.labels', { a: 'b' }],
  ];
  assert.deepEqual(onSubresource(flowSchemas, 'status', base, status), status);
  assert.equal(cells(flowSchemas, created(flowSchemas, base))['MissingPL'], '?');
});

test('priority levels', () => {
  const queuing = 'spec.limited.limitResponse.queuing';
  const mismatch = "must be 'Exempt' if and only if `name` is 'exempt'";
  const set = (value: object) => ({ queues: 64, handSize: 8, queueLengthLimit: 50, ...value });
  const limited = { limitResponse: { type: 'Reject' } };
  const rules: Rule[] = [
    ['spec', { type: 'Exempt' }, `spec.type: Invalid value: "Exempt": ${mismatch}`],
    ['spec', { type: 'Other' }, 'spec.type: Unsupported value: "Other": supported values: "Exempt", "Limited"'],
    ['spec', { type: 'Limited' }, 'spec.limited: Required value: must not be empty when type is Limited'],
    ['spec', { type: 'Limited', limited, exempt: {} }, 'spec.exempt: Forbidden: must be nil if the type is Limited'],
    [
      'spec.limited.nominalConcurrencyShares',
      -1,
      'spec.limited.nominalConcurrencyShares: Invalid value: -1: must be a non-negative integer',
    ],
    ['spec.limited.nominalConcurrencyShares', 0],
    [
      'spec.limited.lendablePercent',
      101,
      'spec.limited.lendablePercent: Invalid value: 101: must be between 0 and 100, inclusive',
    ],
    [
      'spec.limited.borrowingLimitPercent',
      -1,
      'spec.limited.borrowingLimitPercent: Invalid value: -1: if specified, must be a non-negative integer',
    ],
    [
      'spec.limited.limitResponse',
      { type: 'Wait' },
      'spec.limited.limitResponse.type: Unsupported value: "Wait": supported values: "Queue", "Reject"',
    ],
    [
      'spec.limited.limitResponse',
      { type: 'Queue' },
      `${queuing}: Required value: must not be empty if limited.limitResponse.type is Limited`,
    ],
    [
      'spec.limited.limitResponse',
      { type: 'Reject', queuing: {} },
      `${queuing}: Forbidden: must be nil if limited.limitResponse.type is not Limited`,
    ],
    [
      'spec.limited.limitResponse',
      { type: 'Queue', queuing: set({ queues: 4 }) },
      `${queuing}.handSize: Invalid value: 8: should not be greater than queues (4)`,
    ],
    [
      'spec.limited.limitResponse',
      { type: 'Queue', queuing: set({ queues: 1024 }) },
      `${queuing}.handSize: Invalid value: 8: required entropy bits of deckSize 1024 and handSize 8 should not be greater than 60`,
    ],
    [
      'spec.limited.limitResponse',
      { type: 'Queue', queuing: set({ queues: -1, handSize: -1, queueLengthLimit: -1 }) },
      `${queuing}.queueLengthLimit: Invalid value: -1: must be positive`,
      `${queuing}.queues: Invalid value: -1: must be positive`,
      `${queuing}.handSize: Invalid value: -1: must be positive`,
    ],
  ];
  const base = sampleOf(`${group}/prioritylevelconfigurations`, false);
  assert.deepEqual(onCreate(priorityLevelConfigurations, base, rules), rules);
});

test('of the level "exempt" only what it lends may change', () => {
  const base = { metadata: { name: 'exempt' }, spec: { type: 'Exempt', exempt: { lendablePercent: 10 } } };
  const rules: Rule[] = [
    ['spec.exempt.lendablePercent', 50],
    [
      'spec.limited',
      { limitResponse: { type: 'Reject' } },
      'spec.limited: Forbidden: must be nil if the type is not Limited',
      'spec: Invalid value: {"Type":"Exempt","Limited":{"NominalConcurrencyShares":30,"LimitResponse":{"Type":"Reject","Queuing":null},"LendablePercent":0,"BorrowingLimitPercent":null},"Exempt":{"NominalConcurrencyShares":0,"LendablePercent":10}}: spec of \'exempt\' except the \'spec.exempt\' field must equal the fixed value',
    ],
  ];
  assert.deepEqual(onCreate(priorityLevelConfigurations, base, rules), rules);
});

test('a schema says whether its level exists, once', () => {
  const schema = created(flowSchemas, sampleOf(`${group}/flowschemas`, false));
  const name = schema.spec.priorityLevelConfiguration.name;
  const found = withDangling(schema, new Set([name]), 0);
  assert.deepEqual(found?.conditions, [
    {
      type: 'Dangling',
      status: 'False',
      reason: 'Found',
      message: `This FlowSchema references the PriorityLevelConfiguration object named "${name}" and it exists`,
      lastTransitionTime: '1970-01-01T00:00:00Z',
    },
  ]);
  const told = { ...schema, ...(found && { status: found }) };
  assert.equal(withDangling(told, new Set([name]), 0), undefined);
  assert.equal(withDangling(told, new Set(), 0)?.conditions?.[0]?.reason, 'NotFound');
});
