import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conditionOf, withCluster } from '../../test/support/scheduler/live.ts';
import { createMetrics } from '../base/metrics.ts';
import type { Client } from '../client/contract.ts';
import { createInformer } from '../client/index.ts';
import { definePlugin, type ExtenderCall, type PluginFactory, type Rejection, rejections } from './index.ts';

const twoCores = { nodeOptions: { machine: () => ({ cpus: 2 }) } };
const enabled = (name: string) => ({ profiles: [{ plugins: { multiPoint: { enabled: [{ name }] } } }] });

test('a plugin of the user reserves, permits, prepares and hears of the binding, in order', () =>
  withCluster({ nodes: 1, scheduler: false }, async ({ create, until, scheduler }) => {
    const calls: string[] = [];
    const plugin: PluginFactory = {
      name: 'Diary',
      create: (_args, handle) =>
        definePlugin({
          name: 'Diary',
          reserve: ({ node }) => {
            calls.push(`reserve ${node.name}`);
            return undefined;
          },
          permit({ pod }) {
            calls.push('permit');
            handle.clock.setTimer(() => handle.waitingPods.allow(pod.key, 'Diary'), 20);
            return { wait: 10_000 };
          },
          async preBind() {
            calls.push('preBind');
            return undefined;
          },
          postBind: () => calls.push('postBind'),
        }),
    };
    await scheduler({ plugins: [plugin], configuration: enabled('Diary') });
    await create('p');
    await until('p', p => p.status?.phase === 'Running');
    assert.deepEqual(calls, ['reserve node-0', 'permit', 'preBind', 'postBind']);
  }));

test('what was reserved is given back when binding fails, and the pod is tried again', () =>
  withCluster({ nodes: 1, scheduler: false }, async ({ create, until, scheduler, events }) => {
    const calls: string[] = [];
    let failures = 1;
    const plugin: PluginFactory = {
      name: 'Flaky',
      create: () =>
        definePlugin({
          name: 'Flaky',
          reserve: () => undefined,
          unreserve: () => calls.push('unreserve'),
          preBind: async () => (failures-- > 0 ? rejections('Flaky')('Error', 'not today') : undefined),
        }),
    };
    await scheduler({ plugins: [plugin], configuration: enabled('Flaky') });
    await create('p', { cpu: '100m' });
    await until('p', p => conditionOf(p)?.reason === 'SchedulerError');
    await until('p', p => p.spec.nodeName === 'node-0');
    assert.deepEqual(calls, ['unreserve']);
    assert.deepEqual(await events('FailedScheduling', 1), ['default-scheduler: not today']);
  }));

test('a pod that is not permitted in time is rejected', () =>
  withCluster({ nodes: 1, scheduler: false }, async ({ create, until, scheduler }) => {
    const plugin: PluginFactory = {
      name: 'Slow',
      create: () => definePlugin({ name: 'Slow', permit: () => ({ wait: 30 }), events: [] }),
    };
    const running = await scheduler({ plugins: [plugin], configuration: enabled('Slow') });
    await create('p');
    const pod = await until('p', p => conditionOf(p)?.reason === 'Unschedulable');
    assert.equal(conditionOf(pod)?.message, 'rejected due to timeout after waiting 0.03s at plugin Slow');
    assert.equal(running.whyPending('default/p')?.rejection?.plugin, 'Slow');
  }));

test('an extender filters, ranks and binds', () =>
  withCluster({ nodes: 3, scheduler: false }, async ({ cluster, create, until, scheduler }) => {
    const asked: string[] = [];
    const extenderCall: ExtenderCall = async (_config, url, body) => {
      const verb = url.slice(url.lastIndexOf('/') + 1);
      const args = body as { nodenames: string[]; podName: string; node: string };
      asked.push(verb);
      if (verb === 'filter')
        return { nodenames: args.nodenames.filter(n => n !== 'node-0'), failedNodes: { 'node-0': 'not this one' } };
      if (verb === 'rank') return args.nodenames.map(host => ({ host, score: host === 'node-2' ? 10 : 0 }));
      await cluster.client.pods('default').createSubresource(args.podName, 'binding', {
        metadata: { name: args.podName },
        target: { kind: 'Node', name: args.node },
      });
      return {};
    };
    const extender = {
      urlPrefix: 'http://extender',
      filterVerb: 'filter',
      prioritizeVerb: 'rank',
      bindVerb: 'bind',
      weight: 5,
      nodeCacheCapable: true,
    };
    await scheduler({ extenderCall, configuration: { extenders: [extender] } });
    await create('p');
    await until('p', p => p.spec.nodeName === 'node-2');
    assert.deepEqual(asked, ['filter', 'rank', 'bind']);
  }));

test('an extender that fails fails the pod, unless it may be ignored', () =>
  withCluster({ nodes: 1, scheduler: false }, async ({ create, until, scheduler }) => {
    const extenderCall: ExtenderCall = async () => {
      throw new Error('no answer');
    };
    const extender = { urlPrefix: 'http://x', filterVerb: 'filter' };
    const profiles = (schedulerName: string) => [{ schedulerName }];
    await scheduler({ extenderCall, configuration: { profiles: profiles('strict'), extenders: [extender] } });
    await scheduler({
      extenderCall,
      configuration: { profiles: profiles('lax'), extenders: [{ ...extender, ignorable: true }] },
    });
    await create('a', {}, { schedulerName: 'strict' });
    await create('b', {}, { schedulerName: 'lax' });
    await until('b', p => p.spec.nodeName === 'node-0');
    const pod = await until('a', p => conditionOf(p)?.reason === 'SchedulerError');
    assert.equal(conditionOf(pod)?.message, 'extender http://x failed: no answer');
  }));

test('an extender has a say in who makes room', () =>
  withCluster({ nodes: 2, scheduler: false, ...twoCores }, async ({ cluster, create, until, scheduler }) => {
    await cluster.client.priorityclasses().create({ metadata: { name: 'high' }, value: 1000 });
    const asked: Record<string, string[]>[] = [];
    const extenderCall: ExtenderCall = async (_config, _url, body) => {
      const { nodeNameToMetaVictims: victims } = body as {
        nodeNameToMetaVictims: Record<string, { pods: { uid: string }[] }>;
      };
      const uids = Object.entries(victims).map(([node, { pods }]) => [node, pods.map(p => p.uid)] as const);
      asked.push(Object.fromEntries(uids));
      return { nodeNameToMetaVictims: { 'node-1': victims['node-1'] } };
    };
    const extender = { urlPrefix: 'http://extender', preemptVerb: 'preempt', nodeCacheCapable: true };
    await scheduler({ extenderCall, configuration: { extenders: [extender] } });
    const low = [await create('low-0', { cpu: '1500m' }), await create('low-1', { cpu: '1500m' })];
    const placed = await Promise.all(low.map(p => until(p.metadata.name, q => Boolean(q.spec.nodeName))));
    await create('high', { cpu: '1500m' }, { priorityClassName: 'high' });
    await until('high', p => p.spec.nodeName === 'node-1');
    assert.deepEqual(asked[0], Object.fromEntries(placed.map(p => [p.spec.nodeName, [p.metadata.uid]])));
  }));

test('no room is made when the extender leaves no candidate, or names a pod that is not there', () =>
  withCluster({ nodes: 1, scheduler: false, ...twoCores }, async ({ cluster, create, until, scheduler }) => {
    await cluster.client.priorityclasses().create({ metadata: { name: 'high' }, value: 1000 });
    const answers = [{}, { 'node-0': { pods: [{ uid: 'unknown' }] } }];
    let calls = 0;
    const extenderCall: ExtenderCall = async () => ({ nodeNameToMetaVictims: answers[calls++ % 2] });
    await scheduler({
      extenderCall,
      configuration: { extenders: [{ urlPrefix: 'http://extender', preemptVerb: 'preempt' }] },
    });
    await create('low', { cpu: '1500m' });
    await until('low', p => Boolean(p.spec.nodeName));
    for (const name of ['first', 'second']) {
      await create(name, { cpu: '1500m' }, { priorityClassName: 'high' });
      const pod = await until(name, p => conditionOf(p)?.reason === 'Unschedulable');
      assert.equal(pod.status?.nominatedNodeName, undefined);
    }
    assert.equal((await cluster.client.pods('default').get('low')).metadata.deletionTimestamp, undefined);
    assert.ok(calls >= 2);
  }));

test('a pod whose binding takes its time says where it will go; once it is there, or failed, it does not', () =>
  withCluster({ nodes: 1, scheduler: false }, async ({ create, until, scheduler }) => {
    const verdicts = new Map<string, (rejection?: Rejection) => void>();
    const plugin: PluginFactory = {
      name: 'Slow',
      create: () =>
        definePlugin({
          name: 'Slow',
          events: [],
          needsPreBind: ({ pod }) => pod.labels.slow === 'yes',
          preBind: ({ pod }) => new Promise(resolve => verdicts.set(pod.key, resolve)),
        }),
    };
    await scheduler({ plugins: [plugin], configuration: enabled('Slow') });
    for (const name of ['good', 'bad']) {
      await create(name, {}, {}, { slow: 'yes' });
      await until(name, p => p.status?.nominatedNodeName === 'node-0');
    }
    verdicts.get('default/good')?.();
    const good = await until('good', p => p.spec.nodeName === 'node-0');
    assert.equal(good.status?.nominatedNodeName, undefined);
    verdicts.get('default/bad')?.(rejections('Slow')('Unschedulable', 'no'));
    await until('bad', p => conditionOf(p)?.message === 'no' && p.status?.nominatedNodeName === undefined);
  }));

test('metrics tell of attempts, waiting pods and the cache', () =>
  withCluster({ nodes: 1, scheduler: false, ...twoCores }, async ({ cluster, create, until, scheduler }) => {
    const metrics = createMetrics();
    await scheduler({ environment: { ...cluster.environment, metrics } });
    await create('placed');
    await create('big', { cpu: '100' });
    await create('gated', {}, { schedulingGates: [{ name: 'example.com/wait' }] });
    await until('placed', p => p.spec.nodeName === 'node-0');
    await until('big', p => conditionOf(p)?.reason === 'Unschedulable');
    const lines = new Set(metrics.text().split('\n'));
    for (const line of [
      'scheduler_schedule_attempts_total{profile="default-scheduler",result="scheduled"} 1',
      'scheduler_schedule_attempts_total{profile="default-scheduler",result="unschedulable"} 1',
      'scheduler_pod_scheduling_attempts_count 1',
      'scheduler_pod_scheduling_sli_duration_seconds_count{attempts="1"} 1',
      'scheduler_pending_pods{queue="unschedulable"} 1',
      'scheduler_pending_pods{queue="gated"} 1',
      'scheduler_pending_pods{queue="active"} 0',
      'scheduler_unschedulable_pods{plugin="NodeResourcesFit",profile="default-scheduler"} 1',
      'scheduler_unschedulable_pods{plugin="SchedulingGates",profile="default-scheduler"} 1',
      'scheduler_cache_size{type="nodes"} 1',
      'scheduler_queue_incoming_pods_total{event="UnschedulablePodAdd",queue="active"} 2',
      'scheduler_queue_incoming_pods_total{event="ScheduleAttemptFailure",queue="unschedulable"} 1',
    ])
      assert.ok(
        lines.has(line),
        `${line} is missing in:\n${[...lines].filter(l => l.startsWith('scheduler_')).join('\n')}`,
      );
  }));

/** Does what a provisioner would do. */
function provision(client: Client, environment: Parameters<typeof createInformer>[2], signal: AbortSignal): void {
  const wanted = createInformer(client.persistentvolumeclaims('default'), {}, environment);
  wanted.addHandler({
    onUpdate({ metadata, spec }) {
      if (!metadata.annotations?.['volume.kubernetes.io/selected-node'] || spec.volumeName) return;
      const { name, namespace = '', uid = '' } = metadata;
      const volume = {
        metadata: { name: 'provisioned' },
        spec: {
          capacity: { storage: '1Gi' },
          accessModes: ['ReadWriteOnce'],
          storageClassName: 'new',
          csi: { driver: 'd', volumeHandle: 'h' },
          claimRef: { kind: 'PersistentVolumeClaim', name, namespace, uid },
        },
      };
      void client
        .persistentvolumes()
        .create(volume)
        .catch(() => undefined);
    },
  });
  void wanted.run(signal);
}

test('claims that wait for a consumer are bound to a volume of the node, or provisioned for it', () =>
  withCluster({ nodes: 2 }, async ({ cluster, create, until }) => {
    const { client, environment } = cluster;
    const stop = new AbortController();
    const waits = { volumeBindingMode: 'WaitForFirstConsumer' };
    await client
      .storageclasses()
      .create({ metadata: { name: 'local' }, provisioner: 'kubernetes.io/no-provisioner', ...waits });
    await client.storageclasses().create({ metadata: { name: 'new' }, provisioner: 'd', ...waits });
    const nodeAffinity = {
      required: {
        nodeSelectorTerms: [
          { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: ['node-1'] }] },
        ],
      },
    };
    const size = { storage: '1Gi' };
    const base = { capacity: size, accessModes: ['ReadWriteOnce'] };
    await client.persistentvolumes().create({
      metadata: { name: 'disk' },
      spec: { ...base, storageClassName: 'local', local: { path: '/disk' }, nodeAffinity },
    });
    for (const storageClassName of ['local', 'new'])
      await client.persistentvolumeclaims('default').create({
        metadata: { name: storageClassName },
        spec: { storageClassName, accessModes: ['ReadWriteOnce'], resources: { requests: size } },
      });
    try {
      provision(client, environment, stop.signal);
      const volumes = ['local', 'new'].map(name => ({ name, persistentVolumeClaim: { claimName: name } }));
      await create('p', {}, { volumes });
      await until('p', p => p.spec.nodeName === 'node-1');
      const { spec } = await client.persistentvolumes().get('disk');
      assert.equal(spec.claimRef?.name, 'local');
      const made = await client.persistentvolumeclaims('default').get('new');
      assert.equal(made.metadata.annotations?.['volume.kubernetes.io/selected-node'], 'node-1');
    } finally {
      stop.abort();
    }
  }));

test('devices are allocated where they are, once, and reserved for the pod', () =>
  withCluster({ nodes: 2, scheduler: false }, async ({ cluster, create, until, scheduler }) => {
    const { client } = cluster;
    await scheduler();
    await client.deviceclasses().create({ metadata: { name: 'gpu' }, spec: {} });
    await client.resourceslices().create({
      metadata: { name: 'node-1-gpus' },
      spec: {
        driver: 'gpu.test',
        nodeName: 'node-1',
        pool: { name: 'node-1', generation: 1, resourceSliceCount: 1 },
        devices: [{ name: 'g0' }],
      },
    });
    const spec = {
      devices: {
        requests: [{ name: 'r', exactly: { deviceClassName: 'gpu', allocationMode: 'ExactCount', count: 1 } }],
      },
    };
    for (const name of ['first', 'second']) await client.resourceclaims('default').create({ metadata: { name }, spec });
    const using = (claim: string) => ({ resourceClaims: [{ name: 'gpu', resourceClaimName: claim }] });
    const pod = await create('first', {}, using('first'));
    await until('first', p => p.spec.nodeName === 'node-1');
    const { status } = await client.resourceclaims('default').get('first');
    const [result] = status?.allocation?.devices?.results ?? [];
    assert.deepEqual([result?.driver, result?.pool, result?.device], ['gpu.test', 'node-1', 'g0']);
    assert.deepEqual(status?.reservedFor, [{ resource: 'pods', name: 'first', uid: pod.metadata.uid }]);
    await create('second', {}, using('second'));
    const waiting = await until('second', p => conditionOf(p)?.reason === 'Unschedulable');
    assert.match(conditionOf(waiting)?.message ?? '', /2 cannot allocate all claims/);
  }));
