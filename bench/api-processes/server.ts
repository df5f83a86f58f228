/** The API server under measure: embedded store, full security, over TLS. Talks to the benchmark over IPC. */
import { existsSync, mkdirSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

enableCompileCache();
const [folder = ''] = process.argv.slice(2);
const [
  { listen },
  { createApiServer },
  { strategies },
  { admissionPlugins },
  { createTokenSigner },
  { createSecurity },
] = await Promise.all([
  import('../../src/apiserver/http/server.ts'),
  import('../../src/apiserver/index.ts'),
  import('../../src/apiserver/registry/index.ts'),
  import('../../src/apiserver/admission/index.ts'),
  import('../../src/apiserver/auth/index.ts'),
  import('../../src/apiserver/security.ts'),
]);
const { systemClock } = await import('../../src/base/clock.ts');
const { systemRandom } = await import('../../src/base/random.ts');
const { silentLogger } = await import('../../src/base/log.ts');
const { createMetrics } = await import('../../src/base/metrics.ts');
const { openEmbeddedStore } = await import('../../src/store/embedded/index.ts');
const { ensureClusterPki } = await import('../../src/pki/index.ts');

const environment = { clock: systemClock, random: systemRandom, log: silentLogger, metrics: createMetrics() };
if (!existsSync(folder)) mkdirSync(folder, { recursive: true });
const pki = ensureClusterPki(join(folder, 'pki'), { clock: systemClock, addresses: ['127.0.0.1'] });
const signer = await createTokenSigner(pki.serviceAccount.key, [pki.serviceAccount.publicKey]);
const store = await openEmbeddedStore({ directory: join(folder, 'store'), ...environment });
const issuer = 'https://kubernetes.default.svc.cluster.local';
const server = createApiServer({
  ...environment,
  store,
  strategies,
  security: createSecurity({ signer, issuers: [issuer], audiences: [issuer], admission: admissionPlugins }),
});
const tls = { cert: pki.apiserver.certificate, key: pki.apiserver.key, clientCa: pki.ca.certificate };
const http = await listen({ handle: server.handle, tls, host: '127.0.0.1', port: 0 });
await server.start();

process.on('message', (message: { ask: string }) => {
  if (message.ask === 'memory') {
    globalThis.gc?.();
    process.send?.({ rss: process.memoryUsage().rss });
  }
  if (message.ask === 'stop') void stop();
});
async function stop(): Promise<void> {
  await http.close();
  await server.close();
  await store.close();
  process.exit(0);
}
process.on('disconnect', () => process.exit(0));
const { admin } = pki.clients;
process.send?.({ port: http.port, ca: pki.ca.certificate, cert: admin.certificate, key: admin.key });
