import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conditionOf, withCluster } from '../../test/support/scheduler/live.ts';
import { milliValueOf } from '../api/quantity.ts';
import { explainPod } from './index.ts';

const small = { nodeOptions: { machine: () => ({ cpus: 2 }) } };

test('a pod is bound, and the event says where', () =>
  withCluster({ nodes: 3 }, async ({ create, until, events }) => {
    await create('web', { cpu: '100m' });
    const pod = await until('web', p => p.status?.phase === 'Running');
    assert.equal(conditionOf(pod)?.status, 'True');
    assert.deepEqual(await events('Scheduled', 1), [
      `default-scheduler: Successfully assigned default/web to ${pod.spec.nodeName}`,
    ]);
  }));

test('a pod that fits nowhere says why, in a sentence and as data', () =>
  withCluster({ nodes: 2, scheduler: false }, async ({ cluster, create, until, events, scheduler }) => {
    const running = await scheduler();
    await create('big', { cpu: '1000' });
    const why =
      '0/2 nodes are available: 2 Insufficient cpu. no new claims to deallocate, preemption: 0/2 nodes are available: ' +
      '2 Preemption is not helpful for scheduling.';
    const pod = await until('big', p => conditionOf(p)?.message === why);
    assert.deepEqual([conditionOf(pod)?.status, conditionOf(pod)?.reason], ['False', 'Unschedulable']);
    assert.deepEqual(await events('FailedScheduling', 1), [`default-scheduler: ${why}`]);
    const report = running.whyPending('default/big');
    assert.equal(report?.message, why);
    const verdict = { plugin: 'NodeResourcesFit', code: 'UnschedulableAndUnresolvable', reasons: ['Insufficient cpu'] };
    assert.deepEqual(report?.nodes, [
      { node: 'node-0', ...verdict },
      { node: 'node-1', ...verdict },
    ]);
    assert.deepEqual(report?.summary, [{ plugin: 'NodeResourcesFit', reason: 'Insufficient cpu', nodes: 2 }]);
    const explained = await explainPod({ environment: cluster.environment, client: cluster.client }, 'default/big');
    assert.ok(explained.kind === 'pending');
    assert.deepEqual([explained.report.message, explained.report.nodes], [report?.message, report?.nodes]);
    assert.equal(running.whyPending('default/none'), undefined);
  }));

test('a pod that waits is scheduled as soon as a node opens', () =>
  withCluster({ nodes: 1 }, async ({ cluster, create, until }) => {
    const nodes = cluster.client.nodes();
    await nodes.patch('node-0', 'merge', { spec: { unschedulable: true } });
    await create('web');
    await until('web', p => conditionOf(p)?.reason === 'Unschedulable');
    await nodes.patch('node-0', 'merge', { spec: { unschedulable: null } });
    await until('web', p => p.spec.nodeName === 'node-0');
  }));

test('gates hold a pod back', () =>
  withCluster({ nodes: 1, scheduler: false }, async ({ cluster, create, until, scheduler }) => {
    const running = await scheduler();
    await create('gated', {}, { schedulingGates: [{ name: 'example.com/wait' }] });
    await create('free');
    await until('free', p => p.spec.nodeName === 'node-0');
    assert.equal(running.whyPending('default/gated')?.message, 'waiting for scheduling gates: [example.com/wait]');
    const pods = cluster.client.pods('default');
    const pod = await pods.get('gated');
    await pods.update({ ...pod, spec: { ...pod.spec, schedulingGates: [] } });
    await until('gated', p => p.spec.nodeName === 'node-0');
  }));

test('at full speed no node is over-committed and every pod that fits is placed', () =>
  withCluster({ nodes: 4, ...small }, async ({ cluster, create, until }) => {
    const names = Array.from({ length: 24 }, (_, i) => `p${i}`);
    await Promise.all(names.map(name => create(name, { cpu: '500m' })));
    const used = new Map<string, number>();
    let placed = 0;
    for (const name of names) {
      const pod = await until(name, p => Boolean(p.spec.nodeName) || conditionOf(p)?.reason === 'Unschedulable');
      if (!pod.spec.nodeName) continue;
      placed++;
      used.set(pod.spec.nodeName, (used.get(pod.spec.nodeName) ?? 0) + 500);
    }
    const { items: nodes } = await cluster.client.nodes().list();
    let room = 0;
    for (const { metadata, status } of nodes) {
      const cpu = milliValueOf(status?.allocatable?.['cpu'] ?? '0');
      assert.ok((used.get(metadata.name) ?? 0) <= cpu);
      room += Math.floor(cpu / 500);
    }
    assert.equal(placed, Math.min(names.length, room));
  }));

test('a more important pod takes the place of a less important one', () =>
  withCluster({ nodes: 1, ...small }, async ({ cluster, create, until, events }) => {
    const classes = cluster.client.priorityclasses();
    await classes.create({ metadata: { name: 'high' }, value: 1000 });
    await create('low', { cpu: '1500m' });
    await until('low', p => p.status?.phase === 'Running');
    const high = await create('high', { cpu: '1500m' }, { priorityClassName: 'high' });
    await until('high', p => p.spec.nodeName === 'node-0');
    await assert.rejects(cluster.client.pods('default').get('low'), { code: 404 });
    assert.deepEqual(await events('Preempted', 1), [
      `default-scheduler: Preempted by pod ${high.metadata.uid} on node node-0`,
    ]);
  }));

test('each scheduler takes the pods that name it', () =>
  withCluster({ nodes: 1, scheduler: false }, async ({ cluster, create, until, scheduler, events }) => {
    await scheduler({ configuration: { profiles: [{ schedulerName: 'one' }, { schedulerName: 'two' }] } });
    for (const schedulerName of ['one', 'two', 'three']) await create(schedulerName, {}, { schedulerName });
    await until('one', p => p.spec.nodeName === 'node-0');
    await until('two', p => p.spec.nodeName === 'node-0');
    assert.equal((await cluster.client.pods('default').get('three')).spec.nodeName, undefined);
    await scheduler({ configuration: { profiles: [{ schedulerName: 'three' }] } });
    await until('three', p => p.spec.nodeName === 'node-0');
    const scheduled = (name: string) => `${name}: Successfully assigned default/${name} to node-0`;
    assert.deepEqual(await events('Scheduled', 3), ['one', 'three', 'two'].map(scheduled));
  }));

test('of two candidates one schedules, and the other goes on when it stops', () =>
  withCluster({ nodes: 1, scheduler: false }, async ({ create, until, scheduler }) => {
    const leaders: string[] = [];
    const candidate = (identity: string) => ({
      leaderElection: {
        namespace: 'kube-system',
        name: 'kube-scheduler',
        identity,
        retryMs: 50,
        onLeader: (leader: string) => leaders.push(leader),
      },
    });
    const first = await scheduler(candidate('first'));
    await create('a');
    await until('a', p => p.spec.nodeName === 'node-0');
    await scheduler(candidate('second'));
    await first.stop();
    await create('b');
    await until('b', p => p.spec.nodeName === 'node-0');
    assert.equal(leaders.at(-1), 'second');
  }));
