/** An API server in memory and a real node under it, for tests with real containers. */
import { mkdir } from 'node:fs/promises';
import type { Pod, PodSpec } from '../../src/api/types/core-v1.ts';
import { createApiServer } from '../../src/apiserver/index.ts';
import { strategies } from '../../src/apiserver/registry/index.ts';
import { systemClock } from '../../src/base/clock.ts';
import { lineLogger, silentLogger } from '../../src/base/log.ts';
import { createMetrics } from '../../src/base/metrics.ts';
import { systemRandom } from '../../src/base/random.ts';
import type { Client, Informer } from '../../src/client/contract.ts';
import { createClient, createInformerFactory, inProcessTransport } from '../../src/client/index.ts';
import { removeCgroups } from '../../src/kubelet/host/cgroups.ts';
import { detectMachine } from '../../src/kubelet/host/machine.ts';
import { createLinuxNode, type LinuxNode, type LinuxNodeOptions } from '../../src/kubelet/linux-node.ts';
import { createMemoryStore } from '../../src/store/memory/index.ts';
import { cniBinDir, createNodeFixture, type NodeFixture } from './node.ts';

export interface LinuxNodeFixture {
  readonly dir: string;
  readonly node: LinuxNode;
  /** As an administrator. */
  readonly client: Client;
  readonly pods: Informer<Pod>;
  create(name: string, spec: Partial<PodSpec>, metadata?: object): Promise<Pod>;
  /** Resolves when the pod is so, or rejects after 30 seconds with what it was. */
  until(name: string, done: (pod: Pod) => boolean, seconds?: number): Promise<Pod>;
  gone(name: string): Promise<void>;
  exec(name: string, ...command: string[]): Promise<string>;
  /** A new agent on the same containerd; containers are not touched. */
  restart(): Promise<void>;
  events(): Promise<string[]>;
  destroy(): Promise<void>;
}

export async function createLinuxNodeFixture(
  extra: Partial<LinuxNodeOptions> = {},
  subnet = '10.199.2.0/24',
): Promise<LinuxNodeFixture> {
  const base: NodeFixture = await createNodeFixture(subnet);
  const { dir } = base;
  const cgroupRoot = `/tn-test-${process.pid}`;
  const log = process.env['TEST_LOG'] ? lineLogger(systemClock, l => process.stderr.write(l), 'debug') : silentLogger;
  const environment = { clock: systemClock, random: systemRandom, log, metrics: createMetrics() };
  const store = createMemoryStore({ clock: systemClock });
  const server = createApiServer({ ...environment, store, strategies });
  await server.start();
  const client = createClient(server.loopback);
  const nodeClient = withReviews(
    createClient(inProcessTransport(server.handle, { name: 'system:node:n1', groups: ['system:masters'] })),
  );
  const stop = new AbortController();
  const informers = createInformerFactory(client, environment);
  const pods = informers.informer('v1/pods');
  const waiters = new Set<() => void>();
  const wake = () => {
    for (const w of waiters) w();
  };
  pods.addHandler({ onAdd: wake, onUpdate: wake, onDelete: wake });
  informers.start(stop.signal);
  await base.containerd.release();
  await mkdir(`${dir}/static`, { recursive: true });
  const machine = { ...(await detectMachine(dir, ['127.0.0.1'])), hostname: 'n1' };
  const make = () =>
    createLinuxNode({
      environment,
      client: nodeClient,
      informers: createInformersFor(),
      nodeName: 'n1',
      machine,
      directories: {
        kubelet: `${dir}/kubelet`,
        containerd: `${dir}/containerd`,
        state: `${dir}/run`,
        logs: `${dir}/logs`,
      },
      cni: { binDir: cniBinDir() ?? '', confDir: `${dir}/net.d` },
      cgroupRoot,
      clusterDns: { servers: ['10.96.0.10'], domain: 'cluster.local' },
      ...extra,
    });
  function createInformersFor() {
    const made = createInformerFactory(nodeClient, environment);
    made.start(stop.signal);
    return made;
  }
  let node: LinuxNode | undefined;
  const destroy = async () => {
    try {
      await node?.stop();
    } finally {
      stop.abort(new Error('the test is over'));
      await base.destroy();
      await removeCgroups([cgroupRoot], systemClock);
      await server.close();
      await store.close();
    }
  };
  try {
    node = await make();
    await node.start();
  } catch (e) {
    await destroy();
    throw e;
  }
  const current = () => {
    if (!node) throw new Error('the fixture is gone');
    return node;
  };
  async function waitFor(check: () => boolean, what: () => string, seconds: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const look = () => {
      if (check()) resolve();
    };
    const timer = setTimeout(() => reject(new Error(`not within ${seconds} s: ${what()}`)), seconds * 1000);
    waiters.add(look);
    look();
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      waiters.delete(look);
    }
  }
  const find = (name: string) => pods.store.get(`default/${name}`);
  return {
    dir,
    client,
    pods,
    get node() {
      return current();
    },
    create: (name, spec, metadata = {}) =>
      client.resource('v1/pods', 'default').create({
        metadata: { name, namespace: 'default', ...metadata },
        spec: { nodeName: 'n1', terminationGracePeriodSeconds: 2, containers: [], ...spec },
      }),
    async until(name, done, seconds = 30) {
      await waitFor(
        () => done(find(name) ?? ({ metadata: { name }, spec: { containers: [] } } as Pod)),
        () => JSON.stringify(find(name)?.status, null, 1),
        seconds,
      );
      return find(name) as Pod;
    },
    gone: name =>
      waitFor(
        () => find(name) === undefined,
        () => `${name} is still there`,
        30,
      ),
    async exec(name, ...command) {
      const worker = current().kubelet.podByName('default', name);
      const [container] = worker?.pod.spec.containers ?? [];
      const id = worker?.view.containers.get(container?.name ?? '')?.[0]?.status.id ?? '';
      const result = await current().runtime.execSync(id, command, 10);
      return Buffer.concat([result.stdout, result.stderr]).toString();
    },
    async restart() {
      await current().release();
      node = await make();
      await node.start();
    },
    events: async () =>
      (await client.resource('v1/events').list()).items.map(e => `${e.type} ${e.reason} ${e.message}`),
    destroy,
  };
}

export const ready = (pod: Pod): boolean =>
  pod.status?.conditions?.some(c => c.type === 'Ready' && c.status === 'True') ?? false;

/** Answers TokenReview and SubjectAccessReview: the token "good" is alice; she and the API server may do all. */
function withReviews(client: Client): Client {
  const request: Client['request'] = async (method, path, options) => {
    const { spec } = (options?.body ?? {}) as { spec?: { token?: string; user?: string } };
    const answer = (status: object) => ({ status }) as never;
    if (path.endsWith('/tokenreviews'))
      return answer(spec?.token === 'good' ? { authenticated: true, user: { username: 'alice', groups: [] } } : {});
    if (path.endsWith('/subjectaccessreviews'))
      return answer({ allowed: ['alice', 'kube-apiserver-kubelet-client'].includes(spec?.user ?? '') });
    return client.request(method, path, options);
  };
  return { ...client, request };
}

/** Looks until it is so; rejects after half a minute. For states that nothing announces. */
export async function eventually(check: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = systemClock.monotonic() + 30_000;
  while (!(await check())) {
    if (systemClock.monotonic() > deadline) throw new Error('did not come true within 30 s');
    await new Promise(resolve => setTimeout(resolve, 20));
  }
}
