/** A CSI driver in this process: volumes are directories, and every call is recorded. */
import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { Server } from '@grpc/grpc-js';
import { createCodec } from '../../src/kubelet/grpc/codec.ts';
import { csiMessages } from '../../src/kubelet/volumes/csi-messages.ts';
import { addRegistration, bind, type Handler, service } from './grpc.ts';

export interface FakeCsiDriver {
  readonly calls: { method: string; request: Record<string, unknown> }[];
  close(): void;
}

const capabilities = ['STAGE_UNSTAGE_VOLUME', 'EXPAND_VOLUME', 'GET_VOLUME_STATS'];

/** Serves registration and CSI on one socket under `<root>/plugins_registry`. */
export async function startFakeCsiDriver(root: string, name: string, data: string): Promise<FakeCsiDriver> {
  const calls: FakeCsiDriver['calls'] = [];
  const socket = `${root}/plugins_registry/${name}-reg.sock`;
  await mkdir(`${root}/plugins_registry`, { recursive: true });
  const server = new Server();
  const record =
    (method: string, act: (r: Record<string, unknown>) => Promise<object> | object = () => ({})): Handler =>
    async request => {
      calls.push({ method, request });
      return act(request);
    };
  const mountAt = async (from: string, target: unknown) => {
    await mkdir(from, { recursive: true });
    await mkdir(String(target), { recursive: true });
    execFileSync('mount', ['--bind', from, String(target)]);
    return {};
  };
  /** A node of the first RAM disk: that there is a driver for it does not matter. */
  const deviceAt = async (from: string, target: string) => {
    await mkdir(data, { recursive: true });
    execFileSync('mknod', [from, 'b', '1', '0']);
    await writeFile(target, '');
    execFileSync('mount', ['--bind', from, target]);
    return {};
  };
  const unmount = (target: unknown) => {
    execFileSync('umount', [String(target)]);
    return {};
  };
  const node = service('csi.v1.Node', createCodec(csiMessages), {
    NodeGetInfo: ['NodeGetInfoRequest', 'NodeGetInfoResponse', async () => ({ nodeId: 'n1' })],
    NodeGetCapabilities: [
      'NodeGetCapabilitiesRequest',
      'NodeGetCapabilitiesResponse',
      async () => ({ capabilities: capabilities.map(type => ({ rpc: { type } })) }),
    ],
    NodeStageVolume: ['NodeStageVolumeRequest', 'NodeStageVolumeResponse', record('stage')],
    NodeUnstageVolume: ['NodeUnstageVolumeRequest', 'NodeUnstageVolumeResponse', record('unstage')],
    NodePublishVolume: [
      'NodePublishVolumeRequest',
      'NodePublishVolumeResponse',
      record('publish', r =>
        (r['volumeCapability'] as { block?: object }).block
          ? deviceAt(`${data}/${r['volumeId']}`, String(r['targetPath']))
          : mountAt(`${data}/${r['volumeId']}`, r['targetPath']),
      ),
    ],
    NodeExpandVolume: ['NodeExpandVolumeRequest', 'NodeExpandVolumeResponse', record('expand')],
    NodeGetVolumeStats: [
      'NodeGetVolumeStatsRequest',
      'NodeGetVolumeStatsResponse',
      async () => ({ usage: [{ unit: 'BYTES', available: 600, total: 1000, used: 400 }] }),
    ],
    NodeUnpublishVolume: [
      'NodeUnpublishVolumeRequest',
      'NodeUnpublishVolumeResponse',
      record('unpublish', r => unmount(r['targetPath'])),
    ],
  });
  server.addService(node.definition, node.implementation);
  addRegistration(server, { type: 'CSIPlugin', name, endpoint: socket, supportedVersions: ['1.0.0'] });
  await bind(server, socket);
  return { calls, close: () => server.forceShutdown() };
}
