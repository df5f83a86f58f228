/**
 * A whole cluster in this process: the API server over the memory store, controllers, scheduler and simulated nodes. The same code as in production;
 * only the store, the transport and the nodes' containers are in memory. Portable.
 */

import type { Handler, UserInfo } from '../api/transport.ts';
import { admissionPlugins } from '../apiserver/admission/index.ts';
import { type ApiServer, createApiServer } from '../apiserver/index.ts';
import { strategies } from '../apiserver/registry/index.ts';
import { createSecurity } from '../apiserver/security.ts';
import { type Clock, systemClock } from '../base/clock.ts';
import { type Logger, silentLogger } from '../base/log.ts';
import { createMetrics } from '../base/metrics.ts';
import { type Random, seededRandom, systemRandom } from '../base/random.ts';
import type { Client } from '../client/contract.ts';
import { createClient, inProcessTransport } from '../client/index.ts';
import type { Controller, Environment } from '../controller/contract.ts';
import { createManager, type Manager } from '../controller/index.ts';
import {
  createSimulatedNodes,
  type SimulatedNodes,
  type SimulatedNodesOptions,
  simulatedDialer,
  simulatedNodesBinding,
  simulatedNodesUser,
} from '../kubelet/index.ts';
import { createScheduler } from '../scheduler/index.ts';
import { createMemoryStore, type MemoryStore } from '../store/memory/index.ts';
import type { HttpsAccess } from './https.ts';
import { lazyTokenSigner } from './signer.ts';
import { authenticated, componentUser, managerParts, masters } from './users.ts';

export interface ClusterOptions {
  /** Simulated nodes; default 1. */
  readonly nodes?: number;
  /** More about the nodes: labels, sizes, delays, failures. */
  readonly nodeOptions?: Partial<
    Pick<SimulatedNodesOptions, 'labels' | 'taints' | 'machine' | 'maxPods' | 'runtime' | 'events' | 'prefix'>
  >;
  /** Default: the host's. Give `virtualClock()` to decide when time passes. */
  readonly clock?: Clock;
  /** Makes names and ids repeatable. Default: the host's randomness. */
  readonly seed?: number;
  readonly log?: Logger;
  /** As `--controllers`; default all. Give ["-*"]-style lists to leave some out, [] for none. */
  readonly controllers?: readonly string[];
  /** Your own controllers, run beside the built-in ones, with all rights. */
  readonly extraControllers?: readonly Controller[];
  /** Default true. */
  readonly scheduler?: boolean;
  /** Freezes cached objects, so that code that changes one fails. Default true. */
  readonly freeze?: boolean;
  /** Between clients and the server: to count, delay or break requests. */
  readonly intercept?: (handler: Handler) => Handler;
}

export interface Cluster {
  /** As system:masters. */
  readonly client: Client;
  readonly nodes: SimulatedNodes | undefined;
  readonly server: ApiServer;
  readonly environment: Environment;
  /** A client with another identity: authorization and admission apply to it as to anybody. */
  as(user: string | UserInfo): Client;
  /** An independent cluster that goes on from this one's present state. Costs a pointer for the state, whatever its size. */
  fork(options?: ClusterOptions): Promise<Cluster>;
  /** The API as it was at a revision (a resourceVersion), without controllers, scheduler and nodes. Throws 410 when that is too long ago. */
  at(revision: number | string): Promise<Cluster>;
  /** Opens an HTTPS port on loopback (default: any free one) for kubectl and other clients. Needs Node.js. Closed with the cluster. */
  https(port?: number): Promise<HttpsAccess>;
  /** Stops everything. Nothing is left: no timer, no promise that waits. */
  close(): Promise<void>;
}

export async function createCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const clock = options.clock ?? systemClock;
  return start(createMemoryStore({ clock }), clock, options);
}

async function start(store: MemoryStore, clock: Clock, options: ClusterOptions): Promise<Cluster> {
  const random: Random = options.seed === undefined ? systemRandom : seededRandom(options.seed);
  const environment: Environment = { clock, random, log: options.log ?? silentLogger, metrics: createMetrics() };
  const audience = 'https://kubernetes.default.svc.cluster.local';
  const security = createSecurity({
    signer: lazyTokenSigner(),
    issuers: [audience],
    audiences: [audience],
    admission: admissionPlugins,
    ...((options.nodes ?? 1) > 0 && { grants: [simulatedNodesBinding] }),
  });
  let nodes: SimulatedNodes | undefined;
  const dialer = simulatedDialer(() => nodes?.nodes ?? []);
  const server = createApiServer({ ...environment, store, strategies, security, dialer });
  const handler = options.intercept?.(server.handle) ?? server.handle;
  const clientFor = (user: UserInfo, userAgent?: string) =>
    createClient(inProcessTransport(handler, user), { ...(userAgent && { userAgent }) });
  const stops: (() => Promise<void>)[] = [() => store.close(), () => server.close()];
  const close = async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  };
  try {
    await server.start();
    const client = clientFor(masters);
    nodes = await startParts(options, environment, clientFor, stops);
    return {
      client,
      nodes,
      server,
      environment,
      as: user => clientFor(typeof user === 'string' ? { name: user, groups: [authenticated] } : user),
      async https(port) {
        const access = await (await import('./https.ts')).serveHttps(handler, port);
        stops.push(() => access.close());
        return access;
      },
      fork: (changes = {}) => start(store.fork(), clock, { ...options, ...changes }),
      at: revision =>
        start(store.at(Number(revision)), clock, { ...options, nodes: 0, controllers: [], scheduler: false }),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

type ClientFor = (user: UserInfo, userAgent?: string) => Client;

async function startParts(
  options: ClusterOptions,
  environment: Environment,
  clientFor: ClientFor,
  stops: (() => Promise<void>)[],
): Promise<SimulatedNodes | undefined> {
  const begin: Promise<void>[] = [];
  const keep = <T extends { start(): Promise<void>; stop(): Promise<void> }>(part: T): T => {
    stops.push(() => part.stop());
    begin.push(part.start());
    return part;
  };
  if (options.controllers?.length !== 0) keep(managerOf(options, environment, clientFor));
  if (options.scheduler ?? true)
    keep(createScheduler({ environment, client: clientFor(componentUser('kube-scheduler'), 'kube-scheduler') }));
  const { nodes: count = 1 } = options;
  let nodes: SimulatedNodes | undefined;
  if (count > 0) {
    const client = clientFor(simulatedNodesUser, 'kubelet');
    nodes = keep(createSimulatedNodes({ count, client, environment, ...options.nodeOptions }));
  }
  await Promise.all(begin);
  return nodes;
}

/** Each controller acts as its service account, so that authorization and admission apply to it. */
function managerOf(options: ClusterOptions, environment: Environment, clientFor: ClientFor): Manager {
  const { controllers, userOf } = managerParts(options.extraControllers);
  return createManager({
    environment,
    client: clientFor(componentUser('kube-controller-manager'), 'kube-controller-manager'),
    clientFor: account => clientFor(userOf(account), `kube-controller-manager/${account}`),
    controllers,
    freeze: options.freeze ?? true,
    ...(options.controllers && { enabled: options.controllers }),
  });
}
