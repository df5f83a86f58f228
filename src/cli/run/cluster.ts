/**
 * The processes of a cluster on one machine: the API server, the node agent, and this one, which supervises them and runs the controllers and the
 * scheduler. The API server shares its event loop with nobody.
 */
import type { Node } from '../../api/types/index.ts';
import { sleep } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { Client } from '../../client/contract.ts';
import { localLoadBalancerController } from '../../cloud/local/load-balancer.ts';
import type { Environment } from '../../controller/contract.ts';
import { simulatedNodesUser } from '../../kubelet/simulated-identity.ts';
import { ensureClusterPki, issueClientCredentials, writeKubeconfig } from '../../pki/index.ts';
import { type ClusterConfig, clusterPaths } from '../cluster.ts';
import { addToKubeconfig } from '../kubeconfig-merge.ts';
import { firstAddress, loadBalancerRanges } from '../ranges.ts';
import { type SupervisedProcess, supervise } from '../supervisor.ts';
import { applyAddons } from './addons.ts';
import { clientFor } from './connect.ts';
import { startControlPlane } from './control-plane.ts';

export interface ProgressLine {
  readonly text: string;
  readonly done: boolean;
}

export interface SuperviseOptions {
  readonly environment: Environment;
  readonly dataDir: string;
  readonly config: ClusterConfig;
  /** The user's kubeconfig. */
  readonly kubeconfig: string;
  readonly say: (line: ProgressLine) => void;
  /** Aborted: give up and stop what was started. */
  readonly signal: AbortSignal;
}

export interface SupervisedCluster {
  stop(): Promise<void>;
}

const clusterDomain = 'cluster.local';
/** As bin/tsukube gives to nodes. */
const forSize = ['--optimize-for-size'];
const nodeReadyTimeoutMs = 120_000;

/** Resolves when the API server answers and the node is ready. */
export async function superviseCluster(options: SuperviseOptions): Promise<SupervisedCluster> {
  const { environment, dataDir, config, say } = options;
  const paths = clusterPaths(dataDir);
  const real = config.node.kind === 'real';
  const loadBalancerCidrs = loadBalancerRanges(config.hostAddresses);
  // Both import much; the API server starts meanwhile.
  const pki = ensureClusterPki(paths.pki, {
    clock: environment.clock,
    clusterDomain,
    names: [config.nodeName],
    addresses: [...config.serviceCidrs.map(firstAddress), ...config.nodeAddresses],
  });
  if (real)
    await (await import('./node-network.ts')).prepareNodeNetwork(
      config,
      [...config.hostAddresses, config.dnsAddress],
      environment.log,
      loadBalancerCidrs,
    );
  const start = (name: string, args: readonly string[]) =>
    supervise(
      { name, args, graceMs: 45_000, engineFlags: name === 'apiserver' ? [] : forSize },
      { ...environment, logDirectory: paths.logs },
    );
  const apiserver = start('apiserver', apiserverArguments(dataDir, config));
  const server = `https://127.0.0.1:${config.port}`;
  writeKubeconfig(paths.adminKubeconfig, {
    server,
    authority: pki.ca.certificate,
    user: 'admin',
    credentials: pki.clients.admin,
  });
  if (config.node.kind === 'simulated') {
    const { name: user, groups } = simulatedNodesUser;
    const credentials = issueClientCredentials(pki.ca, { commonName: user, organizations: groups }, environment.clock);
    writeKubeconfig(paths.simulatedKubeconfig, { server, authority: pki.ca.certificate, user, credentials });
  }
  const node = config.node.kind === 'none' ? undefined : start('node', nodeArguments(dataDir, config));
  const stops: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const each of stops.reverse()) await each();
    await stopAll([node, apiserver]);
    if (real) await (await import('./node-network.ts')).removeNodeNetwork(config);
  };
  try {
    say({ text: 'Starting the API server', done: false });
    await Promise.race([apiserver.ready, aborted(options.signal)]);
    say({ text: `API server ready at ${server}`, done: true });
    addToKubeconfig(options.kubeconfig, {
      name: config.name,
      server,
      authority: pki.ca.certificate,
      ...pki.clients.admin,
    });
    const client = clientFor(paths.adminKubeconfig, 'tsukube', environment);
    stops.push(() => client.transport.close());
    await applyAddons(client, config);
    stops.push(
      await startControlPlane({
        environment,
        server,
        pki,
        clusterCidrs: config.podCidrs,
        pkiDirectory: paths.pki,
        leaderElect: false,
        more: real ? [localLoadBalancerController({ cidrs: loadBalancerCidrs })] : [],
      }),
    );
    say({ text: 'Controllers and scheduler running', done: true });
    if (node) await reportNode(options, client, node);
  } catch (error) {
    await stop();
    throw error;
  }
  return { stop };
}

function apiserverArguments(dataDir: string, config: ClusterConfig): string[] {
  const paths = clusterPaths(dataDir);
  const own = config.node.kind === 'real' ? config.nodeAddresses : [];
  return [
    'apiserver',
    `--data-dir=${paths.store}`,
    `--cert-dir=${paths.pki}`,
    `--secure-port=${config.port}`,
    `--bind-address=${['127.0.0.1', ...own].join(',')}`,
    `--advertise-address=${own[0] ?? '127.0.0.1'}`,
    `--service-cluster-ip-range=${config.serviceCidrs.join(',')}`,
    `--tls-san=${[config.nodeName, ...config.nodeAddresses].join(',')}`,
  ];
}

function nodeArguments(dataDir: string, config: ClusterConfig): string[] {
  const paths = clusterPaths(dataDir);
  if (config.node.kind === 'simulated')
    return ['simulated-nodes', `--kubeconfig=${paths.simulatedKubeconfig}`, `--count=${config.node.count}`];
  return ['node', `--data-dir=${dataDir}`];
}

async function reportNode(
  { environment, config, say, signal }: SuperviseOptions,
  client: Client,
  node: SupervisedProcess,
): Promise<void> {
  say({
    text:
      config.node.kind === 'simulated'
        ? `Starting ${config.node.count} simulated node${config.node.count === 1 ? '' : 's'}`
        : `Starting node ${config.nodeName}`,
    done: false,
  });
  const name = config.node.kind === 'real' ? config.nodeName : undefined;
  let failure: unknown;
  node.ready.catch(error => {
    failure = error;
  });
  const deadline = environment.clock.monotonic() + nodeReadyTimeoutMs;
  for (;;) {
    if (failure !== undefined) throw failure;
    const nodes = await client
      .nodes()
      .list({ ...(name !== undefined && { fieldSelector: `metadata.name=${name}` }) })
      .catch((error: unknown) => {
        environment.log.debug('Nodes cannot be listed yet', { error: messageOf(error) });
        return { items: [] as Node[] };
      });
    if (nodes.items.some(isReady)) break;
    // A node may not give itself this label (NodeRestriction).
    if (name !== undefined && nodes.items.some(n => n.metadata.labels?.[role] === undefined)) {
      await client.nodes().patch(name, 'merge', { metadata: { labels: { [role]: 'true' } } });
    }
    if (environment.clock.monotonic() > deadline)
      throw new Error('the node did not become ready in two minutes; see `tsukube logs node`');
    await sleep(environment.clock, 50, signal);
  }
  say({ text: name === undefined ? 'Simulated nodes ready' : `Node ${name} ready`, done: true });
}

const role = 'node-role.kubernetes.io/control-plane';
const isReady = (node: Node) => node.status?.conditions?.some(c => c.type === 'Ready' && c.status === 'True') === true;

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

async function stopAll(processes: readonly (SupervisedProcess | undefined)[]): Promise<void> {
  for (const each of processes) await each?.stop();
}
