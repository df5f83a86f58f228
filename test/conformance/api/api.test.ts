/** The suite on Tsukube's own server: in process and over HTTPS. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type HttpServer, listen } from '../../../src/apiserver/http/server.ts';
import { type ApiServer, createApiServer } from '../../../src/apiserver/index.ts';
import { strategies } from '../../../src/apiserver/registry/index.ts';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { createMetrics } from '../../../src/base/metrics.ts';
import { systemRandom } from '../../../src/base/random.ts';
import { http2Transport } from '../../../src/client/node/transport.ts';
import { ensureClusterPki } from '../../../src/pki/index.ts';
import { createMemoryStore } from '../../../src/store/memory/index.ts';
import { applyCases } from './apply.cases.ts';
import { badInputCases } from './bad-input.cases.ts';
import { createCases } from './create.cases.ts';
import { customCases } from './custom.cases.ts';
import { customRulesCases } from './custom-rules.cases.ts';
import { discoveryCases } from './discovery.cases.ts';
import { type Case, kitFor, type Target } from './harness.ts';
import { readCases } from './read.cases.ts';
import { serviceCases } from './service.cases.ts';
import { tableCases } from './table.cases.ts';
import { watchCases } from './watch.cases.ts';
import { writeCases } from './write.cases.ts';

const suites: Readonly<Record<string, readonly Case[]>> = {
  create: createCases,
  read: readCases,
  write: writeCases,
  tables: tableCases,
  apply: applyCases,
  watch: watchCases,
  'bad input': badInputCases,
  discovery: discoveryCases,
  'custom resources': customCases,
  'rules of custom resources': customRulesCases,
  services: serviceCases,
};

interface Running {
  readonly target: Target;
  close(): Promise<void>;
}

async function startCore(): Promise<{ server: ApiServer; close(): Promise<void> }> {
  const store = createMemoryStore({ clock: systemClock });
  const environment = { clock: systemClock, random: systemRandom, log: silentLogger, metrics: createMetrics() };
  const server = createApiServer({ ...environment, store, strategies });
  await server.start();
  return {
    server,
    async close() {
      await server.close();
      await store.close();
    },
  };
}

async function inProcess(): Promise<Running> {
  const { server, close } = await startCore();
  return { target: { name: 'in process', transport: server.loopback }, close };
}

async function overHttps(): Promise<Running> {
  const { server, close } = await startCore();
  const folder = mkdtempSync(join(tmpdir(), 'api-conformance-'));
  const pki = ensureClusterPki(folder, { clock: systemClock, addresses: ['127.0.0.1'] });
  const tls = { cert: pki.apiserver.certificate, key: pki.apiserver.key, clientCa: pki.ca.certificate };
  const http: HttpServer = await listen({ handle: server.handle, tls, host: '127.0.0.1', port: 0 });
  const transport = http2Transport({
    server: `https://127.0.0.1:${http.port}`,
    ca: pki.ca.certificate,
    cert: pki.clients.admin.certificate,
    key: pki.clients.admin.key,
  });
  return {
    target: { name: 'over HTTPS', transport },
    async close() {
      await transport.close();
      await http.close();
      await close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

for (const [name, start] of [
  ['in process', inProcess],
  ['over HTTPS', overHttps],
] as const)
  describe(`the API ${name}`, () => {
    let running: Running;
    let count = 0;
    before(async () => {
      running = await start();
    });
    after(() => running.close());
    for (const [suite, cases] of Object.entries(suites))
      describe(suite, () => {
        for (const { name, run } of cases)
          it(name, async () => {
            const ns = `case-${++count}`;
            const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: ns } };
            const kit = kitFor(running.target, ns);
            await kit.expect(201, 'POST', '/api/v1/namespaces', { body });
            await run(kit);
          });
      });
  });
