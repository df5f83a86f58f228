/** A CSI driver in this process: volumes are directories, and every call is recorded. */
import { execFileSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';
import { createCodec } from '../../src/kubelet/grpc/codec.ts';
import { csiMessages } from '../../src/kubelet/volumes/csi-messages.ts';

export interface FakeCsiDriver {
  readonly calls: { method: string; request: Record<string, unknown> }[];
  close(): void;
}

const registration = `
PluginInfo type=1:s name=2:s endpoint=3:s supported_versions=4:s*
RegistrationStatus plugin_registered=1:b error=2:s
RegistrationStatusResponse
InfoRequest
`;
type Handler = (request: Record<string, unknown>) => Promise<object>;

function service(
  path: string,
  codec: ReturnType<typeof createCodec>,
  methods: Record<string, [string, string, Handler]>,
) {
  const definition = Object.fromEntries(
    Object.entries(methods).map(([name, [input, output]]) => [
      name,
      {
        path: `/${path}/${name}`,
        requestStream: false,
        responseStream: false,
        requestSerialize: (v: object) => Buffer.from(codec.encode(input, v)),
        requestDeserialize: (b: Buffer) => codec.decode<Record<string, unknown>>(input, b),
        responseSerialize: (v: object) => Buffer.from(codec.encode(output, v)),
        responseDeserialize: (b: Buffer) => codec.decode<object>(output, b),
      },
    ]),
  );
  const implementation = Object.fromEntries(
    Object.entries(methods).map(([name, [, , handle]]) => [
      name,
      (call: ServerUnaryCall<Record<string, unknown>, object>, reply: sendUnaryData<object>) => {
        handle(call.request).then(
          value => reply(null, value),
          (e: Error) => reply({ code: 13, details: e.message }),
        );
      },
    ]),
  );
  return { definition, implementation };
}

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
  const unmount = (target: unknown) => {
    execFileSync('umount', [String(target)]);
    return {};
  };
  const node = service('csi.v1.Node', createCodec(csiMessages), {
    NodeGetInfo: ['NodeGetInfoRequest', 'NodeGetInfoResponse', async () => ({ nodeId: 'n1' })],
    NodeGetCapabilities: [
      'NodeGetCapabilitiesRequest',
      'NodeGetCapabilitiesResponse',
      async () => ({ capabilities: [{ rpc: { type: 'STAGE_UNSTAGE_VOLUME' } }] }),
    ],
    NodeStageVolume: ['NodeStageVolumeRequest', 'NodeStageVolumeResponse', record('stage')],
    NodeUnstageVolume: ['NodeUnstageVolumeRequest', 'NodeUnstageVolumeResponse', record('unstage')],
    NodePublishVolume: [
      'NodePublishVolumeRequest',
      'NodePublishVolumeResponse',
      record('publish', r => mountAt(`${data}/${r['volumeId']}`, r['targetPath'])),
    ],
    NodeUnpublishVolume: [
      'NodeUnpublishVolumeRequest',
      'NodeUnpublishVolumeResponse',
      record('unpublish', r => unmount(r['targetPath'])),
    ],
  });
  const registrar = service('pluginregistration.Registration', createCodec(registration), {
    GetInfo: [
      'InfoRequest',
      'PluginInfo',
      async () => ({ type: 'CSIPlugin', name, endpoint: socket, supportedVersions: ['1.0.0'] }),
    ],
    NotifyRegistrationStatus: ['RegistrationStatus', 'RegistrationStatusResponse', record('registered')],
  });
  server.addService(node.definition, node.implementation);
  server.addService(registrar.definition, registrar.implementation);
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), e => (e ? reject(e) : resolve())),
  );
  return { calls, close: () => server.forceShutdown() };
}
