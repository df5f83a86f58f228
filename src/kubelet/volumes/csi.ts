/** CSI on the node: stage and publish through a driver's socket. Upstream: pkg/volume/csi. */
import { mkdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import type { PersistentVolume, Pod } from '../../api/types/core-v1.ts';
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
  /** The attachment's publish context, once the volume is attached. Rejects while it is not. */
  publishContext(driver: string, volume: PersistentVolume): Promise<Record<string, string>>;
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
  /** Absent: an ephemeral inline volume. */
  persistent?: PersistentVolume;
}
export interface CsiNode {
  readonly drivers: ReadonlyMap<
    string,
    { socket: string; nodeId: string; maxVolumes: number; topology: Record<string, string> }
  >;
  /** How drivers come and go. */
  readonly kind: PluginKind;
  publish(pod: Pod, volume: CsiVolume, target: string): Promise<void>;
  unpublish(target: string): Promise<void>;
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
  stages: boolean;
  client: UnixClient;
}
/** Kept beside the mount, so that it can be taken down after a restart. */
interface Published {
  driver: string;
  handle: string;
  staging: string;
}

export function createCsiNode({ root, objects, publishContext, scan }: CsiOptions): CsiNode {
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
    const bare: Driver = { socket, client, nodeId: '', maxVolumes: 0, topology: {}, stages: false };
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
      stages: capabilities.some(c => c.rpc?.type === 'STAGE_UNSTAGE_VOLUME'),
    };
  }
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
      const capability = {
        mount: { fsType: volume.fsType, mountFlags: [...volume.mountFlags] },
        accessMode: { mode: modes[volume.accessMode] ?? 'SINGLE_NODE_WRITER' },
      };
      const context = volume.persistent ? await publishContext(volume.driver, volume.persistent) : {};
      const staging = volume.persistent && driver.stages ? stagingPath(volume) : '';
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
        volumeContext: { ...volume.attributes, ...podInfo(pod, !volume.persistent) },
      });
    },
    async unpublish(target) {
      const text = await readFile(`${target}.json`, 'utf8').catch(() => undefined);
      if (text === undefined) return;
      const { driver: name, handle, staging } = JSON.parse(text) as Published;
      if (!drivers.has(name)) await scan();
      const driver = driverOf(name);
      await call(driver, 'NodeUnpublishVolume', { volumeId: handle, targetPath: target });
      await rm(target, { recursive: true, force: true });
      if (staging) {
        await call(driver, 'NodeUnstageVolume', { volumeId: handle, stagingTargetPath: staging });
        await rmdir(staging).catch(() => undefined);
      }
      await rm(`${target}.json`, { force: true });
    },
  };
}
