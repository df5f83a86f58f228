/** Every kind through a whole server: made, read, written back unchanged, shown as a table, deleted. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { collectionOf, sampleBody } from '../../../test/support/whole-server.ts';
import { builtinResources } from '../../api/catalog/index.ts';
import { systemClock } from '../../base/clock.ts';
import { silentLogger } from '../../base/log.ts';
import { createMetrics } from '../../base/metrics.ts';
import { systemRandom } from '../../base/random.ts';
import { createMemoryStore } from '../../store/memory/index.ts';
import { type ApiServer, createApiServer } from '../index.ts';
import { strategies } from './index.ts';

/** A definition does not stay as it was written: the server establishes it. */
const skipped = new Set(['apiextensions.k8s.io/customresourcedefinitions']);

interface Answer {
  status: number;
  body: { metadata?: { resourceVersion?: string }; message?: string; rows?: unknown[]; columnDefinitions?: unknown[] };
}

let server: ApiServer;
let closeStore: () => Promise<void>;

before(async () => {
  const store = createMemoryStore({ clock: systemClock });
  closeStore = () => store.close();
  const environment = { clock: systemClock, random: systemRandom, log: silentLogger, metrics: createMetrics() };
  server = createApiServer({ ...environment, store, strategies });
  await server.start();
});
after(async () => {
  await server.close();
  await closeStore();
});

async function call(method: string, path: string, body?: object, accept = 'application/json'): Promise<Answer> {
  const response = await server.loopback.request({
    method,
    path,
    query: new URLSearchParams(),
    headers: { accept, 'content-type': 'application/json' },
    body: body && new TextEncoder().encode(JSON.stringify(body)),
    signal: AbortSignal.timeout(5000),
  });
  const bytes = response.body instanceof Uint8Array ? response.body : new Uint8Array();
  return { status: response.status, body: JSON.parse(new TextDecoder().decode(bytes)) as Answer['body'] };
}

const text = (answer: Answer) => answer.body.message ?? '';
const table = 'application/json;as=Table;v=v1;g=meta.k8s.io';

describe('every stored kind', () => {
  for (const info of builtinResources()) {
    const resource = `${info.group}/${info.plural}`;
    if (!info.verbs.includes('create') || !info.verbs.includes('get') || skipped.has(resource)) continue;
    test(`${info.plural}.${info.version}.${info.group}`, async () => {
      const collection = collectionOf(info);
      const body = sampleBody(info);
      const path = `${collection}/${body.metadata.name}`;
      const made = await call('POST', collection, body);
      assert.equal(made.status, 201, text(made));
      const read = await call('GET', path);
      assert.deepEqual(read.body, made.body);
      const written = await call('PUT', path, read.body);
      assert.equal(written.status, 200, text(written));
      assert.equal(written.body.metadata?.resourceVersion, read.body.metadata?.resourceVersion, 'no new revision');
      const shown = await call('GET', collection, undefined, table);
      assert.ok((shown.body.rows?.length ?? 0) > 0 && (shown.body.columnDefinitions?.length ?? 0) > 0);
      const gone = await call('DELETE', path, {});
      assert.ok(gone.status === 200 || gone.status === 202, text(gone));
    });
  }
});
