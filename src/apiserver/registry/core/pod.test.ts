import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Pod } from '../../../api/types/core-v1.ts';
import { context, created, createErrors, texts, updateErrors, withValue } from '../testing.ts';
import { pods } from './pod.ts';

const valid = {
  metadata: { name: 'web', namespace: 'default' },
  spec: { containers: [{ name: 'main', image: 'nginx' }] },
};
const container = 'spec.containers.0';

const cases: [what: string, path: string, value: unknown, errors: string[]][] = [
  ['no containers', 'spec.containers', [], ['spec.containers: Required value']],
  ['no image', `${container}.image`, '', ['spec.containers[0].image: Required value']],
  [
    'a padded image',
    `${container}.image`,
    ' nginx',
    ['spec.containers[0].image: Invalid value: " nginx": must not have leading or trailing whitespace'],
  ],
  [
    'a container name in capitals',
    `${container}.name`,
    'AB',
    [
      "spec.containers[0].name: Invalid value: \"AB\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
    ],
  ],
  [
    'an unknown restart policy',
    'spec.restartPolicy',
    'Sometimes',
    ['spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"'],
  ],
  [
    'a request over its limit',
    `${container}.resources`,
    { limits: { cpu: '1' }, requests: { cpu: '2' } },
    ['spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1'],
  ],
  [
    'an unknown resource',
    `${container}.resources`,
    { requests: { gpu: '1' } },
    [
      'spec.containers[0].resources.requests[gpu]: Invalid value: "gpu": must be a standard resource type or fully qualified',
      'spec.containers[0].resources.requests[gpu]: Invalid value: "gpu": must be a standard resource for containers',
    ],
  ],
  [
    'a mount without its volume',
    `${container}.volumeMounts`,
    [{ name: 'data', mountPath: '/data' }],
    ['spec.containers[0].volumeMounts[0].name: Not found: "data"'],
  ],
  [
    'two kinds in one volume',
    'spec.volumes',
    [{ name: 'data', emptyDir: {}, hostPath: { path: '/x' } }],
    ['spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type'],
  ],
  [
    'a host path that climbs',
    'spec.volumes',
    [{ name: 'data', hostPath: { path: '/a/../b' } }],
    ['spec.volumes[0].hostPath.path: Invalid value: "/a/../b": must not contain \'..\''],
  ],
  [
    'a port out of range',
    `${container}.ports`,
    [{ containerPort: 70000 }],
    ['spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive'],
  ],
  [
    'the same host port twice',
    `${container}.ports`,
    [
      { containerPort: 80, hostPort: 80 },
      { containerPort: 81, hostPort: 80 },
    ],
    ['spec.containers[0].ports[1].hostPort: Duplicate value: "TCP//80"'],
  ],
  [
    'a probe without a handler',
    `${container}.livenessProbe`,
    { periodSeconds: 3 },
    ['spec.containers[0].livenessProbe: Required value: must specify a handler type'],
  ],
  [
    'a liveness probe that must succeed twice',
    `${container}.livenessProbe`,
    { exec: { command: ['true'] }, successThreshold: 2 },
    ['spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1'],
  ],
  [
    'a toleration of everything without Exists',
    'spec.tolerations',
    [{ effect: 'NoSchedule' }],
    [
      'spec.tolerations[0].operator: Invalid value: "": operator must be Exists when `key` is empty, which means "match all values and all keys"',
    ],
  ],
  [
    'an environment source that is missing',
    `${container}.env`,
    [{ name: 'A', valueFrom: {} }],
    [
      'spec.containers[0].env[0].valueFrom: Invalid value: "": must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`',
    ],
  ],
  [
    'a lifecycle on an init container',
    'spec.initContainers',
    [{ name: 'init', image: 'i', lifecycle: { preStop: { exec: { command: ['x'] } } } }],
    ['spec.initContainers[0].lifecycle: Forbidden: may not be set for init containers without restartPolicy=Always'],
  ],
  [
    'dnsPolicy None without servers',
    'spec.dnsPolicy',
    'None',
    ['spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None'],
  ],
  [
    'an affinity term without topology',
    'spec.affinity',
    { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'a b' }] } },
    [
      "spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
    ],
  ],
  [
    'a pod that names ephemeral containers',
    'spec.ephemeralContainers',
    [{ name: 'debug', image: 'sh' }],
    ['spec.ephemeralContainers: Forbidden: cannot be set on create'],
  ],
  [
    'a token without an account',
    'spec.volumes',
    [{ name: 't', projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } }],
    [
      'spec.volumes[0].projected.sources[0].serviceAccountToken: Forbidden: must not be specified when serviceAccountName is not set',
    ],
  ],
];

describe('creating a pod', () => {
  test('a small one is fine and gets upstream defaults', () => {
    const pod = created(pods, valid);
    assert.deepEqual(texts(pods.validate?.(pod, context)), []);
    assert.deepEqual(pod.spec.containers[0], {
      name: 'main',
      image: 'nginx',
      imagePullPolicy: 'Always',
      terminationMessagePath: '/dev/termination-log',
      terminationMessagePolicy: 'File',
      resources: {},
    });
    assert.deepEqual(pod.status, { phase: 'Pending', qosClass: 'BestEffort' });
  });
  for (const [what, path, value, errors] of cases) {
    test(`${what} is refused`, () => assert.deepEqual(createErrors(pods, withValue(valid, path, value)), errors));
  }
});

describe('quality of service', () => {
  const qos = (resources: object, podLevel?: object) =>
    created(pods, withValue(withValue(valid, `${container}.resources`, resources), 'spec.resources', podLevel)).status
      ?.qosClass;
  const full = { cpu: '1', memory: '1Gi' };
  test('follows cpu and memory', () => {
    assert.equal(qos({}), 'BestEffort');
    assert.equal(qos({ requests: { 'ephemeral-storage': '1Gi' } }), 'BestEffort');
    assert.equal(qos({ requests: { cpu: '1' } }), 'Burstable');
    assert.equal(qos({ limits: full }), 'Guaranteed');
    assert.equal(qos({ limits: full, requests: { cpu: '1000m', memory: '1024Mi' } }), 'Guaranteed');
    assert.equal(qos({ limits: full, requests: { cpu: '500m' } }), 'Burstable');
  });
  test('is decided by the pod when it has resources of its own, whose requests default to its limits', () => {
    assert.equal(qos({}, { limits: full }), 'Guaranteed');
    const pod = created(
      pods,
      withValue(withValue(valid, `${container}.resources`, { requests: { cpu: '100m' } }), 'spec.resources', {
        limits: full,
      }),
    );
    assert.deepEqual(pod.spec.resources, { limits: full, requests: { cpu: '100m', memory: '1Gi' } });
    assert.deepEqual(texts(pods.validate?.(pod, context)), []);
  });
});

const longLists = {
  ...valid,
  spec: {
    containers: [{ name: 'main', image: 'nginx:1', resources: { limits: { cpu: '1', memory: '1Gi' } } }],
    activeDeadlineSeconds: 100,
    tolerations: [{ key: 'a', operator: 'Exists' }],
    schedulingGates: [{ name: 'example.com/gate' }],
  },
};

describe('updating a pod', () => {
  test('the same object is fine', () =>
    assert.deepEqual(
      updateErrors(pods, longLists, () => undefined),
      [],
    ));
  test('image, deadline, tolerations and gates may change', () => {
    const change = (pod: ReturnType<typeof created<import('../../../api/types/core-v1.ts').Pod>>) => {
      const [main] = pod.spec.containers;
      if (main) main.image = 'nginx:2';
      pod.spec.activeDeadlineSeconds = 50;
      pod.spec.tolerations?.push({ key: 'b', operator: 'Exists' });
      pod.spec.schedulingGates = [];
    };
    assert.deepEqual(updateErrors(pods, longLists, change), []);
  });
  test('anything else is refused, and the message says what changed', () => {
    const errors = updateErrors(pods, longLists, pod => {
      pod.spec.hostname = 'other';
    });
    assert.equal(errors.length, 1);
    assert.match(
      errors[0] ?? '',
      /^spec: Forbidden: pod updates may not change fields other than `spec.containers\[\*\].image`,/,
    );
    assert.match(errors[0] ?? '', /spec.hostname: unset → "other"$/);
  });
  test('a deadline cannot move away', () => {
    const errors = updateErrors(pods, longLists, pod => {
      pod.spec.activeDeadlineSeconds = 200;
    });
    assert.deepEqual(errors, [
      'spec.activeDeadlineSeconds: Invalid value: 200: must be less than or equal to previous value',
    ]);
  });
  test('containers cannot be added', () => {
    const errors = updateErrors(pods, longLists, pod => {
      pod.spec.containers.push({ name: 'second', image: 'x' });
    });
    assert.deepEqual(errors, ['spec.containers: Forbidden: pod updates may not add or remove containers']);
  });
  test('the name and labels of a stored pod follow the metadata rules', () => {
    const errors = updateErrors(pods, longLists, pod => {
      pod.metadata.name = 'other';
    });
    assert.deepEqual(errors, ['metadata.name: Invalid value: "other": field is immutable']);
  });
});

describe('subresources', () => {
  test('resize changes cpu and memory, keeps the QoS class, and drops everything else', () => {
    const old = created(pods, longLists);
    const pod = structuredClone(old);
    const [main] = pod.spec.containers;
    if (main) {
      main.image = 'ignored';
      main.resources = { limits: { cpu: '2', memory: '2Gi' }, requests: { cpu: '2', memory: '2Gi' } };
    }
    pods.subresources?.['resize']?.prepareForUpdate?.(pod, old, context);
    assert.equal(pod.spec.containers[0]?.image, 'nginx:1');
    assert.deepEqual(texts(pods.subresources?.['resize']?.validateUpdate?.(pod, old, context)), []);
    if (pod.spec.containers[0]?.resources?.requests) pod.spec.containers[0].resources.requests['cpu'] = '1';
    assert.deepEqual(texts(pods.subresources?.['resize']?.validateUpdate?.(pod, old, context)), [
      'spec: Invalid value: "Guaranteed": Pod QOS Class may not change as a result of resizing',
    ]);
  });
  const resize = (change: (pod: Pod) => void) => {
    const old = created(pods, longLists);
    const pod = structuredClone(old);
    change(pod);
    pods.subresources?.['resize']?.prepareForUpdate?.(pod, old, context);
    return texts(pods.subresources?.['resize']?.validateUpdate?.(pod, old, context));
  };
  test('resize neither renames containers, nor removes resources, nor knows resources of the whole pod', () => {
    const renamed = resize(pod => {
      for (const container of pod.spec.containers) container.name = 'other';
    });
    assert.ok(
      renamed.includes('spec.containers[0].name: Forbidden: containers may not be renamed or reordered on resize'),
      renamed.join('\n'),
    );
    assert.deepEqual(
      resize(pod => {
        for (const container of pod.spec.containers) delete container.resources;
      }).slice(0, 3),
      [
        'spec: Invalid value: "Guaranteed": Pod QOS Class may not change as a result of resizing',
        'spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed',
        'spec.containers[0].resources.limits: Forbidden: resource limits cannot be removed',
      ],
    );
    const old = created(pods, withValue(longLists, 'spec.resources', { limits: { cpu: '4', memory: '4Gi' } }));
    assert.deepEqual(texts(pods.subresources?.['resize']?.validateUpdate?.(structuredClone(old), old, context)), [
      ': Forbidden: resize of pods with pod-level resources is forbidden when InPlacePodLevelResourcesVerticalScalingEnabled feature gate is disabled',
    ]);
  });
  test('ephemeral containers come alone, without labels', () => {
    const old = created(pods, valid);
    const pod = structuredClone(old);
    pod.metadata.labels = { a: 'b' };
    pod.spec.ephemeralContainers = [{ name: 'debug', image: 'busybox:1' }];
    pods.subresources?.['ephemeralcontainers']?.prepareForUpdate?.(pod, old, context);
    assert.equal(pod.metadata.labels, undefined);
    assert.equal(pod.spec.ephemeralContainers[0]?.name, 'debug');
  });
  test('what was observed stays observed when a status does not say', () => {
    const old = created(pods, valid);
    old.status = { observedGeneration: 3, conditions: [{ type: 'Ready', status: 'False', observedGeneration: 2 }] };
    const pod = structuredClone(old);
    pod.status = { conditions: [{ type: 'Ready', status: 'True' }] };
    pods.subresources?.['status']?.prepareForUpdate?.(pod, old, context);
    assert.equal(pod.status.observedGeneration, 3);
    assert.equal(pod.status.conditions?.[0]?.observedGeneration, 2);
  });
  test('annotations and fields of security profiles agree', () => {
    const seccomp = { 'seccomp.security.alpha.kubernetes.io/pod': 'localhost/a.json' };
    const draft = (type: string, localhostProfile?: string) =>
      withValue(withValue(valid, 'metadata.annotations', seccomp), 'spec.securityContext.seccompProfile', {
        type,
        ...(localhostProfile && { localhostProfile }),
      });
    assert.deepEqual(createErrors(pods, draft('Localhost', 'a.json')), []);
    assert.deepEqual(createErrors(pods, draft('Localhost', 'b.json')), [
      'spec.securityContext.seccompProfile.localhostProfile: Forbidden: seccomp profile in annotation and field must match',
    ]);
    assert.deepEqual(createErrors(pods, draft('RuntimeDefault')), [
      'spec.securityContext.seccompProfile.type: Forbidden: seccomp type in annotation and field must match',
    ]);
    const unknown = withValue(valid, 'metadata.annotations', { 'seccomp.security.alpha.kubernetes.io/pod': 'x' });
    assert.deepEqual(createErrors(pods, unknown), [
      'metadata.annotations.seccomp.security.alpha.kubernetes.io/pod: Invalid value: "x": must be a valid seccomp profile',
    ]);
  });
  test('status keeps the spec, and a pod that ended does not come back', () => {
    const old = created(pods, withValue(valid, 'spec.restartPolicy', 'Never'));
    const ended = { name: 'main', image: 'x', imageID: '', ready: false, restartCount: 0 };
    old.status = { ...old.status, containerStatuses: [{ ...ended, state: { terminated: { exitCode: 1 } } }] };
    const pod = structuredClone(old);
    pod.spec.hostname = 'ignored';
    pod.status = { ...pod.status, containerStatuses: [{ ...ended, state: { running: {} } }] };
    pods.subresources?.['status']?.prepareForUpdate?.(pod, old, context);
    assert.equal(pod.spec.hostname, undefined);
    assert.deepEqual(texts(pods.subresources?.['status']?.validateUpdate?.(pod, old, context)), [
      'status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state',
    ]);
  });
});
