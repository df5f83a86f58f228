/** Our own API server, as a process would run it: over TLS, on loopback, with a store in memory. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { createMetrics } from '../../src/base/metrics.ts';
import { systemRandom } from '../../src/base/random.ts';
import { type ApiServerProcessOptions, runApiServer } from '../../src/cli/run/apiserver.ts';
import type { ClusterPki } from '../../src/pki/index.ts';
import { createMemoryStore } from '../../src/store/memory/index.ts';

export interface TlsServer {
  /** "https://127.0.0.1:PORT" */
  readonly address: string;
  readonly pki: ClusterPki;
  readonly pkiFolder: string;
  /** Its own; removed with the server. */
  readonly folder: string;
  close(): Promise<void>;
}

export async function startTlsServer(
  options: Pick<ApiServerProcessOptions, 'advertiseAddress' | 'serviceCidrs'>,
): Promise<TlsServer> {
  const folder = mkdtempSync(join(tmpdir(), 'tls-server-'));
  const pkiFolder = join(folder, 'pki');
  const server = await runApiServer({
    ...options,
    environment: { clock: systemClock, random: systemRandom, log: silentLogger, metrics: createMetrics() },
    store: createMemoryStore({ clock: systemClock }),
    storeDirectory: join(folder, 'store'),
    pkiDirectory: pkiFolder,
    bindAddresses: ['127.0.0.1'],
    port: 0,
    clusterDomain: 'cluster.local',
  });
  return {
    address: `https://127.0.0.1:${server.port}`,
    pki: server.pki,
    pkiFolder,
    folder,
    async close() {
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
