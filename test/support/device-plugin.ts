/** A device plugin in this process: what it has is told by the test, and every call is recorded. */
import { Client, credentials, Server, type ServerWritableStream } from '@grpc/grpc-js';
import { createCodec } from '../../src/kubelet/grpc/codec.ts';
import { deviceMessages } from '../../src/kubelet/plugins/devices.ts';
import { bind, service } from './grpc.ts';

export interface FakeDevicePlugin {
  readonly calls: { method: string; ids: string[] }[];
  /** Tells the kubelet of these devices; false: ill. */
  have(devices: Record<string, boolean>): void;
  /** As plugins do when they see a new kubelet. */
  register(): Promise<void>;
  close(): void;
}

export async function startFakeDevicePlugin(
  root: string,
  resource: string,
  allocate: (ids: string[]) => object,
): Promise<FakeDevicePlugin> {
  const directory = `${root}/device-plugins`;
  const codec = createCodec(deviceMessages);
  const calls: FakeDevicePlugin['calls'] = [];
  const watchers = new Set<ServerWritableStream<unknown, object>>();
  let devices: { ID: string; health: string }[] = [];
  type Ids = { devicesIds: string[] };
  const { definition, implementation } = service('v1beta1.DevicePlugin', codec, {
    Allocate: [
      'AllocateRequest',
      'AllocateResponse',
      async request => {
        const ids = (request['containerRequests'] as Ids[]).map(r => r.devicesIds);
        calls.push({ method: 'allocate', ids: ids.flat() });
        return { containerResponses: ids.map(allocate) };
      },
    ],
    PreStartContainer: [
      'PreStartContainerRequest',
      'PreStartContainerResponse',
      async request => {
        calls.push({ method: 'prestart', ids: request['devicesIds'] as string[] });
        return {};
      },
    ],
  });
  const server = new Server();
  server.addService(
    {
      ...definition,
      ListAndWatch: {
        path: '/v1beta1.DevicePlugin/ListAndWatch',
        requestStream: false,
        responseStream: true,
        requestSerialize: (v: object) => Buffer.from(codec.encode('Empty', v)),
        requestDeserialize: (b: Buffer) => codec.decode<object>('Empty', b),
        responseSerialize: (v: object) => Buffer.from(codec.encode('ListAndWatchResponse', v)),
        responseDeserialize: (b: Buffer) => codec.decode<object>('ListAndWatchResponse', b),
      },
    },
    {
      ...implementation,
      ListAndWatch(call: ServerWritableStream<unknown, object>) {
        watchers.add(call);
        call.on('close', () => watchers.delete(call));
        call.write({ devices });
      },
    },
  );
  await bind(server, `${directory}/fake.sock`);
  return {
    calls,
    have(next) {
      devices = Object.entries(next).map(([ID, well]) => ({ ID, health: well ? 'Healthy' : 'Unhealthy' }));
      for (const call of watchers) call.write({ devices });
    },
    async register() {
      const client = new Client(`unix:${directory}/kubelet.sock`, credentials.createInsecure());
      const request = {
        version: 'v1beta1',
        endpoint: 'fake.sock',
        resourceName: resource,
        options: { preStartRequired: true, getPreferredAllocationAvailable: false },
      };
      try {
        await new Promise<void>((resolve, reject) =>
          client.makeUnaryRequest(
            '/v1beta1.Registration/Register',
            (v: object) => Buffer.from(codec.encode('RegisterRequest', v)),
            (b: Buffer) => codec.decode<object>('Empty', b),
            request,
            e => (e ? reject(e) : resolve()),
          ),
        );
      } finally {
        client.close();
      }
    },
    close: () => server.forceShutdown(),
  };
}
