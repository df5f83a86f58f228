import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { nodesArbitrary, podsArbitrary } from '../../../test/support/scheduler/random-cluster.ts';
import { type ReferenceCluster, totals, whyNot } from '../../../test/support/scheduler/reference.ts';
import { createWorld, makeNode, makePod } from '../../../test/support/scheduler/world.ts';
import type { Node, Pod } from '../../api/types/core-v1.ts';

const every = { configuration: { percentageOfNodesToScore: 100 } };

/** What happens between cycles. */
const step = fc.record({
  kind: fc.constantFrom('pod', 'pod', 'pod', 'pod', 'delete', 'relabel', 'cordon', 'remove'),
  pick: fc.nat(),
});

function place(pod: Pod, node: string): Pod {
  return { ...pod, spec: { ...pod.spec, nodeName: node } };
}

test('the cycle agrees with the plain reference on every node, before and after any change', () => {
  fc.assert(
    fc.property(
      nodesArbitrary,
      podsArbitrary,
      fc.array(step, { minLength: 10, maxLength: 24 }),
      (nodes, queue, steps) => {
        const world = createWorld({ nodes, ...every });
        let cluster: ReferenceCluster = { nodes, pods: [] };
        const waiting = [...queue];
        for (const { kind, pick } of steps) {
          const [target] = cluster.nodes.slice(pick % Math.max(1, cluster.nodes.length));
          if (kind === 'pod') {
            const pod = waiting.shift();
            if (pod) cluster = compare(world, cluster, pod);
          } else if (kind === 'delete') {
            const gone = cluster.pods[pick % Math.max(1, cluster.pods.length)];
            if (gone) world.cache.removePod(`default/${gone.metadata.name}`);
            cluster = { ...cluster, pods: cluster.pods.filter(p => p !== gone) };
          } else if (target) cluster = changeNode(world, cluster, target, kind);
        }
      },
    ),
    { numRuns: 300, seed: 7 },
  );
});

function changeNode(
  world: ReturnType<typeof createWorld>,
  cluster: ReferenceCluster,
  node: Node,
  kind: string,
): ReferenceCluster {
  if (kind === 'remove') {
    if (cluster.nodes.length === 1) return cluster;
    world.cache.removeNode(node.metadata.name);
    for (const pod of cluster.pods)
      if (pod.spec.nodeName === node.metadata.name) world.cache.removePod(`default/${pod.metadata.name}`);
    return {
      nodes: cluster.nodes.filter(n => n !== node),
      pods: cluster.pods.filter(p => p.spec.nodeName !== node.metadata.name),
    };
  }
  const changed: Node =
    kind === 'cordon'
      ? { ...node, spec: { ...node.spec, unschedulable: !node.spec.unschedulable } }
      : {
          ...node,
          metadata: {
            ...node.metadata,
            labels: { ...node.metadata.labels, disk: 'ssd', 'topology.kubernetes.io/zone': 'b' },
          },
        };
  world.cache.setNode(changed);
  return { ...cluster, nodes: cluster.nodes.map(n => (n === node ? changed : n)) };
}

function compare(world: ReturnType<typeof createWorld>, cluster: ReferenceCluster, pod: Pod): ReferenceCluster {
  const outcome = world.schedule(pod);
  const verdicts = new Map(cluster.nodes.map(n => [n.metadata.name, whyNot(cluster, pod, n)]));
  const fitting = cluster.nodes.filter(n => verdicts.get(n.metadata.name) === undefined);
  assert.deepEqual([...outcome.feasible].sort(), fitting.map(n => n.metadata.name).sort());
  for (const [name, why] of verdicts) assert.equal(outcome.rejected.get(name), why, name);
  if (fitting.length > 1) {
    const wanted = totals(cluster, pod, fitting);
    fitting.forEach((n, i) => {
      assert.equal(outcome.totals.get(n.metadata.name), wanted[i], `score of ${n.metadata.name}`);
    });
    assert.equal(outcome.totals.get(outcome.node ?? ''), Math.max(...wanted));
  }
  if (outcome.node === undefined) return cluster;
  const placed = place(pod, outcome.node);
  world.cache.setPod(placed);
  return { ...cluster, pods: [...cluster.pods, placed] };
}

test('sampling looks at nodes of all zones in turn and goes on where it stopped', () => {
  const nodes = Array.from({ length: 300 }, (_, i) =>
    makeNode(`n${i}`, { labels: { 'topology.kubernetes.io/zone': i < 200 ? 'big' : i < 250 ? 'b' : 'c' } }),
  );
  const { schedule } = createWorld({ nodes });
  const first = schedule(makePod('p'));
  assert.equal(first.feasible.length, 144, '48 % of 300 nodes');
  const zoneOf = (name: string) => (Number(name.slice(1)) < 200 ? 'big' : Number(name.slice(1)) < 250 ? 'b' : 'c');
  const counts = Map.groupBy(first.feasible, zoneOf);
  assert.deepEqual([...counts].map(([zone, list]) => [zone, list.length]).sort(), [
    ['b', 48],
    ['big', 48],
    ['c', 48],
  ]);
  const second = schedule(makePod('q'), 144);
  assert.equal(new Set([...first.feasible, ...second.feasible]).size, 288);
});

test('ties are broken evenly', () => {
  const world = createWorld({ nodes: ['a', 'b', 'c', 'd'].map(name => makeNode(name)), seed: 3 });
  const counts = new Map<string, number>();
  for (let i = 0; i < 4_000; i++) {
    const { node = '' } = world.schedule(makePod(`p${i}`));
    counts.set(node, (counts.get(node) ?? 0) + 1);
  }
  for (const [node, count] of counts) assert.ok(Math.abs(count - 1_000) < 120, `${node}: ${count}`);
  assert.equal(counts.size, 4);
});

test('without nodes the message says so', () => {
  assert.equal(createWorld().schedule(makePod('p')).message, 'no nodes available to schedule pods');
});
