import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { systemClock } from '../../../src/base/clock.ts';
import { prefixRange, type Store } from '../../../src/store/contract.ts';
import { connectEtcdStore } from '../../../src/store/etcd/index.ts';
import { type EtcdCluster, etcdMissing, startEtcd } from './etcd-cluster.ts';
import { underFault } from './faults.ts';
import { put, putOp, Reader, remove } from './helpers.ts';
import { storeConformance } from './suite.ts';

const run = promisify(execFile);
const missing = await etcdMissing();
const connect = (endpoints: readonly string[]) => connectEtcdStore({ endpoints, clock: systemClock });

function conformance(name: string, members: number): void {
  storeConformance(name, async () => {
    const cluster = await startEtcd({ members });
    const store = connect(cluster.endpoints);
    const close = async () => {
      await store.close();
      await cluster.close();
    };
    // Debian 12 has 3.4.23, whose answers to requests for progress overtake events.
    return { store, pass: ms => delay(ms), close, answersProgress: false };
  });
}

if (missing) test('etcd', { skip: missing }, () => undefined);
else {
  conformance('etcd, one member', 1);
  conformance('etcd, three members', 3);
  describe('etcd under faults', faultTests);
  describe('etcd over TLS', tlsTests);
}

/** One store per member, each preferring another. */
const rotated = (endpoints: readonly string[]) =>
  endpoints.map((_, i) => connect([...endpoints.slice(i), ...endpoints.slice(0, i)]));

async function withCluster(body: (cluster: EtcdCluster, stores: Store[]) => Promise<void>): Promise<void> {
  const cluster = await startEtcd({ members: 3 });
  const stores = rotated(cluster.endpoints);
  try {
    await body(cluster, stores);
  } finally {
    await Promise.all(stores.map(store => store.close()));
    await cluster.close();
  }
}

function faultTests(): void {
  test('a follower is killed and comes back', { timeout: 60_000 }, () =>
    withCluster(async (cluster, stores) => {
      const report = await underFault(stores, async () => {
        const follower = ((await cluster.leader()) + 1) % 3;
        await cluster.kill(follower);
        await delay(1000);
        await cluster.start(follower);
        await delay(500);
      });
      assert.deepEqual(report.wrong, []);
    }),
  );
  test('the leader is killed and comes back', { timeout: 60_000 }, () =>
    withCluster(async (cluster, stores) => {
      const report = await underFault(stores, async () => {
        const leader = await cluster.leader();
        await cluster.kill(leader);
        await cluster.leader();
        await delay(500);
        await cluster.start(leader);
        await delay(500);
      });
      assert.deepEqual(report.wrong, []);
    }),
  );
  test('the leader is cut off from the others', { timeout: 90_000 }, async t => {
    const script = fileURLToPath(new URL('./etcd-partition.ts', import.meta.url));
    const unshare = ['--net', '--mount', '--propagation', 'private'];
    const probe = await run('unshare', [...unshare, 'true']).catch(() => undefined);
    if (!probe) return t.skip('this host does not allow network namespaces');
    const { stdout } = await run('unshare', [...unshare, process.execPath, script], { maxBuffer: 64 * 1024 * 1024 });
    const report = JSON.parse(stdout) as { wrong: string[]; operations: number; during: number };
    assert.deepEqual(report.wrong, []);
    assert.ok(report.during > 0, 'the majority served nothing while the leader was cut off');
  });
  test('no member left: a clear error, and back when one comes back', { timeout: 60_000 }, async () => {
    const cluster = await startEtcd();
    const store = connectEtcdStore({
      endpoints: cluster.endpoints,
      clock: systemClock,
      requestTimeoutMs: 1500,
      dialTimeoutMs: 300,
    });
    try {
      const revision = await put(store, 'a', '1');
      const reader = new Reader(store.watch(prefixRange(''), { fromRevision: revision }));
      assert.equal(await reader.line(), `${revision}: put a=1`);
      await cluster.kill(0);
      await assert.rejects(store.health(), { code: 'unavailable' });
      await assert.rejects(put(store, 'a', '2'), { code: 'unavailable' });
      await cluster.start(0);
      await cluster.leader();
      const next = await put(store, 'a', '3');
      assert.equal(await reader.line(), `${next}: put a=3`);
      reader.watch.cancel();
    } finally {
      await store.close();
      await cluster.close();
    }
  });
  test('a revision larger than one message comes as one batch', { timeout: 60_000 }, async () => {
    const cluster = await startEtcd();
    const store = connect(cluster.endpoints);
    try {
      const from = (await store.revision()) + 1;
      const big = 'x'.repeat(60_000);
      const keys = Array.from({ length: 100 }, (_, i) => `/big/${String(i).padStart(3, '0')}`);
      for (let at = 0; at < keys.length; at += 20) {
        const success = keys.slice(at, at + 20).map(key => putOp(key, big));
        await store.txn({ compare: [], success });
      }
      const reader = new Reader(store.watch(prefixRange('/big/'), { fromRevision: from, prevKv: true }));
      const deleted = await remove(store, prefixRange('/big/'));
      for (let i = 0; i < 5; i++) assert.equal((await reader.batch()).events.length, 20);
      const batch = await reader.batch();
      assert.deepEqual([batch.revision, batch.events.length], [deleted.revision, 100]);
      reader.watch.cancel();
    } finally {
      await store.close();
      await cluster.close();
    }
  });
}

/** A certificate authority and one certificate that serves both ends. */
async function makeCertificates(directory: string): Promise<{ ca: string; cert: string; key: string }> {
  const file = (name: string) => join(directory, name);
  const subject = (name: string) => [
    '-subj',
    `/CN=${name}`,
    '-days',
    '1',
    '-nodes',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
  ];
  await run('openssl', ['req', '-x509', ...subject('ca'), '-keyout', file('ca.key'), '-out', file('ca.crt')]);
  const names = [
    '-addext',
    'subjectAltName=IP:127.0.0.1,DNS:localhost',
    '-addext',
    'extendedKeyUsage=serverAuth,clientAuth',
  ];
  const signed = ['-CA', file('ca.crt'), '-CAkey', file('ca.key')];
  await run('openssl', [
    'req',
    '-x509',
    ...subject('etcd'),
    ...names,
    ...signed,
    '-keyout',
    file('etcd.key'),
    '-out',
    file('etcd.crt'),
  ]);
  return { ca: file('ca.crt'), cert: file('etcd.crt'), key: file('etcd.key') };
}

function tlsTests(): void {
  test('a client with a certificate is served, one without is not', { timeout: 60_000 }, async () => {
    const directory = await mkdtemp(join(tmpdir(), 'tsukube-tls-'));
    const files = await makeCertificates(directory);
    const cluster = await startEtcd({ clientTls: files });
    const tls = { ca: await readFile(files.ca), cert: await readFile(files.cert), key: await readFile(files.key) };
    const quick = { endpoints: cluster.endpoints, clock: systemClock, requestTimeoutMs: 1500, dialTimeoutMs: 500 };
    const store = connectEtcdStore({ ...quick, tls });
    const stranger = connectEtcdStore({ ...quick, tls: { ca: tls.ca } });
    try {
      await put(store, 'a', '1');
      assert.equal((await store.get('a')).kv?.version, 1);
      await assert.rejects(stranger.get('a'), { code: 'unavailable' });
    } finally {
      await store.close();
      await stranger.close();
      await cluster.close();
      await rm(directory, { recursive: true });
    }
  });
}
