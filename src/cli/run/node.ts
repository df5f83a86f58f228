/** Assembles the node agent: containerd, kubelet, pod network, service proxy, DNS, network policy and local volumes. */

import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { sleep } from '../../base/clock.ts';
import type { Client } from '../../client/contract.ts';
import { createClient, createInformerFactory } from '../../client/index.ts';
import { http2Transport } from '../../client/node/index.ts';
import { localVolumeController } from '../../cloud/local/volumes.ts';
import type { Environment } from '../../controller/contract.ts';
import { createManager, type Manager } from '../../controller/index.ts';
import { startClusterDns } from '../../dns/index.ts';
import { detectMachine } from '../../kubelet/host/machine.ts';
import { createLinuxNode } from '../../kubelet/linux-node.ts';
import type { ServerTls } from '../../kubelet/server/index.ts';
import { writeCniConfiguration } from '../../network/cni.ts';
import { startNetworkPolicy } from '../../network/policy/index.ts';
import { startNodeRoutes } from '../../network/routes.ts';
import { ensureClusterPki, issueNodeCredentials } from '../../pki/index.ts';
import { startProxy } from '../../proxy/index.ts';
import { createServiceTable } from '../../proxy/nftables/table.ts';
import { type ClusterConfig, clusterPaths } from '../cluster.ts';
import { networkNames, removeNodeNetwork } from './node-network.ts';

export interface NodeProcessOptions {
  readonly environment: Environment;
  readonly dataDir: string;
  readonly config: ClusterConfig;
}

export interface RunningNode {
  /** Ends the agent; containers run on. */
  release(): Promise<void>;
  /** Ends the agent and all containers. */
  stop(): Promise<void>;
}

const clusterDomain = 'cluster.local';

export function nodePaths(dataDir: string, config: ClusterConfig) {
  const { node } = clusterPaths(dataDir);
  return {
    containerd: join(node, 'containerd'),
    // Socket paths are limited to 107 bytes, and running state must not survive a reboot.
    state: `/run/tsukube-${config.id}`,
    cniConfiguration: join(node, 'cni'),
    leases: join(node, 'cni-leases'),
    kubelet: join(node, 'kubelet'),
    logs: join(node, 'pod-logs'),
    staticPods: join(node, 'static-pods'),
    cgroup: `/kubepods-tsukube-${config.id}`,
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
  const { environment, dataDir, config } = options;
  const { clock, log } = environment;
  const paths = nodePaths(dataDir, config);
  const names = networkNames(config);
  const { client, tls } = identity(options);
  const stopping = new AbortController();
  const informers = createInformerFactory(client, environment);
  const linux = await createLinuxNode({
    environment,
    client,
    informers,
    nodeName: config.nodeName,
    machine: await detectMachine(dataDir, [config.hostAddress]),
    directories: { kubelet: paths.kubelet, containerd: paths.containerd, state: paths.state, logs: paths.logs },
    cgroupRoot: paths.cgroup,
    cni: { binDir: cniPlugins(), confDir: paths.cniConfiguration },
    clusterDns: { servers: [config.dnsAddress], domain: clusterDomain },
    server: { host: config.hostAddress, port: config.kubeletPort, tls },
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
  await serverAnswers(client, environment);
  const podByIp = informers.informer('v1/pods', { fieldSelector: `spec.nodeName=${config.nodeName}` });
  podByIp.addIndex('ip', pod => (pod.spec.hostNetwork ? [] : (pod.status?.podIPs ?? []).map(p => p.ip)));
  const provisioner = volumeProvisioner(options, client, paths.volumes);
  informers.start(stopping.signal);
  const backend = createServiceTable({
    table: names.serviceTable,
    podCidrs: [config.podCidr],
    families: ['ip'],
    log,
    metrics: environment.metrics,
  });
  const [, proxy, dns, policy, routes] = await Promise.all([
    linux.start(),
    startProxy({
      ...environment,
      informers,
      backend,
      node: { name: config.nodeName },
      skipAddresses: [config.dnsAddress],
      clearConntrack: true,
    }),
    startClusterDns({
      ...environment,
      informers,
      addresses: [config.dnsAddress],
      port: 53,
      clusterDomain,
      namespaceOf: address => podByIp.store.byIndex('ip', address)[0]?.metadata.namespace,
    }),
    startNetworkPolicy({
      ...environment,
      informers,
      nodeName: config.nodeName,
      table: names.policyTable,
      families: ['ip'],
    }),
    startNodeRoutes({
      ...environment,
      informers,
      nodeName: config.nodeName,
      nodeAddress: config.hostAddress,
      device: names.vxlan,
      vni: names.vni,
    }),
    provisioner.start(),
  ]);
  const endServices = async () => {
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
      await linux.release();
      await disconnect();
    },
    async stop() {
      await endServices();
      await linux.stop();
      await disconnect();
      await backend.remove();
      await removeNodeNetwork(config);
      await removeCgroup(paths.cgroup);
    },
  };
}

function volumeProvisioner({ environment, config }: NodeProcessOptions, client: Client, directory: string): Manager {
  const controller = localVolumeController({
    nodeName: config.nodeName,
    directory,
    makeFolder: async path => {
      await mkdir(path, { recursive: true });
      await chmod(path, 0o777);
    },
    removeFolder: path => rm(path, { recursive: true, force: true }),
  });
  return createManager({ environment, client, controllers: [controller] });
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
function identity({ dataDir, config, environment }: NodeProcessOptions): { client: Client; tls: ServerTls } {
  const pki = ensureClusterPki(clusterPaths(dataDir).pki, { clock: environment.clock });
  const issued = issueNodeCredentials(
    pki.ca,
    { name: config.nodeName, addresses: [config.hostAddress, '127.0.0.1'] },
    environment.clock,
  );
  const transport = http2Transport({
    server: `https://127.0.0.1:${config.port}`,
    ca: pki.ca.certificate,
    cert: issued.client.certificate,
    key: issued.client.key,
    clock: environment.clock,
  });
  return {
    client: createClient(transport, { userAgent: 'tsukube-node', clock: environment.clock }),
    tls: { cert: issued.serving.certificate, key: issued.serving.key, clientCa: pki.ca.certificate },
  };
}

/** The empty cgroups of the node's pods, in every hierarchy. */
async function removeCgroup(name: string): Promise<void> {
  const root = '/sys/fs/cgroup';
  const hierarchies = await readdir(root).catch(() => []);
  for (const top of ['', ...hierarchies]) await removeTree(join(root, top, name));
}

async function removeTree(path: string): Promise<void> {
  const below = await readdir(path, { withFileTypes: true }).catch(() => []);
  for (const entry of below) if (entry.isDirectory()) await removeTree(join(path, entry.name));
  // Not empty, or not there: somebody else's business.
  await rmdir(path).catch(() => {});
}

/** Removes what a node left on this machine besides its data. */
export async function cleanNode(dataDir: string, config: ClusterConfig): Promise<void> {
  if (config.node.kind !== 'real') return;
  await removeNodeNetwork(config);
  await removeCgroup(nodePaths(dataDir, config).cgroup);
}
