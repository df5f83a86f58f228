import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import type { Container, PersistentVolumeSpec } from '../../../src/api/types/core-v1.ts';
import { type FakeCsiDriver, startFakeCsiDriver } from '../../support/csi-driver.ts';
import { busyboxImage } from '../../support/images.ts';
import { createLinuxNodeFixture, eventually, type LinuxNodeFixture, ready } from '../../support/linux-node.ts';
import { whyNoContainers } from '../../support/node.ts';

const skip = whyNoContainers();
const staticDir = `/tmp/tn-static-${process.pid}`;
let f: LinuxNodeFixture;
let driver: FakeCsiDriver;
before(async () => {
  if (skip) return;
  await mkdir(staticDir);
  f = await createLinuxNodeFixture({ staticPods: { directory: staticDir, intervalMs: 100 } }, '10.199.4.0/24');
  driver = await startFakeCsiDriver(`${f.dir}/kubelet`, 'test.csi', `${f.dir}/csi-data`);
});
after(async () => {
  try {
    await f?.destroy();
  } finally {
    driver?.close();
    await rm(staticDir, { recursive: true, force: true });
  }
});

const shell = (script: string, rest: Partial<Container> = {}): Container => ({
  name: 'app',
  image: busyboxImage,
  command: ['sh', '-c', script],
  ...rest,
});
const forever = 'trap "exit 0" TERM; while true; do sleep 0.1; done';
/** A volume of the fake driver and a claim bound to it, of one name. */
async function bound(name: string, more: Partial<PersistentVolumeSpec>): Promise<void> {
  const { volumeMode = 'Filesystem', capacity = { storage: '1Gi' } } = more;
  const accessModes = ['ReadWriteOnce'];
  const claimRef = { kind: 'PersistentVolumeClaim', namespace: 'default', name };
  const csi = { driver: 'test.csi', volumeHandle: name };
  await f.client
    .resource('v1/persistentvolumes')
    .create({ metadata: { name }, spec: { volumeMode, capacity, accessModes, claimRef, csi } });
  const claims = f.client.resource('v1/persistentvolumeclaims', 'default');
  const resources = { requests: { ...capacity } };
  await claims.create({ metadata: { name }, spec: { volumeMode, accessModes, volumeName: name, resources } });
  await claims.patch(name, 'merge', { status: { phase: 'Bound', capacity } }, { subresource: 'status' });
}
async function remove(name: string): Promise<void> {
  await f.client.resource('v1/pods', 'default').delete(name);
  await f.gone(name);
}

test('CSI: a claimed volume is staged and published, an inline one is published, and both are taken away', {
  skip,
}, async () => {
  const { client } = f;
  await client.resource('storage.k8s.io/v1/csidrivers').create({
    metadata: { name: 'test.csi' },
    spec: { attachRequired: false, podInfoOnMount: true, volumeLifecycleModes: ['Persistent', 'Ephemeral'] },
  });
  await client.resource('v1/secrets', 'default').create({
    metadata: { name: 'stage' },
    data: { password: Buffer.from('sesame').toString('base64') },
  });
  const spec = {
    capacity: { storage: '1Gi' },
    accessModes: ['ReadWriteOnce'],
    csi: {
      driver: 'test.csi',
      volumeHandle: 'vol-1',
      volumeAttributes: { color: 'red' },
      nodeStageSecretRef: { name: 'stage', namespace: 'default' },
    },
    claimRef: { kind: 'PersistentVolumeClaim', namespace: 'default', name: 'claim' },
  };
  await client.resource('v1/persistentvolumes').create({ metadata: { name: 'pv' }, spec });
  const claims = client.resource('v1/persistentvolumeclaims', 'default');
  await claims.create({
    metadata: { name: 'claim' },
    spec: { accessModes: ['ReadWriteOnce'], volumeName: 'pv', resources: { requests: { storage: '1Gi' } } },
  });
  await f.create('csi', {
    containers: [
      shell(`echo kept > /data/file; ${forever}`, {
        volumeMounts: [
          { name: 'v', mountPath: '/data' },
          { name: 'inline', mountPath: '/inline' },
        ],
      }),
    ],
    volumes: [
      { name: 'v', persistentVolumeClaim: { claimName: 'claim' } },
      { name: 'inline', csi: { driver: 'test.csi', volumeAttributes: { size: 'big' } } },
    ],
  });
  await eventually(async () =>
    (await f.events()).some(e => e.includes('FailedMount') && e.includes('PVC default/claim is not bound')),
  );
  await claims.patch('claim', 'merge', { status: { phase: 'Bound' } }, { subresource: 'status' });
  await f.until('csi', ready);
  const file = `${f.dir}/csi-data/vol-1/file`;
  await eventually(async () => (await readFile(file, 'utf8').catch(() => '')) === 'kept\n');
  const call = (method: string, id: (r: Record<string, unknown>) => boolean) =>
    driver.calls.find(c => c.method === method && id(c.request))?.request;
  const stage = call('stage', r => r['volumeId'] === 'vol-1');
  assert.deepEqual(stage?.['secrets'], { password: 'sesame' });
  assert.deepEqual(stage?.['volumeContext'], { color: 'red' });
  const inline = call('publish', r => r['volumeId'] !== 'vol-1')?.['volumeContext'] as Record<string, string>;
  assert.equal(inline['size'], 'big');
  assert.equal(inline['csi.storage.k8s.io/ephemeral'], 'true');
  assert.equal(inline['csi.storage.k8s.io/pod.name'], 'csi');
  assert.deepEqual(f.node.host.volumesInUse(), ['kubernetes.io/csi/test.csi^vol-1']);
  await eventually(async () => {
    const node = await client
      .resource('storage.k8s.io/v1/csinodes')
      .get('n1')
      .catch(() => undefined);
    return node?.spec.drivers[0]?.name === 'test.csi' && node.spec.drivers[0].nodeID === 'n1';
  });
  await f.restart();
  await remove('csi');
  assert.deepEqual(
    driver.calls
      .filter(c => c.method.startsWith('un'))
      .map(c => c.method)
      .sort(),
    ['unpublish', 'unpublish', 'unstage'],
  );
  assert.ok(!(await readFile('/proc/self/mounts', 'utf8')).includes(`${f.dir}/kubelet/pods`));
  assert.deepEqual(f.node.host.volumesInUse(), []);
});

test('CSI: a volume grows on the node, and its claim says so', { skip }, async () => {
  const { client } = f;
  const claims = client.resource('v1/persistentvolumeclaims', 'default');
  await bound('grow', { capacity: { storage: '1Gi' } });
  await f.create('grow', {
    containers: [shell(forever, { volumeMounts: [{ name: 'v', mountPath: '/data' }] })],
    volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'grow' } }],
  });
  const pod = await f.until('grow', ready);
  const [usage] = await f.node.host.volumeUsage(pod);
  assert.deepEqual([usage?.claim, usage?.usage.bytes, usage?.filesystem?.capacityBytes], ['grow', 400, 1000]);
  await client.resource('v1/persistentvolumes').patch('grow', 'merge', { spec: { capacity: { storage: '2Gi' } } });
  const pending = { type: 'FileSystemResizePending', status: 'True', lastTransitionTime: null };
  await claims.patch('grow', 'merge', { status: { conditions: [pending] } }, { subresource: 'status' });
  await client.resource('v1/pods', 'default').patch('grow', 'merge', { metadata: { annotations: { look: 'again' } } });
  await eventually(async () => {
    const { status } = await claims.get('grow');
    return status?.capacity?.['storage'] === '2Gi' && !status.conditions?.length;
  });
  const request = driver.calls.find(c => c.method === 'expand')?.request;
  assert.deepEqual(request?.['capacityRange'], { requiredBytes: 2 ** 31, limitBytes: 0 });
  assert.match(String(request?.['stagingTargetPath']), /globalmount$/);
  assert.ok(
    (await f.events()).includes(
      'Normal FileSystemResizeSuccessful MountVolume.NodeExpandVolume succeeded for volume "grow" n1',
    ),
  );
  await f.create('sharing', {
    containers: [shell(forever, { volumeMounts: [{ name: 'v', mountPath: '/data' }] })],
    volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'grow' } }],
  });
  await f.until('sharing', ready);
  const unstaged = () => driver.calls.filter(c => c.method === 'unstage' && c.request['volumeId'] === 'grow').length;
  await remove('grow');
  assert.equal(unstaged(), 0, 'another pod still has it');
  await remove('sharing');
  assert.equal(unstaged(), 1);
});

test('CSI: a block volume is a device in the container', { skip }, async () => {
  await bound('block', { volumeMode: 'Block' });
  await f.create('block', {
    containers: [shell(forever, { volumeDevices: [{ name: 'v', devicePath: '/dev/xvda' }] })],
    volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'block' } }],
  });
  await f.until('block', ready);
  assert.match(await f.exec('block', 'ls', '-l', '/dev/xvda'), /^b.* 1, +0 .*\/dev\/xvda\n$/);
  const staged = driver.calls.find(c => c.method === 'stage' && c.request['volumeId'] === 'block')?.request;
  assert.ok((staged?.['volumeCapability'] as { block?: object } | undefined)?.block);
  await f.restart();
  await remove('block');
  assert.ok(driver.calls.some(c => c.method === 'unpublish' && c.request['volumeId'] === 'block'));
});

test('an image as a volume, read-only', { skip }, async () => {
  await f.create('image', {
    containers: [shell(forever, { volumeMounts: [{ name: 'i', mountPath: '/image', readOnly: true }] })],
    volumes: [{ name: 'i', image: { reference: busyboxImage, pullPolicy: 'IfNotPresent' } }],
  });
  await f.until('image', ready);
  assert.match(await f.exec('image', 'ls', '/image/bin/busybox'), /^\/image\/bin\/busybox\n$/);
  assert.match(await f.exec('image', 'sh', '-c', 'touch /image/x 2>&1'), /Read-only file system/);
  await remove('image');
});

test('host namespaces, host ports left to CNI, and a local volume', { skip }, async () => {
  await mkdir(`${f.dir}/local`);
  await writeFile(`${f.dir}/local/x`, 'local');
  await f.create('host', {
    hostNetwork: true,
    hostPID: true,
    hostIPC: true,
    containers: [
      shell(forever, {
        volumeMounts: [
          { name: 'l', mountPath: '/l', readOnly: true },
          { name: 'f', mountPath: '/one' },
        ],
      }),
    ],
    volumes: [
      { name: 'l', hostPath: { path: `${f.dir}/local`, type: 'Directory' } },
      { name: 'f', hostPath: { path: `${f.dir}/local/x`, type: 'File' } },
    ],
  });
  const pod = await f.until('host', ready);
  assert.equal(pod.status?.podIP, '127.0.0.1');
  assert.equal(await f.exec('host', 'cat', '/l/x', '/one'), 'locallocal');
  assert.match(await f.exec('host', 'cat', '/etc/hosts'), /host network/);
  assert.ok((await f.exec('host', 'ps')).includes('containerd'));
  await f.create('typed', {
    containers: [shell('true', { volumeMounts: [{ name: 'd', mountPath: '/d' }] })],
    volumes: [{ name: 'd', hostPath: { path: `${f.dir}/local/x`, type: 'Directory' } }],
  });
  const message = `Warning FailedMount MountVolume.SetUp failed for volume "d" : hostPath type check failed: ${f.dir}/local/x is not a directory`;
  await eventually(async () => (await f.events()).includes(message));
  await remove('typed');
});

test('NFS: a server that is not there is told', { skip }, async t => {
  if (!existsSync('/sbin/mount.nfs')) t.diagnostic('mount.nfs is missing: that is what the event says');
  await f.create('nfs', {
    containers: [shell('true', { volumeMounts: [{ name: 'n', mountPath: '/n' }] })],
    volumes: [{ name: 'n', nfs: { server: '127.0.0.1', path: '/none' } }],
  });
  const told =
    /^Warning FailedMount MountVolume\.SetUp failed for volume "n" : mount -t nfs 127\.0\.0\.1:\/none .* failed: \S/;
  await eventually(async () => (await f.events()).some(e => told.test(e)));
  t.diagnostic((await f.events()).find(e => told.test(e)) ?? '');
  await remove('nfs');
});

test('shared process namespace: the sandbox reaps orphans', { skip }, async () => {
  await f.create('shared', {
    shareProcessNamespace: true,
    containers: [shell(forever), shell(`sh -c "sleep 0.1 &"; ${forever}`, { name: 'other' })],
  });
  await f.until('shared', ready);
  const list = await f.exec('shared', 'ps', '-o', 'pid,stat,args');
  assert.match(list, /^\s+1 \S+\s+\/pause$/m);
  await eventually(async () => !/ Z /.test(await f.exec('shared', 'ps', '-o', 'pid,stat,args')));
});

test('static pods run without the API, show a mirror, and follow their file', { skip }, async () => {
  const manifest = (message: string) =>
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'fixed' },
      spec: {
        terminationGracePeriodSeconds: 1,
        containers: [shell(forever, { env: [{ name: 'MESSAGE', value: message }] })],
      },
    });
  const put = async (text: string) => {
    await writeFile(`${staticDir}/.new`, text);
    await rename(`${staticDir}/.new`, `${staticDir}/fixed.yaml`);
  };
  await put(manifest('one'));
  const mirror = await f.until('fixed-n1', ready);
  assert.ok(mirror.metadata.annotations?.['kubernetes.io/config.mirror']);
  assert.equal(mirror.metadata.ownerReferences?.[0]?.kind, 'Node');
  assert.equal(await f.exec('fixed-n1', 'sh', '-c', 'echo $MESSAGE'), 'one\n');
  await f.client.resource('v1/pods', 'default').delete('fixed-n1', { gracePeriodSeconds: 0 });
  await f.until('fixed-n1', p => p.metadata.uid !== undefined && p.metadata.uid !== mirror.metadata.uid && ready(p));
  await put(manifest('two'));
  await f.until(
    'fixed-n1',
    p =>
      p.metadata.annotations?.['kubernetes.io/config.hash'] !==
        mirror.metadata.annotations?.['kubernetes.io/config.hash'] && ready(p),
  );
  assert.equal(await f.exec('fixed-n1', 'sh', '-c', 'echo $MESSAGE'), 'two\n');
  await rm(`${staticDir}/fixed.yaml`);
  await f.gone('fixed-n1');
});

test('nothing of deleted pods is left on the machine', { skip }, async () => {
  for (const name of ['host', 'shared']) await remove(name);
  await eventually(async () => (await f.node.runtime.listPodSandboxes()).length === 0);
  assert.deepEqual(await readdir(`${f.dir}/kubelet/pods`), []);
  assert.deepEqual(await readdir(`${f.dir}/logs`), []);
  assert.deepEqual(await f.node.host.cgroups.list(), []);
  const leases = (await readdir(`${f.dir}/ipam/test`)).filter(n => /^\d/.test(n));
  assert.deepEqual(leases, []);
});
