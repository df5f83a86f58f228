/** Our own API server, as a process would run it, over TLS and a store in memory. */
import type { Transport } from '../../src/api/transport.ts';
import { http2Transport } from '../../src/client/node/index.ts';
import type { ClusterPki } from '../../src/pki/index.ts';
import { serviceRange } from '../support/original/server.ts';
import { startTlsServer } from '../support/tls-server.ts';

export interface Ours {
  readonly server: string;
  readonly pki: ClusterPki;
  readonly pkiFolder: string;
  /** As the administrator. */
  readonly transport: Transport;
  close(): Promise<void>;
}

export async function startOurs(): Promise<Ours> {
  const server = await startTlsServer({ advertiseAddress: '192.0.2.1', serviceCidrs: [serviceRange] });
  const { address, pki, pkiFolder } = server;
  const { certificate: cert, key } = pki.clients.admin;
  const transport = http2Transport({ server: address, ca: pki.ca.certificate, cert, key });
  return {
    server: address,
    pki,
    pkiFolder,
    transport,
    async close() {
      await transport.close();
      await server.close();
    },
  };
}
