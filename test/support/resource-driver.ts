/** A DRA driver in this process: every device gets a CDI id made of its name, and every call is recorded. */
import { mkdir } from 'node:fs/promises';
import { Server } from '@grpc/grpc-js';
import { createCodec } from '../../src/kubelet/grpc/codec.ts';
import { claimMessages } from '../../src/kubelet/plugins/dra.ts';
import { addRegistration, bind, service } from './grpc.ts';

export interface FakeResourceDriver {
  /** `prepare NAME`, `unprepare NAME`. */
  readonly calls: string[];
  close(): void;
}

export async function startFakeResourceDriver(root: string, name: string): Promise<FakeResourceDriver> {
  const calls: string[] = [];
  const directory = `${root}/plugins_registry`;
  const socket = `${directory}/${name}-reg.sock`;
  await mkdir(directory, { recursive: true });
  const server = new Server();
  type Claim = { uid: string; name: string };
  const each = (verb: string, answer: (claim: Claim) => object) => async (request: Record<string, unknown>) => {
    const claims = request['claims'] as Claim[];
    calls.push(...claims.map(c => `${verb} ${c.name}`));
    return { claims: claims.map(c => ({ key: c.uid, value: answer(c) })) };
  };
  const { definition, implementation } = service(
    'k8s.io.kubelet.pkg.apis.dra.v1.DRAPlugin',
    createCodec(claimMessages),
    {
      NodePrepareResources: [
        'NodePrepareResourcesRequest',
        'NodePrepareResourcesResponse',
        each('prepare', c => ({
          devices: [
            { requestNames: ['one'], poolName: 'n1', deviceName: 'd1', cdiDeviceIds: [`${name}/gpu=${c.name}-1`] },
            { requestNames: ['two'], poolName: 'n1', deviceName: 'd2', cdiDeviceIds: [`${name}/gpu=${c.name}-2`] },
          ],
        })),
      ],
      NodeUnprepareResources: [
        'NodeUnprepareResourcesRequest',
        'NodeUnprepareResourcesResponse',
        each('unprepare', () => ({})),
      ],
    },
  );
  server.addService(definition, implementation);
  addRegistration(server, { type: 'DRAPlugin', name, endpoint: socket, supportedVersions: ['v1.DRAPlugin'] });
  await bind(server, socket);
  return { calls, close: () => server.forceShutdown() };
}
