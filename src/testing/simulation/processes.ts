/** The processes of a simulated cluster, each of which can crash and come back: API server, managers, schedulers, kubelets. */
import type { Handler, UserInfo } from '../../api/transport.ts';
import { admissionPlugins } from '../../apiserver/admission/index.ts';
import { type ApiServer, createApiServer } from '../../apiserver/index.ts';
import { strategies } from '../../apiserver/registry/index.ts';
import { createSecurity } from '../../apiserver/security.ts';
import { type Clock, sleep } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import { createMetrics } from '../../base/metrics.ts';
import { type Random, seededRandom } from '../../base/random.ts';
import type { Client } from '../../client/contract.ts';
import { createClient, inProcessTransport } from '../../client/index.ts';
import type { Controller, Environment } from '../../controller/contract.ts';
import { createManager } from '../../controller/index.ts';
import { createSimulatedNodes, type SimulatedNodes, simulatedNodesUser } from '../../kubelet/index.ts';
import { createScheduler } from '../../scheduler/index.ts';
import type { Store } from '../../store/contract.ts';
import { lazyTokenSigner } from '../signer.ts';
import { componentUser, managerParts } from '../users.ts';
import { attachDisk, type Disk, type DiskOptions } from './disk.ts';
import { createLink, type Link, type NetworkOptions } from './network.ts';
import type { Storage } from './storage.ts';

/** What processes are made from. */
export interface Site {
  readonly seed: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly network: Omit<NetworkOptions, 'server' | 'random'>;
}

/** A generator of its own for everything that has a name, so that what one does leaves the others as they were. */
export function namedRandom(seed: number, name: string): Random {
  let hash = 0x811c9dc5 ^ seed;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return seededRandom(hash);
}

function environmentOf(site: Site, name: string): Environment {
  return {
    clock: site.clock,
    random: namedRandom(site.seed, name),
    log: site.log.with({ process: name }),
    metrics: createMetrics(),
  };
}

export interface ServerProcess {
  /** Undefined while it is down or starting. */
  readonly handler: Handler | undefined;
  /** What it writes to. */
  readonly store: Store | undefined;
  start(): Promise<void>;
  /** As SIGKILL: requests in work are not answered and write no more. */
  crash(): Promise<void>;
}

function slowWrites({ seed, clock, network }: Site, generation: number): DiskOptions['delay'] {
  const random = namedRandom(seed, `writes/${generation}`);
  return () => {
    const { slowWrite } = network.rates();
    return slowWrite > 0 && random.next() < slowWrite ? sleep(clock, random.int(1_000)) : undefined;
  };
}

export interface ServerOptions {
  readonly storage: Storage;
  readonly watched: DiskOptions['watched'];
  /** A store was opened; nobody has made use of it yet. */
  opened(store: Store): Promise<void>;
}

/** The API server over a storage that outlives it. */
export function createServerProcess(site: Site, { storage, watched, opened }: ServerOptions): ServerProcess {
  let running: { server: ApiServer; disk: Disk; handler: Handler | undefined } | undefined;
  let generation = 0;
  const audience = 'https://kubernetes.default.svc.cluster.local';
  return {
    get handler() {
      return running?.handler;
    },
    get store() {
      return running?.disk.store;
    },
    async start() {
      const store = await storage.open();
      await opened(store);
      const refusal = () => storage.refusal?.();
      const disk = attachDisk(store, { refusal, delay: slowWrites(site, generation), watched });
      const security = createSecurity({
        signer: lazyTokenSigner(),
        issuers: [audience],
        audiences: [audience],
        admission: admissionPlugins,
      });
      const environment = environmentOf(site, `server/${generation++}`);
      const server = createApiServer({ ...environment, store: disk.store, strategies, security });
      const mine = { server, disk, handler: undefined as Handler | undefined };
      running = mine;
      await server.start();
      if (running === mine) mine.handler = server.handle;
    },
    async crash() {
      const old = running;
      running = undefined;
      old?.disk.detach();
      await Promise.all([old?.server.close(), storage.crash()]);
    },
  };
}

/** A process that talks to the server. */
export interface ClientProcess {
  readonly name: string;
  readonly alive: boolean;
  readonly link: Link;
  start(): void;
  crash(): Promise<void>;
}

/** A client over a link, as a part of a process that the requests are told apart by. */
export function clientOver(link: Link, part: string, user: UserInfo): Client {
  return createClient(inProcessTransport(link.handlerFor(part), user));
}

interface Running {
  stop(): Promise<void>;
}

/** Starts anew with each `start`: new memory, new link, new random numbers. */
export function createClientProcess(
  name: string,
  site: Site,
  server: () => Handler | undefined,
  run: (environment: Environment, link: Link, identity: string) => Running,
): ClientProcess {
  let generation = 0;
  let running: Running | undefined;
  const makeLink = () =>
    createLink(name, { ...site.network, server, random: namedRandom(site.seed, `link/${name}/${generation}`) });
  let link = makeLink();
  return {
    name,
    get alive() {
      return running !== undefined;
    },
    get link() {
      return link;
    },
    start() {
      if (running) return;
      generation += 1;
      link = makeLink();
      running = run(environmentOf(site, `${name}/${generation}`), link, `${name}_${generation}`);
    },
    async crash() {
      const old = running;
      running = undefined;
      link.kill();
      await old?.stop();
    },
  };
}

/** Each controller acts as its service account; `more` are those under test, and may do everything. */
export function runManager(
  more: readonly Controller[],
  enabled: readonly string[] | undefined,
  environment: Environment,
  link: Link,
  identity: string,
): Running {
  const { controllers, userOf } = managerParts(more);
  const manager = createManager({
    environment,
    client: clientOver(link, 'manager', componentUser('kube-controller-manager')),
    clientFor: account => clientOver(link, account, userOf(account)),
    controllers,
    ...(enabled && { enabled }),
    freeze: true,
    leaderElection: { namespace: 'kube-system', name: 'kube-controller-manager', identity },
  });
  void manager.start();
  return manager;
}

export function runScheduler(environment: Environment, link: Link, identity: string): Running {
  const scheduler = createScheduler({
    environment,
    client: clientOver(link, 'scheduler', componentUser('kube-scheduler')),
    freeze: true,
    leaderElection: { namespace: 'kube-system', name: 'kube-scheduler', identity },
  });
  void scheduler.start();
  return scheduler;
}

export interface NodesProcess {
  readonly names: readonly string[];
  readonly nodes: SimulatedNodes;
  start(): void;
  /** The agent ends or comes back; containers run on. Calls for one node are made one after another. */
  setUp(name: string, up: boolean): void;
  isUp(name: string): boolean;
  /** All calls of `setUp` are done. */
  settled(): Promise<void>;
  stop(): Promise<void>;
}

export function createNodesProcess(site: Site, link: Link, count: number): NodesProcess {
  const { clock } = site;
  const random = namedRandom(site.seed, 'runtime');
  const rates = site.network.rates;
  const slow = (ms: number) => (random.next() < rates().slowNode ? random.int(20_000) : random.int(ms));
  const nodes = createSimulatedNodes({
    count,
    client: clientOver(link, 'kubelet', simulatedNodesUser),
    environment: environmentOf(site, 'kubelets'),
    machine: () => ({ cpus: 4, memoryBytes: 8 * 2 ** 30 }),
    labels: index => ({ 'topology.kubernetes.io/zone': `zone-${index % 3}`, disk: index % 2 === 0 ? 'fast' : 'slow' }),
    runtime: {
      delays: {
        get sandbox() {
          return slow(300);
        },
        get pull() {
          return slow(1_000);
        },
        get create() {
          return slow(100);
        },
        get start() {
          return slow(200);
        },
        get stop() {
          return slow(1_000);
        },
      },
      pullError: () => (random.next() < rates().imagePull ? 'simulated: the registry does not answer' : undefined),
    },
  });
  const names = nodes.nodes.map(node => node.name);
  const down = new Set<string>();
  const last = new Map<string, Promise<void>>();
  const enqueue = (name: string, work: () => Promise<void>) => {
    const next = (last.get(name) ?? Promise.resolve()).then(work).catch(async error => {
      site.log.warn('A node could not be started or stopped', { node: name, error: String(error) });
      await sleep(clock, 1_000);
    });
    last.set(name, next);
  };
  return {
    names,
    nodes,
    start: () => void nodes.start(),
    isUp: name => !down.has(name),
    setUp(name, up) {
      if (up === !down.has(name)) return;
      if (up) down.delete(name);
      else down.add(name);
      enqueue(name, () => nodes.setUp(name, up));
    },
    async settled() {
      await Promise.all(last.values());
    },
    stop: () => nodes.stop(),
  };
}
