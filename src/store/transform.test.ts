import assert from 'node:assert/strict';
import { test } from 'node:test';
import { virtualClock } from '../base/virtual-clock.ts';
import { prefixRange, type Store } from './contract.ts';
import { createMemoryStore } from './memory/index.ts';
import { transformingStore, type ValueTransformer } from './transform.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (value: Uint8Array | undefined) => new TextDecoder().decode(value);

/** Writes the key before the value, and wants to find it there. */
const keyed: ValueTransformer = {
  toStorage: (key, value) => bytes(`${key}:${text(value)}`),
  fromStorage: async (key, value) => {
    if (!text(value).startsWith(`${key}:`)) throw new Error('made for another key');
    return value.subarray(key.length + 1);
  },
};
const put = (store: Store, key: string, value: string) =>
  store.txn({ compare: [], success: [{ type: 'put', key, value: bytes(value) }] });

function stores(): { inner: Store; store: Store } {
  const inner = createMemoryStore({ clock: virtualClock() });
  return { inner, store: transformingStore(inner, key => (key.startsWith('/secrets/') ? keyed : undefined)) };
}

test('values are stored transformed and read as they were', async () => {
  const { inner, store } = stores();
  await put(store, '/secrets/a', 'one');
  await put(store, '/pods/a', 'two');
  assert.equal(text((await inner.get('/secrets/a')).kv?.value), '/secrets/a:one');
  assert.equal(text((await inner.get('/pods/a')).kv?.value), 'two');
  assert.equal(text((await store.get('/secrets/a')).kv?.value), 'one');
  assert.deepEqual(
    (await store.range(prefixRange('/'))).kvs.map(kv => text(kv.value)),
    ['two', 'one'],
  );
  const { results } = await store.txn({
    compare: [],
    success: [
      { type: 'range', range: prefixRange('/secrets/') },
      { type: 'delete', range: { start: '/secrets/a' }, prevKv: true },
    ],
  });
  const [read, deleted] = results;
  assert.ok(read?.type === 'range' && text(read.kvs[0]?.value) === 'one');
  assert.ok(deleted?.type === 'delete' && text(deleted.prevKvs[0]?.value) === 'one');
});

test('watches see values as they were written', async () => {
  const { store } = stores();
  const watch = store.watch(prefixRange('/secrets/'), { prevKv: true });
  await put(store, '/secrets/a', 'one');
  await put(store, '/secrets/a', 'two');
  await store.txn({ compare: [], success: [{ type: 'delete', range: { start: '/secrets/a' } }] });
  const seen: string[] = [];
  for await (const batch of watch) {
    for (const { type, kv, prevKv } of batch.events) seen.push(`${type} ${text(kv.value)} (${text(prevKv?.value)})`);
    if (seen.length === 3) break;
  }
  assert.deepEqual(seen, ['put one ()', 'put two (one)', 'delete  (two)']);
});

test('a value that was moved is refused, and so is comparing what is transformed', async () => {
  const { inner, store } = stores();
  await put(inner, '/secrets/b', '/secrets/a:stolen');
  await assert.rejects(store.get('/secrets/b'), { code: 'corrupt' });
  const compare = [{ key: '/secrets/b', target: 'value', op: '=', value: bytes('x') } as const];
  await assert.rejects(store.txn({ compare, success: [] }), { code: 'invalid' });
});
