/** CSI on the node: stage and publish through a driver's socket. Upstream: pkg/volume/csi. */
import { glob, mkdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import type { PersistentVolume, Pod } from '../../api/types/core-v1.ts';
import type { CSIDriverSpec } from '../../api/types/storage-v1.ts';
import { createCodec } from '../grpc/codec.ts';
import { createUnixClient, type UnixClient } from '../grpc/unix-client.ts';
import type { PluginKind } from '../plugins/registry.ts';
import type { ObjectSource } from '../pod/env.ts';
import { csiMessages } from './csi-messages.ts';

export interface CsiOptions {
  /** Holds `plugins`, and in it where volumes are staged. */
  root: string;
  /** Looks for drivers that registered or left. */
  scan(): Promise<unknown>;
  objects: ObjectSource;
  /** What the cluster knows of the driver. */
  driverSpec(driver: string): Promise<CSIDriverSpec>;
  /** The attachment's publish context, once the volume is attached. Rejects while it is not. */
  publishContext(volume: PersistentVolume): Promise<Record<string, string>>;
  /** A token of the pod's service account, for drivers that ask for it. */
  serviceAccountToken(pod: Pod, audience: string | undefined, expirationSeconds: number): Promise<string>;
}
export interface CsiVolume {
  driver: string;
  handle: string;
  attributes: Record<string, string>;
  readOnly: boolean;
  fsType: string;
  mountFlags: readonly string[];
  accessMode: string;
  stageSecret?: { name: string; namespace: string };
  publishSecret?: { name: string; namespace: string };
  /** A device instead of a file system. */
  block?: boolean;
  expandSecret?: { name: string; namespace: string };
  /** Absent: an ephemeral inline volume. */
  persistent?: PersistentVolume;
}
/** By unit: bytes and inodes. */
export type CsiUsage = ReadonlyMap<'BYTES' | 'INODES', { available: number; total: number; used: number }>;

export interface CsiNode {
  readonly drivers: ReadonlyMap<
    string,
    { socket: string; nodeId: string; maxVolumes: number; topology: Record<string, string> }
  >;
  /** How drivers come and go. */
  readonly kind: PluginKind;
  publish(pod: Pod, volume: CsiVolume, target: string): Promise<void>;
  unpublish(target: string): Promise<void>;
  /** Whether the driver wants its volumes published again and again, as for tokens. */
  republishes(driver: string): Promise<boolean>;
  /** Whether the kubelet gives the volume's files to the pod's group. */
  appliesGroup(volume: CsiVolume): Promise<boolean>;
  /** Lets a published volume have so many bytes. False when the driver has nothing to do for it on the node. */
  expand(volume: CsiVolume, target: string, bytes: number): Promise<boolean>;
  /** What a published volume holds, as its driver says; undefined when it does not. */
  usage(target: string): Promise<CsiUsage | undefined>;
}

const modes: Record<string, string> = {
  ReadWriteOnce: 'SINGLE_NODE_WRITER',
  ReadOnlyMany: 'MULTI_NODE_READER_ONLY',
  ReadWriteMany: 'MULTI_NODE_MULTI_WRITER',
  ReadWriteOncePod: 'SINGLE_NODE_SINGLE_WRITER',
};
const callTimeoutMs = 120_000;

interface Driver {
  socket: string;
  nodeId: string;
  maxVolumes: number;
  topology: Record<string, string>;
  capabilities: ReadonlySet<string>;
  client: UnixClient;
}
/** Kept beside the mount, so that it can be taken down after a restart. */
interface Published {
  driver: string;
  handle: string;
  staging: string;
}

export function createCsiNode(options: CsiOptions): CsiNode {
  const { root, objects, driverSpec, publishContext, scan } = options;
  const drivers = new Map<string, Driver>();
  const call = <R>(driver: Driver, method: string, request: object): Promise<R> =>
    driver.client.call(
      `csi.v1.${method.startsWith('Node') ? 'Node' : 'Identity'}/${method}`,
      [`${method}Request`, request],
      `${method}Response`,
      { timeoutMs: callTimeoutMs },
    );

  async function connect(socket: string): Promise<Driver> {
    const client = createUnixClient(socket, createCodec(csiMessages));
    const bare: Driver = { socket, client, nodeId: '', maxVolumes: 0, topology: {}, capabilities: new Set() };
    const info = await call<{
      nodeId: string;
      maxVolumesPerNode: number;
      accessibleTopology?: { segments: Record<string, string> };
    }>(bare, 'NodeGetInfo', {});
    const { capabilities } = await call<{ capabilities: { rpc?: { type: string } }[] }>(
      bare,
      'NodeGetCapabilities',
      {},
    );
    return {
      ...bare,
      nodeId: info.nodeId,
      maxVolumes: info.maxVolumesPerNode,
      topology: info.accessibleTopology?.segments ?? {},
      capabilities: new Set(capabilities.map(c => c.rpc?.type ?? '')),
    };
  }
  const capabilityOf = (volume: CsiVolume) => ({
    ...(volume.block ? { block: {} } : { mount: { fsType: volume.fsType, mountFlags: [...volume.mountFlags] } }),
    accessMode: { mode: modes[volume.accessMode] ?? 'SINGLE_NODE_WRITER' },
  });
  const recordOf = async (target: string): Promise<Published | undefined> => {
    const text = await readFile(`${target}.json`, 'utf8').catch(() => undefined);
    return text === undefined ? undefined : (JSON.parse(text) as Published);
  };
  async function secretOf(ref: { name: string; namespace: string } | undefined): Promise<Record<string, string>> {
    if (!ref) return {};
    const secret = await objects.secret(ref.namespace, ref.name);
    if (!secret) throw new Error(`secret "${ref.name}" not found`);
    return Object.fromEntries(
      Object.entries(secret.data ?? {}).map(([k, v]) => [k, Buffer.from(v, 'base64').toString()]),
    );
  }
  function driverOf(name: string): Driver {
    const driver = drivers.get(name);
    if (!driver) throw new Error(`driver name ${name} not found in the list of registered CSI drivers`);
    return driver;
  }
  const podInfo = (pod: Pod, ephemeral: boolean): Record<string, string> => ({
    'csi.storage.k8s.io/pod.name': pod.metadata.name ?? '',
    'csi.storage.k8s.io/pod.namespace': pod.metadata.namespace ?? '',
    'csi.storage.k8s.io/pod.uid': pod.metadata.uid ?? '',
    'csi.storage.k8s.io/serviceAccount.name': pod.spec.serviceAccountName ?? '',
    'csi.storage.k8s.io/ephemeral': String(ephemeral),
  });
  async function tokensOf(pod: Pod, { tokenRequests = [] }: CSIDriverSpec): Promise<Record<string, string>> {
    if (tokenRequests.length === 0) return {};
    const tokens: Record<string, { token: string }> = {};
    for (const { audience, expirationSeconds = 3600 } of tokenRequests)
      tokens[audience] = { token: await options.serviceAccountToken(pod, audience, expirationSeconds) };
    return { 'csi.storage.k8s.io/serviceAccount.tokens': JSON.stringify(tokens) };
  }
  /** Whether another pod of this node has the volume, too. */
  async function isShared(staging: string, without: string): Promise<boolean> {
    for await (const path of glob(`${root}/pods/*/volume*/kubernetes.io~csi/*/*.json`))
      if (path !== `${without}.json` && (await recordOf(path.slice(0, -5)))?.staging === staging) return true;
    return false;
  }
  const stagingPath = (v: CsiVolume) =>
    `${root}/plugins/kubernetes.io/csi/${v.driver}/${Buffer.from(v.handle).toString('hex').slice(0, 64)}/globalmount`;

  return {
    drivers,
    kind: {
      async add({ name, endpoint }) {
        drivers.get(name)?.client.close();
        drivers.set(name, await connect(endpoint));
      },
      remove(name) {
        drivers.get(name)?.client.close();
        drivers.delete(name);
      },
    },
    async publish(pod, volume, target) {
      const driver = driverOf(volume.driver);
      const capability = capabilityOf(volume);
      const spec = await driverSpec(volume.driver);
      const { persistent } = volume;
      const context = persistent && spec.attachRequired !== false ? await publishContext(persistent) : {};
      const stages = driver.capabilities.has('STAGE_UNSTAGE_VOLUME');
      const staging = volume.persistent && stages ? stagingPath(volume) : '';
      const common = { volumeId: volume.handle, publishContext: context, volumeCapability: capability };
      if (staging) {
        await mkdir(staging, { recursive: true });
        const secrets = await secretOf(volume.stageSecret);
        const request = { ...common, stagingTargetPath: staging, secrets, volumeContext: volume.attributes };
        await call(driver, 'NodeStageVolume', request);
      }
      await mkdir(target.slice(0, target.lastIndexOf('/')), { recursive: true });
      const record: Published = { driver: volume.driver, handle: volume.handle, staging };
      await writeFile(`${target}.json`, JSON.stringify(record));
      await call(driver, 'NodePublishVolume', {
        ...common,
        stagingTargetPath: staging,
        targetPath: target,
        readonly: volume.readOnly,
        secrets: await secretOf(volume.publishSecret),
        volumeContext: {
          ...volume.attributes,
          ...(spec.podInfoOnMount && podInfo(pod, !volume.persistent)),
          ...(await tokensOf(pod, spec)),
        },
      });
    },
    republishes: async name => (await driverSpec(name)).requiresRepublish ?? false,
    async appliesGroup({ driver, persistent, fsType, accessMode, readOnly, block }) {
      if (readOnly || block) return false;
      const { fsGroupPolicy = 'ReadWriteOnceWithFSType' } = await driverSpec(driver);
      if (fsGroupPolicy !== 'ReadWriteOnceWithFSType') return fsGroupPolicy === 'File';
      return fsType !== '' && (!persistent || accessMode.startsWith('ReadWriteOnce'));
    },
    async expand(volume, target, bytes) {
      const driver = driverOf(volume.driver);
      if (!driver.capabilities.has('EXPAND_VOLUME')) return false;
      await call(driver, 'NodeExpandVolume', {
        volumeId: volume.handle,
        volumePath: target,
        capacityRange: { requiredBytes: bytes },
        stagingTargetPath: (await recordOf(target))?.staging ?? '',
        volumeCapability: capabilityOf(volume),
        secrets: await secretOf(volume.expandSecret),
      });
      return true;
    },
    async usage(target) {
      const record = await recordOf(target);
      const driver = drivers.get(record?.driver ?? '');
      if (!record || !driver?.capabilities.has('GET_VOLUME_STATS')) return undefined;
      const request = { volumeId: record.handle, volumePath: target, stagingTargetPath: record.staging };
      type Reply = { usage: { unit: 'BYTES' | 'INODES'; available: number; total: number; used: number }[] };
      const { usage } = await call<Reply>(driver, 'NodeGetVolumeStats', request);
      return new Map(usage.map(({ unit, ...u }) => [unit, u]));
    },
    async unpublish(target) {
      const record = await recordOf(target);
      if (!record) return;
      const { driver: name, handle, staging } = record;
      if (!drivers.has(name)) await scan();
      const driver = driverOf(name);
      await call(driver, 'NodeUnpublishVolume', { volumeId: handle, targetPath: target });
      await rm(target, { recursive: true, force: true });
      if (staging && !(await isShared(staging, target))) {
        await call(driver, 'NodeUnstageVolume', { volumeId: handle, stagingTargetPath: staging });
        await rmdir(staging).catch(() => undefined);
      }
      await rm(`${target}.json`, { force: true });
    },
  };
}
