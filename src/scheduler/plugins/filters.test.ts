import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createWorld, makeNode, makePod } from '../../../test/support/scheduler/world.ts';
import type { Node, Pod } from '../../api/types/core-v1.ts';

interface Case {
  readonly name: string;
  readonly nodes: readonly Node[];
  readonly pods?: readonly Pod[];
  readonly pod: Pod;
  /** What is said of each node; "" when it fits. */
  readonly verdicts: Readonly<Record<string, string>>;
}

function check(cases: readonly Case[]): void {
  for (const { name, nodes, pods = [], pod, verdicts } of cases)
    test(name, () => {
      const outcome = createWorld({ nodes, pods }).schedule(pod);
      const got = Object.fromEntries(
        nodes.map(n => [
          n.metadata.name,
          outcome.feasible.includes(n.metadata.name) ? '' : (outcome.rejected.get(n.metadata.name) ?? 'unknown'),
        ]),
      );
      assert.deepEqual(got, verdicts);
    });
}

const zone = 'topology.kubernetes.io/zone';
const host = 'kubernetes.io/hostname';
const taint = (key: string, effect: string, value = '') => ({ key, value, effect });

describe('NodeName', () => {
  const nodes = [makeNode('a'), makeNode('b')];
  const no = "NodeName: node(s) didn't match the requested node name";
  check([{ name: 'only the named node', nodes, pod: makePod('p', { node: 'b' }), verdicts: { a: no, b: '' } }]);
});

describe('NodeUnschedulable', () => {
  const nodes = [makeNode('a', { unschedulable: true }), makeNode('b')];
  const no = 'NodeUnschedulable: node(s) were unschedulable';
  check([
    { name: 'a cordoned node', nodes, pod: makePod('p'), verdicts: { a: no, b: '' } },
    {
      name: 'a pod that tolerates it',
      nodes,
      pod: makePod('p', { spec: { tolerations: [{ key: 'node.kubernetes.io/unschedulable', operator: 'Exists' }] } }),
      verdicts: { a: '', b: '' },
    },
  ]);
});

describe('TaintToleration', () => {
  const nodes = [
    makeNode('hard', { taints: [taint('k', 'NoSchedule', 'v')] }),
    makeNode('evict', { taints: [taint('k', 'NoExecute', 'v')] }),
    makeNode('soft', { taints: [taint('k', 'PreferNoSchedule', 'v')] }),
  ];
  const no = 'TaintToleration: node(s) had untolerated taint(s)';
  const tolerating = (...tolerations: NonNullable<Pod['spec']['tolerations']>) =>
    makePod('p', { spec: { tolerations } });
  check([
    { name: 'none tolerated', nodes, pod: makePod('p'), verdicts: { hard: no, evict: no, soft: '' } },
    {
      name: 'equal value, any effect',
      nodes,
      pod: tolerating({ key: 'k', operator: 'Equal', value: 'v' }),
      verdicts: { hard: '', evict: '', soft: '' },
    },
    {
      name: 'another value',
      nodes,
      pod: tolerating({ key: 'k', operator: 'Equal', value: 'w' }),
      verdicts: { hard: no, evict: no, soft: '' },
    },
    {
      name: 'one effect',
      nodes,
      pod: tolerating({ key: 'k', operator: 'Exists', effect: 'NoSchedule' }),
      verdicts: { hard: '', evict: no, soft: '' },
    },
    { name: 'everything', nodes, pod: tolerating({ operator: 'Exists' }), verdicts: { hard: '', evict: '', soft: '' } },
  ]);
});

describe('NodeAffinity', () => {
  const nodes = [makeNode('a', { labels: { disk: 'ssd', cores: '8' } }), makeNode('b', { labels: { cores: '2' } })];
  const no = "NodeAffinity: node(s) didn't match Pod's node affinity/selector";
  const requiring = (...nodeSelectorTerms: object[]) =>
    makePod('p', {
      spec: {
        affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } },
      },
    });
  const expression = (key: string, operator: string, ...values: string[]) => ({
    matchExpressions: [{ key, operator, values }],
  });
  const field = (operator: string, ...values: string[]) => ({
    matchFields: [{ key: 'metadata.name', operator, values }],
  });
  const other = "NodeAffinity: node(s) didn't satisfy plugin(s) [NodeAffinity]";
  check([
    {
      name: 'node selector',
      nodes,
      pod: makePod('p', { spec: { nodeSelector: { disk: 'ssd' } } }),
      verdicts: { a: '', b: no },
    },
    { name: 'In', nodes, pod: requiring(expression('disk', 'In', 'ssd', 'nvme')), verdicts: { a: '', b: no } },
    { name: 'NotIn', nodes, pod: requiring(expression('disk', 'NotIn', 'ssd')), verdicts: { a: no, b: '' } },
    { name: 'Exists', nodes, pod: requiring(expression('disk', 'Exists')), verdicts: { a: '', b: no } },
    { name: 'DoesNotExist', nodes, pod: requiring(expression('disk', 'DoesNotExist')), verdicts: { a: no, b: '' } },
    { name: 'Gt', nodes, pod: requiring(expression('cores', 'Gt', '4')), verdicts: { a: '', b: no } },
    { name: 'Lt', nodes, pod: requiring(expression('cores', 'Lt', '4')), verdicts: { a: no, b: '' } },
    {
      name: 'any of the terms',
      nodes,
      pod: requiring(expression('disk', 'Exists'), expression('cores', 'In', '2')),
      verdicts: { a: '', b: '' },
    },
    { name: 'an empty term selects nothing', nodes, pod: requiring({}), verdicts: { a: no, b: no } },
    {
      name: 'a named node is the only one that is looked at',
      nodes: [makeNode('a', { unschedulable: true }), makeNode('b')],
      pod: requiring(field('In', 'a')),
      verdicts: { a: 'NodeUnschedulable: node(s) were unschedulable', b: other },
    },
  ]);
});

describe('NodePorts', () => {
  const nodes = [makeNode('a'), makeNode('b')];
  const no = "NodePorts: node(s) didn't have free ports for the requested pod ports";
  const port = (hostPort: number, protocol = 'TCP', hostIP = '') => ({
    containerPort: 80,
    hostPort,
    protocol,
    ...(hostIP && { hostIP }),
  });
  const used = (...ports: ReturnType<typeof port>[]) => [makePod('used', { node: 'a', ports })];
  const cases: [string, ReturnType<typeof port>, ReturnType<typeof port>, string][] = [
    ['the same port', port(80), port(80), no],
    ['another port', port(80), port(81), ''],
    ['another protocol', port(80), port(80, 'UDP'), ''],
    ['two addresses', port(80, 'TCP', '10.0.0.1'), port(80, 'TCP', '10.0.0.2'), ''],
    ['an address against all', port(80, 'TCP', '10.0.0.1'), port(80), no],
    ['all against an address', port(80), port(80, 'TCP', '10.0.0.1'), no],
  ];
  check(
    cases.map(([name, before, wanted, a]) => ({
      name,
      nodes,
      pods: used(before),
      pod: makePod('p', { ports: [wanted] }),
      verdicts: { a, b: '' },
    })),
  );
});

describe('NodeResourcesFit', () => {
  const nodes = [makeNode('a', { resources: { cpu: '1', memory: '1Gi', pods: '2', 'example.com/gpu': '1' } })];
  const used = [makePod('used', { node: 'a', requests: { cpu: '500m', memory: '512Mi' } })];
  const asking = (requests: Record<string, string>) => makePod('p', { requests });
  check([
    {
      name: 'exactly what is left',
      nodes,
      pods: used,
      pod: asking({ cpu: '500m', memory: '512Mi' }),
      verdicts: { a: '' },
    },
    {
      name: 'a little more',
      nodes,
      pods: used,
      pod: asking({ cpu: '501m' }),
      verdicts: { a: 'NodeResourcesFit: Insufficient cpu' },
    },
    {
      name: 'every reason',
      nodes,
      pods: [...used, makePod('more', { node: 'a' })],
      pod: asking({ cpu: '1', memory: '1Gi', 'example.com/gpu': '2', 'example.com/fpga': '1' }),
      verdicts: {
        a: 'NodeResourcesFit: Too many pods, Insufficient cpu, Insufficient memory, Insufficient example.com/gpu, Insufficient example.com/fpga',
      },
    },
    {
      name: 'nothing asked of a full node',
      nodes: [makeNode('a', { resources: { cpu: '500m' } })],
      pods: used,
      pod: asking({}),
      verdicts: { a: '' },
    },
    {
      name: 'the largest init container counts',
      nodes,
      pod: makePod('p', { spec: { initContainers: [{ name: 'i', resources: { requests: { cpu: '2' } } }] } }),
      verdicts: { a: 'NodeResourcesFit: Insufficient cpu' },
    },
    {
      name: 'sidecars add up with containers',
      nodes,
      pod: makePod('p', {
        requests: { cpu: '600m' },
        spec: { initContainers: [{ name: 'i', restartPolicy: 'Always', resources: { requests: { cpu: '500m' } } }] },
      }),
      verdicts: { a: 'NodeResourcesFit: Insufficient cpu' },
    },
    {
      name: 'overhead counts',
      nodes,
      pod: makePod('p', { requests: { cpu: '600m' }, spec: { overhead: { cpu: '500m' } } }),
      verdicts: { a: 'NodeResourcesFit: Insufficient cpu' },
    },
    {
      name: 'resources of the pod as a whole replace those of its containers',
      nodes,
      pod: makePod('p', { requests: { cpu: '600m' }, spec: { resources: { requests: { cpu: '2' } } } }),
      verdicts: { a: 'NodeResourcesFit: Insufficient cpu' },
    },
  ]);
});

const affinityTerm = (color: string, topologyKey: string) => ({
  labelSelector: { matchLabels: { color } },
  topologyKey,
});

describe('InterPodAffinity', () => {
  const nodes = [
    makeNode('a', { labels: { [zone]: 'x' } }),
    makeNode('b', { labels: { [zone]: 'x' } }),
    makeNode('c', { labels: { [zone]: 'y' } }),
  ];
  const red = makePod('red', { node: 'a', labels: { color: 'red' } });
  const near = (color: string, key: string, labels = {}) =>
    makePod('p', {
      labels,
      spec: {
        affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [affinityTerm(color, key)] } },
      },
    });
  const apart = (name: string, color: string, key: string, options = {}) =>
    makePod(name, {
      ...options,
      spec: {
        affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [affinityTerm(color, key)] } },
      },
    });
  const notNear = "InterPodAffinity: node(s) didn't match pod affinity rules";
  const notApart = "InterPodAffinity: node(s) didn't match pod anti-affinity rules";
  const held = "InterPodAffinity: node(s) didn't satisfy existing pods anti-affinity rules";
  check([
    { name: 'together in a zone', nodes, pods: [red], pod: near('red', zone), verdicts: { a: '', b: '', c: notNear } },
    {
      name: 'together on a node',
      nodes,
      pods: [red],
      pod: near('red', host),
      verdicts: { a: '', b: notNear, c: notNear },
    },
    { name: 'nobody to join', nodes, pod: near('red', zone), verdicts: { a: notNear, b: notNear, c: notNear } },
    {
      name: 'the first of a group may go anywhere',
      nodes,
      pod: near('red', zone, { color: 'red' }),
      verdicts: { a: '', b: '', c: '' },
    },
    {
      name: 'but only where the key is',
      nodes: [makeNode('bare'), makeNode('zoned', { labels: { [zone]: 'x' } })],
      pod: near('red', zone, { color: 'red' }),
      verdicts: { bare: notNear, zoned: '' },
    },
    {
      name: 'apart in a zone',
      nodes,
      pods: [red],
      pod: apart('p', 'red', zone),
      verdicts: { a: notApart, b: notApart, c: '' },
    },
    {
      name: 'a pod that wants to be alone keeps others away',
      nodes,
      pods: [apart('alone', 'red', zone, { node: 'a' })],
      pod: makePod('p', { labels: { color: 'red' } }),
      verdicts: { a: held, b: held, c: '' },
    },
  ]);
  test('namespaces of a term, by name and by label', () => {
    const elsewhere = { ...red, metadata: { ...red.metadata, namespace: 'other' } };
    const objects = {
      'v1/namespaces': [
        { metadata: { name: 'default' }, spec: {} },
        { metadata: { name: 'other', labels: { team: 't' } }, spec: {} },
      ],
    };
    const asking = (extra: object) =>
      makePod('p', {
        spec: {
          affinity: {
            podAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: [{ ...affinityTerm('red', host), ...extra }],
            },
          },
        },
      });
    const world = createWorld({ nodes, pods: [elsewhere], objects });
    assert.deepEqual(world.schedule(asking({})).feasible, []);
    assert.deepEqual(world.schedule(asking({ namespaces: ['other'] })).feasible, ['a']);
    assert.deepEqual(world.schedule(asking({ namespaceSelector: { matchLabels: { team: 't' } } })).feasible, ['a']);
    assert.deepEqual(world.schedule(asking({ namespaceSelector: { matchLabels: { team: 'u' } } })).feasible, []);
    assert.deepEqual(world.schedule(asking({ namespaceSelector: {} })).feasible, ['a']);
  });
});

describe('PodTopologySpread', () => {
  const nodes = [
    makeNode('a', { labels: { [zone]: 'x' } }),
    makeNode('b', { labels: { [zone]: 'x' } }),
    makeNode('c', { labels: { [zone]: 'y' } }),
    makeNode('d'),
  ];
  const red = (name: string, node: string) => makePod(name, { node, labels: { color: 'red' } });
  const spread = (extra: object = {}, labels: Record<string, string> = { color: 'red' }) =>
    makePod('p', {
      labels,
      spec: {
        topologySpreadConstraints: [
          {
            maxSkew: 1,
            topologyKey: zone,
            whenUnsatisfiable: 'DoNotSchedule',
            labelSelector: { matchLabels: { color: 'red' } },
            ...extra,
          },
        ],
      },
    });
  const no = "PodTopologySpread: node(s) didn't match pod topology spread constraints";
  const missing = `${no} (missing required label)`;
  check([
    {
      name: 'one more in x is too many',
      nodes,
      pods: [red('1', 'a')],
      pod: spread(),
      verdicts: { a: no, b: no, c: '', d: missing },
    },
    {
      name: 'a skew of two',
      nodes,
      pods: [red('1', 'a')],
      pod: spread({ maxSkew: 2 }),
      verdicts: { a: '', b: '', c: '', d: missing },
    },
    {
      name: 'a pod that does not count itself',
      nodes,
      pods: [red('1', 'a')],
      pod: spread({}, {}),
      verdicts: { a: '', b: '', c: '', d: missing },
    },
    {
      name: 'too few domains count as an empty one',
      nodes,
      pods: [red('1', 'a'), red('2', 'c')],
      pod: spread({ minDomains: 3 }),
      verdicts: { a: no, b: no, c: no, d: missing },
    },
    {
      name: 'zones that the pod cannot go to do not count',
      nodes,
      pods: [red('1', 'a')],
      pod: { ...spread(), spec: { ...spread().spec, nodeSelector: { [zone]: 'x' } } },
      verdicts: {
        a: '',
        b: '',
        c: "NodeAffinity: node(s) didn't match Pod's node affinity/selector",
        d: "NodeAffinity: node(s) didn't match Pod's node affinity/selector",
      },
    },
    {
      name: 'unless the policy says so',
      nodes,
      pods: [red('1', 'a')],
      pod: {
        ...spread({ nodeAffinityPolicy: 'Ignore' }),
        spec: { ...spread({ nodeAffinityPolicy: 'Ignore' }).spec, nodeSelector: { [zone]: 'x' } },
      },
      verdicts: {
        a: no,
        b: no,
        c: "NodeAffinity: node(s) didn't match Pod's node affinity/selector",
        d: "NodeAffinity: node(s) didn't match Pod's node affinity/selector",
      },
    },
    {
      name: 'pods that are going do not count',
      nodes,
      pods: [{ ...red('1', 'a'), metadata: { ...red('1', 'a').metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } }],
      pod: spread(),
      verdicts: { a: '', b: '', c: '', d: missing },
    },
    {
      name: 'only pods of the same revision, by label key',
      nodes,
      pods: [makePod('old', { node: 'a', labels: { color: 'red', rev: '1' } })],
      pod: spread({ matchLabelKeys: ['rev'] }, { color: 'red', rev: '2' }),
      verdicts: { a: '', b: '', c: '', d: missing },
    },
  ]);
});

test('the sentence counts reasons, sorted as text', () => {
  const nodes = [
    makeNode('a', { unschedulable: true }),
    makeNode('b', { resources: { cpu: '1' } }),
    makeNode('c', { resources: { cpu: '1' } }),
  ];
  assert.equal(
    createWorld({ nodes }).schedule(makePod('p', { requests: { cpu: '2' } })).message,
    '0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient cpu. ' +
      'no new claims to deallocate, preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.',
  );
});
