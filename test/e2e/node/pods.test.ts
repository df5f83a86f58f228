import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import type { Container } from '../../../src/api/types/core-v1.ts';
import type { PodWorker } from '../../../src/kubelet/pod/worker.ts';
import { busyboxImage } from '../../support/images.ts';
import { createLinuxNodeFixture, eventually, type LinuxNodeFixture, ready } from '../../support/linux-node.ts';
import { whyNoContainers } from '../../support/node.ts';

const skip = whyNoContainers();
let f: LinuxNodeFixture;
/** The node's memory, as the eviction manager is told. */
const short = { available: 1000, capacity: 1000 };
/** The node's disk, likewise. */
const disk = { available: 1000, capacity: 1000 };
before(async () => {
  if (skip) return;
  const eviction = {
    intervalMs: 200,
    transitionMs: 500,
    thresholds: [
      { signal: 'memory.available' as const, quantity: 100 },
      { signal: 'nodefs.available' as const, share: 0.1 },
    ],
    observe: async () => ({ 'memory.available': { ...short }, 'nodefs.available': { ...disk } }),
  };
  f = await createLinuxNodeFixture({ eviction, diskPeriodMs: 100 });
});
after(async () => f?.destroy());

const shell = (script: string, rest: Partial<Container> = {}): Container => ({
  name: 'app',
  image: busyboxImage,
  imagePullPolicy: 'IfNotPresent',
  command: ['sh', '-c', script],
  ...rest,
});
const relieved = (type: string) =>
  eventually(async () => {
    const node = await f.client.resource('v1/nodes').get('n1');
    return node.status?.conditions?.some(c => c.type === type && c.status === 'False') ?? false;
  });
const forever = 'trap "exit 0" TERM; while true; do sleep 0.1; done';

test('a pod runs, answers exec, and leaves nothing behind', { skip }, async () => {
  await f.create('simple', { containers: [shell(forever)] });
  const pod = await f.until('simple', ready);
  assert.match(pod.status?.podIP ?? '', /^10\.199\.2\./);
  assert.match(pod.status?.containerStatuses?.[0]?.containerID ?? '', /^containerd:\/\//);
  assert.equal((await f.exec('simple', 'hostname')).trim(), 'simple');
  const hosts = await f.exec('simple', 'cat', '/etc/hosts');
  assert.match(hosts, new RegExp(`${pod.status?.podIP}\tsimple`));
  const resolv = await f.exec('simple', 'cat', '/etc/resolv.conf');
  assert.match(resolv, /search default\.svc\.cluster\.local svc\.cluster\.local cluster\.local/);
  assert.match(resolv, /nameserver 10\.96\.0\.10/);
  await f.client.resource('v1/pods', 'default').delete('simple');
  await f.gone('simple');
  assert.deepEqual(await readdir(`${f.dir}/kubelet/pods`), []);
  assert.ok(!(await readFile('/proc/self/mounts', 'utf8')).includes(pod.metadata.uid ?? '?'));
  assert.deepEqual(await f.node.runtime.listPodSandboxes({ 'io.kubernetes.pod.uid': pod.metadata.uid ?? '' }), []);
});

test('environment and volumes: what the API holds is in the container, and changes arrive at once', {
  skip,
}, async () => {
  const { client } = f;
  await client
    .resource('v1/configmaps', 'default')
    .create({ metadata: { name: 'cm' }, data: { color: 'red', 'a.txt': 'A' } });
  await client
    .resource('v1/secrets', 'default')
    .create({ metadata: { name: 'sec' }, data: { key: Buffer.from('hidden').toString('base64') } });
  await f.create(
    'vols',
    {
      securityContext: { fsGroup: 1234 },
      initContainers: [
        shell('echo made > /scratch/sub/made', {
          name: 'init',
          volumeMounts: [{ name: 'empty', mountPath: '/scratch/sub', subPath: 'deep/er' }],
        }),
      ],
      containers: [
        shell(forever, {
          env: [
            { name: 'COLOR', valueFrom: { configMapKeyRef: { name: 'cm', key: 'color' } } },
            { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
            { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu', divisor: '1m' } } },
            { name: 'BOTH', value: '$(COLOR)-$(POD)-$$(POD)' },
          ],
          resources: { requests: { cpu: '100m', memory: '32Mi' }, limits: { cpu: '200m', memory: '64Mi' } },
          volumeMounts: [
            { name: 'empty', mountPath: '/empty' },
            { name: 'memory', mountPath: '/memory' },
            { name: 'cm', mountPath: '/cm', readOnly: true },
            { name: 'all', mountPath: '/all' },
          ],
        }),
      ],
      volumes: [
        { name: 'empty', emptyDir: {} },
        { name: 'memory', emptyDir: { medium: 'Memory', sizeLimit: '8Mi' } },
        { name: 'cm', configMap: { name: 'cm' } },
        {
          name: 'all',
          projected: {
            sources: [
              { secret: { name: 'sec', items: [{ key: 'key', path: 'dir/key' }] } },
              { downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
            ],
          },
        },
      ],
    },
    { labels: { app: 'vols' } },
  );
  await f.until('vols', ready);
  const sh = (script: string) => f.exec('vols', 'sh', '-c', script).then(t => t.trim());
  assert.equal(await sh('echo $BOTH $CPU'), 'red-vols-$(POD) 200');
  assert.equal(await sh('cat /empty/deep/er/made'), 'made');
  assert.equal(await sh('stat -c %g /empty'), '1234');
  assert.match(await sh('grep " /memory " /proc/mounts'), /^tmpfs \/memory tmpfs .*size=8192k/);
  assert.equal(await sh('cat /cm/color /all/dir/key /all/labels'), 'redhiddenapp="vols"');
  assert.match(await sh('readlink /cm/color; readlink /cm/..data'), /^\.\.data\/color\n\.\.data-1\./);
  const maps = client.resource('v1/configmaps', 'default');
  await maps.patch('cm', 'merge', { data: { color: 'blue', 'a.txt': null } });
  await client.resource('v1/pods', 'default').patch('vols', 'merge', { metadata: { labels: { app: 'new' } } });
  for (let tries = 0; (await sh('cat /cm/color /all/labels')) !== 'blueapp="new"' && tries < 100; tries++)
    await client
      .resource('v1/pods', 'default')
      .patch('vols', 'merge', { metadata: { annotations: { tries: String(tries) } } });
  assert.equal(await sh('cat /cm/color /all/labels; ls /cm'), 'blueapp="new"color');
});

test('limits are in the cgroup, and an in-place resize changes them without a restart', { skip }, async () => {
  const worker = f.node.kubelet.podByName('default', 'vols');
  const id = worker?.view.containers.get('app')?.[0]?.status.id ?? '';
  const parent = f.node.host.cgroupParent((worker as PodWorker).pod);
  const limit = async () => {
    const v1 = `/sys/fs/cgroup/memory${parent}/${id}/memory.limit_in_bytes`;
    const v2 = `/sys/fs/cgroup${parent}/${id}/memory.max`;
    return Number(await readFile(f.node.host.cgroups.version === 1 ? v1 : v2, 'utf8'));
  };
  assert.equal(await limit(), 64 * 2 ** 20);
  const resources = { requests: { cpu: '100m', memory: '32Mi' }, limits: { cpu: '200m', memory: '96Mi' } };
  const pods = f.client.resource('v1/pods', 'default');
  const patch = { spec: { containers: [{ name: 'app', resources }] } };
  await pods.patch('vols', 'strategic', patch, { subresource: 'resize' });
  await f.until('vols', p => p.status?.containerStatuses?.[0]?.resources?.limits?.['memory'] === '96Mi');
  assert.equal(await limit(), 96 * 2 ** 20);
  assert.equal(worker?.view.containers.get('app')?.[0]?.status.id, id);
});

test('security contexts: user, groups, read-only root, capabilities, no new privileges', { skip }, async () => {
  await f.create('secure', {
    securityContext: {
      runAsUser: 1000,
      runAsGroup: 2000,
      supplementalGroups: [3000],
      seccompProfile: { type: 'RuntimeDefault' },
    },
    containers: [
      shell(forever, {
        securityContext: {
          readOnlyRootFilesystem: true,
          allowPrivilegeEscalation: false,
          capabilities: { drop: ['ALL'] },
        },
      }),
    ],
  });
  await f.until('secure', ready);
  const sh = (script: string) => f.exec('secure', 'sh', '-c', script).then(t => t.trim());
  assert.equal(await sh('id -u; id -g; id -G'), '1000\n2000\n2000 3000');
  assert.match(await sh('touch /x 2>&1'), /Read-only file system/);
  const status = await sh('cat /proc/self/status');
  assert.match(status, /CapEff:\s+0000000000000000/);
  assert.match(status, /NoNewPrivs:\s+1/);
  assert.match(status, /Seccomp:\s+2/);
});

test('a user namespace of its own, or a word why there is none', { skip }, async t => {
  await f.create('users', { hostUsers: false, containers: [shell(forever)] });
  const { handlers } = await f.node.runtime.status();
  if (handlers.some(h => h.name === '' && h.features?.userNamespaces)) {
    await f.until('users', ready);
    assert.match(await f.exec('users', 'cat', '/proc/self/uid_map'), /^\s+0\s+\d{5,}\s+65536$/m);
  } else {
    t.diagnostic('this containerd has no user namespaces: only the refusal is tried');
    const why =
      "Warning FailedCreatePodSandBox Failed to create pod sandbox: can't set `spec.hostUsers: false`, runtime does not support user namespaces";
    await eventually(async () => (await f.events()).includes(why));
  }
  await f.client.resource('v1/pods', 'default').delete('users');
  await f.gone('users');
});

test('read-only all the way down, or a word why not', { skip }, async t => {
  const mount = { name: 'v', mountPath: '/v', readOnly: true };
  const volumes = [{ name: 'v', emptyDir: {} }];
  await f.create('must', {
    volumes,
    containers: [shell(forever, { volumeMounts: [{ ...mount, recursiveReadOnly: 'Enabled' }] })],
  });
  await f.create('may', {
    volumes,
    containers: [shell(forever, { volumeMounts: [{ ...mount, recursiveReadOnly: 'IfPossible' }] })],
  });
  const shown = (await f.until('may', ready)).status?.containerStatuses?.[0]?.volumeMounts?.[0]?.recursiveReadOnly;
  const { handlers } = await f.node.runtime.status();
  if (handlers.some(h => h.name === '' && h.features?.recursiveReadOnlyMounts)) {
    await f.until('must', ready);
    assert.equal(shown, 'Enabled');
  } else {
    t.diagnostic('this containerd has no recursive read-only mounts: only the refusal is tried');
    const pod = await f.until(
      'must',
      p => p.status?.containerStatuses?.[0]?.state?.waiting?.reason === 'CreateContainerConfigError',
    );
    assert.match(
      pod.status?.containerStatuses?.[0]?.state?.waiting?.message ?? '',
      /recursive read-only .* not supported by the runtime/,
    );
    assert.equal(shown, 'Disabled');
  }
  for (const name of ['must', 'may']) {
    await f.client.resource('v1/pods', 'default').delete(name);
    await f.gone(name);
  }
});

test('a pod that must be confined by AppArmor does not run without', { skip }, async t => {
  const enabled = await readFile('/sys/module/apparmor/parameters/enabled', 'utf8').catch(() => '');
  if (enabled.startsWith('Y')) return t.skip('this host has AppArmor');
  const securityContext = { appArmorProfile: { type: 'RuntimeDefault' } };
  await f.create('confined', { containers: [shell(forever, { securityContext })] });
  const pod = await f.until('confined', p => p.status?.phase === 'Failed');
  assert.equal(pod.status?.reason, 'AppArmor');
  await f.client.resource('v1/pods', 'default').delete('confined');
  await f.gone('confined');
});

test('a root image under runAsNonRoot, a bad command and a missing image say why', { skip }, async () => {
  await f.create('root', { containers: [shell('true', { securityContext: { runAsNonRoot: true } })] });
  await f.create('command', { containers: [{ ...shell(''), command: ['/none'] }] });
  await f.create('image', { containers: [shell('true', { image: 'localhost:1/none:1' })] });
  const waiting =
    (reason: string) => (p: { status?: { containerStatuses?: { state?: { waiting?: { reason?: string } } }[] } }) =>
      p.status?.containerStatuses?.[0]?.state?.waiting?.reason === reason;
  const root = await f.until('root', waiting('CreateContainerConfigError'));
  assert.match(
    root.status?.containerStatuses?.[0]?.state?.waiting?.message ?? '',
    /runAsNonRoot and image will run as root/,
  );
  const bad = await f.until('command', waiting('CrashLoopBackOff'));
  const last = bad.status?.containerStatuses?.[0]?.lastState?.terminated;
  assert.equal(last?.exitCode, 128);
  assert.equal(last?.reason, 'StartError');
  assert.match(last?.message ?? '', /exec: \\?"\/none\\?"/);
  await f.until('image', waiting('ImagePullBackOff'));
});

test('termination messages and probes', { skip }, async () => {
  await f.create('message', {
    restartPolicy: 'Never',
    containers: [shell('echo from log; echo told > /dev/termination-log; exit 3')],
  });
  await f.create('fallback', {
    restartPolicy: 'Never',
    containers: [shell('echo from log; exit 3', { terminationMessagePolicy: 'FallbackToLogsOnError' })],
  });
  const message = async (name: string) =>
    (await f.until(name, p => p.status?.phase === 'Failed')).status?.containerStatuses?.[0]?.state?.terminated?.message;
  assert.equal(await message('message'), 'told\n');
  assert.equal(await message('fallback'), 'from log\n');
  const server = `mkdir /w; echo ok > /w/ok; httpd -p 8080 -h /w; ${forever}`;
  await f.create('probed', {
    containers: [
      shell(server, {
        ports: [{ name: 'web', containerPort: 8080 }],
        readinessProbe: { httpGet: { path: '/ok', port: 'web' }, periodSeconds: 1 },
        livenessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1, failureThreshold: 1, initialDelaySeconds: 2 },
      }),
    ],
  });
  await f.until('probed', ready);
  await f.exec('probed', 'rm', '/w/ok');
  await f.until('probed', p => !ready(p));
  const events = await f.events();
  assert.ok(
    events.includes('Warning Unhealthy Readiness probe failed: HTTP probe failed with statuscode: 404'),
    events.join('\n'),
  );
  await f.exec('probed', 'killall', 'httpd');
  await f.until('probed', p => p.status?.containerStatuses?.[0]?.restartCount === 1);
});

test('hooks run, and termination waits for the process', { skip }, async () => {
  await f.create('hooked', {
    terminationGracePeriodSeconds: 10,
    containers: [
      shell('trap "echo term >> /out/log; exit 0" TERM; while true; do sleep 0.1; done', {
        volumeMounts: [{ name: 'out', mountPath: '/out' }],
        lifecycle: {
          postStart: { exec: { command: ['sh', '-c', 'echo post >> /out/log'] } },
          preStop: { exec: { command: ['sh', '-c', 'echo pre >> /out/log'] } },
        },
      }),
    ],
    volumes: [{ name: 'out', hostPath: { path: `${f.dir}/hooked`, type: 'DirectoryOrCreate' } }],
  });
  await f.until('hooked', ready);
  await f.client.resource('v1/pods', 'default').delete('hooked');
  await f.gone('hooked');
  assert.equal(await readFile(`${f.dir}/hooked/log`, 'utf8'), 'post\npre\nterm\n');
});

test('ephemeral containers join a running pod', { skip }, async () => {
  await f.create('target', { containers: [shell(forever)] });
  await f.until('target', ready);
  const pods = f.client.resource('v1/pods', 'default');
  const patch = {
    spec: {
      ephemeralContainers: [{ ...shell(forever), name: 'debug', targetContainerName: 'app' }],
    },
  };
  await pods.patch('target', 'strategic', patch, { subresource: 'ephemeralcontainers' });
  await f.until('target', p => p.status?.ephemeralContainerStatuses?.[0]?.state?.running !== undefined);
});

test('limits of local storage: the pod is evicted and says why', { skip }, async () => {
  const fill = 'dd if=/dev/zero of=/data/f bs=1M count=3; ';
  await f.create('filled', {
    containers: [shell(fill + forever, { volumeMounts: [{ name: 'd', mountPath: '/data' }] })],
    volumes: [{ name: 'd', emptyDir: { sizeLimit: '2Mi' } }],
  });
  const pod = await f.until('filled', p => p.status?.phase === 'Failed');
  const message = 'Usage of EmptyDir volume "d" exceeds the limit "2Mi". ';
  assert.deepEqual([pod.status?.reason, pod.status?.message], ['Evicted', message]);
  assert.ok(!pod.status?.conditions?.some(c => c.type === 'DisruptionTarget'));
  assert.ok((await f.events()).includes(`Warning Evicted ${message}`));
  const chatty = 'i=0; while [ $i -lt 40 ]; do head -c 60000 /dev/zero | tr "\\0" x; echo; i=$((i+1)); done; ';
  await f.create('chatty', {
    containers: [shell(chatty + forever, { resources: { limits: { 'ephemeral-storage': '1Mi' } } })],
  });
  const logged = await f.until('chatty', p => p.status?.phase === 'Failed');
  assert.match(
    logged.status?.message ?? '',
    /^Pod ephemeral local storage usage exceeds the total limit of containers 1Mi\. $/,
  );
  for (const name of ['filled', 'chatty']) {
    await f.client.resource('v1/pods', 'default').delete(name);
    await f.gone(name);
  }
});

test('memory pressure: told at once, the pod above its request goes, the others stay', { skip }, async () => {
  const spec = { containers: [shell(forever, { resources: { requests: { memory: '64Mi' } } })] };
  await f.create('modest', spec);
  await f.create('greedy', { containers: [shell(`head -c 20000000 /dev/zero | tail & ${forever}`)] });
  await f.until('modest', ready);
  await f.until('greedy', ready);
  short.available = 0;
  const gone = await f.until('greedy', p => p.status?.phase === 'Failed');
  short.available = 1000;
  assert.match(
    gone.status?.message ?? '',
    /^The node was low on resource: memory\. Threshold quantity: 100, available: 0\. Container app was using \d+[KM]i, request is 0, has larger consumption of memory\. $/,
  );
  assert.equal(gone.status?.conditions?.find(c => c.type === 'DisruptionTarget')?.reason, 'TerminationByKubelet');
  assert.equal(f.pods.store.get('default/modest')?.status?.phase, 'Running');
  await relieved('MemoryPressure');
  for (const name of ['modest', 'greedy']) {
    await f.client.resource('v1/pods', 'default').delete(name);
    await f.gone(name);
  }
});

test('the disk runs full: the pod that uses most goes, and says why', { skip }, async () => {
  await f.create('lean', { containers: [shell(forever)] });
  await f.create('fat', { containers: [shell(`dd if=/dev/zero of=/f bs=1M count=8; ${forever}`)] });
  await f.until('lean', ready);
  await f.until('fat', ready);
  await eventually(async () => {
    const { pods } = await f.node.stats.summary();
    const fat = pods.find(p => p.podRef.name === 'fat');
    return (fat?.['ephemeral-storage']?.usedBytes ?? 0) > 8 * 2 ** 20;
  });
  disk.available = 10;
  const gone = await f.until('fat', p => p.status?.phase === 'Failed');
  disk.available = 1000;
  await relieved('DiskPressure');
  assert.match(
    gone.status?.message ?? '',
    /^The node was low on resource: ephemeral-storage\. Threshold quantity: 100, available: 10\. Container app was using \d+[KM]i, request is 0, has larger consumption of ephemeral-storage\. $/,
  );
  assert.equal(f.pods.store.get('default/lean')?.status?.phase, 'Running');
  for (const name of ['lean', 'fat']) {
    await f.client.resource('v1/pods', 'default').delete(name);
    await f.gone(name);
  }
});

test('containerd is killed and comes back: containers run on, and new pods start', { skip }, async () => {
  await f.create('survivor', { containers: [shell(forever)] });
  const before = await f.until('survivor', ready);
  const { containerd } = f.node;
  process.kill(containerd?.pid ?? 0, 'SIGKILL');
  await f.create('later', { containers: [shell(forever)] });
  await f.until('later', ready, 60);
  const now = await f.until('survivor', ready);
  assert.equal(now.status?.containerStatuses?.[0]?.containerID, before.status?.containerStatuses?.[0]?.containerID);
  assert.equal(now.status?.containerStatuses?.[0]?.restartCount, 0);
});

test('a restarted agent touches nothing and knows its pods', { skip }, async () => {
  const ids = async () =>
    (await f.node.runtime.listContainers())
      .filter(c => c.state === 'CONTAINER_RUNNING')
      .map(c => c.id)
      .sort();
  for (const name of ['command', 'image', 'root', 'probed']) {
    await f.client.resource('v1/pods', 'default').delete(name);
    await f.gone(name);
  }
  const running = await ids();
  await f.restart();
  await f.until('survivor', ready);
  assert.deepEqual(await ids(), running);
  await f.client.resource('v1/pods', 'default').delete('survivor');
  await f.gone('survivor');
});
