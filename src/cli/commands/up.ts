import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { systemClock } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import {
  type ClusterConfig,
  chooseRanges,
  clusterId,
  clusterPaths,
  readClusterConfig,
  usedAddresses,
  writeClusterConfig,
} from '../cluster.ts';
import { command } from '../command.ts';
import { claimDaemon, runningDaemon } from '../daemon.ts';
import { UsageError } from '../flags.ts';
import { userKubeconfig } from '../kubeconfig-merge.ts';
import { checkRanges, dnsAddressIn, familiesOf, nodeAddresses } from '../ranges.ts';
import { type ProgressLine, superviseCluster } from '../run/cluster.ts';
import { hostEnvironment, stopSignal } from '../run/environment.ts';
import { dataDirFlag } from './shared.ts';

const flags = {
  'data-dir': dataDirFlag,
  detach: { type: 'boolean', short: 'd', help: 'return when the cluster is ready and leave it running' },
  port: { type: 'number', help: 'HTTPS port of the API server (default 6443, or the next free one)' },
  kubeconfig: { type: 'string', help: 'kubeconfig to add the cluster to (default: the user’s)' },
  name: { type: 'string', help: 'name of the kubeconfig context (default tsukube)' },
  nodes: { type: 'string', help: '"real", or "simulated:N" for N nodes without containers' },
  'no-node': { type: 'boolean', help: 'control plane only' },
  'node-name': { type: 'string', help: 'name of the real node (default: the host’s)' },
  'node-ip': {
    type: 'list',
    help: 'addresses of the real node, one per family (default: addresses of its own that only this machine routes)',
  },
  'cluster-cidr': { type: 'list', help: 'ranges of pod addresses, one per family (default: a free one, IPv4)' },
  'service-cluster-ip-range': {
    type: 'list',
    help: 'ranges of service addresses, one per family (default: free ones)',
  },
} as const;

export const up = command({
  flags,
  async run(values) {
    const dataDir = resolve(values['data-dir']);
    const running = runningDaemon(dataDir);
    if (running) {
      console.log(`The cluster in ${dataDir} is running already (process ${running.pid}); "tsukube status" says more.`);
      return 0;
    }
    const config = await configure(dataDir, values);
    const kubeconfig = resolve(values.kubeconfig ?? userKubeconfig());
    if (values.detach && process.env['TSUKUBE_DAEMON'] === undefined) return detach(dataDir);
    return foreground(dataDir, config, kubeconfig);
  },
});

interface UpValues {
  readonly port: number | undefined;
  readonly name: string | undefined;
  readonly nodes: string | undefined;
  readonly 'no-node': boolean;
  readonly 'node-name': string | undefined;
  readonly 'node-ip': readonly string[];
  readonly 'cluster-cidr': readonly string[];
  readonly 'service-cluster-ip-range': readonly string[];
}

/** What the cluster is: as it was made, with what the flags say now. */
async function configure(dataDir: string, values: UpValues): Promise<ClusterConfig> {
  const before = readClusterConfig(dataDir);
  const kind = nodeKind(values) ?? before?.node ?? realIfPossible();
  const id = before?.id ?? clusterId(dataDir);
  const ranges = before ? unchangedRanges(before, values) : newRanges(id, values);
  const given = values['node-ip'];
  const config: ClusterConfig = {
    name: values.name ?? before?.name ?? 'tsukube',
    id,
    port: values.port ?? before?.port ?? (await freePort(6443)),
    kubeletPort: before?.kubeletPort ?? 10_250,
    ...ranges,
    nodeAddresses:
      given.length > 0 ? nodeAddresses(given, ranges.podCidrs) : (before?.nodeAddresses ?? ranges.hostAddresses),
    nodeName: values['node-name'] ?? before?.nodeName ?? hostname().toLowerCase(),
    node: kind,
  };
  writeClusterConfig(dataDir, config);
  return config;
}

type Ranges = Pick<ClusterConfig, 'podCidrs' | 'serviceCidrs' | 'dnsAddress' | 'hostAddresses'>;

function newRanges(id: string, values: UpValues): Ranges {
  const [pods, services] = [values['cluster-cidr'], values['service-cluster-ip-range']];
  const given = [...pods, ...services];
  const families = familiesOf(pods.length > 0 ? pods : services);
  const chosen = chooseRanges(id, [...usedAddresses(), ...given], families.length > 0 ? families : [4]);
  const serviceCidrs = services.length > 0 ? services : chosen.serviceCidrs;
  const podCidrs = pods.length > 0 ? pods : chosen.podCidrs;
  const ranges = { ...chosen, podCidrs, serviceCidrs, dnsAddress: dnsAddressIn(serviceCidrs) };
  checkRanges(ranges);
  return ranges;
}

/** Pods and services have addresses of the ranges: those of a cluster stay as they were made. */
function unchangedRanges(before: ClusterConfig, values: UpValues): Ranges {
  for (const [flag, made] of [
    ['cluster-cidr', before.podCidrs],
    ['service-cluster-ip-range', before.serviceCidrs],
  ] as const) {
    if (values[flag].length > 0 && values[flag].join() !== made.join())
      throw new UsageError(`the cluster was made with --${flag}=${made.join()}, which cannot be changed`);
  }
  const { podCidrs, serviceCidrs, dnsAddress, hostAddresses } = before;
  return { podCidrs, serviceCidrs, dnsAddress, hostAddresses };
}

/** The first port from `first` on that nobody listens on. */
async function freePort(first: number): Promise<number> {
  for (let port = first; port < first + 100; port++) {
    const free = await new Promise<boolean>(resolve => {
      const probe = createServer();
      probe.once('error', () => resolve(false));
      probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
    });
    if (free) return port;
  }
  throw new Error(`no port from ${first} to ${first + 99} is free; choose one with --port`);
}

function nodeKind(values: UpValues): ClusterConfig['node'] | undefined {
  if (values['no-node']) return { kind: 'none' };
  if (values.nodes === undefined) return undefined;
  if (values.nodes === 'real') return { kind: 'real' };
  const count = Number(/^simulated:(\d+)$/.exec(values.nodes)?.[1] ?? Number.NaN);
  if (!(count >= 1 && count <= 10_000))
    throw new UsageError(
      `invalid argument "${values.nodes}" for "--nodes": must be "real" or "simulated:N" with N from 1 to 10000`,
    );
  return { kind: 'simulated', count };
}

function realIfPossible(): ClusterConfig['node'] {
  if (process.platform === 'linux' && process.getuid?.() === 0) return { kind: 'real' };
  console.log(
    `Real containers need Linux and root; this is ${process.platform === 'linux' ? 'not root' : process.platform}, so the cluster gets one simulated node.`,
  );
  return { kind: 'simulated', count: 1 };
}

async function foreground(dataDir: string, config: ClusterConfig, kubeconfig: string): Promise<number> {
  const environment = hostEnvironment('supervisor');
  const release = claimDaemon(dataDir);
  const startedAt = environment.clock.monotonic();
  const say = (line: ProgressLine) => {
    const seconds = ((environment.clock.monotonic() - startedAt) / 1000).toFixed(1);
    console.log(`${line.done ? '✓' : '·'} ${line.text} (${seconds} s)`);
  };
  const giveUp = new AbortController();
  const stopped = stopSignal().then(name => giveUp.abort(new Error(`stopped by ${name}`)));
  try {
    const cluster = await superviseCluster({ environment, dataDir, config, kubeconfig, say, signal: giveUp.signal });
    console.log(`\nReady. Try: kubectl --kubeconfig ${kubeconfig} --context ${config.name} get nodes,pods -A`);
    process.send?.({ type: 'ready' });
    process.disconnect?.();
    await stopped;
    console.log('Stopping…');
    await cluster.stop();
    return 0;
  } finally {
    release();
  }
}

/** Starts this command again in a session of its own, passes its words on until it is ready, and leaves it. */
function detach(dataDir: string): Promise<number> {
  const logs = clusterPaths(dataDir).logs;
  mkdirSync(logs, { recursive: true, mode: 0o700 });
  const path = join(logs, 'supervisor.log');
  const before = sizeOf(path);
  const log = openSync(path, 'a', 0o600);
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
    env: { ...process.env, TSUKUBE_DAEMON: '1' },
  });
  closeSync(log);
  return new Promise((finish, fail) => {
    let shown = before;
    const show = () => {
      const text = readFileSync(path).subarray(shown);
      shown += text.length;
      // Progress for people, not the log's own lines.
      process.stdout.write(
        text
          .toString()
          .split('\n')
          .filter(line => !/^\d{4}-\d\d-\d\dT/.test(line))
          .join('\n'),
      );
    };
    const poll = systemPoll(show);
    child.once('error', error => {
      poll.stop();
      fail(new Error(`the cluster could not be started: ${messageOf(error)}`));
    });
    child.once('exit', code => {
      poll.stop();
      show();
      finish(code ?? 1);
    });
    child.once('message', () => {
      poll.stop();
      show();
      child.disconnect();
      child.unref();
      finish(0);
    });
  });
}

function sizeOf(path: string): number {
  try {
    return readFileSync(path).length;
  } catch {
    return 0;
  }
}

function systemPoll(work: () => void): { stop(): void } {
  let timer = systemClock.setTimer(run, 100);
  function run(): void {
    work();
    timer = systemClock.setTimer(run, 100);
  }
  return { stop: () => timer.cancel() };
}
