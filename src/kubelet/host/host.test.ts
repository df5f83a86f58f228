import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Pod } from '../../api/types/core-v1.ts';
import { systemClock } from '../../base/clock.ts';
import { createPodCgroups, sharesToWeight } from './cgroups.ts';
import { refuseByAppArmor } from './linux.ts';
import { createUserNamespaces } from './user-namespaces.ts';

const uid = '01234567-89ab-cdef-0123-456789abcdef';
const pod: Pod = {
  metadata: { name: 'p', namespace: 'd', uid },
  spec: {
    containers: [
      {
        name: 'app',
        image: 'i',
        resources: { requests: { cpu: '100m', memory: '32Mi' }, limits: { cpu: '200m', memory: '64Mi' } },
      },
    ],
  },
};

async function scratch(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'tn-host-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

test('cgroup v2: limits are in the unified files, controllers are handed down, usage is read', async t => {
  const root = await scratch(t);
  const path = `/kubepods/burstable/pod${uid}`;
  for (const at of ['', '/kubepods', '/kubepods/burstable', path]) {
    await mkdir(`${root}${at}`, { recursive: true });
    await writeFile(`${root}${at}/cgroup.controllers`, 'cpu memory\n');
  }
  const cgroups = createPodCgroups('/kubepods', systemClock, root);
  assert.equal(cgroups.version, 2);
  assert.equal(cgroups.parentOf(pod), path);
  await cgroups.apply(pod);
  const read = (file: string) => readFile(`${root}${path}/${file}`, 'utf8');
  assert.equal(await read('cpu.weight'), String(sharesToWeight(102)));
  assert.equal(await read('cpu.max'), '20000 100000');
  assert.equal(await read('memory.max'), String(64 * 2 ** 20));
  assert.equal(await readFile(`${root}/kubepods/burstable/cgroup.subtree_control`, 'utf8'), '+memory');
  await writeFile(`${root}${path}/memory.current`, '5000\n');
  await writeFile(`${root}${path}/memory.stat`, 'anon 1\ninactive_file 2000\n');
  await writeFile(`${root}${path}/cpu.stat`, 'usage_usec 7\nuser_usec 3\n');
  await writeFile(`${root}${path}/pids.current`, '4\n');
  assert.deepEqual(await cgroups.usage(path), {
    ...{ cpuNanos: 7000, processes: 4, memoryBytes: 5000, workingSetBytes: 3000 },
  });
  assert.deepEqual(await cgroups.list(), [uid]);
});

test('cgroup v1: limits are in each controller', async t => {
  const root = await scratch(t);
  for (const controller of ['cpu', 'memory', 'pids']) await mkdir(`${root}/${controller}`);
  const cgroups = createPodCgroups('/kubepods', systemClock, root);
  assert.equal(cgroups.version, 1);
  await cgroups.apply(pod);
  const path = `/kubepods/burstable/pod${uid}`;
  assert.equal(await readFile(`${root}/cpu${path}/cpu.cfs_quota_us`, 'utf8'), '20000');
  assert.equal(await readFile(`${root}/memory${path}/memory.limit_in_bytes`, 'utf8'), String(64 * 2 ** 20));
  assert.deepEqual(await cgroups.list(), [uid]);
  await rm(`${root}/cpu${path}`, { recursive: true });
  assert.deepEqual(await cgroups.list(), [uid], 'left in one hierarchy');
});

test('a real unified hierarchy: cgroups are made, found and removed, with what still runs in them', async t => {
  const root = await scratch(t);
  try {
    execFileSync('mount', ['-t', 'cgroup2', 'none', root], { stdio: 'ignore' });
  } catch {
    return t.skip('this process may not mount a cgroup2 hierarchy');
  }
  const name = `/tn-unified-${process.pid}`;
  try {
    const cgroups = createPodCgroups(name, systemClock, root);
    assert.equal(cgroups.version, 2);
    await cgroups.apply(pod);
    assert.deepEqual(await cgroups.list(), [uid]);
    const inside = `${root}${cgroups.parentOf(pod)}/left`;
    await mkdir(inside);
    const forgotten = spawn('sleep', ['60']);
    const exited = once(forgotten, 'exit');
    await writeFile(`${inside}/cgroup.procs`, String(forgotten.pid));
    await cgroups.remove(uid);
    assert.deepEqual(await cgroups.list(), []);
    assert.deepEqual(await exited, [null, 'SIGKILL']);
  } finally {
    for (const at of ['/burstable', ''])
      await rm(`${root}${name}${at}`, { recursive: false }).catch(() => execFileSync('rmdir', [`${root}${name}${at}`]));
    execFileSync('umount', [root]);
  }
});

test('user namespaces never overlap, and a pod keeps its own', async t => {
  const root = await scratch(t);
  const users = createUserNamespaces(root);
  const [a, b] = await Promise.all([users.rangeOf('a'), users.rangeOf('b')]);
  assert.notEqual(a.hostId, b.hostId);
  assert.ok(a.hostId >= 65_536 && b.hostId >= 65_536);
  assert.deepEqual(await createUserNamespaces(root).rangeOf('a'), a);
  await rm(`${root}/b`, { recursive: true });
  assert.equal((await users.rangeOf('c')).hostId, b.hostId);
  assert.deepEqual((await readdir(root)).sort(), ['a', 'c']);
});

test('a pod that wants AppArmor is refused where there is none', () => {
  const confined = (securityContext: object, annotations = {}): Pod => ({
    metadata: { ...pod.metadata, annotations },
    spec: { containers: [{ name: 'app', image: 'i', securityContext }] },
  });
  const profile = { appArmorProfile: { type: 'RuntimeDefault' } };
  assert.equal(refuseByAppArmor(confined(profile), true), undefined);
  assert.equal(refuseByAppArmor(confined({ appArmorProfile: { type: 'Unconfined' } }), false), undefined);
  assert.match(refuseByAppArmor(confined(profile), false)?.message ?? '', /AppArmor is not enabled on the host/);
  const old = { 'container.apparmor.security.beta.kubernetes.io/app': 'localhost/strict' };
  assert.equal(refuseByAppArmor(confined({}, old), false)?.reason, 'AppArmor');
});
