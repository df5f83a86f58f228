import assert from 'node:assert/strict';
import { test } from 'node:test';
import { virtualClock } from '../../base/virtual-clock.ts';
import { prefixRange, type Store, StoreError } from '../contract.ts';
import { createMemoryStore } from './index.ts';

const text = new TextEncoder();
const put = (store: Store, key: string, value: string, lease = 0) =>
  store.txn({ compare: [], success: [{ type: 'put', key, value: text.encode(value), lease }] });
const all = prefixRange('');
const contents = async (store: Store) =>
  (await store.range(all)).kvs.map(kv => `${kv.key}=${Buffer.from(kv.value).toString()}@${kv.modRevision}`);

test('a fork goes its own way, both ways', async () => {
  const store = createMemoryStore({ clock: virtualClock() });
  await put(store, 'a', '1');
  const fork = store.fork();
  await put(store, 'b', 'store');
  await put(fork, 'c', 'fork');
  await put(fork.fork(), 'd', 'fork of fork');
  assert.deepEqual(await contents(store), ['a=1@2', 'b=store@3']);
  assert.deepEqual(await contents(fork), ['a=1@2', 'c=fork@3']);
  const watch = fork.watch(all, { fromRevision: 2 })[Symbol.asyncIterator]();
  assert.equal((await watch.next()).value.events[0].kv.key, 'a');
  assert.equal((await watch.next()).value.events[0].kv.key, 'c');
});

test('at() gives the store of an old revision, to read or to go on from', async () => {
  const store = createMemoryStore({ clock: virtualClock() });
  for (let i = 0; i < 5; i++) await put(store, `k${i}`, String(i));
  const past = store.at(3);
  assert.deepEqual(await contents(past), ['k0=0@2', 'k1=1@3']);
  assert.equal((await put(past, 'other', 'x')).revision, 4);
  assert.equal((await store.range(all)).count, 5);
  assert.throws(() => store.at(7), { code: 'future-revision' });
  await store.compact(4);
  assert.throws(
    () => store.at(3),
    (e: unknown) => e instanceof StoreError && e.code === 'compacted' && e.compactRevision === 4,
  );
});

test('keeps as many revisions as asked for', async () => {
  const store = createMemoryStore({ clock: virtualClock(), compaction: { revisions: 10 } });
  for (let i = 0; i < 100; i++) await put(store, 'k', String(i));
  await store.get('k', { revision: 92 });
  await assert.rejects(store.get('k', { revision: 50 }), { code: 'compacted' });
});

test('a lease ends on the clock it was given, and a fork keeps its own', async () => {
  const clock = virtualClock();
  const store = createMemoryStore({ clock });
  const lease = await store.grantLease(10);
  await put(store, 'held', 'x', lease.id);
  const fork = store.fork();
  await clock.advance(6_000);
  await store.keepAlive(lease.id);
  await clock.advance(6_000);
  assert.equal((await store.range(all)).count, 1);
  assert.equal((await fork.range(all)).count, 0);
  await clock.advance(5_000);
  assert.equal((await store.range(all)).count, 0);
  assert.equal(clock.pending, 0);
});

test('progress notices come on time and stop with the watch', async () => {
  const clock = virtualClock();
  const store = createMemoryStore({ clock, progressIntervalMs: 1000 });
  const watch = store.watch(all, { progress: true });
  const iterator = watch[Symbol.asyncIterator]();
  await put(store, 'a', '1');
  assert.equal((await iterator.next()).value.revision, 2);
  await clock.advance(1000);
  assert.deepEqual((await iterator.next()).value, { revision: 2, events: [] });
  watch.cancel();
  await clock.advance(5000);
  assert.equal(clock.pending, 0);
});

test('a slow watch of bounded memory loses nothing', async () => {
  const store = createMemoryStore({ clock: virtualClock() });
  const watch = store.watch(prefixRange('k'))[Symbol.asyncIterator]();
  for (let i = 0; i < 5000; i++) await put(store, i % 2 ? 'k' : 'other', String(i));
  for (let i = 1; i < 5000; i += 2) assert.equal((await watch.next()).value.revision, i + 2);
  await put(store, 'k', 'last');
  assert.equal((await watch.next()).value.revision, 5002);
});
