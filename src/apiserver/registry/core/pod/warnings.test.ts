/** Every warning of a pod, as pkg/api/pod/warnings.go words it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { PodTemplateSpec } from '../../../../api/types/core-v1.ts';
import { created, withValue } from '../../testing.ts';
import { pods } from '../pod.ts';
import { podWarnings } from './warnings.ts';

const pod = {
  metadata: { name: 'web', namespace: 'default' },
  spec: { containers: [{ name: 'main', image: 'nginx:1' }] },
};
const main = 'spec.containers.0';
const must = 'requiredDuringSchedulingIgnoredDuringExecution';
const should = 'preferredDuringSchedulingIgnoredDuringExecution';
const anyPods = { topologyKey: 'kubernetes.io/hostname' };
const newArch = 'deprecated since v1.14; use "kubernetes.io/arch" instead';
const archTerm = { matchExpressions: [{ key: 'beta.kubernetes.io/arch', operator: 'In', values: ['a b'] }] };
const badValue =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const onMatchNone = 'a null labelSelector results in matching no pod';
const env = (...list: object[]) => [{ name: 'A', value: '1' }, ...list];
const hides = `${'spec.containers[0].env[1]'}: hides previous definition of "A", which may be dropped when using apply`;
const volume = (source: object) => [{ name: 'v', ...source }];
const items = (...paths: string[]) => paths.map(path => ({ key: 'k', path }));

const cases: [what: string, path: string, value: unknown, warnings: string[]][] = [
  [
    'an old label in the node selector',
    'spec.nodeSelector',
    { 'beta.kubernetes.io/arch': 'x' },
    [`spec.nodeSelector[beta.kubernetes.io/arch]: ${newArch}`],
  ],
  [
    'an old label in a required node term',
    `spec.affinity.nodeAffinity.${must}.nodeSelectorTerms`,
    [archTerm],
    [
      `spec.affinity.nodeAffinity.${must}.nodeSelectorTerms[0].matchExpressions[0].key: beta.kubernetes.io/arch is ${newArch}`,
    ],
  ],
  [
    'an old label and an impossible value in a preferred node term',
    `spec.affinity.nodeAffinity.${should}`,
    [{ weight: 1, preference: archTerm }],
    [
      `spec.affinity.nodeAffinity.${should}[0].preference.matchExpressions[0].key: beta.kubernetes.io/arch is ${newArch}`,
      `spec.affinity.nodeAffinity.${should}[0].preference.matchExpressions[0].values[0]: a b is invalid, ${badValue}`,
    ],
  ],
  [
    'a spread by an old label over no pods',
    'spec.topologySpreadConstraints',
    [{ topologyKey: 'failure-domain.beta.kubernetes.io/zone', maxSkew: 1, whenUnsatisfiable: 'DoNotSchedule' }],
    [
      'spec.topologySpreadConstraints[0].topologyKey: failure-domain.beta.kubernetes.io/zone is deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
      `spec.topologySpreadConstraints[0].labelSelector: ${onMatchNone}`,
    ],
  ],
  [
    'an affinity for no pods',
    `spec.affinity.podAffinity.${must}`,
    [anyPods],
    [`spec.affinity.podAffinity.${must}[0].labelSelector: ${onMatchNone}`],
  ],
  [
    'a preferred anti-affinity to no pods',
    `spec.affinity.podAntiAffinity.${should}`,
    [{ weight: 1, podAffinityTerm: anyPods }],
    [`spec.affinity.podAntiAffinity.${should}[0].podAffinityTerm.labelSelector: ${onMatchNone}`],
  ],
  [
    'annotations that do nothing any more',
    'metadata.annotations',
    { 'scheduler.alpha.kubernetes.io/critical-pod': '', 'security.alpha.kubernetes.io/sysctls': 'a=b' },
    [
      'metadata.annotations[scheduler.alpha.kubernetes.io/critical-pod]: non-functional in v1.16+; use the "priorityClassName" field instead',
      'metadata.annotations[security.alpha.kubernetes.io/sysctls]: non-functional in v1.11+; use the "sysctls" field instead',
    ],
  ],
  [
    'a removed volume plugin',
    'spec.volumes',
    volume({ glusterfs: {} }),
    ['spec.volumes[0].glusterfs: deprecated in v1.25, non-functional in v1.26+'],
  ],
  [
    'a git volume',
    'spec.volumes',
    volume({ gitRepo: {} }),
    ['spec.volumes[0].gitRepo: deprecated in v1.11, and disabled by default in v1.33+'],
  ],
  [
    'a claim template for half a byte',
    'spec.volumes',
    volume({ ephemeral: { volumeClaimTemplate: { spec: { resources: { requests: { storage: '1500m' } } } } } }),
    [
      'spec.volumes[0].ephemeral.volumeClaimTemplate.spec.resources.requests[storage]: fractional byte value "1500m" is invalid, must be an integer',
    ],
  ],
  [
    'a file where another has its folder',
    'spec.volumes',
    volume({ configMap: { name: 'c', items: items('a', 'b', 'a/x') } }),
    ['volume "v" (ConfigMap "c"): overlapping paths: "a/x" with "a"'],
  ],
  [
    'the same file twice in a secret',
    'spec.volumes',
    volume({ secret: { secretName: 's', items: items('a', 'a/') } }),
    ['volume "v" (Secret "s"): overlapping paths: "a" with "a"'],
  ],
  [
    'sources that hide each other',
    'spec.volumes',
    volume({
      projected: { sources: [{ secret: { name: 's', items: items('t') } }, { serviceAccountToken: { path: 't' } }] },
    }),
    ['volume "v" (Projected): overlapping paths: "t" (ServiceAccountToken) with "t" (Secret "s")'],
  ],
  [
    'a source without content',
    'spec.volumes',
    volume({ projected: { sources: [{}] } }),
    ['volume "v" (Projected) has no sources provided'],
  ],
  [
    'a host twice',
    'spec.hostAliases',
    [{ ip: '10.0.0.1' }, { ip: '10.0.0.1' }],
    ['spec.hostAliases[1].ip: duplicate ip "10.0.0.1"'],
  ],
  [
    'pull secrets twice and without a name',
    'spec.imagePullSecrets',
    [{ name: 'a' }, { name: 'a' }, {}],
    ['spec.imagePullSecrets[1].name: duplicate name "a"', 'spec.imagePullSecrets[2].name: invalid empty name ""'],
  ],
  [
    'an overhead of part of a byte',
    'spec.overhead',
    { memory: '0.1' },
    ['spec.overhead[memory]: fractional byte value "100m" is invalid, must be an integer'],
  ],
  [
    'memory in parts of a byte',
    `${main}.resources`,
    { limits: { memory: '1500m', cpu: '1500m' }, requests: { 'ephemeral-storage': '1m' } },
    [
      'spec.containers[0].resources.limits[memory]: fractional byte value "1500m" is invalid, must be an integer',
      'spec.containers[0].resources.requests[ephemeral-storage]: fractional byte value "1m" is invalid, must be an integer',
    ],
  ],
  [
    'seccomp annotations without fields',
    'metadata.annotations',
    {
      'seccomp.security.alpha.kubernetes.io/pod': 'unconfined',
      'container.seccomp.security.alpha.kubernetes.io/main': 'unconfined',
    },
    [
      'metadata.annotations[seccomp.security.alpha.kubernetes.io/pod]: non-functional in v1.27+; use the "seccompProfile" field instead',
      'metadata.annotations[container.seccomp.security.alpha.kubernetes.io/main]: non-functional in v1.27+; use the "seccompProfile" field instead',
    ],
  ],
  ['a variable that hides one', `${main}.env`, env({ name: 'A', value: '2' }), [hides]],
  ['a variable of itself', `${main}.env`, env({ name: 'A', value: '$(A)' }), [hides]],
  ['a variable from elsewhere that hides one', `${main}.env`, env({ name: 'A', valueFrom: {} }), [hides]],
  ['a variable that builds on the one before', `${main}.env`, env({ name: 'A', value: '$(A),2' }), []],
  [
    'a host address without a host port',
    `${main}.ports`,
    [{ containerPort: 80, protocol: 'TCP', hostIP: '127.0.0.1' }],
    [
      'spec.containers[0].ports[0]: hostIP set without hostPort: {Name: HostPort:0 ContainerPort:80 Protocol:TCP HostIP:127.0.0.1}',
    ],
  ],
  [
    'a port twice',
    `${main}.ports`,
    [{ containerPort: 80 }, { containerPort: 80 }],
    ['spec.containers[0].ports[1]: duplicate port definition with spec.containers[0].ports[0]'],
  ],
  [
    'a port with and without a host port',
    `${main}.ports`,
    [{ containerPort: 80 }, { containerPort: 80, hostPort: 8080 }],
    ['spec.containers[0].ports[1]: overlapping port definition with spec.containers[0].ports[0]'],
  ],
  [
    'a host port on one address and on all',
    `${main}.ports`,
    [
      { containerPort: 80, hostPort: 80 },
      { containerPort: 80, hostPort: 80, hostIP: '10.0.0.1' },
    ],
    ['spec.containers[0].ports[1]: dangerously ambiguous port definition with spec.containers[0].ports[0]'],
  ],
  [
    'a port name in two containers',
    'spec.initContainers',
    [
      { name: 'a', ports: [{ containerPort: 1, name: 'http' }] },
      { name: 'b', ports: [{ containerPort: 2, name: 'http' }] },
    ],
    [
      'spec.initContainers[1].ports[0]: duplicate port name "http" with spec.initContainers[0].ports[0], services and probes that select ports by name will use spec.initContainers[0].ports[0]',
    ],
  ],
  [
    'a grace period below zero',
    'spec.terminationGracePeriodSeconds',
    -1,
    ['spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1'],
  ],
  [
    'addresses with leading zeros',
    'spec.dnsConfig.nameservers',
    ['010.0.0.1'],
    [
      'spec.dnsConfig.nameservers[0]: non-standard IP address "010.0.0.1" will be considered invalid in a future Kubernetes release: use "10.0.0.1"',
    ],
  ],
];

describe('warnings', () => {
  for (const [what, path, value, warnings] of cases) {
    test(`about ${what}`, () => {
      assert.deepEqual(podWarnings(withValue(pod, path, value) as PodTemplateSpec, ''), warnings);
    });
  }
});

const armor = 'container.apparmor.security.beta.kubernetes.io/main';
const oldArmor = `annotations[${armor}]: deprecated since v1.30; use the "appArmorProfile" field instead`;
const withArmor = (profile: string) => withValue(pod, 'metadata.annotations', { [armor]: profile });

describe('AppArmor annotations', () => {
  test('become the field of the container, with a warning', () => {
    const made = created(pods, withArmor('localhost/web'));
    assert.deepEqual(made.spec.containers[0]?.securityContext, {
      appArmorProfile: { type: 'Localhost', localhostProfile: 'web' },
    });
    assert.deepEqual(pods.warnings?.(made, undefined), [`metadata.${oldArmor}`]);
  });
  test('that repeat the profile of the pod change nothing', () => {
    const draft = withValue(withArmor('unconfined'), 'spec.securityContext.appArmorProfile', { type: 'Unconfined' });
    const made = created(pods, draft);
    assert.equal(made.spec.containers[0]?.securityContext, undefined);
    assert.deepEqual(pods.warnings?.(made, undefined), []);
  });
  test('in templates are warned about by their path', () => {
    const template = withArmor('unconfined') as PodTemplateSpec;
    assert.deepEqual(podWarnings(template, 'spec.template'), [`spec.template.metadata.${oldArmor}`]);
  });
});

test('a pod is warned about when it is made, not when it changes', () => {
  const made = created(pods, { ...pod, metadata: { ...pod.metadata, name: 'a.b' } });
  const [warning = '', ...more] = pods.warnings?.(made, undefined) ?? [];
  assert.equal(more.length, 0);
  assert.match(
    warning,
    /^metadata\.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: \[.*\]$/,
  );
  assert.deepEqual(pods.warnings?.(made, made), []);
});
