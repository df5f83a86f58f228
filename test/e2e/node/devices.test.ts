/** Devices of the node in containers: device plugins, and claims that drivers prepare. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Container } from '../../../src/api/types/core-v1.ts';
import { type FakeDevicePlugin, startFakeDevicePlugin } from '../../support/device-plugin.ts';
import { busyboxImage } from '../../support/images.ts';
import { createLinuxNodeFixture, eventually, type LinuxNodeFixture, ready } from '../../support/linux-node.ts';
import { whyNoContainers } from '../../support/node.ts';
import { type FakeResourceDriver, startFakeResourceDriver } from '../../support/resource-driver.ts';

const skip = whyNoContainers();
const resource = 'example.test/gpu';
let f: LinuxNodeFixture;
let plugin: FakeDevicePlugin;
let driver: FakeResourceDriver;
before(async () => {
  if (skip) return;
  f = await createLinuxNodeFixture({}, '10.199.7.0/24');
  plugin = await startFakeDevicePlugin(`${f.dir}/kubelet`, resource, ids => ({
    envs: { GPUS: ids.join('+') },
    mounts: [{ containerPath: '/driver', hostPath: '/usr/share', readOnly: true }],
    devices: [{ containerPath: '/dev/gpu', hostPath: '/dev/zero', permissions: 'rw' }],
    annotations: { 'example.test/given': 'yes' },
  }));
  driver = await startFakeResourceDriver(`${f.dir}/kubelet`, 'dra.example.test');
});
after(async () => {
  try {
    await f?.destroy();
  } finally {
    plugin?.close();
    driver?.close();
  }
});

const forever = 'trap "exit 0" TERM; while true; do sleep 0.1; done';
const shell = (rest: Partial<Container> = {}): Container => ({
  name: 'app',
  image: busyboxImage,
  command: ['sh', '-c', forever],
  ...rest,
});
const gpus = (n: number) => shell({ resources: { limits: { [resource]: String(n) } } });
async function remove(name: string): Promise<void> {
  await f.client.resource('v1/pods', 'default').delete(name);
  await f.gone(name);
}
const offered = async () => {
  const { status } = await f.client.resource('v1/nodes').get('n1');
  return `${status?.capacity?.[resource]} ${status?.allocatable?.[resource]}`;
};
const becomes = (wanted: string) => eventually(async () => (await offered()) === wanted);

test('a device plugin: capacity, devices in the container, and none for the next one', { skip }, async () => {
  plugin.have({ a: true, b: true });
  await plugin.register();
  await becomes('2 2');
  await f.create('one', { containers: [gpus(1)] });
  await f.until('one', ready);
  const sh = (script: string) => f.exec('one', 'sh', '-c', script).then(t => t.trim());
  assert.match(await sh('echo $GPUS'), /^[ab]$/);
  assert.equal(await sh('head -c 2 /dev/gpu | od -An -tx1'), '00 00');
  assert.match(await sh('grep " /driver " /proc/mounts'), / ro,/);
  assert.deepEqual(
    plugin.calls.map(c => c.method),
    ['allocate', 'prestart'],
  );
  await f.create('much', { containers: [gpus(2)] });
  const refused = await f.until('much', p => p.status?.phase === 'Failed');
  assert.equal(refused.status?.reason, 'UnexpectedAdmissionError');
  assert.equal(
    refused.status?.message,
    `Pod was rejected: Allocate failed due to requested number of devices unavailable for ${resource}. Requested: 2, Available: 1, which is unexpected`,
  );
  await remove('much');
});

test('an ill device is not given, a restarted kubelet remembers who has what', { skip }, async () => {
  const [given = ''] = plugin.calls[0]?.ids ?? [];
  const other = given === 'a' ? 'b' : 'a';
  plugin.have({ [given]: true, [other]: false });
  await becomes('2 1');
  await f.restart();
  await becomes('0 0');
  await f.create('early', { containers: [gpus(1)] });
  const refused = await f.until('early', p => p.status?.phase === 'Failed');
  assert.match(refused.status?.message ?? '', /Requested: 1, Available: 0/);
  await remove('early');
  plugin.have({ a: true, b: true });
  await plugin.register();
  await becomes('2 2');
  await f.create('second', { containers: [gpus(1)] });
  await f.until('second', ready);
  assert.deepEqual(plugin.calls.findLast(c => c.method === 'allocate')?.ids, [other]);
  await remove('one');
  await f.create('third', { containers: [gpus(1)] });
  await f.until('third', ready);
  assert.deepEqual(plugin.calls.findLast(c => c.method === 'allocate')?.ids, [given]);
  for (const name of ['second', 'third']) await remove(name);
});

test('a claim is prepared before its pod starts and unprepared after it', { skip }, async () => {
  const claims = f.client.resource('resource.k8s.io/v1/resourceclaims', 'default');
  const requests = ['one', 'two'].map(name => ({ name, exactly: { deviceClassName: 'gpu' } }));
  await claims.create({ metadata: { name: 'claim' }, spec: { devices: { requests } } });
  const pod = await f.create('claimant', {
    resourceClaims: [{ name: 'local', resourceClaimName: 'claim' }],
    containers: [shell({ resources: { claims: [{ name: 'local', request: 'two' }] } })],
  });
  await eventually(async () =>
    (await f.events()).includes(
      'Warning FailedPrepareDynamicResources Failed to prepare dynamic resources: pod claimant is not allowed to use ResourceClaim claim',
    ),
  );
  const results = ['one', 'two'].map((request, i) => ({
    ...{ request, driver: 'dra.example.test', pool: 'n1', device: `d${i + 1}` },
  }));
  const reservedFor = [{ resource: 'pods', name: 'claimant', uid: pod.metadata.uid ?? '' }];
  const status = { allocation: { devices: { results } }, reservedFor };
  await claims.patch('claim', 'merge', { status }, { subresource: 'status' });
  await f.until('claimant', ready);
  const container = pod.spec.containers[0] ?? shell();
  const { cdiDevices } = await f.node.host.containerFiles(pod, container, [], 0);
  assert.deepEqual(cdiDevices, ['dra.example.test/gpu=claim-2']);
  assert.deepEqual(driver.calls, ['prepare claim']);
  await f.restart();
  await remove('claimant');
  assert.deepEqual(driver.calls, ['prepare claim', 'unprepare claim']);
});
