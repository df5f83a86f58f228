import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../../base/log.ts';
import { createMetrics } from '../../base/metrics.ts';
import { metricsPages } from '../../proxy/pages.ts';
import { parseBindAddress, servePages } from './pages.ts';
import { nodePortAddresses } from './proxy.ts';

test('pages are served, other paths are not, and a taken address is only said', async () => {
  const metrics = createMetrics();
  metrics.counter('c', 'A counter.').inc();
  const at = { host: '127.0.0.1', port: 0 };
  const server = await servePages(metricsPages(metrics, 'nftables'), at, silentLogger);
  assert.ok(server);
  try {
    const read = async (path: string) => (await fetch(`http://127.0.0.1:${server.port}${path}`)).text();
    assert.equal(await read('/proxyMode'), 'nftables');
    assert.equal(await read('/healthz'), 'ok');
    assert.match(await read('/metrics'), /^c 1$/m);
    assert.match(await read('/other'), /404/);
    assert.equal(await servePages({}, { ...at, port: server.port }, silentLogger), undefined);
  } finally {
    await server.close();
  }
});

test('addresses to bind', () => {
  assert.deepEqual(parseBindAddress('127.0.0.1:10249'), { host: '127.0.0.1', port: 10_249 });
  assert.deepEqual(parseBindAddress('[fd00::1]:80'), { host: 'fd00::1', port: 80 });
  assert.deepEqual(parseBindAddress(':9153'), { host: '0.0.0.0', port: 9153 });
  assert.equal(parseBindAddress(''), undefined);
  assert.throws(() => parseBindAddress('localhost'), /is not an address like/);
});

test('node ports answer on the primary addresses unless told otherwise', () => {
  const own = ['10.77.0.2', 'fd77::2'];
  assert.deepEqual(nodePortAddresses([], own), own);
  assert.deepEqual(nodePortAddresses(['primary'], own), own);
  assert.deepEqual(nodePortAddresses(['192.0.2.0/24'], own), ['192.0.2.0/24']);
  assert.equal(nodePortAddresses(['0.0.0.0/0', '::/0'], own), undefined);
  assert.equal(nodePortAddresses([], []), undefined);
  assert.throws(() => nodePortAddresses(['primary', '192.0.2.0/24'], own), /stands alone/);
});
