/** Our own API server, as a process would run it, over TLS and a store in memory. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Transport } from '../../src/api/transport.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { createMetrics } from '../../src/base/metrics.ts';
import { systemRandom } from '../../src/base/random.ts';
import { runApiServer } from '../../src/cli/run/apiserver.ts';
import { http2Transport } from '../../src/client/node/index.ts';
import type { ClusterPki } from '../../src/pki/index.ts';
import { createMemoryStore } from '../../src/store/memory/index.ts';
import { serviceRange } from '../support/original/server.ts';

export interface Ours {
  readonly server: string;
  readonly pki: ClusterPki;
  readonly pkiFolder: string;
  /** As the administrator. */
  readonly transport: Transport;
  close(): Promise<void>;
}

export async function startOurs(): Promise<Ours> {
  const folder = mkdtempSync(join(tmpdir(), 'ours-'));
  const environment = { clock: systemClock, random: systemRandom, log: silentLogger, metrics: createMetrics() };
  const server = await runApiServer({
    environment,
    store: createMemoryStore({ clock: systemClock }),
    storeDirectory: join(folder, 'store'),
    pkiDirectory: join(folder, 'pki'),
    bindAddresses: ['127.0.0.1'],
    port: 0,
    advertiseAddress: '192.0.2.1',
    serviceCidrs: [serviceRange],
    clusterDomain: 'cluster.local',
  });
  const { ca, clients } = server.pki;
  const { certificate: cert, key } = clients.admin;
  const address = `https://127.0.0.1:${server.port}`;
  const transport = http2Transport({ server: address, ca: ca.certificate, cert, key });
  return {
    server: address,
    pki: server.pki,
    pkiFolder: join(folder, 'pki'),
    transport,
    async close() {
      await transport.close();
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
