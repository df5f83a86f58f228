/** Assembles the node agent: containerd, kubelet, pod network, service proxy, DNS, network policy and local volumes. */

import { existsSync } from 'node:fs';
import { chmod, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { sleep } from '../../base/clock.ts';
import type { Client } from '../../client/contract.ts';
import { createClient, createInformerFactory } from '../../client/index.ts';
import { http2Transport } from '../../client/node/transport.ts';
import { localVolumeController } from '../../cloud/local/volumes.ts';
import type { Environment } from '../../controller/contract.ts';
import { createManager, type Manager } from '../../controller/index.ts';
import { startClusterDns } from '../../dns/index.ts';
import { removeCgroups } from '../../kubelet/host/cgroups.ts';
import { detectMachine } from '../../kubelet/host/machine.ts';
import { endLeftovers } from '../../kubelet/leftovers.ts';
import { createLinuxNode, type LinuxNodeOptions } from '../../kubelet/linux-node.ts';
import type { ServerTls } from '../../kubelet/server/index.ts';
import { writeCniConfiguration } from '../../network/cni.ts';
import { startNetworkPolicy } from '../../network/policy/index.ts';
import { startNodeRoutes } from '../../network/routes.ts';
import { ensureClusterPki, issueNodeCredentials } from '../../pki/index.ts';
import { chooseProxyBackend } from '../../proxy/choose.ts';
import { startProxy } from '../../proxy/index.ts';
import { type ClusterConfig, clusterPaths } from '../cluster.ts';
import { type ClusterRanges, tableFamilies, urlHost } from '../ranges.ts';
import { namespacesByAddress } from './dns.ts';
import { networkNames, removeNodeNetwork } from './node-network.ts';
import { healthAddresses, serveProxy } from './proxy.ts';
import { renewedCredentials, renewRegularly } from './renewal.ts';

/** What a node must know of its cluster and of itself. */
export interface NodeSettings extends ClusterRanges {
  readonly dataDir: string;
  /** As in `ClusterConfig`. */
  readonly id: string;
  readonly nodeName: string;
  /** The node's InternalIPs, one per family, the primary first. */
  readonly nodeAddresses: readonly string[];
  readonly kubeletPort: number;
  /** Where node ports answer; absent: on every address but loopback. */
  readonly nodePortAddresses?: readonly string[];
}

/** Who the node is to the API server, and the certificate of its own server. */
export interface NodeIdentity {
  readonly client: Client;
  readonly tls: ServerTls;
  /** Calls back with each renewed serving certificate. */
  onRenewal?(use: (tls: Pick<ServerTls, 'cert' | 'key'>) => void): void;
}

export interface NodeProcessOptions {
  readonly environment: Environment;
  readonly settings: NodeSettings;
  readonly identity: NodeIdentity;
}

export interface RunningNode {
  /** Ends the agent; containers run on. */
  release(): Promise<void>;
  /** Ends the agent and all containers. */
  stop(): Promise<void>;
}

const clusterDomain = 'cluster.local';
/** Where users say of other resolvers and fixed names. */
export const dnsConfigMap = 'kube-system/kube-dns';
/** Where load balancers ask whether the node takes traffic; the metrics are among the kubelet's. */
const proxyHealthPort = 10_256;

export function nodePaths({ dataDir, id }: Pick<NodeSettings, 'dataDir' | 'id'>) {
  const { node } = clusterPaths(dataDir);
  return {
    containerd: join(node, 'containerd'),
    // Socket paths are limited to 107 bytes, and running state must not survive a reboot.
    state: `/run/tsukube-${id}`,
    cniConfiguration: join(node, 'cni'),
    leases: join(node, 'cni-leases'),
    kubelet: join(node, 'kubelet'),
    logs: join(node, 'pod-logs'),
    staticPods: join(node, 'static-pods'),
    cgroup: `/kubepods-tsukube-${id}`,
    volumes: join(node, 'volumes'),
  };
}

function cniPlugins(): string {
  const found = ['/usr/lib/cni', '/opt/cni/bin'].find(path => existsSync(join(path, 'bridge')));
  if (!found) throw new Error('the CNI plugins are missing: install the package containernetworking-plugins');
  return found;
}

/** Resolves when the node is registered and its services are in place. */
export async function runNode(options: NodeProcessOptions): Promise<RunningNode> {
  const { environment, settings, identity } = options;
  const { client } = identity;
  const paths = nodePaths(settings);
  const names = networkNames(settings);
  const [primaryAddress = ''] = settings.nodeAddresses;
  const families = tableFamilies(settings.podCidrs);
  const stopping = new AbortController();
  const informers = createInformerFactory(client, environment);
  const linux = await createLinuxNode({
    environment,
    client,
    informers,
    nodeName: settings.nodeName,
    machine: await detectMachine(settings.dataDir, settings.nodeAddresses),
    ...containerPlaces(paths),
    cgroupRoot: paths.cgroup,
    clusterDns: { servers: [settings.dnsAddress], domain: clusterDomain },
    server: { host: primaryAddress, port: settings.kubeletPort, tls: identity.tls },
    staticPods: { directory: paths.staticPods },
    onPodCidrs: podCidrs => {
      writeCniConfiguration({
        directory: paths.cniConfiguration,
        podCidrs,
        bridge: names.bridge,
        leaseDirectory: paths.leases,
      });
    },
  });
  identity.onRenewal?.(fresh => linux.server?.setCertificate(fresh));
  await serverAnswers(client, environment);
  const own = { fieldSelector: `spec.nodeName=${settings.nodeName}` };
  const namespaceOf = namespacesByAddress(informers, own);
  const provisioner = volumeProvisioner(options, client, paths.volumes);
  informers.start(stopping.signal);
  const backend = await chooseProxyBackend({
    ...environment,
    table: names.serviceTable,
    podCidrs: settings.podCidrs,
    families,
    local: { device: names.device, serviceCidrs: settings.serviceCidrs },
    ...(settings.nodePortAddresses && { nodePortAddresses: settings.nodePortAddresses }),
  });
  const [, proxy, dns, policy, routes] = await Promise.all([
    linux.start(),
    startProxy({
      ...environment,
      informers,
      backend,
      nodeName: settings.nodeName,
      families,
      ...healthAddresses(settings.nodePortAddresses),
      skipAddresses: [settings.dnsAddress],
      clearConntrack: true,
      pods: informers.informer('v1/pods', own),
    }),
    startClusterDns({
      ...environment,
      informers,
      addresses: [settings.dnsAddress],
      configMap: dnsConfigMap,
      port: 53,
      clusterDomain,
      namespaceOf,
    }),
    startNetworkPolicy({
      ...environment,
      informers,
      nodeName: settings.nodeName,
      table: names.policyTable,
      families,
    }),
    startNodeRoutes({
      ...environment,
      informers,
      nodeName: settings.nodeName,
      nodeAddresses: settings.nodeAddresses,
      device: names.vxlan,
      vni: names.vni,
      podCidrs: settings.podCidrs,
    }),
    provisioner.start(),
  ]);
  const pages = await serveProxy({
    ...{ environment, proxy, mode: backend.mode, families },
    healthAt: settings.nodeAddresses.map(address => `${urlHost(address)}:${proxyHealthPort}`),
    metricsAt: [],
  });
  const endServices = async () => {
    await pages.close();
    await provisioner.stop();
    await Promise.all([proxy.stop(), dns.close(), policy.stop(), routes.stop()]);
  };
  const disconnect = async () => {
    stopping.abort(new Error('the node agent stops'));
    await client.transport.close();
  };
  return {
    async release() {
      await endServices();
      await backend.release();
      await linux.release();
      await disconnect();
    },
    async stop() {
      await endServices();
      await linux.stop();
      await disconnect();
      await backend.remove();
      await removeNodeNetwork(settings);
      await removeCgroups([paths.cgroup], environment.clock);
      await rm(paths.state, { recursive: true, force: true });
    },
  };
}

function volumeProvisioner({ environment, settings }: NodeProcessOptions, client: Client, directory: string): Manager {
  const controller = localVolumeController({
    nodeName: settings.nodeName,
    directory,
    makeFolder: async path => {
      await mkdir(path, { recursive: true });
      await chmod(path, 0o777);
    },
    removeFolder: path => rm(path, { recursive: true, force: true }),
  });
  return createManager({ environment, client: client.with({ userAgent: controller.name }), controllers: [controller] });
}

/** On one machine the server starts beside the agent: asking often for a moment beats the back-off of everything below. */
async function serverAnswers(client: Client, { clock }: Environment): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const response = await client.transport
      .request({
        method: 'GET',
        path: '/readyz',
        query: new URLSearchParams(),
        headers: {},
        signal: AbortSignal.any([]),
      })
      .catch(() => undefined);
    if (response?.status === 200) return;
    await sleep(clock, 50);
  }
}

/** On the control plane's own machine the authority's key is at hand: the node gets its certificates from it. */
export function localIdentity(environment: Environment, dataDir: string, config: ClusterConfig): NodeIdentity {
  const { clock, log } = environment;
  const { ca } = ensureClusterPki(clusterPaths(dataDir).pki, { clock });
  const name = config.nodeName;
  const issue = () => issueNodeCredentials(ca, { name, addresses: [...config.nodeAddresses, '127.0.0.1'] }, clock);
  const transport = http2Transport({
    server: `https://127.0.0.1:${config.port}`,
    ca: ca.certificate,
    credentials: renewedCredentials(clock, () => issue().client),
    clock,
  });
  const serving = () => {
    const { certificate: cert, key } = issue().serving;
    return { cert, key };
  };
  return {
    client: createClient(transport, { userAgent: 'kubelet', clock }),
    tls: { ...serving(), clientCa: ca.certificate },
    onRenewal: use => void renewRegularly({ clock, log }, () => use(serving())),
  };
}

/** Ends and removes what a node that was killed left on this machine besides its data. */
export async function cleanNode(dataDir: string, config: ClusterConfig, environment: Environment): Promise<void> {
  if (config.node.kind !== 'real') return;
  const paths = nodePaths({ dataDir, id: config.id });
  await endLeftovers(containerPlaces(paths), environment);
  await removeNodeNetwork(config);
  await removeCgroups([paths.cgroup], environment.clock);
}

/** Where containers and what they need are kept. */
function containerPlaces(paths: ReturnType<typeof nodePaths>): Pick<LinuxNodeOptions, 'directories' | 'cni'> {
  return {
    directories: { kubelet: paths.kubelet, containerd: paths.containerd, state: paths.state, logs: paths.logs },
    cni: { binDir: cniPlugins(), confDir: paths.cniConfiguration },
  };
}
