/** The volumes of pods: made before their containers start, kept up to date, taken away when the pod is gone. */
import { chmod, lstat, mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { unitsOf } from '../../api/quantity.ts';
import type { PersistentVolume, PersistentVolumeClaim, Pod, Volume } from '../../api/types/core-v1.ts';
import { messageOf } from '../../base/errors.ts';
import { SetUpError } from '../pod/host.ts';
import { uidOf } from '../pod/names.ts';
import { type DiskUsage, diskUsage, type Filesystem, filesystemOf } from '../stats/disk.ts';
import { type Payload, writeAtomically } from './atomic-writer.ts';
import type { CsiNode, CsiUsage, CsiVolume } from './csi.ts';
import { isMounted, mount, mountPoints, unmountBelow } from './mount.ts';
import { giveToGroup } from './ownership.ts';
import { configMapPayload, downwardPayload, type PayloadSource, projectedPayload, secretPayload } from './payload.ts';

export interface VolumeManagerOptions {
  /** `<root>/pods/<uid>/volumes/…` */
  root: string;
  payload: PayloadSource;
  csi: CsiNode;
  /** A claim of the pod and the volume behind it; rejects while it is not bound. */
  claimedVolume(pod: Pod, claim: string): Promise<Claimed>;
  /** A volume has grown to what its claim was promised. */
  grown(pod: Pod, claimed: Claimed): Promise<void>;
  /** Mounts an image's files at a directory, read-only. */
  mountImage?(pod: Pod, reference: string, policy: string | undefined, target: string): Promise<void>;
}
export interface Claimed {
  claim: PersistentVolumeClaim;
  volume: PersistentVolume;
}

export interface VolumeManager {
  setUp(pod: Pod): Promise<void>;
  /** Host path of a volume that is set up. */
  pathOf(pod: Pod, volumeName: string): string | undefined;
  tearDown(uid: string): Promise<void>;
  /** What the pod's volumes hold; without paths of the host and images. */
  usage(pod: Pod): Promise<VolumeUsage[]>;
  /** `kubernetes.io/csi/<driver>^<handle>` of all pods. */
  inUse(): string[];
}

export interface VolumeUsage {
  name: string;
  /** The claim behind it. */
  claim?: string;
  usage: DiskUsage;
  filesystem: Filesystem | undefined;
}

/** Volumes that live on the node's own disk. Upstream: localVolumeNames. */
export function localVolumes(pod: Pod): string[] {
  const local = (v: Volume) => (v.emptyDir && v.emptyDir.medium !== 'Memory') || v.configMap || v.downwardAPI;
  return (pod.spec.volumes ?? []).filter(local).map(v => v.name);
}

interface Ready {
  path: string;
  attachable?: string;
}

export function createVolumeManager(options: VolumeManagerOptions): VolumeManager {
  const { root, payload, csi } = options;
  const ready = new Map<string, Map<string, Ready>>();
  const podDirectory = (uid: string) => `${root}/pods/${uid}`;
  const volumePath = (pod: Pod, plugin: string, name: string) =>
    `${podDirectory(uidOf(pod))}/volumes/kubernetes.io~${plugin}/${name}`;

  /** Files from the API live in memory when they may be secret. */
  async function projected(pod: Pod, plugin: string, name: string, files: Payload, inMemory: boolean): Promise<Ready> {
    const path = volumePath(pod, plugin, name);
    await mkdir(path, { recursive: true });
    if (inMemory && !(await isMounted(path))) await mount('tmpfs', path, 'tmpfs', ['mode=0755']);
    await chmod(path, 0o755);
    const gid = pod.spec.securityContext?.fsGroup;
    const changed = await writeAtomically(path, files, gid);
    if (changed && gid !== undefined) await giveToGroup(path, gid, false);
    return { path };
  }
  async function emptyDir(pod: Pod, { name, emptyDir: spec }: Volume): Promise<Ready> {
    const path = volumePath(pod, 'empty-dir', name);
    const existed = await stat(path).catch(() => undefined);
    await mkdir(path, { recursive: true });
    if (spec?.medium === 'Memory' && !(await isMounted(path))) {
      const size = spec.sizeLimit ? [`size=${unitsOf(spec.sizeLimit)}`] : [];
      await mount('tmpfs', path, 'tmpfs', size);
    } else if (existed) return { path };
    await chmod(path, 0o777);
    const gid = pod.spec.securityContext?.fsGroup;
    if (gid !== undefined) await giveToGroup(path, gid, false);
    return { path };
  }
  async function nfs(pod: Pod, name: string, server: string, path: string, flags: readonly string[]): Promise<Ready> {
    const target = volumePath(pod, 'nfs', name);
    await mkdir(target, { recursive: true });
    if (!(await isMounted(target))) await mount(`${server}:${path}`, target, 'nfs', flags);
    return { path: target };
  }
  async function csiVolume(pod: Pod, name: string, volume: CsiVolume): Promise<Ready> {
    const path = volume.block
      ? `${podDirectory(uidOf(pod))}/volumeDevices/kubernetes.io~csi/${name}/device`
      : `${volumePath(pod, 'csi', name)}/mount`;
    if (!(await isMounted(path))) {
      await mkdir(path.slice(0, path.lastIndexOf('/')), { recursive: true });
      await csi.publish(pod, volume, path);
      const gid = pod.spec.securityContext?.fsGroup;
      const policy = pod.spec.securityContext?.fsGroupChangePolicy;
      if (gid !== undefined && (await csi.appliesGroup(volume)))
        await giveToGroup(path, gid, policy === 'OnRootMismatch');
    } else if (await csi.republishes(volume.driver)) await csi.publish(pod, volume, path);
    return { path, ...(volume.persistent && { attachable: `kubernetes.io/csi/${volume.driver}^${volume.handle}` }) };
  }

  async function persistent(pod: Pod, name: string, claim: string, readOnly: boolean): Promise<Ready> {
    const claimed = await options.claimedVolume(pod, claim);
    const { volume } = claimed;
    const { spec = {} } = volume;
    if (spec.hostPath) return hostPath(spec.hostPath.path, spec.hostPath.type);
    if (spec.local) return hostPath(spec.local.path, spec.volumeMode === 'Block' ? 'BlockDevice' : '');
    if (spec.nfs) {
      const flags = [...(spec.mountOptions ?? []), ...(spec.nfs.readOnly || readOnly ? ['ro'] : [])];
      return nfs(pod, name, spec.nfs.server, spec.nfs.path, flags);
    }
    if (!spec.csi) throw new Error(`no volume plugin matched name: ${volume.metadata.name}`);
    const { driver, volumeHandle, volumeAttributes = {}, fsType = '', readOnly: always = false } = spec.csi;
    const secret = (ref: { name?: string; namespace?: string } | undefined) =>
      ref?.name ? { name: ref.name, namespace: ref.namespace ?? '' } : undefined;
    const stageSecret = secret(spec.csi.nodeStageSecretRef);
    const publishSecret = secret(spec.csi.nodePublishSecretRef);
    const expandSecret = secret(spec.csi.nodeExpandSecretRef);
    const own: CsiVolume = {
      driver,
      handle: volumeHandle,
      attributes: volumeAttributes,
      readOnly: always || readOnly,
      fsType,
      mountFlags: spec.mountOptions ?? [],
      accessMode: spec.accessModes?.[0] ?? 'ReadWriteOnce',
      block: spec.volumeMode === 'Block',
      persistent: volume,
      ...(stageSecret && { stageSecret }),
      ...(publishSecret && { publishSecret }),
      ...(expandSecret && { expandSecret }),
    };
    const mounted = await csiVolume(pod, name, own);
    await expand(pod, claimed, own, mounted.path);
    return mounted;
  }
  /** Grows what the controller has made larger. Upstream: operation_executor's NodeExpandVolume. */
  async function expand(pod: Pod, claimed: Claimed, volume: CsiVolume, path: string): Promise<void> {
    const size = (list: Record<string, string> | undefined) => unitsOf(list?.['storage'] ?? '0');
    const [is, shall] = [size(claimed.claim.status?.capacity), size(claimed.volume.spec?.capacity)];
    if (is === 0 || shall <= is || volume.readOnly) return;
    if (await csi.expand(volume, path, shall)) await options.grown(pod, claimed);
  }

  async function setUpOne(pod: Pod, volume: Volume): Promise<Ready> {
    const { name } = volume;
    if (volume.configMap) {
      const { name: ref, items, optional, defaultMode: mode } = volume.configMap;
      return projected(
        pod,
        'configmap',
        name,
        await configMapPayload(pod, { name: ref, items, optional, mode }, payload),
        false,
      );
    }
    if (volume.secret) {
      const { secretName: ref, items, optional, defaultMode: mode } = volume.secret;
      return projected(
        pod,
        'secret',
        name,
        await secretPayload(pod, { name: ref, items, optional, mode }, payload),
        true,
      );
    }
    if (volume.downwardAPI) {
      const files = downwardPayload(pod, volume.downwardAPI.items, volume.downwardAPI.defaultMode, payload);
      return projected(pod, 'downward-api', name, files, false);
    }
    if (volume.projected) {
      const files = await projectedPayload(pod, volume.projected.sources, volume.projected.defaultMode, payload);
      return projected(pod, 'projected', name, files, true);
    }
    if (volume.emptyDir) return emptyDir(pod, volume);
    if (volume.hostPath) return hostPath(volume.hostPath.path, volume.hostPath.type);
    if (volume.nfs) return nfs(pod, name, volume.nfs.server, volume.nfs.path, volume.nfs.readOnly ? ['ro'] : []);
    if (volume.persistentVolumeClaim) {
      const { claimName, readOnly = false } = volume.persistentVolumeClaim;
      return persistent(pod, name, claimName, readOnly);
    }
    if (volume.ephemeral) return persistent(pod, name, `${pod.metadata.name}-${name}`, false);
    if (volume.csi) return csiVolume(pod, name, inlineCsi(pod, volume));
    if (volume.image) return imageVolume(pod, volume);
    throw new Error(`no volume plugin matched name: ${name}`);
  }
  async function imageVolume(pod: Pod, { name, image }: Volume): Promise<Ready> {
    const path = volumePath(pod, 'image', name);
    if (!options.mountImage) throw new Error('image volumes are not supported by this runtime');
    await mkdir(path, { recursive: true });
    if (!(await isMounted(path))) await options.mountImage(pod, image?.reference ?? '', image?.pullPolicy, path);
    return { path };
  }

  return {
    async setUp(pod) {
      const uid = uidOf(pod);
      const volumes = ready.get(uid) ?? new Map<string, Ready>();
      ready.set(uid, volumes);
      for (const volume of pod.spec.volumes ?? []) {
        try {
          volumes.set(volume.name, await setUpOne(pod, volume));
        } catch (e) {
          const device = isDevice(pod, volume.name);
          const step = device ? 'MapVolume.SetUpDevice' : 'MountVolume.SetUp';
          const message = `${step} failed for volume "${volume.name}" : ${messageOf(e)}`;
          throw new SetUpError(device ? 'FailedMapVolume' : 'FailedMount', message);
        }
      }
    },
    pathOf: (pod, name) => ready.get(uidOf(pod))?.get(name)?.path,
    async tearDown(uid) {
      const directory = podDirectory(uid);
      const below = async (folder: string, last: string) =>
        (await readdir(`${directory}/${folder}/kubernetes.io~csi`).catch(() => [])).map(
          name => `${directory}/${folder}/kubernetes.io~csi/${name}/${last}`,
        );
      const published = [...(await below('volumes', 'mount')), ...(await below('volumeDevices', 'device'))];
      await unmountBelow(`${directory}/volume-subpaths`);
      for (const target of published) await csi.unpublish(target);
      await unmountBelow(directory);
      if ((await mountPoints()).some(p => p.startsWith(`${directory}/`)))
        throw new Error(`${directory} still has mounts`);
      await rm(directory, { recursive: true, force: true });
      ready.delete(uid);
    },
    async usage(pod) {
      const found: VolumeUsage[] = [];
      for (const volume of pod.spec.volumes ?? []) {
        const path = ready.get(uidOf(pod))?.get(volume.name)?.path;
        if (path === undefined || volume.hostPath || volume.image) continue;
        const claim = volume.ephemeral
          ? `${pod.metadata.name}-${volume.name}`
          : volume.persistentVolumeClaim?.claimName;
        if (isDevice(pod, volume.name)) continue;
        const own = await csi.usage(path).catch(() => undefined);
        const filesystem = own ? told(own) : await filesystemOf(path);
        const usage = claim !== undefined && filesystem ? wholeOf(filesystem) : await diskUsage(path);
        found.push({ name: volume.name, ...(claim !== undefined && { claim }), usage, filesystem });
      }
      return found;
    },
    inUse: () => [...new Set([...ready.values()].flatMap(v => [...v.values()].flatMap(r => r.attachable ?? [])))],
  };
}

const isDevice = (pod: Pod, name: string): boolean =>
  [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].some(c => c.volumeDevices?.some(d => d.name === name));

const told = (usage: CsiUsage): Filesystem => ({
  availableBytes: usage.get('BYTES')?.available ?? 0,
  capacityBytes: usage.get('BYTES')?.total ?? 0,
  inodesFree: usage.get('INODES')?.available ?? 0,
  inodes: usage.get('INODES')?.total ?? 0,
});

/** A claim's volume is a file system of its own. */
const wholeOf = (f: Filesystem): DiskUsage => ({
  bytes: f.capacityBytes - f.availableBytes,
  inodes: f.inodes - f.inodesFree,
});

function inlineCsi(pod: Pod, { name, csi }: Volume): CsiVolume {
  const { driver = '', volumeAttributes = {}, readOnly = false, fsType = '', nodePublishSecretRef } = csi ?? {};
  const secret = nodePublishSecretRef?.name;
  return {
    driver,
    handle: `csi-${uidOf(pod)}-${name}`,
    attributes: volumeAttributes,
    readOnly,
    fsType,
    mountFlags: [],
    accessMode: 'ReadWriteOnce',
    ...(secret && { publishSecret: { name: secret, namespace: pod.metadata.namespace ?? '' } }),
  };
}

/** Checks, or makes, what the type asks for. */
async function hostPath(path: string, type: string | undefined): Promise<Ready> {
  const there = await stat(path).catch(() => undefined);
  const fail = (what: string): never => {
    throw new Error(`hostPath type check failed: ${path} is not a ${what}`);
  };
  if (type === 'DirectoryOrCreate' && !there) await mkdir(path, { recursive: true, mode: 0o755 });
  else if (type === 'FileOrCreate' && !there) await writeFile(path, '', { mode: 0o644, flag: 'a' });
  else if ((type === 'Directory' || type === 'DirectoryOrCreate') && !there?.isDirectory()) fail('directory');
  else if ((type === 'File' || type === 'FileOrCreate') && !there?.isFile()) fail('file');
  else if (type === 'Socket' && !there?.isSocket()) fail('socket');
  else if (type === 'CharDevice' && !there?.isCharacterDevice()) fail('character device');
  else if (type === 'BlockDevice' && !there?.isBlockDevice()) fail('block device');
  else if (!type && !there) await lstat(path).catch(() => mkdir(path, { recursive: true, mode: 0o755 }));
  return { path };
}
