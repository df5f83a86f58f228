import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWorld, makeNode, makePod } from '../../../test/support/scheduler/world.ts';
import { definePlugin, type PluginFactory } from '../framework/plugin.ts';
import { rejections } from '../framework/status.ts';
import type { ProfileConfiguration, SchedulerConfiguration } from './types.ts';

const names = (plugins: readonly { name: string }[]) => plugins.map(p => p.name);
const build = (configuration: SchedulerConfiguration, plugins: readonly PluginFactory[] = []) =>
  createWorld({ configuration, plugins }).profiles;
const one = (profile: ProfileConfiguration, plugins: readonly PluginFactory[] = []) => {
  const [built] = build({ profiles: [profile] }, plugins).values();
  assert.ok(built);
  return built;
};

const evenOnly: PluginFactory = {
  name: 'EvenOnly',
  create: ({ odd }) =>
    definePlugin({
      name: 'EvenOnly',
      filter: (_state, { name }) =>
        (Number(name.slice(1)) % 2 === 0) === (odd !== true)
          ? undefined
          : rejections('EvenOnly')('Unschedulable', 'node(s) were odd'),
      score: (_state, { name }) => Number(name.slice(1)),
    }),
};

test('the default profile', () => {
  const profile = one({});
  assert.equal(profile.schedulerName, 'default-scheduler');
  assert.deepEqual(names(profile.filter), [
    'NodeUnschedulable',
    'NodeName',
    'TaintToleration',
    'NodeAffinity',
    'NodePorts',
    'NodeResourcesFit',
    'VolumeRestrictions',
    'NodeVolumeLimits',
    'VolumeBinding',
    'VolumeZone',
    'PodTopologySpread',
    'InterPodAffinity',
    'DynamicResources',
  ]);
  assert.deepEqual(
    profile.score.map(s => [s.plugin.name, s.weight]),
    [
      ['TaintToleration', 3],
      ['NodeAffinity', 2],
      ['NodeResourcesFit', 1],
      ['PodTopologySpread', 2],
      ['InterPodAffinity', 2],
      ['NodeResourcesBalancedAllocation', 1],
      ['ImageLocality', 1],
    ],
  );
});

test('plugins are left out at one point, everywhere, or all at once', () => {
  const point = one({ plugins: { score: { disabled: [{ name: 'ImageLocality' }] } } });
  assert.ok(!names(point.score.map(s => s.plugin)).includes('ImageLocality'));
  const everywhere = one({ plugins: { multiPoint: { disabled: [{ name: 'NodePorts' }] } } });
  assert.ok(!names(everywhere.filter).includes('NodePorts'));
  const all = one({
    plugins: { score: { disabled: [{ name: '*' }], enabled: [{ name: 'NodeResourcesFit', weight: 7 }] } },
  });
  assert.deepEqual(
    all.score.map(s => [s.plugin.name, s.weight]),
    [['NodeResourcesFit', 7]],
  );
});

test('a weight is changed in place, and what is named at a point goes first', () => {
  const multi = one({ plugins: { multiPoint: { enabled: [{ name: 'NodeAffinity', weight: 9 }] } } });
  assert.deepEqual(
    multi.score.map(s => s.weight),
    [3, 9, 1, 2, 2, 1, 1],
  );
  const first = one({ plugins: { score: { enabled: [{ name: 'ImageLocality', weight: 5 }] } } });
  assert.deepEqual([first.score[0]?.plugin.name, first.score[0]?.weight, first.score.length], ['ImageLocality', 5, 7]);
});

test('a plugin of the user takes part with its arguments and weight', () => {
  const nodes = ['n1', 'n2', 'n3', 'n4'].map(name => makeNode(name));
  const plugins = { multiPoint: { enabled: [{ name: 'EvenOnly', weight: 5 }] } };
  const configuration = {
    profiles: [
      { schedulerName: 'even', plugins },
      { schedulerName: 'odd', plugins, pluginConfig: [{ name: 'EvenOnly', args: { odd: true } }] },
    ],
  };
  const world = createWorld({ nodes, configuration, plugins: [evenOnly] });
  const asking = (schedulerName: string) => makePod('p', { spec: { schedulerName } });
  const even = world.schedule(asking('even'));
  assert.deepEqual(
    [even.node, even.feasible, even.rejected.get('n1')],
    ['n4', ['n2', 'n4'], 'EvenOnly: node(s) were odd'],
  );
  assert.equal(world.schedule(asking('odd')).node, 'n3');
});

test('configurations that make no sense are refused', () => {
  const cases: [SchedulerConfiguration, RegExp][] = [
    [{ profiles: [{ plugins: { filter: { enabled: [{ name: 'Nonsense' }] } } }] }, /plugin "Nonsense" does not exist/],
    [
      { profiles: [{ plugins: { score: { enabled: [{ name: 'NodePorts' }] } } }] },
      /"NodePorts" does not extend score plugin/,
    ],
    [{ profiles: [{}, {}] }, /Duplicate value: "default-scheduler"/],
    [{ profiles: [{ plugins: { bind: { disabled: [{ name: '*' }] } } }] }, /a bind plugin is required/],
    [{ profiles: [{ plugins: { queueSort: { disabled: [{ name: '*' }] } } }] }, /exactly one queue sort plugin/],
  ];
  for (const [configuration, wanted] of cases) assert.throws(() => build(configuration), wanted);
});

test('resources that an extender manages are left to it', () => {
  const nodes = [makeNode('a')];
  const pod = makePod('p', { requests: { 'example.com/gpu': '1' } });
  assert.deepEqual(createWorld({ nodes }).schedule(pod).feasible, []);
  const extenders = [
    { urlPrefix: 'http://x', managedResources: [{ name: 'example.com/gpu', ignoredByScheduler: true }] },
  ];
  assert.deepEqual(createWorld({ nodes, configuration: { extenders } }).schedule(pod).feasible, ['a']);
});
