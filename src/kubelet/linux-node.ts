/** Assembles the agent of a real node: containerd, the machine underneath, the kubelet and its server. */
import { mkdir } from 'node:fs/promises';
import type { Service, Taint } from '../api/types/core-v1.ts';
import type { Client, InformerFactory } from '../client/contract.ts';
import type { Environment } from '../controller/contract.ts';
import { type EvictionOptions, startEviction } from './eviction/index.ts';
import { createLinuxHost, type LinuxHost } from './host/linux.ts';
import { createImageGc } from './images/gc.ts';
import { createKubelet, type Kubelet } from './kubelet.ts';
import { removePods } from './leftovers.ts';
import { startLogRotation } from './logs/rotation.ts';
import type { Machine } from './node/machine.ts';
import { allocatableOf } from './node/node-object.ts';
import { createObjectSource } from './objects.ts';
import type { ClusterDns } from './pod/config.ts';
import { type Containerd, startContainerd } from './runtime/containerd.ts';
import type { ContainerRuntime } from './runtime/contract.ts';
import { createCriRuntime } from './runtime/cri/index.ts';
import { type KubeletServer, type ServerTls, startKubeletServer } from './server/index.ts';
import { startStaticPods } from './static-pods.ts';
import { createStats, type Stats, type StatsInput } from './stats/summary.ts';
import { startCsiNode } from './volumes/csi-node.ts';
import { unmountBelow } from './volumes/mount.ts';

export interface LinuxNodeOptions {
  environment: Environment;
  client: Client;
  /** Started by the caller, before or after. */
  informers: InformerFactory;
  nodeName: string;
  machine: Machine;
  directories: {
    /** Pods' volumes and files. */
    kubelet: string;
    /** Image store, configuration and log of containerd. */
    containerd: string;
    /** Socket and running state of containerd: short, and gone after a reboot. */
    state: string;
    /** Container logs. */
    logs: string;
  };
  cni: { binDir: string; confDir: string };
  /** Use this CRI endpoint (a socket's path) instead of a containerd of our own. */
  runtimeEndpoint?: string;
  /** The cgroup path under which pods get theirs; default `/kubepods`. */
  cgroupRoot?: string;
  clusterDns: ClusterDns;
  labels?: Record<string, string>;
  taints?: readonly Taint[];
  maxPods?: number;
  providerId?: string;
  /** Absent: no HTTPS API (no logs, exec, port-forward). */
  server?: { host: string; port: number; tls: ServerTls };
  staticPods?: { directory?: string; url?: string; intervalMs?: number };
  /** When pods are evicted; default upstream's hard thresholds. */
  eviction?: Pick<EvictionOptions, 'thresholds' | 'maxPodGraceSeconds' | 'transitionMs' | 'observe' | 'intervalMs'>;
  /** How often files are measured. */
  diskPeriodMs?: StatsInput['diskPeriodMs'];
  onPodCidrs?(cidrs: readonly string[]): void;
  services?: (namespace: string) => readonly Service[];
}
export interface LinuxNode {
  readonly kubelet: Kubelet;
  readonly host: LinuxHost;
  readonly runtime: ContainerRuntime;
  /** Absent with a runtime endpoint of someone else. */
  readonly containerd: Containerd | undefined;
  readonly server: KubeletServer | undefined;
  readonly stats: Stats;
  /** Registers, and resolves when the node's pods are known. */
  start(): Promise<void>;
  /** Ends the agent: containers and containerd run on. */
  release(): Promise<void>;
  /** Ends the agent, all of its pods' containers and its own containerd. */
  stop(): Promise<void>;
}

export async function createLinuxNode(options: LinuxNodeOptions): Promise<LinuxNode> {
  const { environment, client, nodeName, machine, directories } = options;
  const { clock, log } = environment;
  for (const path of Object.values(directories)) await mkdir(path, { recursive: true });
  const containerd = options.runtimeEndpoint
    ? undefined
    : await startContainerd({ dir: directories.containerd, stateDir: directories.state, clock, log, cni: options.cni });
  const runtime = containerd?.runtime ?? createCriRuntime({ socket: options.runtimeEndpoint ?? '', clock });
  const { runtimeName } = await runtime.version();
  const nodeOptions = {
    name: nodeName,
    machine,
    maxPods: options.maxPods ?? 110,
    kubeletPort: options.server?.port ?? 10250,
  };
  const allocatable = allocatableOf(nodeOptions);
  const host = createLinuxHost({
    root: directories.kubelet,
    logRoot: directories.logs,
    cgroupRoot: options.cgroupRoot ?? '/kubepods',
    client,
    clock,
    objects: createObjectSource(client, clock, () => []),
    nodeName,
    clusterDomain: options.clusterDns.domain,
    memoryBytes: machine.memoryBytes,
    hostIps: machine.addresses,
    allocatable: () => allocatable,
    log,
    onResourcesChanged: () => kubelet.node.refresh(),
    onVolumeGrown: (pod, { metadata }) =>
      kubelet.context.recorder.event(
        { ...pod, apiVersion: 'v1', kind: 'Pod' },
        'Normal',
        'FileSystemResizeSuccessful',
        `MountVolume.NodeExpandVolume succeeded for volume "${metadata.name}" ${nodeName}`,
      ),
    ...(containerd && {
      mountImage: (_pod, reference, policy, target) => containerd.mountImage(reference, policy, target),
    }),
  });
  const stopping = new AbortController();
  let server: KubeletServer | undefined;
  const kubelet = createKubelet({
    environment,
    client,
    informers: options.informers,
    runtime,
    runtimeName,
    nodeName,
    machine,
    host,
    clusterDns: options.clusterDns,
    maxPods: nodeOptions.maxPods,
    kubeletPort: nodeOptions.kubeletPort,
    ...(options.labels && { labels: options.labels }),
    ...(options.taints && { taints: options.taints }),
    ...(options.providerId && { providerId: options.providerId }),
    ...(options.services && { services: options.services }),
    async onPodCidrs(cidrs) {
      options.onPodCidrs?.(cidrs);
    },
  });
  const paths = { storagePath: directories.kubelet, imagePath: directories.containerd };
  const { diskPeriodMs } = options;
  const stats = createStats({ ...paths, kubelet, host, ...(diskPeriodMs !== undefined && { diskPeriodMs }) });
  const release = async () => {
    stopping.abort(new Error('the node agent stops'));
    await server?.close();
    await kubelet.stop();
    await host.close();
    if (containerd) await containerd.release();
    else await runtime.close();
  };
  return {
    kubelet,
    host,
    runtime,
    containerd,
    stats,
    get server() {
      return server;
    },
    async start() {
      const { signal } = stopping;
      if (options.server)
        server = await startKubeletServer({
          ...options.server,
          kubelet,
          client,
          machine,
          stats,
          logRoot: directories.logs,
        });
      await host.start();
      await kubelet.start();
      if (options.staticPods)
        void startStaticPods({ ...options.staticPods, kubelet, nodeName, client, clock, log, signal });
      const images = createImageGc({ kubelet, storagePath: directories.containerd, clock, log, signal });
      void images.run();
      void startEviction({
        ...paths,
        ...options.eviction,
        kubelet,
        stats,
        clock,
        log,
        signal,
        freeDisk: images.removeUnused,
      });
      void startLogRotation({ kubelet, runtime, clock, log, signal });
      void startCsiNode({ csi: host.csi, scan: host.scanPlugins, nodeName, client, clock, log, signal });
    },
    release,
    async stop() {
      stopping.abort(new Error('the node agent stops'));
      await server?.close();
      await kubelet.stop();
      await removePods(runtime);
      // As when the machine is switched off: what pods wrote to their volumes is there when they start again.
      await host.close();
      await unmountBelow(directories.kubelet);
      if (containerd) await containerd.stop();
      else await runtime.close();
    },
  };
}
