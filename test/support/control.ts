/** Controllers over the real API server with the memory store, on virtual time, with faults from a seed and a stand-in for nodes. */
import type { KubeObject } from '../../src/api/object.ts';
import type { UserInfo } from '../../src/api/transport.ts';
import type { Pod } from '../../src/api/types/core-v1.ts';
import { namespaceLifecycle } from '../../src/apiserver/admission/namespace-lifecycle.ts';
import { authenticate, peerAuthenticator } from '../../src/apiserver/auth/authenticators/basic.ts';
import { privilegedGroupAuthorizer } from '../../src/apiserver/auth/forbidden.ts';
import { createApiServer } from '../../src/apiserver/index.ts';
import { strategies } from '../../src/apiserver/registry/index.ts';
import type { Security, SecurityEnvironment } from '../../src/apiserver/server/security-contract.ts';
import { type Clock, rfc3339 } from '../../src/base/clock.ts';
import { type Logger, silentLogger } from '../../src/base/log.ts';
import { createMetrics } from '../../src/base/metrics.ts';
import { type Random, seededRandom } from '../../src/base/random.ts';
import { type VirtualClock, virtualClock } from '../../src/base/virtual-clock.ts';
import type { Client, ReadonlyCache, ResourceName, TypeOf } from '../../src/client/contract.ts';
import { createClient, createInformer, createInformerFactory, inProcessTransport } from '../../src/client/index.ts';
import type { Controller } from '../../src/controller/contract.ts';
import { createManager, type ManagerOptions } from '../../src/controller/index.ts';
import { createMemoryStore } from '../../src/store/memory/index.ts';
import { type Faults, withFaults } from './faults.ts';

export interface Server {
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly faults: Faults;
  /** Past the faults. */
  readonly client: Client;
  /** Through the faults. */
  readonly shaky: Client;
  /** Past the faults, as somebody else. */
  as(user: UserInfo): Client;
  /** A cache past the faults; `seen` is called after each change with every state in order. */
  follow<R extends ResourceName>(
    resource: R,
    seen: (cache: ReadonlyCache<TypeOf<R>>) => void,
  ): Promise<ReadonlyCache<TypeOf<R>>>;
  close(): Promise<void>;
}

export async function createServer(seed = 1, startMs?: number): Promise<Server> {
  const clock = virtualClock(startMs);
  const random = seededRandom(seed);
  const store = createMemoryStore({ clock });
  const environment = { clock, random, log: silentLogger, metrics: createMetrics() };
  const server = createApiServer({ ...environment, store, strategies, security: lifecycleOnly });
  await server.start();
  const faults: Faults = {};
  const client = createClient(server.loopback);
  const user = { name: 'controllers', groups: ['system:masters'] };
  const shaky = createClient(
    inProcessTransport(withFaults(server.handle, faults, clock, seededRandom(seed + 1000)), user),
  );
  const stop = new AbortController();
  return {
    clock,
    random,
    faults,
    client,
    shaky,
    as: identity => createClient(inProcessTransport(server.handle, identity)),
    async follow(resource, seen) {
      const informer = createInformer(client.resource(resource) as never, {}, { clock, random, log: silentLogger });
      const tell = () => seen(informer.store as never);
      informer.addHandler({ onAdd: tell, onUpdate: tell, onDelete: tell });
      void informer.run(stop.signal);
      await clock.settle();
      return informer.store as never;
    },
    async close() {
      stop.abort(new Error('closed'));
      await server.close();
      await store.close();
    },
  };
}

/** In-process callers are who they say; of admission only what refuses objects in namespaces that are going. */
function lifecycleOnly(environment: SecurityEnvironment): Security {
  const stop = new AbortController();
  const informers = createInformerFactory(environment.client, environment);
  const authorizer = privilegedGroupAuthorizer;
  const plugin = namespaceLifecycle.create({ ...environment, informers, authorizer });
  return {
    authenticate: request => authenticate([peerAuthenticator], request),
    authorizer,
    admission: [plugin],
    start() {
      informers.start(stop.signal);
      return informers.synced();
    },
    close: () => stop.abort(new Error('closed')),
  };
}

export interface World extends Server {
  pods(namespace?: string): Promise<Pod[]>;
  /** "Type Reason Message" of the events so far, oldest first. */
  events(): Promise<string[]>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}
export interface WorldOptions extends Pick<ManagerOptions, 'enabled'> {
  readonly seed?: number;
  readonly startMs?: number;
  readonly controllers: readonly Controller[];
  /** Pods run on nodes that are honest and quick. Default true. */
  readonly nodes?: boolean;
  readonly log?: Logger;
}

export async function createWorld(options: WorldOptions): Promise<World> {
  const server = await createServer(options.seed, options.startMs);
  const { clock, random, client, shaky } = server;
  const log = options.log ?? silentLogger;
  const make = () =>
    createManager({
      environment: { clock, random, log, metrics: createMetrics() },
      client: shaky,
      controllers: options.controllers,
      freeze: true,
    });
  let manager = make();
  await ensureNamespace(client, 'a');
  const nodes = new AbortController();
  if (options.nodes !== false) runNodes(client, clock, random, nodes.signal);
  void manager.start();
  await clock.settle();
  const stopManager = async () => {
    const stopped = manager.stop();
    await clock.advance(60_000);
    await stopped;
  };
  return {
    ...server,
    pods: async (namespace = 'a') => (await client.pods(namespace).list()).items,
    events: async () => (await client.events().list()).items.map(e => `${e.type} ${e.reason} ${e.message}`),
    async restart() {
      await stopManager();
      manager = make();
      void manager.start();
      await clock.settle();
    },
    async stop() {
      server.faults.down = false;
      await stopManager();
      nodes.abort(new Error('stopped'));
      await server.close();
    },
  };
}

async function ensureNamespace(client: Client, name: string): Promise<void> {
  await client.namespaces().create({ metadata: { name }, spec: {} });
}

/** A pod becomes ready within a second, and is gone within two after it was told to. */
function runNodes(client: Client, clock: VirtualClock, random: Random, signal: AbortSignal): void {
  const ignore = () => undefined;
  const informer = createInformer(client.pods(), {}, { clock, random, log: silentLogger });
  const isMine = (pod: KubeObject) => pod.metadata.annotations?.['test/by-hand'] === undefined;
  informer.addHandler({
    onAdd(pod) {
      if (isMine(pod))
        clock.setTimer(
          () => void start(client, clock, pod, `node-${random.int(3)}`).catch(ignore),
          random.int(1_000) + 1,
        );
    },
    onUpdate(pod, old) {
      const { name, namespace, deletionTimestamp } = pod.metadata;
      if (!deletionTimestamp || old.metadata.deletionTimestamp) return;
      clock.setTimer(
        () => void client.pods(namespace).delete(name, { gracePeriodSeconds: 0 }).catch(ignore),
        random.int(2_000) + 1,
      );
    },
  });
  void informer.run(signal);
}

async function start(client: Client, clock: Clock, pod: Pod, node: string): Promise<void> {
  const { name, namespace } = pod.metadata;
  const pods = client.pods(namespace);
  if (!pod.spec.nodeName) {
    const target = targetOf(pod) ?? node;
    const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name }, target: { kind: 'Node', name: target } };
    await pods.createSubresource(name, 'binding', binding).catch(() => undefined);
  }
  await setStatus(client, pod, runningStatus(clock));
}

/** A daemon's pod names its node. */
function targetOf(pod: Pod): string | undefined {
  const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return required?.nodeSelectorTerms[0]?.matchFields?.[0]?.values?.[0];
}

/** Replaces a pod's status, as a kubelet would. */
export async function setStatus(client: Client, pod: Pod, status: Pod['status']): Promise<void> {
  const { name, namespace } = pod.metadata;
  await client.pods(namespace).patch(name, 'merge', { status }, { subresource: 'status' });
}

export function runningStatus(clock: Clock): NonNullable<Pod['status']> {
  const at = rfc3339(clock.now());
  return {
    phase: 'Running',
    startTime: at,
    podIP: '10.0.0.1',
    podIPs: [{ ip: '10.0.0.1' }],
    conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: at }],
  };
}
