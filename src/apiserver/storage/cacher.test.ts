import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../base/clock.ts';
import { silentLogger } from '../../base/log.ts';
import type { Store, Watch } from '../../store/contract.ts';
import { createMemoryStore } from '../../store/memory/index.ts';
import { createCacher } from './cacher.ts';

/** A store whose watches tell events and never progress, as those of an etcd that cannot be asked. */
function withoutProgress(store: Store): Store {
  const quiet = (watch: Watch): Watch => ({
    ready: watch.ready,
    requestProgress: () => {},
    cancel: () => watch.cancel(),
    async *[Symbol.asyncIterator]() {
      for await (const batch of watch) if (batch.events.length > 0) yield batch;
    },
  });
  return new Proxy(store, {
    get(target, name) {
      if (name === 'watch') return (...args: Parameters<Store['watch']>) => quiet(target.watch(...args));
      const value = Reflect.get(target, name, target) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

test('reads are fresh though others write elsewhere in a store that does not tell progress', async () => {
  const store = createMemoryStore({ clock: systemClock });
  const cacher = createCacher({
    store: withoutProgress(store),
    clock: systemClock,
    log: silentLogger,
    corePlurals: new Set(['pods']),
  });
  const put = (key: string) =>
    store.txn({ compare: [], success: [{ type: 'put', key, value: Buffer.from('{"metadata":{}}') }], failure: [] });
  try {
    await cacher.start();
    await put('/registry/pods/default/a');
    await cacher.fresh();
    assert.ok(cacher.kind('/registry/pods/').get('default/a'));
    const { revision } = await put('/elsewhere/b');
    const reads = await Promise.all([cacher.fresh(), cacher.fresh()]);
    assert.deepEqual(reads, [revision, revision]);
    assert.ok(cacher.revision >= revision);
    assert.equal(cacher.kind('/registry/pods/').root.size, 1);
  } finally {
    await cacher.close();
    await store.close();
  }
});
