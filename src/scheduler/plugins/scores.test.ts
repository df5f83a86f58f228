import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createWorld, makeNode, makePod, type WorldOptions } from '../../../test/support/scheduler/world.ts';
import type { Pod } from '../../api/types/core-v1.ts';

const zone = 'topology.kubernetes.io/zone';

function check(
  name: string,
  plugin: string,
  options: WorldOptions,
  pod: Pod,
  wanted: Record<string, number> | undefined,
) {
  test(name, () => {
    const scores = createWorld(options).schedule(pod).scores.get(plugin);
    assert.deepEqual(scores && Object.fromEntries(scores), wanted);
  });
}

const sizes = [
  makeNode('large', { resources: { cpu: '10', memory: '10Gi' } }),
  makeNode('small', { resources: { cpu: '4', memory: '10Gi' } }),
];
const asks = makePod('p', { requests: { cpu: '2', memory: '5Gi' } });

describe('NodeResourcesFit', () => {
  const fit = (args: object): WorldOptions => ({
    nodes: sizes,
    configuration: {
      profiles: [{ pluginConfig: [{ name: 'NodeResourcesFit', args: args as Record<string, unknown> }] }],
    },
  });
  check('least allocated', 'NodeResourcesFit', { nodes: sizes }, asks, { large: 65, small: 50 });
  check('most allocated', 'NodeResourcesFit', fit({ scoringStrategy: { type: 'MostAllocated' } }), asks, {
    large: 35,
    small: 50,
  });
  const shape = [
    { utilization: 0, score: 0 },
    { utilization: 100, score: 10 },
  ];
  const ratio = {
    scoringStrategy: {
      type: 'RequestedToCapacityRatio',
      resources: [{ name: 'cpu', weight: 1 }],
      requestedToCapacityRatio: { shape },
    },
  };
  check('a ratio along a line', 'NodeResourcesFit', fit(ratio), asks, { large: 20, small: 50 });
  const cpuOnly = {
    scoringStrategy: {
      type: 'LeastAllocated',
      resources: [
        { name: 'cpu', weight: 3 },
        { name: 'memory', weight: 1 },
      ],
    },
  };
  check('weights of resources', 'NodeResourcesFit', fit(cpuOnly), asks, { large: 72, small: 50 });
  check('pods that ask for nothing count as 100m and 200Mi', 'NodeResourcesFit', { nodes: sizes }, makePod('p'), {
    large: 98,
    small: 97,
  });
});

describe('NodeResourcesBalancedAllocation', () => {
  check('even use is best', 'NodeResourcesBalancedAllocation', { nodes: sizes }, asks, { large: 85, small: 100 });
  check('nothing asked, nothing said', 'NodeResourcesBalancedAllocation', { nodes: sizes }, makePod('p'), undefined);
});

describe('TaintToleration', () => {
  const soft = (key: string) => ({ key, effect: 'PreferNoSchedule' });
  const nodes = [
    makeNode('none'),
    makeNode('one', { taints: [soft('a')] }),
    makeNode('two', { taints: [soft('a'), soft('b')] }),
  ];
  check('fewer soft taints are better', 'TaintToleration', { nodes }, makePod('p'), { none: 100, one: 50, two: 0 });
  const tolerating = makePod('p', { spec: { tolerations: [{ key: 'a', operator: 'Exists' }] } });
  check('tolerated ones do not count', 'TaintToleration', { nodes }, tolerating, { none: 100, one: 100, two: 0 });
});

describe('NodeAffinity', () => {
  const nodes = [makeNode('a', { labels: { x: '1', y: '1' } }), makeNode('b', { labels: { x: '1' } }), makeNode('c')];
  const preference = (key: string, weight: number) => ({
    weight,
    preference: { matchExpressions: [{ key, operator: 'Exists' }] },
  });
  const pod = makePod('p', {
    spec: {
      affinity: {
        nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [preference('x', 30), preference('y', 90)] },
      },
    },
  });
  check('weights add up, the best is 100', 'NodeAffinity', { nodes }, pod, { a: 100, b: 25, c: 0 });
  check('no preference, nothing said', 'NodeAffinity', { nodes }, makePod('p'), undefined);
});

describe('ImageLocality', () => {
  const mebibyte = 1024 * 1024;
  const image = (size: number) => [{ names: ['app:v1'], sizeBytes: size * mebibyte }];
  const nodes = [
    makeNode('a', { images: image(500) }),
    makeNode('b', { images: image(500) }),
    makeNode('c'),
    makeNode('d'),
  ];
  check('nodes with the image, less when few have it', 'ImageLocality', { nodes }, makePod('p', { image: 'app:v1' }), {
    a: 23,
    b: 23,
    c: 0,
    d: 0,
  });
  check('an image that nobody has', 'ImageLocality', { nodes }, makePod('p', { image: 'other' }), undefined);
});

describe('InterPodAffinity', () => {
  const nodes = [makeNode('a', { labels: { [zone]: 'x' } }), makeNode('b', { labels: { [zone]: 'y' } })];
  const term = { labelSelector: { matchLabels: { color: 'red' } }, topologyKey: zone };
  const red = makePod('red', { node: 'a', labels: { color: 'red' } });
  const wish = (kind: 'podAffinity' | 'podAntiAffinity', options = {}) =>
    makePod('p', {
      ...options,
      spec: {
        affinity: {
          [kind]: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 5, podAffinityTerm: term }] },
        },
      },
    });
  check('near', 'InterPodAffinity', { nodes, pods: [red] }, wish('podAffinity'), { a: 100, b: 0 });
  check('apart', 'InterPodAffinity', { nodes, pods: [red] }, wish('podAntiAffinity'), { a: 0, b: 100 });
  const held = wish('podAffinity', { node: 'b' });
  check(
    'what pods there wish',
    'InterPodAffinity',
    { nodes, pods: [held] },
    makePod('q', { labels: { color: 'red' } }),
    { a: 0, b: 100 },
  );
  const required = { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } };
  const requires = makePod('requires', { node: 'b', spec: { affinity: required } });
  check(
    'what pods there require',
    'InterPodAffinity',
    { nodes, pods: [requires] },
    makePod('q', { labels: { color: 'red' } }),
    { a: 0, b: 100 },
  );
  const both = {
    nodes: [...nodes, makeNode('c', { labels: { [zone]: 'z' } })],
    pods: [requires, { ...held, spec: { ...held.spec, nodeName: 'a' } }],
  };
  check('a requirement weighs 1', 'InterPodAffinity', both, makePod('q', { labels: { color: 'red' } }), {
    a: 100,
    b: 20,
    c: 0,
  });
  check('nobody, nothing said', 'InterPodAffinity', { nodes }, wish('podAffinity'), undefined);
});

describe('PodTopologySpread', () => {
  const nodes = [
    makeNode('a', { labels: { [zone]: 'x' } }),
    makeNode('b', { labels: { [zone]: 'y' } }),
    makeNode('bare'),
  ];
  const red = (name: string, node: string) => makePod(name, { node, labels: { color: 'red' } });
  const constraint = {
    maxSkew: 1,
    topologyKey: zone,
    whenUnsatisfiable: 'ScheduleAnyway',
    labelSelector: { matchLabels: { color: 'red' } },
  };
  const pod = makePod('p', { labels: { color: 'red' }, spec: { topologySpreadConstraints: [constraint] } });
  check(
    'fewer is better; without the label worst',
    'PodTopologySpread',
    { nodes, pods: [red('1', 'a'), red('2', 'a')] },
    pod,
    { a: 0, b: 100, bare: 0 },
  );
  const service = { metadata: { name: 's', namespace: 'default' }, spec: { selector: { color: 'red' } } };
  const served: WorldOptions = { nodes, pods: [red('1', 'a')], objects: { 'v1/services': [service] } };
  test('pods of a service are spread without asking', () => {
    const scores = createWorld(served)
      .schedule(makePod('p', { labels: { color: 'red' } }))
      .scores.get('PodTopologySpread');
    assert.ok(scores && (scores.get('b') ?? 0) > (scores.get('a') ?? 0));
  });
  test('pods of a replica set, too', () => {
    const set = {
      metadata: { name: 'rs', namespace: 'default' },
      spec: { selector: { matchLabels: { color: 'red' } } },
    };
    const world = createWorld({ nodes, pods: [red('1', 'a')], objects: { 'apps/v1/replicasets': [set] } });
    const pod = makePod('p', { labels: { color: 'red' }, owner: { kind: 'ReplicaSet', name: 'rs' } });
    assert.notEqual(world.schedule(pod).node, 'a');
  });
  check(
    'nobody it belongs with, nothing said',
    'PodTopologySpread',
    { nodes },
    makePod('p', { labels: { color: 'red' } }),
    undefined,
  );
});
