import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, open, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { type Clock, systemClock } from '../../base/clock.ts';
import { silentLogger } from '../../base/log.ts';
import { createMetrics } from '../../base/metrics.ts';
import { virtualClock } from '../../base/virtual-clock.ts';
import { prefixRange, type Store } from '../contract.ts';
import { type EmbeddedStore, type EmbeddedStoreOptions, openEmbeddedStore } from './index.ts';
import { restoreSnapshot, saveSnapshot, snapshotStatus } from './snapshot.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const all = prefixRange('');
const put = async (store: Store, key: string, value: string | Uint8Array, lease = 0) => {
  const data = typeof value === 'string' ? bytes(value) : value;
  return (await store.txn({ compare: [], success: [{ type: 'put', key, value: data, lease }] })).revision;
};
const contents = async (store: Store) =>
  (await store.range(all)).kvs.map(
    kv => `${kv.key}=${Buffer.from(kv.value)}@${kv.createRevision}/${kv.modRevision}/${kv.version}`,
  );

const nextTurn = () => new Promise<void>(resolve => setImmediate(resolve));

interface Place {
  directory: string;
  open(more?: Partial<EmbeddedStoreOptions> & { clock?: Clock }): Promise<EmbeddedStore>;
}
/** A directory for a store; what was opened there is closed afterwards. */
async function inPlace(body: (place: Place) => Promise<void>): Promise<void> {
  const parent = await mkdtemp(join(tmpdir(), 'tsukube-embedded-'));
  const directory = join(parent, 'store');
  const opened: EmbeddedStore[] = [];
  const open: Place['open'] = async more => {
    const store = await openEmbeddedStore({
      directory,
      clock: systemClock,
      log: silentLogger,
      metrics: createMetrics(),
      ...more,
    });
    opened.push(store);
    return store;
  };
  try {
    await body({ directory, open });
  } finally {
    await Promise.all(opened.map(store => store.close()));
    await rm(parent, { recursive: true });
  }
}

test('everything is there again after a restart', () =>
  inPlace(async ({ open }) => {
    const clock = virtualClock();
    const store = await open({ clock });
    for (let i = 0; i < 50; i++) await put(store, `k${i % 7}`, String(i));
    await store.txn({ compare: [], success: [{ type: 'delete', range: { start: 'k3' } }] });
    const lease = await store.grantLease(30);
    await put(store, 'held', 'x', lease.id);
    await store.compact(20);
    const [before, revision] = [await contents(store), await store.revision()];
    await store.close();
    const again = await open({ clock });
    assert.deepEqual(await contents(again), before);
    assert.equal(await again.revision(), revision);
    await assert.rejects(again.get('k0', { revision: 19 }), { code: 'compacted' });
    assert.equal(Buffer.from((await again.get('k5', { revision: 21 })).kv?.value ?? '').toString(), '19');
    assert.deepEqual((await again.timeToLive(lease.id)).keys, ['held']);
    await clock.advance(31_000);
    while ((await again.get('held')).kv) await nextTurn();
  }));

test('files are readable by their owner only', () =>
  inPlace(async ({ directory, open }) => {
    const store = await open();
    await put(store, 'a', '1');
    assert.equal((await stat(directory)).mode & 0o777, 0o700);
    for (const file of await readdir(directory))
      assert.equal((await stat(join(directory, file))).mode & 0o777, 0o600, file);
    await store.close();
    await chmod(join(directory, 'state.db'), 0o644);
    await open();
    assert.equal((await stat(join(directory, 'state.db'))).mode & 0o777, 0o600);
  }));

test('a directory in use is refused, to this process and to others', () =>
  inPlace(async ({ directory, open }) => {
    const store = await open();
    await put(store, 'a', '1');
    await assert.rejects(open(), { code: 'locked', message: /in use by another process/ });
    const index = JSON.stringify(new URL('./index.ts', import.meta.url).href);
    const base = (name: string) => JSON.stringify(new URL(`../../base/${name}.ts`, import.meta.url).href);
    const script = `
      const { openEmbeddedStore } = await import(${index});
      const { systemClock } = await import(${base('clock')});
      const { silentLogger } = await import(${base('log')});
      const { createMetrics } = await import(${base('metrics')});
      const options = { directory: ${JSON.stringify(directory)}, clock: systemClock, log: silentLogger, metrics: createMetrics() };
      await openEmbeddedStore(options).catch(error => console.log(error.code));`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
    assert.equal(stdout.trim(), 'locked');
    await put(store, 'a', '2');
    await store.close();
    await open();
  }));

test('a file that is no store is refused and left as it is', () =>
  inPlace(async ({ directory, open }) => {
    await mkdir(directory);
    const file = join(directory, 'state.db');
    await writeFile(file, 'this is not a database, but it is long enough to look at'.repeat(100));
    const { size } = await stat(file);
    await assert.rejects(open(), { code: 'corrupt', message: /not a database/ });
    assert.equal((await stat(file)).size, size);
    await rm(file);
    const foreign = new DatabaseSync(file);
    foreign.exec('CREATE TABLE theirs (x)');
    foreign.close();
    await assert.rejects(open(), { code: 'corrupt', message: /not a store of Tsukube/ });
    const newer = new DatabaseSync(file);
    newer.exec(`PRAGMA application_id = ${0x5473756b}; PRAGMA user_version = 99`);
    newer.close();
    await assert.rejects(open(), { code: 'corrupt', message: /format 99/ });
  }));

test('one changed bit is found', () =>
  inPlace(async ({ directory, open }) => {
    const store = await open();
    for (let i = 0; i < 100; i++) await put(store, `key-${i}`, `value-${i}-`.repeat(20));
    await store.close();
    const file = await openFile(join(directory, 'state.db'));
    const content = await file.readFile();
    const at = content.indexOf('value-57-');
    await file.write(Buffer.from([(content[at] ?? 0) ^ 1]), 0, 1, at);
    await file.close();
    await assert.rejects(open(), { code: 'corrupt', message: /does not match its checksum/ });
  }));
const openFile = (path: string) => open(path, 'r+');

test('a database cut short is refused', () =>
  inPlace(async ({ directory, open }) => {
    const store = await open();
    for (let i = 0; i < 100; i++) await put(store, `key-${i}`, 'x'.repeat(1000));
    await store.close();
    const file = await openFile(join(directory, 'state.db'));
    await file.truncate(50_000);
    await file.close();
    await assert.rejects(open(), { code: 'corrupt' });
  }));

test('the file shrinks after a burst, and the log with it', () =>
  inPlace(async ({ open }) => {
    const store = await open();
    const value = new Uint8Array(4096).fill(120);
    for (let i = 0; i < 4000; i += 50) {
      await Promise.all(Array.from({ length: 50 }, (_, j) => put(store, `k${(i + j) % 20}`, value)));
    }
    const burst = await store.sizes();
    assert.ok(burst.file + burst.log > 16_000_000, `only ${burst.file + burst.log} bytes`);
    await store.compact(await store.revision());
    await store.tidy();
    const after = await store.sizes();
    assert.ok(after.file < 4_000_000, `${after.file} bytes are left`);
    assert.equal(after.log, 0);
    assert.equal((await store.range(all)).count, 20);
  }));

test('history is forgotten by itself', () =>
  inPlace(async ({ open }) => {
    const clock = virtualClock();
    const store = await open({ clock, compaction: { intervalMs: 1000 } });
    const first = await put(store, 'a', '1');
    await clock.advance(1000);
    await store.tidy();
    const second = await put(store, 'a', '2');
    await put(store, 'a', '3');
    await clock.advance(1000);
    await store.tidy();
    await store.get('a', { revision: second });
    await clock.advance(1000);
    await store.tidy();
    await assert.rejects(store.get('a', { revision: first }), { code: 'compacted' });
    await assert.rejects(store.get('a', { revision: second }), { code: 'compacted' });
  }));

test('a full disk refuses writes, loses nothing, and is forgiven', {
  skip: cannotMount(),
  timeout: 30_000,
}, async () => {
  const parent = await mkdtemp(join(tmpdir(), 'tsukube-full-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', parent]);
  try {
    const options = {
      directory: join(parent, 'store'),
      clock: systemClock,
      log: silentLogger,
      metrics: createMetrics(),
    };
    const store = await openEmbeddedStore(options);
    const told: number[] = [];
    const watch = store.watch(all);
    const watching = (async () => {
      for await (const batch of watch) told.push(batch.revision);
    })();
    const acknowledged = new Map<string, number>();
    const codes = new Set<unknown>();
    const value = new Uint8Array(20_000).fill(121);
    for (let i = 0; i < 60; i++) {
      const group = Array.from({ length: 8 }, async (_, j) => {
        const key = `k${i}-${j}`;
        await put(store, key, value).then(
          revision => acknowledged.set(key, revision),
          error => codes.add(error.code),
        );
      });
      await Promise.all(group);
    }
    assert.deepEqual([...codes], ['no-space']);
    assert.ok(acknowledged.size > 50);
    assert.equal((await store.range(all)).count, acknowledged.size);
    watch.cancel();
    await watching;
    assert.deepEqual(
      told,
      [...acknowledged.values()].toSorted((a, b) => a - b),
    );
    execFileSync('mount', ['-o', 'remount,size=32m', parent]);
    acknowledged.set('after', await put(store, 'after', 'room again'));
    await store.close();
    const again = await openEmbeddedStore(options);
    const { kvs } = await again.range(all);
    assert.deepEqual(
      new Map(kvs.map(kv => [kv.key, kv.modRevision])),
      new Map([...acknowledged].toSorted(([a], [b]) => (a < b ? -1 : 1))),
    );
    await again.close();
  } finally {
    execFileSync('umount', ['-l', parent]);
    await rm(parent, { recursive: true });
  }
});

function cannotMount(): string | false {
  try {
    execFileSync('unshare', ['--mount', 'true'], { stdio: 'ignore' });
    return process.getuid?.() === 0 ? false : 'needs root';
  } catch {
    return 'this host does not allow mounts';
  }
}

test('a snapshot taken while the store is written to is a moment of it, and can be restored', () =>
  inPlace(async ({ directory, open }) => {
    const store = await open();
    let writing = true;
    const writer = (async () => {
      // Two keys that always change together.
      for (let i = 0; writing; i++) {
        const value = bytes(String(i));
        await store.txn({ compare: [], success: ['a', 'b'].map(key => ({ type: 'put', key, value })) });
      }
    })();
    await put(store, 'c', '1');
    const file = `${directory}.snapshot`;
    const saved = await saveSnapshot({ directory, file });
    writing = false;
    await writer;
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    assert.deepEqual(await snapshotStatus(file), saved);
    assert.equal(saved.totalKeys, 3);
    await assert.rejects(saveSnapshot({ directory, file }), { code: 'invalid' });
    await assert.rejects(restoreSnapshot({ file, directory }), { code: 'locked' });
    const newest = await store.revision();
    const other = `${directory}-restored`;
    const restored = await restoreSnapshot({ file, directory: other });
    await assert.rejects(restoreSnapshot({ file, directory: other }), { code: 'invalid' });
    const back = await openEmbeddedStore({
      directory: other,
      clock: systemClock,
      log: silentLogger,
      metrics: createMetrics(),
    });
    try {
      assert.ok((await back.revision()) > newest);
      assert.equal(restored.hash, saved.hash);
      const [a, b] = await Promise.all(['a', 'b'].map(async key => (await back.get(key)).kv));
      assert.deepEqual(a?.value, b?.value);
      const remembered = back.watch(all, { fromRevision: newest })[Symbol.asyncIterator]();
      await assert.rejects(remembered.next(), { code: 'compacted' });
      assert.equal(await put(back, 'a', 'new'), restored.revision + 1);
    } finally {
      await back.close();
    }
  }));

test('a damaged snapshot is refused', () =>
  inPlace(async ({ directory, open }) => {
    const store = await open();
    await put(store, 'a', 'some value to damage');
    const path = `${directory}.snapshot`;
    await saveSnapshot({ directory, file: path });
    const file = await openFile(path);
    await file.write('X', (await file.readFile()).indexOf('some value'));
    await file.close();
    await assert.rejects(snapshotStatus(path), { code: 'corrupt' });
    await assert.rejects(restoreSnapshot({ file: path, directory: `${directory}-restored` }), { code: 'corrupt' });
    await assert.rejects(snapshotStatus(`${directory}.none`), { code: 'invalid' });
  }));

test('a worker that dies makes the store unavailable, not the process', () =>
  inPlace(async ({ directory, open }) => {
    await mkdir(directory, { recursive: true });
    const url = pathToFileURL(join(directory, 'dying.mjs'));
    await writeFile(
      url,
      `
      import { parentPort } from 'node:worker_threads';
      parentPort.postMessage({ type: 'loaded', revision: 1, compacted: 0 });
      parentPort.on('message', () => { throw new Error('broken on purpose'); });`,
    );
    const store = await open({ workerUrl: url });
    await assert.rejects(put(store, 'a', '1'), { code: 'unavailable', message: /broken on purpose/ });
    await assert.rejects(put(store, 'a', '1'), { code: 'unavailable' });
    await assert.rejects(store.health(), { code: 'unavailable' });
    assert.equal((await store.range(all)).count, 0);
  }));

test('when the disk fails, what was refused is gone and what was acknowledged is there', { timeout: 30_000 }, () =>
  inPlace(async ({ directory, open }) => {
    await mkdir(directory, { recursive: true });
    const url = pathToFileURL(join(directory, 'failing.mjs'));
    // Refuses every third message, and what was sent after it before the store knew.
    await writeFile(
      url,
      `
      import { parentPort } from 'node:worker_threads';
      parentPort.postMessage({ type: 'loaded', revision: 1, compacted: 0 });
      let writes = 0;
      let failed = -1;
      parentPort.on('message', ({ type, id, sequence, epoch }) => {
        if (type !== 'write') parentPort.postMessage({ type: 'answer', id });
        if (type === 'close') parentPort.close();
        if (type !== 'write') return;
        if (epoch <= failed) return;
        if (++writes % 3 !== 0) return parentPort.postMessage({ type: 'written', sequence, seconds: 0 });
        failed = epoch;
        parentPort.postMessage({ type: 'failed', epoch, failure: { code: 'io', message: 'disk I/O error' } });
      });`,
    );
    const store = await open({ workerUrl: url });
    const told: string[] = [];
    const watch = store.watch(all);
    const watching = (async () => {
      for await (const { events, revision } of watch) for (const { kv } of events) told.push(`${kv.key}@${revision}`);
    })();
    const acknowledged: string[] = [];
    let refused = 0;
    const client = async (name: string) => {
      for (let n = 0; n < 40; n++) {
        const revision = await put(store, `${name}-${n}`, 'x').catch(error => {
          assert.equal(error.code, 'io');
          refused += 1;
          return 0;
        });
        if (revision > 0) acknowledged.push(`${name}-${n}@${revision}`);
      }
    };
    await Promise.all(Array.from({ length: 16 }, (_, i) => client(`c${i}`)));
    assert.ok(refused > 16 && acknowledged.length > 16, `${refused} refused, ${acknowledged.length} acknowledged`);
    const { kvs, revision } = await store.range(all);
    assert.deepEqual(kvs.map(kv => `${kv.key}@${kv.modRevision}`).toSorted(), acknowledged.toSorted());
    assert.equal(revision, 1 + acknowledged.length);
    while (told.length < acknowledged.length) await nextTurn();
    watch.cancel();
    await watching;
    assert.deepEqual(told.toSorted(), acknowledged.toSorted());
  }),
);

test('a read of the newest revision within a transaction, while others write', () =>
  inPlace(async ({ open }) => {
    const store = await open();
    await put(store, 'a', 'first');
    const others = Array.from({ length: 20 }, (_, i) => put(store, 'a', String(i)));
    const options = { revision: await store.revision() };
    const { results } = await store.txn({ compare: [], success: [{ type: 'range', range: all, options }] });
    const [read] = results;
    assert.ok(read?.type === 'range' && read.kvs[0]?.modRevision === options.revision);
    await Promise.all(others);
  }));

test('runs from a bundle, with the worker in a file of its own', () =>
  inPlace(async ({ directory, open }) => {
    const { build } = await import('esbuild');
    await mkdir(directory, { recursive: true });
    const outfile = join(directory, 'worker.mjs');
    const entry = new URL('./worker.ts', import.meta.url).pathname;
    await build({ entryPoints: [entry], bundle: true, platform: 'node', format: 'esm', outfile, logLevel: 'silent' });
    const store = await open({ workerUrl: pathToFileURL(outfile) });
    assert.equal(await put(store, 'a', '1'), 2);
  }));
