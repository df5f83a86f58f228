/** Every rule of the apps group in upstream's words (pkg/apis/apps/validation of v1.35). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sampleOf } from '../samples.ts';
import { cells, context, created, onCreate, onSubresource, onUpdate, type Rule, withValue } from '../testing.ts';
import { controllerRevisions } from './controller-revision.ts';
import { daemonSets } from './daemon-set.ts';
import { deployments } from './deployment.ts';
import { replicaSets } from './replica-set.ts';
import { statefulSets } from './stateful-set.ts';

const negative = 'must be greater than or equal to 0';
const notNegative = (...paths: string[]): Rule[] =>
  paths.map(path => [path, -1, `${path}: Invalid value: -1: ${negative}`]);
const percent =
  "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";
const notSelected = (labels: object | null) =>
  `spec.template.metadata.labels: Invalid value: ${JSON.stringify(labels)}: \`selector\` does not match template \`labels\``;
const wrongOperator = { matchExpressions: [{ key: 'app', operator: 'Like', values: ['web'] }] };
const shownOperator = 'Invalid value: {"matchExpressions":[{"key":"app","operator":"Like","values":["web"]}]}';
const unknownOperator =
  'spec.selector.matchExpressions[0].operator: Invalid value: "Like": not a valid selector operator';
const onlyAlways = 'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"';
const deadline = (kind: string): Rule => [
  'spec.template.spec.activeDeadlineSeconds',
  5,
  `spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ${kind} is not Supported`,
];
const noImage = 'spec.template.spec.containers[0].image: Required value';
const otherSelector = { matchLabels: { app: 'web', tier: 'a' } };
const otherTemplate = {
  metadata: { labels: { tier: 'b', app: 'other' } },
  spec: { containers: [{ name: 'main', image: 'nginx:1' }] },
};

/** What deployments and replica sets say alike. */
const replicated: Rule[] = [
  ['metadata.name', 'a.b'],
  ...notNegative('spec.replicas', 'spec.minReadySeconds'),
  ['spec.selector', undefined, 'spec.selector: Required value', notSelected({ app: 'web' })],
  ['spec.selector', {}, 'spec.selector: Invalid value: {}: empty selector is invalid for deployment'],
  ['spec.selector', wrongOperator, unknownOperator, `spec.selector: ${shownOperator}: invalid label selector`],
  ['spec.template', otherTemplate, notSelected({ app: 'other', tier: 'b' })],
  ['spec.template', undefined, notSelected(null), 'spec.template.spec.containers: Required value'],
  ['spec.template.spec.containers.0.image', '', noImage],
  ['spec.template.spec.restartPolicy', 'Never', onlyAlways],
  deadline('ReplicaSet'),
  [
    'spec.template.spec.ephemeralContainers',
    [{ name: 'debug', image: 'busybox:1' }],
    'spec.template.spec.ephemeralContainers: Forbidden: ephemeral containers not allowed in pod template',
  ],
];

const rolling = 'spec.strategy.rollingUpdate';
const updating = 'spec.updateStrategy.rollingUpdate';
const roll = (rollingUpdate?: object) => ({ type: 'RollingUpdate', ...(rollingUpdate && { rollingUpdate }) });

describe('deployments', () => {
  const base = sampleOf('apps/deployments', true);
  test('when made', () => {
    const rules: Rule[] = [
      ...replicated,
      ...notNegative('spec.revisionHistoryLimit'),
      [
        'spec.strategy',
        { type: 'Sudden' },
        'spec.strategy: Unsupported value: {"Type":"Sudden","RollingUpdate":null}: supported values: "Recreate", "RollingUpdate"',
      ],
      [
        'spec.strategy',
        { type: 'Recreate', rollingUpdate: {} },
        `${rolling}: Forbidden: may not be specified when strategy \`type\` is 'Recreate'`,
      ],
      ['spec.strategy', roll({ maxUnavailable: -1 }), `${rolling}.maxUnavailable: Invalid value: -1: ${negative}`],
      ['spec.strategy', roll({ maxSurge: 'many' }), `${rolling}.maxSurge: Invalid value: "many": ${percent}`],
      ['spec.strategy', roll({ maxSurge: '200%' })],
      [
        'spec.strategy',
        roll({ maxUnavailable: '110%' }),
        `${rolling}.maxUnavailable: Invalid value: "110%": must not be greater than 100%`,
      ],
      [
        'spec.strategy',
        roll({ maxSurge: 0, maxUnavailable: '0%' }),
        `${rolling}.maxUnavailable: Invalid value: "0%": may not be 0 when \`maxSurge\` is 0`,
      ],
      [
        'spec.progressDeadlineSeconds',
        -1,
        `spec.progressDeadlineSeconds: Invalid value: -1: ${negative}`,
        'spec.progressDeadlineSeconds: Invalid value: -1: must be greater than minReadySeconds',
      ],
      [
        'spec.progressDeadlineSeconds',
        0,
        'spec.progressDeadlineSeconds: Invalid value: 0: must be greater than minReadySeconds',
      ],
    ];
    assert.deepEqual(onCreate(deployments, base, rules), rules);
  });
  test('when changed', () => {
    const rules: Rule[] = [
      ['spec.template.spec.containers.0.image', '', noImage],
      [
        'spec.selector',
        otherSelector,
        notSelected({ app: 'web' }),
        'spec.selector: Invalid value: {"matchLabels":{"app":"web","tier":"a"}}: field is immutable',
      ],
    ];
    assert.deepEqual(onUpdate(deployments, base, rules), rules);
  });
  test('in their status', () => {
    const more = 'cannot be greater than status.replicas';
    const ready = 'status.availableReplicas: Invalid value: 1: cannot be greater than readyReplicas';
    const rules: Rule[] = [
      ...notNegative(
        'status.observedGeneration',
        'status.updatedReplicas',
        'status.availableReplicas',
        'status.unavailableReplicas',
        'status.terminatingReplicas',
      ),
      [
        'status.readyReplicas',
        -1,
        `status.readyReplicas: Invalid value: -1: ${negative}`,
        'status.availableReplicas: Invalid value: 0: cannot be greater than readyReplicas',
      ],
      ['status.updatedReplicas', 1, `status.updatedReplicas: Invalid value: 1: ${more}`],
      ['status.readyReplicas', 1, `status.readyReplicas: Invalid value: 1: ${more}`],
      ['status.availableReplicas', 1, `status.availableReplicas: Invalid value: 1: ${more}`, ready],
    ];
    assert.deepEqual(onSubresource(deployments, 'status', base, rules), rules);
  });
  test('count a change of annotations as work, keep labels from status writers', () => {
    const old = created(deployments, base);
    old.metadata.generation = 4;
    const obj = structuredClone(old);
    obj.metadata.annotations = { note: 'x' };
    deployments.prepareForUpdate?.(obj, old, context);
    assert.equal(obj.metadata.generation, 5);
    obj.metadata.labels = { a: 'b' };
    deployments.subresources?.['status']?.prepareForUpdate?.(obj, old, context);
    assert.equal(obj.metadata.labels, undefined);
  });
  test('warn about names that are no hostnames, and about templates that changed', () => {
    const made = created(deployments, withValue(base, 'metadata.name', 'a.b'));
    const [warning = ''] = deployments.warnings?.(made, undefined) ?? [];
    assert.match(
      warning,
      /^metadata\.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: \[/,
    );
    made.spec.template.spec = { ...made.spec.template.spec, containers: [], terminationGracePeriodSeconds: -1 };
    assert.deepEqual(deployments.warnings?.(made, structuredClone(made)), []);
    const changed = structuredClone(made);
    changed.metadata.generation = 2;
    assert.equal(deployments.warnings?.(changed, made)?.length, 1);
  });
});

test('replica sets', () => {
  const base = sampleOf('apps/replicasets', true);
  assert.deepEqual(onCreate(replicaSets, base, replicated), replicated);
  const updates: Rule[] = [
    [
      'spec.selector',
      otherSelector,
      notSelected({ app: 'web' }),
      'spec.selector: Invalid value: {"matchLabels":{"app":"web","tier":"a"}}: field is immutable',
    ],
  ];
  assert.deepEqual(onUpdate(replicaSets, base, updates), updates);
  const status: Rule[] = [
    ...notNegative('status.fullyLabeledReplicas', 'status.observedGeneration', 'status.terminatingReplicas'),
    [
      'status.fullyLabeledReplicas',
      2,
      'status.fullyLabeledReplicas: Invalid value: 2: cannot be greater than status.replicas',
    ],
  ];
  assert.deepEqual(onSubresource(replicaSets, 'status', base, status), status);
});

describe('daemon sets', () => {
  const base = sampleOf('apps/daemonsets', true);
  test('when made', () => {
    const rules: Rule[] = [
      ['spec.selector', undefined, notSelected({ app: 'web' })],
      ['spec.selector', {}, 'spec.selector: Invalid value: {}: empty selector is invalid for daemonset'],
      ['spec.selector', wrongOperator, unknownOperator],
      ['spec.template', otherTemplate, notSelected({ app: 'other', tier: 'b' })],
      ['spec.template.spec.containers.0.image', '', noImage],
      ['spec.template.spec.restartPolicy', 'Never', onlyAlways],
      deadline('DaemonSet'),
      ...notNegative('spec.minReadySeconds', 'spec.revisionHistoryLimit'),
      ['spec.updateStrategy', { type: 'OnDelete' }],
      [
        'spec.updateStrategy',
        { type: 'Sudden' },
        'spec.updateStrategy: Unsupported value: {"Type":"Sudden","RollingUpdate":null}: supported values: "RollingUpdate", "OnDelete"',
      ],
      [
        'spec.updateStrategy',
        roll({ maxUnavailable: '110%', maxSurge: 0 }),
        `${updating}.maxUnavailable: Invalid value: "110%": must not be greater than 100%`,
      ],
      [
        'spec.updateStrategy',
        roll({ maxUnavailable: 0, maxSurge: '200%' }),
        `${updating}.maxSurge: Invalid value: "200%": must not be greater than 100%`,
      ],
      [
        'spec.updateStrategy',
        roll({ maxSurge: 1 }),
        `${updating}.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero`,
      ],
      [
        'spec.updateStrategy',
        roll({ maxUnavailable: '0%' }),
        `${updating}.maxUnavailable: Required value: cannot be 0 when maxSurge is 0`,
      ],
      [
        'spec.updateStrategy',
        roll({ maxUnavailable: 'few' }),
        `${updating}.maxUnavailable: Invalid value: "few": ${percent}`,
        `${updating}.maxUnavailable: Required value: cannot be 0 when maxSurge is 0`,
      ],
    ];
    assert.deepEqual(onCreate(daemonSets, base, rules), rules);
  });
  test('when changed', () => {
    const rules: Rule[] = [
      ['spec.template.spec.containers.0.image', '', noImage],
      [
        'spec.selector',
        otherSelector,
        'spec.selector: Invalid value: {"matchLabels":{"app":"web","tier":"a"}}: field is immutable',
        notSelected({ app: 'web' }),
      ],
    ];
    assert.deepEqual(onUpdate(daemonSets, base, rules), rules);
  });
  test('in their status', () => {
    const rules = notNegative(
      'status.currentNumberScheduled',
      'status.numberMisscheduled',
      'status.desiredNumberScheduled',
      'status.numberReady',
      'status.observedGeneration',
      'status.updatedNumberScheduled',
      'status.numberAvailable',
      'status.numberUnavailable',
    );
    assert.deepEqual(onSubresource(daemonSets, 'status', base, rules), rules);
    const old = created(daemonSets, base);
    const counts = { currentNumberScheduled: 0, desiredNumberScheduled: 0, numberMisscheduled: 0, numberReady: 0 };
    old.status = { ...counts, collisionCount: 2 };
    const obj = structuredClone(old);
    obj.status = { ...counts, collisionCount: 1 };
    assert.deepEqual(daemonSets.subresources?.['status']?.validateUpdate?.(obj, old, context), [
      {
        type: 'FieldValueInvalid',
        field: 'status.collisionCount',
        message: 'Invalid value: 1: cannot be decremented',
      },
    ]);
  });
  test('count their templates in an annotation that clients cannot change', () => {
    const annotation = 'deprecated.daemonset.template.generation';
    const old = created(daemonSets, base);
    assert.equal(old.metadata.annotations?.[annotation], '1');
    const obj = structuredClone(old);
    obj.metadata.annotations = { [annotation]: '7' };
    daemonSets.prepareForUpdate?.(obj, old, context);
    assert.equal(obj.metadata.annotations[annotation], '1');
    obj.spec.template = { ...obj.spec.template, metadata: { labels: { app: 'web', tier: 'b' } } };
    daemonSets.prepareForUpdate?.(obj, old, context);
    assert.equal(obj.metadata.annotations[annotation], '2');
  });
});

describe('stateful sets', () => {
  const base = sampleOf('apps/statefulsets', true);
  const claims = 'spec.volumeClaimTemplates';
  const forbidden =
    "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
  test('when made', () => {
    const rules: Rule[] = [
      ['metadata.name', 'a.b', 'metadata.name: Invalid value: "a.b": must not contain dots'],
      ...notNegative('spec.replicas', 'spec.minReadySeconds', 'spec.ordinals.start'),
      ['spec.revisionHistoryLimit', -1],
      [
        'spec.podManagementPolicy',
        'Random',
        "spec.podManagementPolicy: Invalid value: \"Random\": must be 'OrderedReady' or 'Parallel'",
      ],
      [
        'spec.updateStrategy',
        { type: 'Sudden' },
        'spec.updateStrategy: Invalid value: {"Type":"Sudden","RollingUpdate":null}: must be \'RollingUpdate\' or \'OnDelete\'',
      ],
      [
        'spec.updateStrategy',
        { type: 'OnDelete', rollingUpdate: { partition: 1 } },
        `${updating}: Invalid value: {"Partition":1,"MaxUnavailable":null}: only allowed for updateStrategy 'RollingUpdate'`,
      ],
      ['spec.updateStrategy', roll({ partition: -1 }), `${updating}.partition: Invalid value: -1: ${negative}`],
      ['spec.updateStrategy', roll({ maxUnavailable: 0 }), `${updating}.maxUnavailable: Invalid value: 0: cannot be 0`],
      [
        'spec.updateStrategy',
        roll({ maxUnavailable: '101%' }),
        `${updating}.maxUnavailable: Invalid value: "101%": must not be greater than 100%`,
      ],
      [
        'spec.persistentVolumeClaimRetentionPolicy',
        { whenDeleted: 'Keep', whenScaled: 'Drop' },
        'spec.persistentVolumeClaimRetentionPolicy.whenDeleted: Unsupported value: "Keep": supported values: "Retain", "Delete"',
        'spec.persistentVolumeClaimRetentionPolicy.whenScaled: Unsupported value: "Drop": supported values: "Retain", "Delete"',
      ],
      [
        claims,
        [{ metadata: { name: 'data' }, spec: {} }],
        `${claims}[0].spec.accessModes: Required value: at least 1 access mode is required`,
        `${claims}[0].spec.resources[storage]: Required value`,
      ],
      ['spec.serviceName', 'a.b', 'spec.serviceName: Invalid value: "a.b": must not contain dots'],
      ['spec.selector', undefined, 'spec.selector: Required value', notSelected({ app: 'web' })],
      ['spec.selector', {}, 'spec.selector: Invalid value: {}: empty selector is invalid for statefulset'],
      ['spec.selector', wrongOperator, unknownOperator, `spec.selector: ${shownOperator}`],
      ['spec.template', otherTemplate, notSelected({ app: 'other', tier: 'b' })],
      ['spec.template.spec.containers.0.image', '', noImage],
      ['spec.template.spec.containers.0.volumeMounts', [{ name: 'data', mountPath: '/data' }]],
      [
        'spec.template.spec.containers.0.volumeMounts',
        [{ name: 'other', mountPath: '/data' }],
        'spec.template.spec.containers[0].volumeMounts[0].name: Not found: "other"',
      ],
      ['spec.template.spec.hostname', 'NOT a name'],
      ['spec.template.spec.restartPolicy', 'Never', onlyAlways],
      deadline('StatefulSet'),
    ];
    assert.deepEqual(onCreate(statefulSets, base, rules), rules);
  });
  test('when changed', () => {
    const rules: Rule[] = [
      ['spec.replicas', 3],
      ['spec.ordinals', { start: 2 }],
      ['spec.minReadySeconds', 3],
      ['spec.revisionHistoryLimit', 3],
      ['spec.updateStrategy', { type: 'OnDelete' }],
      ['spec.persistentVolumeClaimRetentionPolicy', { whenDeleted: 'Delete' }],
      ['spec.template.spec.containers.0.image', '', noImage],
      ['spec.serviceName', 'other', forbidden],
      [claims, [], forbidden],
      ['spec.podManagementPolicy', 'Parallel', forbidden],
    ];
    assert.deepEqual(onUpdate(statefulSets, base, rules), rules);
  });
  test('that an older server stored keep what is wrong with them', () => {
    const wrong = withValue(withValue(base, 'spec.serviceName', 'a.b'), 'spec.template.spec.containers.0.image', '');
    const rules: Rule[] = [['spec.replicas', 3]];
    assert.deepEqual(onUpdate(statefulSets, wrong, rules), rules);
  });
  test('in their status', () => {
    const more = 'cannot be greater than status.replicas';
    const ready = 'status.availableReplicas: Invalid value: 1: cannot be greater than status.readyReplicas';
    const rules: Rule[] = [
      ...notNegative('status.currentReplicas', 'status.updatedReplicas', 'status.observedGeneration'),
      ['status.currentReplicas', 1, `status.currentReplicas: Invalid value: 1: ${more}`],
      ['status.updatedReplicas', 1, `status.updatedReplicas: Invalid value: 1: ${more}`],
      ['status.readyReplicas', 1, `status.readyReplicas: Invalid value: 1: ${more}`],
      ['status.availableReplicas', 1, `status.availableReplicas: Invalid value: 1: ${more}`, ready],
    ];
    assert.deepEqual(onSubresource(statefulSets, 'status', base, rules), rules);
  });
  test('get the settings of a rolling update only when they name no strategy', () => {
    const strategyOf = (value: unknown) =>
      created(statefulSets, withValue(base, 'spec.updateStrategy', value)).spec.updateStrategy;
    assert.deepEqual(strategyOf(undefined), roll({ partition: 0 }));
    assert.deepEqual(strategyOf(roll()), roll());
  });
  test('warn about claims for parts of bytes and histories without an end', () => {
    const draft = withValue(base, `${claims}.0.spec.resources.requests.storage`, '1500m');
    const made = created(statefulSets, withValue(draft, 'spec.revisionHistoryLimit', -1));
    assert.deepEqual(statefulSets.warnings?.(made, undefined), [
      `${claims}[0].resources.requests[storage]: fractional byte value "1500m" is invalid, must be an integer`,
      'spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended',
    ]);
  });
});

test('controller revisions', () => {
  const base = sampleOf('apps/controllerrevisions', true);
  const rules: Rule[] = [
    ...notNegative('revision'),
    ['data', undefined, 'data: Required value: data is mandatory'],
    ['data', null, 'data: Required value: data is mandatory'],
    ['data', 'text', 'data: Required value: data must be a valid JSON object'],
    ['data', [], 'data: Required value: data must be a valid JSON object'],
  ];
  assert.deepEqual(onCreate(controllerRevisions, base, rules), rules);
  const updates: Rule[] = [
    ['revision', 7],
    ...notNegative('revision'),
    ['data', { spec: 1 }, 'data: Invalid value: {"spec":1}: field is immutable'],
  ];
  assert.deepEqual(onUpdate(controllerRevisions, base, updates), updates);
  const owner = { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'web', uid: 'u-1', controller: true };
  const made = created(controllerRevisions, withValue(base, 'metadata.ownerReferences', [owner]));
  assert.equal(cells(controllerRevisions, made)['Controller'], 'statefulset.apps/web');
});
