import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createServer } from '../../test/support/control.ts';
import type { Pod, PodSpec } from '../api/types/core-v1.ts';
import { silentLogger } from '../base/log.ts';
import { createMetrics } from '../base/metrics.ts';
import { createInformerFactory } from '../client/index.ts';
import { createKubelet, type KubeletOptions } from './kubelet.ts';
import { simulatedMachine } from './node/machine.ts';
import { createSimulatedRuntime, type SimulatedRuntimeOptions } from './runtime/simulated/index.ts';

interface Options extends Partial<KubeletOptions> {
  simulated?: Partial<SimulatedRuntimeOptions>;
}

async function setUp(t: TestContext, options: Options = {}) {
  const server = await createServer(7);
  const { clock, random, client, shaky, faults } = server;
  const environment = { clock, random, log: silentLogger, metrics: createMetrics() };
  let last = 0;
  const runtime = createSimulatedRuntime({
    clock,
    random,
    allocateIps: () => [`10.1.0.${++last}`],
    ...options.simulated,
  });
  const stop = new AbortController();
  const make = () => {
    const informers = createInformerFactory(shaky, { ...environment, freeze: true });
    const kubelet = createKubelet({
      environment,
      client: shaky,
      informers,
      runtime,
      runtimeName: 'simulated',
      nodeName: 'n1',
      machine: simulatedMachine('n1', '192.0.2.1'),
      ...options,
    });
    informers.start(stop.signal);
    return kubelet;
  };
  const ignore = () => undefined;
  const podCache = await server.follow('v1/pods', ignore);
  const nodeCache = await server.follow('v1/nodes', ignore);
  const eventCache = await server.follow('v1/events', ignore);
  const kubelet = make();
  const starting = kubelet.start();
  await clock.until(() => nodeCache.size === 1, 5000);
  await starting;
  t.after(async () => {
    stop.abort();
    await kubelet.stop();
    await server.close();
  });
  const pods = client.resource('v1/pods', 'default');
  const create = (name: string, spec: Partial<PodSpec>) =>
    pods.create({ metadata: { name, namespace: 'default' }, spec: podSpec(spec) });
  const pod = (name: string): Pod | undefined => podCache.get(`default/${name}`);
  const until = (name: string, done: (p: Pod) => boolean, limitMs?: number) =>
    clock.until(() => {
      const now = pod(name);
      return now !== undefined && done(now);
    }, limitMs);
  const events = () => eventCache.list().map(e => `${e.type} ${e.reason} ${e.message}`);
  const node = () => nodeCache.get('n1');
  return { clock, client, faults, runtime, kubelet, make, pods, create, pod, until, events, node };
}

function podSpec(spec: Partial<PodSpec>): PodSpec {
  return { nodeName: 'n1', restartPolicy: 'Always', containers: [container('app')], ...spec };
}
const container = (name: string, ...command: string[]) => ({
  name,
  image: 'example.test/app:1',
  ...(command.length > 0 && { command }),
});
const ready = (p: Pod) => p.status?.conditions?.some(c => c.type === 'Ready' && c.status === 'True') ?? false;
const stateOf = (p: Pod | undefined, name = 'app') => p?.status?.containerStatuses?.find(s => s.name === name);

test('the node registers, is ready and renews its lease', async t => {
  const { clock, client, node } = await setUp(t);
  const leases = client.resource('coordination.k8s.io/v1/leases', 'kube-node-lease');
  assert.deepEqual(
    node()?.status?.conditions?.map(c => `${c.type}=${c.status}`),
    ['MemoryPressure=False', 'DiskPressure=False', 'PIDPressure=False', 'Ready=True'],
  );
  await clock.advance(1000);
  const before = await leases.get('n1');
  await clock.advance(11_000);
  const after = await leases.get('n1');
  assert.notEqual(after.spec?.renewTime, before.spec?.renewTime);
  assert.equal(after.metadata.ownerReferences?.[0]?.uid, node()?.metadata.uid);
});

test('the node tells its conditions, and speaks up when it was declared lost', async t => {
  const { clock, client, events, node, kubelet } = await setUp(t);
  const status = (type: string) => node()?.status?.conditions?.find(c => c.type === type)?.status;
  await clock.until(() => status('Ready') === 'True', 5000);
  const said = (reason: string) => events().includes(`Normal ${reason} Node n1 status is now: ${reason}`);
  await clock.until(() => said('NodeHasSufficientMemory') && said('NodeHasNoDiskPressure'), 5000);
  assert.ok(!said('NodeNotReady'));
  const conditions = node()?.status?.conditions?.map(c => (c.type === 'Ready' ? { ...c, status: 'Unknown' } : c));
  await client.resource('v1/nodes').patch('n1', 'merge', { status: { conditions } }, { subresource: 'status' });
  await clock.until(() => status('Ready') === 'True', 15_000);
  await clock.until(() => said('NodeReady'), 5000);
  kubelet.setPressure({ memory: true, disk: false, pid: false });
  await clock.until(() => said('NodeHasInsufficientMemory'), 15_000);
});

test('events about containers name them', async t => {
  const { create, until, client, clock } = await setUp(t);
  await create('named', { initContainers: [container('first', 'true')], containers: [container('app')] });
  await until('named', ready, 20_000);
  const list = async () => (await client.resource('v1/events', 'default').list()).items;
  let seen = await list();
  while (!seen.some(e => e.reason === 'Started' && e.involvedObject.fieldPath === 'spec.containers{app}')) {
    await clock.advance(100);
    seen = await list();
  }
  const of = (path: string) =>
    seen.filter(e => e.involvedObject.fieldPath === path).map(e => `${e.reason} ${e.message}`);
  assert.deepEqual(of('spec.initContainers{first}').slice(-2), [
    'Created Container created',
    'Started Container started',
  ]);
  assert.deepEqual(of('spec.containers{app}').slice(-2), ['Created Container created', 'Started Container started']);
});

test('a resize that does not fit waits, and is made when there is room', async t => {
  const { create, until, client, clock, events } = await setUp(t);
  const resources = (cpu: string) => ({ requests: { cpu }, limits: { cpu } });
  const sized = (cpu: string) => ({ containers: [{ ...container('app'), resources: resources(cpu) }] });
  await create('big', sized('24'));
  await create('small', sized('1'));
  await until('small', ready, 20_000);
  await until('big', ready, 20_000);
  const pods = client.resource('v1/pods', 'default');
  const resize = (cpu: string) =>
    pods.patch(
      'small',
      'strategic',
      { spec: { containers: [{ name: 'app', resources: resources(cpu) }] } },
      { subresource: 'resize' },
    );
  const condition = (p: Pod, type: string) => p.status?.conditions?.find(c => c.type === type);
  await resize('16');
  await until('small', p => condition(p, 'PodResizePending')?.reason === 'Deferred', 10_000);
  await resize('64');
  await until('small', p => condition(p, 'PodResizePending')?.reason === 'Infeasible', 10_000);
  await resize('16');
  await until('small', p => condition(p, 'PodResizePending')?.reason === 'Deferred', 10_000);
  await pods.delete('big', { gracePeriodSeconds: 0 });
  await until(
    'small',
    p => stateOf(p)?.resources?.limits?.['cpu'] === '16' && !condition(p, 'PodResizePending'),
    60_000,
  );
  const told = () =>
    events()
      .filter(e => e.includes('Pod resize'))
      .map(e => e.split(':')[0]);
  await clock.until(() => told().some(e => e === 'Normal ResizeCompleted Pod resize completed'), 5000);
  assert.ok(told().includes('Warning ResizeDeferred Pod resize Deferred'));
  assert.ok(told().includes('Warning ResizeInfeasible Pod resize Infeasible'));
});

test('a pod runs, is ready, and goes when it is deleted', async t => {
  const { until, create, pod, pods, runtime, clock, events } = await setUp(t);
  await create('one', {});
  await until('one', ready);
  const status = pod('one')?.status;
  assert.equal(status?.phase, 'Running');
  assert.equal(status?.podIP, '10.1.0.1');
  assert.equal(status?.hostIP, '192.0.2.1');
  assert.equal(status?.qosClass, 'BestEffort');
  assert.match(stateOf(pod('one'))?.containerID ?? '', /^simulated:\/\/[0-9a-f]{64}$/);
  assert.deepEqual(status?.conditions?.map(c => `${c.type}=${c.status}`).sort(), [
    'ContainersReady=True',
    'Initialized=True',
    'PodReadyToStartContainers=True',
    'PodScheduled=True',
    'Ready=True',
  ]);
  await clock.settle();
  const told = events().filter(e => !/Starting|Node n1/.test(e));
  assert.deepEqual(
    told.map(e => e.replace(/in .* including waiting/, 'in N (N including waiting')),
    [
      'Normal Pulling Pulling image "example.test/app:1"',
      'Normal Pulled Successfully pulled image "example.test/app:1" in N (N including waiting). Image size: 10000000 bytes.',
      'Normal Created Container created',
      'Normal Started Container started',
    ],
  );
  await pods.delete('one');
  await clock.until(() => pod('one') === undefined);
  assert.deepEqual(await runtime.listContainers(), []);
  assert.deepEqual(await runtime.listPodSandboxes(), []);
  await clock.settle();
  assert.ok(events().includes('Normal Killing Stopping container app'));
});

test('restart policies: Always backs off, OnFailure stops at success, Never fails', async t => {
  const { until, create, pod } = await setUp(t);
  await create('always', { containers: [container('app', 'sh', '-c', 'sleep 1; exit 3')] });
  await until('always', p => stateOf(p)?.state?.waiting?.reason === 'CrashLoopBackOff');
  const crashing = stateOf(pod('always'));
  assert.match(
    crashing?.state?.waiting?.message ?? '',
    /^back-off 10s restarting failed container=app pod=always_default\(/,
  );
  assert.equal(crashing?.restartCount, 1);
  assert.equal(crashing?.lastState?.terminated?.exitCode, 3);
  assert.equal(pod('always')?.status?.phase, 'Running');
  await until('always', p => stateOf(p)?.state?.waiting?.message?.startsWith('back-off 20s') ?? false);
  await until('always', p => stateOf(p)?.state?.waiting?.message?.startsWith('back-off 5m0s') ?? false, 3_600_000);

  await create('good', { restartPolicy: 'OnFailure', containers: [container('app', 'sleep', '2')] });
  await until('good', p => p.status?.phase === 'Succeeded');
  assert.equal(stateOf(pod('good'))?.state?.terminated?.reason, 'Completed');
  const condition = (name: string, type: string) => pod(name)?.status?.conditions?.find(c => c.type === type);
  assert.equal(condition('good', 'Ready')?.reason, 'PodCompleted');

  await create('bad', { restartPolicy: 'Never', containers: [container('app', 'false'), container('side')] });
  await until('bad', p => stateOf(p)?.state?.terminated !== undefined);
  assert.equal(pod('bad')?.status?.phase, 'Running');
});

test('init containers run in order, sidecars start before and end after', async t => {
  const { until, create, pod, clock, runtime } = await setUp(t);
  await create('p', {
    restartPolicy: 'Never',
    initContainers: [
      container('first', 'sleep', '2'),
      { ...container('side'), restartPolicy: 'Always' },
      container('second', 'sleep', '2'),
    ],
    containers: [container('app', 'sleep', '5')],
  });
  await until('p', p => p.status?.initContainerStatuses?.[0]?.state?.running !== undefined);
  assert.equal(stateOf(pod('p'))?.state?.waiting?.reason, 'PodInitializing');
  const initialized = () => pod('p')?.status?.conditions?.find(c => c.type === 'Initialized');
  assert.equal(initialized()?.message, 'containers with incomplete status: [first side second]');
  await until('p', p => p.status?.initContainerStatuses?.[2]?.state?.running !== undefined);
  assert.ok(pod('p')?.status?.initContainerStatuses?.[1]?.state?.running);
  await until('p', p => stateOf(p)?.state?.running !== undefined);
  assert.equal(initialized()?.status, 'True');
  await until('p', p => p.status?.phase === 'Succeeded');
  assert.ok(pod('p')?.status?.initContainerStatuses?.[1]?.state?.terminated, 'the sidecar was stopped');
  await clock.settle();
  assert.ok((await runtime.listContainers()).every(c => c.state === 'CONTAINER_EXITED'));
});

test('a failing init container fails a pod that is never restarted', async t => {
  const { until, create, pod } = await setUp(t);
  await create('p', { restartPolicy: 'Never', initContainers: [container('init', 'exit', '4')] });
  await until('p', p => p.status?.phase === 'Failed');
  assert.equal(pod('p')?.status?.initContainerStatuses?.[0]?.state?.terminated?.exitCode, 4);
});

test('images that cannot be pulled are told and tried again', async t => {
  let missing = true;
  const pullError = () => (missing ? 'not found' : undefined);
  const { until, create, pod, events, clock } = await setUp(t, { simulated: { pullError } });
  await create('p', {});
  await until('p', p => stateOf(p)?.state?.waiting?.reason === 'ErrImagePull');
  assert.equal(pod('p')?.status?.phase, 'Pending');
  await until('p', p => stateOf(p)?.state?.waiting?.reason === 'ImagePullBackOff');
  assert.equal(
    stateOf(pod('p'))?.state?.waiting?.message,
    'Back-off pulling image "example.test/app:1": ErrImagePull: not found',
  );
  missing = false;
  await until('p', ready);
  await clock.settle();
  for (const wanted of [
    'Warning Failed Failed to pull image "example.test/app:1": not found',
    'Warning Failed Error: ErrImagePull',
    'Normal BackOff Back-off pulling image "example.test/app:1"',
    'Warning Failed Error: ImagePullBackOff',
  ])
    assert.ok(events().includes(wanted), wanted);
});

test('missing configuration is a CreateContainerConfigError until it is there', async t => {
  const { until, create, pod, client } = await setUp(t);
  await create('p', { containers: [{ ...container('app'), envFrom: [{ configMapRef: { name: 'settings' } }] }] });
  await until('p', p => stateOf(p)?.state?.waiting?.reason === 'CreateContainerConfigError');
  assert.equal(stateOf(pod('p'))?.state?.waiting?.message, 'configmap "settings" not found');
  await client.resource('v1/configmaps', 'default').create({ metadata: { name: 'settings' }, data: { A: 'b' } });
  await until('p', ready);
});

test('probes: readiness gates traffic, liveness restarts, startup holds both back', async t => {
  let ok = true;
  const exec = () => ({ exitCode: ok ? 0 : 1, stdout: 'no' });
  const { until, create, pod, clock, events } = await setUp(t, { simulated: { exec } });
  const probe = { exec: { command: ['check'] }, periodSeconds: 1, failureThreshold: 2 };
  ok = false;
  await create('p', {
    containers: [
      {
        ...container('app'),
        startupProbe: { ...probe, failureThreshold: 100 },
        readinessProbe: probe,
        livenessProbe: probe,
      },
    ],
  });
  await until('p', p => stateOf(p)?.state?.running !== undefined);
  await clock.advance(5000);
  assert.equal(stateOf(pod('p'))?.started, false);
  assert.equal(stateOf(pod('p'))?.restartCount, 0);
  ok = true;
  await until('p', ready);
  assert.equal(stateOf(pod('p'))?.started, true);
  ok = false;
  await until('p', p => !ready(p));
  await until('p', p => stateOf(p)?.restartCount === 1);
  ok = true;
  await until('p', ready);
  await clock.settle();
  assert.ok(events().includes('Normal Killing Container app failed liveness probe, will be restarted'));
  assert.ok(events().includes('Warning Unhealthy Readiness probe failed: no'));
});

test('a restarted kubelet touches nothing and ends pods that were deleted meanwhile', async t => {
  const { until, create, pods, kubelet, make, runtime, clock, pod } = await setUp(t);
  await create('kept', {});
  await create('gone', {});
  await until('kept', ready);
  await until('gone', ready);
  const ids = (await runtime.listContainers()).map(c => c.id);
  await kubelet.stop();
  await pods.delete('gone', { gracePeriodSeconds: 0 });
  const again = make();
  t.after(() => again.stop());
  void again.start();
  await clock.until(() => again.pods().length === 1);
  await clock.advance(15_000);
  const left = await runtime.listContainers();
  assert.equal(left.length, 1);
  assert.ok(ids.includes(left[0]?.id ?? ''));
  assert.equal(stateOf(pod('kept'))?.restartCount, 0);
});

test('a node that lost everything starts its pods again', async t => {
  const { until, create, pod, runtime, clock } = await setUp(t);
  await create('p', {});
  await until('p', ready);
  const before = stateOf(pod('p'))?.containerID;
  runtime.reboot();
  await clock.advance(12_000);
  await until('p', p => ready(p) && stateOf(p)?.containerID !== before);
  assert.equal(stateOf(pod('p'))?.restartCount, 1);
  assert.deepEqual(pod('p')?.status?.podIPs, [{ ip: '10.1.0.2' }]);
});

test('restarts are counted over reboots of the machine', async t => {
  const { until, create, kubelet, make, runtime, clock, pod } = await setUp(t);
  await create('p', {});
  await until('p', ready);
  let running = kubelet;
  for (const boot of [1, 2]) {
    await running.stop();
    runtime.reboot();
    const again = make();
    running = again;
    t.after(() => again.stop());
    void again.start();
    await until('p', p => ready(p) && stateOf(p)?.restartCount === boot);
    assert.equal(stateOf(pod('p'))?.lastState?.terminated?.reason, 'ContainerStatusUnknown');
    await clock.advance(30_000);
    assert.equal(stateOf(pod('p'))?.restartCount, boot);
  }
});

test('what does not fit is refused', async t => {
  const { until, create, pod } = await setUp(t);
  const big = { ...container('app'), resources: { requests: { cpu: '20' } } };
  await create('one', { containers: [big] });
  await until('one', ready);
  await create('two', { containers: [big] });
  await until('two', p => p.status?.phase === 'Failed');
  assert.equal(pod('two')?.status?.reason, 'OutOfcpu');
});

test('a port of the node is given once', async t => {
  const { until, create, pod } = await setUp(t);
  const port = (hostPort: number, hostIP = '') => ({
    ...container('app'),
    ports: [{ containerPort: 80, hostPort, ...(hostIP && { hostIP }) }],
  });
  await create('one', { containers: [port(8080)] });
  await until('one', ready);
  await create('same', { containers: [port(8080, '127.0.0.1')] });
  await until('same', p => p.status?.phase === 'Failed');
  assert.equal(pod('same')?.status?.reason, 'NodePorts');
  await create('other', { containers: [port(8081)] });
  await until('other', ready);
});

test('a deadline ends a pod', async t => {
  const { until, create, pod } = await setUp(t);
  await create('p', { activeDeadlineSeconds: 30 });
  await until('p', p => p.status?.phase === 'Failed', 60_000);
  assert.equal(pod('p')?.status?.reason, 'DeadlineExceeded');
});

test('the API server away: containers still restart, and status follows when it is back', async t => {
  const { until, create, pod, faults, clock, runtime } = await setUp(t);
  await create('p', {});
  await until('p', ready);
  faults.down = true;
  const [c] = await runtime.listContainers();
  runtime.kill(c?.id ?? '', 9);
  await clock.advance(60_000);
  assert.equal((await runtime.listContainers()).filter(x => x.state === 'CONTAINER_RUNNING').length, 1);
  assert.equal(stateOf(pod('p'))?.restartCount, 0);
  faults.down = false;
  await until('p', p => stateOf(p)?.restartCount === 1);
});
