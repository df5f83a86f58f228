import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import type { SandboxConfig, StreamSession } from '../../../src/kubelet/runtime/contract.ts';
import { createCriRuntime } from '../../../src/kubelet/runtime/cri/index.ts';
import { busyboxImage } from '../../support/images.ts';
import { eventually } from '../../support/linux-node.ts';
import { createNodeFixture, type NodeFixture, whyNoContainers } from '../../support/node.ts';

const skip = whyNoContainers();
let node: NodeFixture;
let sandboxId = '';
const sandbox = (name: string): SandboxConfig => ({
  metadata: { name, uid: `uid-${name}`, namespace: 'default', attempt: 0 },
  hostname: name,
  logDirectory: `${node.dir}/logs/${name}`,
  labels: { 'io.kubernetes.pod.uid': `uid-${name}` },
  annotations: {},
  linux: {},
});
async function text(readable: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of readable) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
async function startShell(script: string): Promise<string> {
  const { runtime } = node.containerd;
  const config = sandbox('one');
  const id = await runtime.createContainer(
    sandboxId,
    {
      metadata: { name: `c${script.length}`, attempt: 0 },
      image: { image: busyboxImage },
      command: ['sh', '-c', script],
      labels: {},
      annotations: {},
      logPath: `${script.length}.log`,
      linux: {},
    },
    config,
  );
  await runtime.startContainer(id);
  return id;
}

before(async () => {
  if (skip) return;
  node = await createNodeFixture();
  sandboxId = await node.containerd.runtime.runPodSandbox(sandbox('one'), '');
});
after(async () => node?.destroy());

test('the runtime is ready and a sandbox has an address', { skip }, async () => {
  const { runtime } = node.containerd;
  const { conditions } = await runtime.status();
  assert.deepEqual(
    conditions.map(c => [c.type, c.status]),
    [
      ['RuntimeReady', true],
      ['NetworkReady', true],
    ],
  );
  const status = await runtime.podSandboxStatus(sandboxId);
  assert.equal(status.state, 'SANDBOX_READY');
  assert.match(status.network?.ip ?? '', /^10\.199\.1\./);
});

test('a start that is cut off at any moment leaves nothing that cannot be removed', { skip }, async () => {
  const { runtime, socket } = node.containerd;
  const begin = async (name: string) => {
    const config = sandbox(name);
    const pod = await runtime.runPodSandbox(config, '');
    const image = { image: busyboxImage };
    const metadata = { name: 'app', attempt: 0 };
    const container = { metadata, image, command: ['sleep', '60'], labels: {}, annotations: {}, linux: {} };
    return { pod, id: await runtime.createContainer(pod, container, config) };
  };
  const remove = async ({ pod, id }: { pod: string; id: string }) => {
    await runtime.stopContainer(id, 0);
    await runtime.stopPodSandbox(pod);
    await runtime.removeContainer(id);
    await runtime.removePodSandbox(pod);
  };
  const whole = await begin('whole');
  const before = performance.now();
  await runtime.startContainer(whole.id);
  const startMs = performance.now() - before;
  await remove(whole);
  const tries = 20;
  for (let i = 0; i < tries; i++) {
    const cut = await begin(`cut${i}`);
    const dying = createCriRuntime({ socket, clock: systemClock });
    await dying.version();
    const started = dying.startContainer(cut.id).catch(() => undefined);
    await new Promise(resolve => setTimeout(resolve, startMs * (0.4 + (0.8 * i) / tries)));
    await dying.close();
    await started;
    // The runtime works on for a moment, and refuses meanwhile.
    await eventually(() =>
      remove(cut).then(
        () => true,
        () => false,
      ),
    );
  }
  assert.deepEqual(
    (await runtime.listPodSandboxes()).map(s => s.metadata.name),
    ['one'],
  );
});

test('a container ends, its exit is announced and its log is on disk', { skip }, async t => {
  const { runtime } = node.containerd;
  const stop = new AbortController();
  t.after(() => stop.abort());
  const seen = new Set<string>();
  let wake: () => void = () => undefined;
  const watching = runtime.watchEvents(event => {
    seen.add(event.containerId);
    wake();
  }, stop.signal);
  const id = await startShell('echo out; echo err >&2; exit 3');
  for (let status = await runtime.containerStatus(id); status.state !== 'CONTAINER_EXITED'; ) {
    await new Promise<void>(resolve => {
      wake = resolve;
      setTimeout(resolve, 200);
    });
    status = await runtime.containerStatus(id);
  }
  const status = await runtime.containerStatus(id);
  assert.equal(status.exitCode, 3);
  assert.equal(status.reason, 'Error');
  assert.ok(status.finishedAt > 1e18 && status.startedAt > 1e18);
  stop.abort();
  assert.equal(await watching, true);
  assert.ok(seen.has(id), 'no event came for the container');
  const log = await readFile(`${node.dir}/logs/one/30.log`, 'utf8');
  assert.match(log, /stdout F out\n/);
  assert.match(log, /stderr F err\n/);
});

test('exec: sync, streamed, with stdin, with a tty and with an exit code', { skip }, async () => {
  const { runtime } = node.containerd;
  const id = await startShell('sleep 1000');
  const sync = await runtime.execSync(id, ['sh', '-c', 'echo hi; exit 4'], 5);
  assert.equal(Buffer.from(sync.stdout).toString(), 'hi\n');
  assert.equal(sync.exitCode, 4);
  const finish = async (s: StreamSession) => [await text(s.stdout), await text(s.stderr), await s.done] as const;
  const both = await runtime.exec(id, ['sh', '-c', 'cat; echo e >&2; exit 5'], {
    stdin: true,
    stdout: true,
    stderr: true,
    tty: false,
  });
  const large = Buffer.alloc(300_000, 'x');
  await both.writeStdin(large);
  both.endStdin();
  const [out, err, code] = await finish(both);
  assert.equal(out.length, large.length);
  assert.deepEqual([err, code], ['e\n', 5]);
  const options = { stdin: true, stdout: true, stderr: false, tty: true };
  const terminal = await runtime.exec(id, ['sh', '-c', 'until stty size | grep -q 90; do :; done; stty size'], options);
  terminal.resize(90, 33);
  assert.match((await finish(terminal))[0], /33 90/);
  await runtime.stopContainer(id, 0);
});

test('port-forward reaches a server inside the sandbox', { skip }, async () => {
  const { runtime } = node.containerd;
  const id = await startShell('echo ready; nc -l -p 7777 -e cat');
  const stream = await connectWithRetry();
  await stream.write(Buffer.from('ping'));
  stream.end();
  assert.equal(await text(stream.readable), 'ping');
  await runtime.stopContainer(id, 0);

  async function connectWithRetry() {
    for (;;) {
      const listening = await runtime.execSync(id, ['sh', '-c', 'netstat -ltn | grep -c 7777'], 5);
      if (listening.exitCode === 0) return runtime.portForward(sandboxId, 7777);
    }
  }
});

test('a restarted agent finds its containerd and its containers', { skip }, async () => {
  const pid = node.containerd.pid;
  const id = await startShell('while true; do sleep 1; done');
  const again = await node.reopen();
  assert.equal(again.pid, pid);
  assert.equal((await again.runtime.containerStatus(id)).state, 'CONTAINER_RUNNING');
  await again.runtime.stopContainer(id, 0);
});

test('errors carry a code', { skip }, async () => {
  const { runtime } = node.containerd;
  await assert.rejects(runtime.containerStatus('nope'), { name: 'RuntimeError', code: 'NotFound' });
  await runtime.removeContainer('nope');
  assert.equal(await runtime.imageStatus({ image: 'localhost/none:1' }), undefined);
});
