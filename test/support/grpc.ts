/** gRPC servers of fake plugins, on the official library, so that ours is tried against it. */
import { type Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';
import { createCodec } from '../../src/kubelet/grpc/codec.ts';
import { registrationMessages } from '../../src/kubelet/plugins/registry.ts';

export type Handler = (request: Record<string, unknown>) => Promise<object>;

export function service(
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

/** Lets the kubelet know the plugin by its socket under `plugins_registry`. */
export function addRegistration(
  server: Server,
  info: { type: string; name: string; endpoint: string; supportedVersions: string[] },
): void {
  const { definition, implementation } = service('pluginregistration.Registration', createCodec(registrationMessages), {
    GetInfo: ['InfoRequest', 'PluginInfo', async () => info],
    NotifyRegistrationStatus: ['RegistrationStatus', 'RegistrationStatusResponse', async () => ({})],
  });
  server.addService(definition, implementation);
}

export function bind(server: Server, socket: string): Promise<void> {
  return new Promise((resolve, reject) =>
    server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), e => (e ? reject(e) : resolve())),
  );
}
