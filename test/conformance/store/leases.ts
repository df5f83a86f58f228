import assert from 'node:assert/strict';
import { test } from 'node:test';
import { prefixRange, type Store } from '../../../src/store/contract.ts';
import { contents, put, putOp, Reader } from './helpers.ts';

export function leaseTests(store: () => Store, pass: (ms: number) => Promise<void>): void {
  test('revoking a lease deletes its keys in one revision', async () => {
    const s = store();
    const lease = await s.grantLease(60);
    await put(s, '/lease/a', '1', lease.id);
    const last = await put(s, '/lease/b', '1', lease.id);
    assert.equal((await s.get('/lease/a')).kv?.lease, lease.id);
    const alive = await s.timeToLive(lease.id);
    assert.deepEqual(alive.keys.toSorted(), ['/lease/a', '/lease/b']);
    assert.equal(alive.grantedTtl, lease.ttl);
    assert.ok(alive.ttl > 50 && alive.ttl <= lease.ttl);
    const reader = new Reader(s.watch(prefixRange('/lease/'), { fromRevision: last + 1 }));
    await s.revokeLease(lease.id);
    const batch = await reader.batch();
    assert.equal(batch.revision, last + 1);
    assert.deepEqual(batch.events.map(e => `${e.type} ${e.kv.key}`).toSorted(), ['delete /lease/a', 'delete /lease/b']);
    reader.watch.cancel();
    assert.deepEqual(await contents(s, '/lease/'), []);
  });
  test('a key belongs to the lease of its last put', async () => {
    const s = store();
    const first = await s.grantLease(60);
    const second = await s.grantLease(60);
    await put(s, '/lease/moved', '1', first.id);
    await put(s, '/lease/moved', '2', second.id);
    await put(s, '/lease/freed', '1', first.id);
    await put(s, '/lease/freed', '2');
    await s.revokeLease(first.id);
    assert.deepEqual(await contents(s, '/lease/'), ['freed=2', 'moved=2']);
    await s.revokeLease(second.id);
    assert.deepEqual(await contents(s, '/lease/'), ['freed=2']);
  });
  test('leases that do not exist, or do already', async () => {
    const s = store();
    const lease = await s.grantLease(60, 4242);
    assert.equal(lease.id, 4242);
    await assert.rejects(s.grantLease(60, 4242), { code: 'lease-exists' });
    await s.revokeLease(4242);
    const missing = { code: 'lease-not-found' };
    await assert.rejects(s.revokeLease(4242), missing);
    await assert.rejects(s.keepAlive(4242), missing);
    await assert.rejects(s.timeToLive(4242), missing);
    const before = await s.revision();
    await assert.rejects(s.txn({ compare: [], success: [putOp('/lease/x', '1', 4242)] }), missing);
    assert.equal(await s.revision(), before);
  });
  test('a lease that is not kept alive ends with its keys', async () => {
    const s = store();
    const kept = await s.grantLease(2);
    const left = await s.grantLease(2);
    await put(s, '/expiry/kept', '1', kept.id);
    const last = await put(s, '/expiry/left', '1', left.id);
    const reader = new Reader(s.watch(prefixRange('/expiry/'), { fromRevision: last + 1 }));
    await reader.watch.ready;
    for (let i = 0; i < 4; i++) {
      await pass(1000);
      assert.equal((await s.keepAlive(kept.id)).ttl, kept.ttl);
    }
    const batch = await reader.batch();
    assert.deepEqual(
      batch.events.map(e => `${e.type} ${e.kv.key}`),
      ['delete /expiry/left'],
    );
    reader.watch.cancel();
    assert.deepEqual(await contents(s, '/expiry/'), ['kept=1']);
    await s.revokeLease(kept.id);
  });
}
