/** The machine under a real node's pods: directories, volumes, cgroups, /etc/hosts, logs. */
import { chmod, mkdir, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import type { PersistentVolume, PersistentVolumeClaim, Pod } from '../../api/types/core-v1.ts';
import type { CSIDriverSpec } from '../../api/types/storage-v1.ts';
import type { Clock } from '../../base/clock.ts';
import { isNotFound, messageOf } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { Client } from '../../client/contract.ts';
import { createDeviceManager } from '../plugins/devices.ts';
import { createResourceDrivers } from '../plugins/dra.ts';
import { createPluginRegistry } from '../plugins/registry.ts';
import type { Refusal } from '../pod/admission.ts';
import { podHostname } from '../pod/config.ts';
import type { ObjectSource } from '../pod/env.ts';
import { expand } from '../pod/env.ts';
import { type ContainerFiles, type PodHost, SetUpError } from '../pod/host.ts';
import {
  type AnyContainer,
  allContainers,
  podLogFolder,
  terminationPathAnnotation,
  terminationPolicyAnnotation,
  uidOf,
} from '../pod/names.ts';
import { appArmorProfile } from '../pod/security.ts';
import type { ContainerStatus, RuntimeMount } from '../runtime/contract.ts';
import { createCsiNode } from '../volumes/csi.ts';
import {
  type Claimed,
  createVolumeManager,
  type VolumeManager,
  type VolumeManagerOptions,
} from '../volumes/manager.ts';
import { prepareSubPath } from '../volumes/subpath.ts';
import { createTokenSource } from '../volumes/tokens.ts';
import { createPodCgroups, type PodCgroups } from './cgroups.ts';
import { networkChecks } from './checks.ts';
import { createUserNamespaces } from './user-namespaces.ts';

export interface LinuxHostOptions {
  /** The kubelet's directory: pods, plugins. */
  root: string;
  /** Where container logs go: `<logRoot>/<namespace>_<name>_<uid>/<container>/<n>.log`. */
  logRoot: string;
  /** The node's own cgroup path for pods; default `/kubepods`. Empty: no pod cgroups. */
  cgroupRoot: string;
  client: Client;
  clock: Clock;
  objects: ObjectSource;
  nodeName: string;
  clusterDomain: string;
  memoryBytes: number;
  hostIps: readonly string[];
  allocatable(): Record<string, string>;
  /** Default /etc/resolv.conf. */
  resolvConf?: string;
  mountImage?: VolumeManagerOptions['mountImage'];
  log: Logger;
  /** Devices came, left or fell ill. */
  onResourcesChanged(): void;
  /** A pod's volume was made larger on this node. */
  onVolumeGrown(pod: Pod, volume: PersistentVolume): void;
}
export interface LinuxHost extends PodHost {
  readonly cgroups: PodCgroups;
  readonly csi: ReturnType<typeof createCsiNode>;
  /** Opens what plugins register at. */
  start(): Promise<void>;
  close(): Promise<void>;
  /** Looks for plugins that came or left. */
  scanPlugins(): Promise<boolean>;
  volumePath(pod: Pod, name: string): string | undefined;
  volumeUsage: VolumeManager['usage'];
}

const maxTerminationMessage = 4096;
const maxFallbackBytes = 2048;
const maxFallbackLines = 80;

export function createLinuxHost(options: LinuxHostOptions): LinuxHost {
  const { root, logRoot, client, clock, objects, nodeName } = options;
  const cgroups = createPodCgroups(options.cgroupRoot || '/kubepods', clock);
  const tokens = createTokenSource(client, clock);
  const addresses = new Map<string, readonly string[]>();
  const devices = createDeviceManager({
    directory: `${root}/device-plugins`,
    log: options.log,
    onChange: options.onResourcesChanged,
  });
  const users = createUserNamespaces(`${root}/pods`);
  const claims = createResourceDrivers({ directory: root, client });
  const scan = (): Promise<boolean> => plugins.scan();
  const csi = createCsiNode({
    root,
    scan,
    objects,
    driverSpec: driver => driverSpec(client, driver),
    publishContext: volume => publishContext(client, nodeName, volume),
    serviceAccountToken: tokens.request,
  });
  const plugins = createPluginRegistry(root, { CSIPlugin: csi.kind, DRAPlugin: claims.kind });
  const volumes = createVolumeManager({
    root,
    csi,
    payload: {
      objects,
      nodeName,
      hostIps: () => options.hostIps,
      podIps: pod => addresses.get(uidOf(pod)) ?? pod.status?.podIPs?.map(i => i.ip) ?? [],
      allocatable: options.allocatable,
      serviceAccountToken: tokens.request,
    },
    claimedVolume: (pod, claim) => claimedVolume(client, pod, claim),
    async grown(pod, { claim, volume }) {
      await volumeGrown(client, claim, volume);
      options.onVolumeGrown(pod, volume);
    },
    ...(options.mountImage && { mountImage: options.mountImage }),
  });
  const podDirectory = (uid: string) => `${root}/pods/${uid}`;

  async function volumeMounts(pod: Pod, container: AnyContainer): Promise<RuntimeMount[]> {
    const mounts: RuntimeMount[] = [];
    for (const [index, m] of (container.volumeMounts ?? []).entries()) {
      const volume = volumes.pathOf(pod, m.name);
      if (volume === undefined)
        throw new Error(`cannot find volume "${m.name}" to mount into container "${container.name}"`);
      const env = new Map(
        (container.env ?? []).map(e => [e.name, e.value ?? podName(pod, e.valueFrom?.fieldRef?.fieldPath)]),
      );
      const subPath = m.subPathExpr ? expand(m.subPathExpr, n => env.get(n)) : (m.subPath ?? '');
      let hostPath = volume;
      if (subPath) {
        hostPath = `${podDirectory(uidOf(pod))}/volume-subpaths/${m.name}/${container.name}/${index}`;
        await prepareSubPath(volume, subPath, hostPath);
      }
      const containerPath = m.mountPath.startsWith('/') ? m.mountPath : `/${m.mountPath}`;
      mounts.push({
        containerPath,
        hostPath,
        readonly: m.readOnly ?? false,
        propagation: propagation(m.mountPropagation),
      });
    }
    return mounts;
  }

  async function prepareClaims(pod: Pod): Promise<void> {
    try {
      await scanFor(claims.prepare, pod);
    } catch (e) {
      const message = `Failed to prepare dynamic resources: ${messageOf(e)}`;
      throw new SetUpError('FailedPrepareDynamicResources', message);
    }
  }
  /** Work of plugins, again when they had not been looked for. */
  async function scanFor<T>(work: (subject: T) => Promise<void>, subject: T): Promise<void> {
    try {
      await work(subject);
    } catch (e) {
      if (!(await scan())) throw e;
      await work(subject);
    }
  }

  async function hostsFile(pod: Pod, container: AnyContainer, podIps: readonly string[]): Promise<RuntimeMount[]> {
    if (container.volumeMounts?.some(m => m.mountPath === '/etc/hosts')) return [];
    const path = `${podDirectory(uidOf(pod))}/etc-hosts`;
    const node = pod.spec.hostNetwork ? await readFile('/etc/hosts', 'utf8').catch(() => '') : undefined;
    await writeFile(path, hostsContent(pod, podIps, options.clusterDomain, node));
    await chmod(path, 0o644);
    return [
      {
        containerPath: '/etc/hosts',
        hostPath: path,
        readonly: container.securityContext?.readOnlyRootFilesystem ?? false,
      },
    ];
  }

  async function terminationLog(pod: Pod, container: AnyContainer, attempt: number): Promise<RuntimeMount> {
    const directory = `${podDirectory(uidOf(pod))}/containers/${container.name}`;
    await mkdir(directory, { recursive: true });
    const path = `${directory}/${attempt}`;
    await writeFile(path, '');
    await chmod(path, 0o666);
    return { containerPath: container.terminationMessagePath ?? '/dev/termination-log', hostPath: path };
  }

  return {
    cgroups,
    csi,
    scanPlugins: scan,
    async start() {
      await devices.start();
      await claims.start();
    },
    async close() {
      claims.close();
      await devices.close();
    },
    admit: async pod => refuseByAppArmor(pod, await appArmorEnabled()) ?? devices.admit(pod),
    userNamespace: pod => users.rangeOf(uidOf(pod)),
    extendedResources: devices.resources,
    checks: networkChecks,
    memoryBytes: options.memoryBytes,
    periodicSync: true,
    volumePath: volumes.pathOf,
    volumeUsage: volumes.usage,
    volumesInUse: volumes.inUse,
    logDirectory: pod => `${logRoot}/${podLogFolder(pod)}`,
    cgroupParent: pod => (options.cgroupRoot ? cgroups.parentOf(pod) : ''),
    async setUpPod(pod) {
      await mkdir(podDirectory(uidOf(pod)), { recursive: true, mode: 0o750 });
      await mkdir(`${logRoot}/${podLogFolder(pod)}`, { recursive: true });
      if (options.cgroupRoot) await cgroups.apply(pod);
      if (pod.spec.volumes?.some(v => v.csi || v.persistentVolumeClaim || v.ephemeral)) await scan();
      if (pod.spec.resourceClaims?.length) await prepareClaims(pod);
      await volumes.setUp(pod);
    },
    async containerFiles(pod, container, podIps, attempt): Promise<ContainerFiles> {
      addresses.set(uidOf(pod), podIps);
      await mkdir(`${logRoot}/${podLogFolder(pod)}/${container.name}`, { recursive: true });
      const mounts = [
        ...(await volumeMounts(pod, container)),
        ...(await hostsFile(pod, container, podIps)),
        await terminationLog(pod, container, attempt),
      ];
      const given = await devices.filesOf(pod, container.name);
      const blocks = (container.volumeDevices ?? []).flatMap(d => {
        const hostPath = volumes.pathOf(pod, d.name);
        return hostPath ? [{ containerPath: d.devicePath, hostPath, permissions: 'mrw' }] : [];
      });
      return {
        mounts: [...mounts, ...given.mounts],
        devices: [...blocks, ...given.devices],
        envs: given.envs ?? [],
        annotations: given.annotations ?? {},
        cdiDevices: [...(given.cdiDevices ?? []), ...claims.devicesOf(pod, container)],
      };
    },
    terminationMessage: (_pod, _container, status) => terminationMessage(status),
    async updatePodResources(pod) {
      if (options.cgroupRoot) await cgroups.apply(pod);
    },
    async tearDownPod(uid) {
      await scanFor(claims.unprepare, uid);
      await devices.release(uid);
      await volumes.tearDown(uid);
      if (options.cgroupRoot) await cgroups.remove(uid);
      tokens.forget(uid);
      addresses.delete(uid);
    },
    async podsOnDisk() {
      const files = await readdir(`${root}/pods`).catch(() => []);
      return [...new Set([...files, ...(options.cgroupRoot ? await cgroups.list() : [])])];
    },
    async removeLogs(uid) {
      const folders = (await readdir(logRoot).catch(() => [])).filter(name => name.endsWith(`_${uid}`));
      for (const name of folders) await rm(`${logRoot}/${name}`, { recursive: true, force: true });
    },
    resolver: async () =>
      parseResolvConf(await readFile(options.resolvConf ?? '/etc/resolv.conf', 'utf8').catch(() => '')),
  };
}

function podName(pod: Pod, field: string | undefined): string | undefined {
  if (field === 'metadata.name') return pod.metadata.name;
  if (field === 'metadata.namespace') return pod.metadata.namespace;
  return field === 'metadata.uid' ? pod.metadata.uid : undefined;
}

function propagation(mode: string | undefined): NonNullable<RuntimeMount['propagation']> {
  if (mode === 'Bidirectional') return 'PROPAGATION_BIDIRECTIONAL';
  return mode === 'HostToContainer' ? 'PROPAGATION_HOST_TO_CONTAINER' : 'PROPAGATION_PRIVATE';
}

/** The pod's /etc/hosts; `node`: the node's own, for pods in the host's network. */
export function hostsContent(pod: Pod, podIps: readonly string[], domain: string, node?: string): string {
  const lines =
    node !== undefined
      ? ['# Kubernetes-managed hosts file (host network).', node.trimEnd()]
      : [
          '# Kubernetes-managed hosts file.',
          '127.0.0.1\tlocalhost',
          '::1\tlocalhost ip6-localhost ip6-loopback',
          'fe00::0\tip6-localnet',
          'fe00::0\tip6-mcastprefix',
          'fe00::1\tip6-allnodes',
          'fe00::2\tip6-allrouters',
          ...podIps.map(ip => `${ip}\t${hostNames(pod, domain)}`),
        ];
  const aliases = pod.spec.hostAliases ?? [];
  if (aliases.length > 0) {
    lines.push('', '# Entries added by HostAliases.');
    for (const { ip, hostnames = [] } of aliases) lines.push([ip, ...hostnames].join('\t'));
  }
  return `${lines.join('\n')}\n`;
}

function hostNames(pod: Pod, domain: string): string {
  const { subdomain, setHostnameAsFQDN } = pod.spec;
  const name = podHostname({ ...pod, spec: { ...pod.spec, setHostnameAsFQDN: false } }, domain);
  if (!subdomain || (setHostnameAsFQDN && !subdomain)) return name;
  return `${name}.${subdomain}.${pod.metadata.namespace}.svc.${domain}\t${name}`;
}

export function parseResolvConf(text: string): { servers: string[]; searches: string[]; options: string[] } {
  const result = { servers: [] as string[], searches: [] as string[], options: [] as string[] };
  for (const line of text.split('\n')) {
    const [key, ...rest] = line.trim().split(/\s+/);
    if (key === 'nameserver' && rest[0]) result.servers.push(rest[0]);
    else if (key === 'search' || key === 'domain') result.searches = rest.filter(s => s !== '.');
    else if (key === 'options') result.options.push(...rest);
  }
  return result;
}

async function terminationMessage(status: ContainerStatus): Promise<string> {
  const path = status.annotations[terminationPathAnnotation];
  const mount = status.mounts.find(m => m.containerPath === path);
  const written = mount ? await tail(mount.hostPath, maxTerminationMessage, false) : '';
  const fallback = status.annotations[terminationPolicyAnnotation] === 'FallbackToLogsOnError';
  if (written || !fallback || status.exitCode === 0 || !status.logPath) return written;
  const log = await tail(status.logPath, maxFallbackBytes * 2, true);
  const lines = log.split('\n').filter(Boolean).slice(-maxFallbackLines);
  const text = lines.map(l => l.split(' ').slice(3).join(' ')).join('\n');
  return text ? `${text}\n`.slice(-maxFallbackBytes) : '';
}

async function tail(path: string, limit: number, fromEnd: boolean): Promise<string> {
  const file = await open(path).catch(() => undefined);
  if (!file) return '';
  try {
    const { size } = await file.stat();
    const start = fromEnd ? Math.max(0, size - limit) : 0;
    const { buffer, bytesRead } = await file.read(Buffer.alloc(limit), 0, limit, start);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}

async function claimedVolume(client: Client, pod: Pod, name: string): Promise<Claimed> {
  const { namespace = '' } = pod.metadata;
  try {
    const claim = await client.resource('v1/persistentvolumeclaims', namespace).get(name);
    const volume = claim.spec?.volumeName;
    if (!volume || claim.status?.phase !== 'Bound') throw new Error(`PVC ${namespace}/${name} is not bound`);
    return { claim, volume: await client.resource('v1/persistentvolumes').get(volume) };
  } catch (e) {
    if (isNotFound(e))
      throw new Error(`failed to fetch PVC from API server: persistentvolumeclaim "${name}" not found`);
    throw e;
  }
}

/** The claim has what it was promised: the last step of an expansion. Upstream: util.MarkFSResizeFinished. */
async function volumeGrown(client: Client, { metadata, status }: PersistentVolumeClaim, volume: PersistentVolume) {
  const conditions = (status?.conditions ?? []).filter(
    c => c.type !== 'FileSystemResizePending' && c.type !== 'Resizing',
  );
  const capacity = { ...status?.capacity, storage: volume.spec?.capacity?.['storage'] ?? '0' };
  const patch = { status: { capacity, conditions, allocatedResourceStatuses: { storage: null } } };
  const claims = client.resource('v1/persistentvolumeclaims', metadata.namespace);
  await claims.patch(metadata.name ?? '', 'merge', patch, { subresource: 'status' });
}

async function driverSpec(client: Client, driver: string): Promise<CSIDriverSpec> {
  try {
    return (await client.resource('storage.k8s.io/v1/csidrivers').get(driver)).spec;
  } catch (e) {
    if (isNotFound(e)) return {};
    throw e;
  }
}

const appArmorEnabled = async (): Promise<boolean> =>
  (await readFile('/sys/module/apparmor/parameters/enabled', 'utf8').catch(() => '')).startsWith('Y');

/** A pod that asks to be confined does not run unconfined. Upstream: security/apparmor.Validate. */
export function refuseByAppArmor(pod: Pod, enabled: boolean): Refusal | undefined {
  const wanted = allContainers(pod).some(c => (appArmorProfile(pod, c)?.type ?? 'Unconfined') !== 'Unconfined');
  if (enabled || !wanted) return undefined;
  return { reason: 'AppArmor', message: 'Cannot enforce AppArmor: AppArmor is not enabled on the host' };
}

/** What the external attacher left for the node. */
async function publishContext(
  client: Client,
  nodeName: string,
  volume: PersistentVolume,
): Promise<Record<string, string>> {
  const { items } = await client.resource('storage.k8s.io/v1/volumeattachments').list();
  const attachment = items.find(
    a => a.spec.nodeName === nodeName && a.spec.source.persistentVolumeName === volume.metadata.name,
  );
  if (!attachment?.status?.attached)
    throw new Error(`volume ${volume.metadata.name} is not attached to node ${nodeName}`);
  return attachment.status.attachmentMetadata ?? {};
}
