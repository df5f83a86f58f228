/** The API server dies under load and comes back on the same data. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, describe, it } from 'node:test';
import { ApiError } from '../../src/base/errors.ts';
import type { Client } from '../../src/client/index.ts';
import { type ApiProcess, freePort, startApiProcess, testFolder } from '../support/api-process.ts';

interface Written {
  /** By name: the last acknowledged value, and its revision. */
  readonly acknowledged: Map<string, { value: number; revision: number }>;
  /** By name: the value that was sent last. */
  readonly sent: Map<string, number>;
}

/** Each writer owns its objects and writes until the server is gone. */
async function write(client: Client, writer: number, written: Written): Promise<void> {
  const maps = client.configmaps('default');
  for (let i = 0; ; i++) {
    const name = `w${writer}-${i % 5}`;
    written.sent.set(name, i);
    const body = { metadata: { name }, data: { value: String(i) } };
    try {
      const made = i < 5 ? await maps.create(body) : await maps.update(body);
      written.acknowledged.set(name, { value: i, revision: Number(made.metadata.resourceVersion) });
    } catch (e) {
      if (e instanceof ApiError && e.code < 500) throw e;
      return;
    }
  }
}

describe('an API server that is killed under load', () => {
  const folder = testFolder('api-restart');
  let server: ApiProcess | undefined;
  const clients: Client[] = [];
  const connect = (to: ApiProcess) => {
    const client = to.connect();
    clients.push(client);
    return client;
  };
  after(async () => {
    await Promise.all(clients.map(client => client.transport.close()));
    await server?.stop();
    folder.remove();
  });

  it('keeps what it acknowledged, its revisions, its addresses and its watchers', async () => {
    const port = await freePort();
    server = await startApiProcess({ folder: folder.path, port });
    let client = connect(server);
    const service = (name: string) => ({
      metadata: { name },
      spec: { type: 'NodePort' as const, ports: [{ port: 80 }] },
    });
    const [one, two] = [
      await client.services('default').create(service('one')),
      await client.services('default').create(service('two')),
    ];
    const written: Written = { acknowledged: new Map(), sent: new Map() };
    let greatest = 0;
    for (let round = 0; round < 3; round++) {
      const writers = Array.from({ length: 8 }, (_, w) => write(client, round * 8 + w, written));
      await once(AbortSignal.timeout(300 + round * 150), 'abort');
      await server.kill();
      await Promise.all(writers);
      const seen = Math.max(...[...written.acknowledged.values()].map(w => w.revision));
      assert.ok(seen > greatest, 'writes of this round were acknowledged with greater revisions');
      greatest = seen;
      server = await startApiProcess({ folder: folder.path, port });
      client = connect(server);
      const { items, metadata } = await client.configmaps('default').list();
      assert.ok(Number(metadata.resourceVersion) >= greatest, 'revisions go on');
      const values = new Map(items.map(item => [item.metadata.name, Number(item.data?.['value'])]));
      for (const [name, { value }] of written.acknowledged) {
        const found = values.get(name);
        assert.ok(found !== undefined, `${name} was acknowledged and is there`);
        const sent = written.sent.get(name);
        assert.ok(found === value || found === sent, `${name} has ${found}, acknowledged ${value}, sent last ${sent}`);
      }
    }
    await addressesStay(client, [one, two]);
    await watchGoesOn(client, greatest);
  });

  type Service = Awaited<ReturnType<ReturnType<Client['services']>['get']>>;
  async function addressesStay(client: Client, services: readonly Service[]): Promise<void> {
    const taken = new Set<unknown>();
    for (const { metadata, spec } of services) {
      const now = await client.services('default').get(metadata.name);
      assert.equal(now.spec.clusterIP, spec.clusterIP);
      assert.equal(now.spec.ports?.[0]?.nodePort, spec.ports?.[0]?.nodePort);
      taken.add(now.spec.clusterIP).add(now.spec.ports?.[0]?.nodePort);
    }
    const wanted = services[0]?.spec.clusterIP ?? '';
    await assert.rejects(
      client
        .services('default')
        .create({ metadata: { name: 'thief' }, spec: { clusterIP: wanted, ports: [{ port: 1 }] } }),
      /provided IP is already allocated/,
    );
    for (let i = 0; i < 5; i++) {
      const made = await client
        .services('default')
        .create({ metadata: { name: `more-${i}` }, spec: { type: 'NodePort', ports: [{ port: 80 }] } });
      assert.ok(!taken.has(made.spec.clusterIP) && !taken.has(made.spec.ports?.[0]?.nodePort));
    }
  }

  /** A watch from before the crash either goes on without a gap or is told that it must list again. */
  async function watchGoesOn(client: Client, revision: number): Promise<void> {
    const response = await client.transport.request({
      method: 'GET',
      path: '/api/v1/namespaces/default/configmaps',
      query: new URLSearchParams({ watch: '1', resourceVersion: String(revision), timeoutSeconds: '20' }),
      headers: { accept: 'application/json' },
      signal: new AbortController().signal,
    });
    assert.equal(response.status, 200);
    assert.ok(response.body && !(response.body instanceof Uint8Array));
    await client.configmaps('default').create({ metadata: { name: 'after' } });
    let text = '';
    for await (const chunk of response.body) {
      text += Buffer.from(chunk).toString();
      if (/"name":"after"|"code":410/.test(text)) break;
    }
    assert.match(text, /"name":"after"|"code":410/);
  }
});
