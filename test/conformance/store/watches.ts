import assert from 'node:assert/strict';
import { test } from 'node:test';
import { prefixRange, type Store, type WatchBatch } from '../../../src/store/contract.ts';
import { put, putOp, Reader, rangeOf, remove } from './helpers.ts';

export function watchTests(store: () => Store, answersProgress: () => boolean): void {
  test('a watch reports changes from when it is ready', async () => {
    const s = store();
    await put(s, '/watch/live/a', '0');
    const reader = new Reader(s.watch(prefixRange('/watch/live/')));
    await reader.watch.ready;
    const first = await put(s, '/watch/live/a', '1');
    await put(s, '/watch/other', 'x');
    const second = (await remove(s, rangeOf('/watch/live/a'))).revision;
    assert.equal(await reader.line(), `${first}: put a=1`);
    const gone = await reader.batch();
    const [event] = gone.events;
    assert.deepEqual([gone.revision, event?.type, event?.kv.key], [second, 'delete', '/watch/live/a']);
    assert.deepEqual([event?.kv.modRevision, event?.kv.value.length], [second, 0]);
    reader.watch.cancel();
  });
  test('a watch from a revision starts with the first change at or after it', async () => {
    const s = store();
    await put(s, '/watch/from/a', '1');
    const second = await put(s, '/watch/from/a', '2');
    const third = await put(s, '/watch/from/b', '3');
    const reader = new Reader(s.watch(prefixRange('/watch/from/'), { fromRevision: second }));
    assert.equal(await reader.line(), `${second}: put a=2`);
    assert.equal(await reader.line(), `${third}: put b=3`);
    const fourth = await put(s, '/watch/from/c', '4');
    assert.equal(await reader.line(), `${fourth}: put c=4`);
    reader.watch.cancel();
  });
  test('a watch from the future skips what comes before', async () => {
    const s = store();
    const now = await s.revision();
    const reader = new Reader(s.watch(prefixRange('/watch/future/'), { fromRevision: now + 2 }));
    await reader.watch.ready;
    await put(s, '/watch/future/a', '1');
    await put(s, '/watch/future/b', '2');
    assert.equal(await reader.line(), `${now + 2}: put b=2`);
    reader.watch.cancel();
  });
  test('all changes of a revision come in one batch, in order', async () => {
    const s = store();
    const from = (await s.revision()) + 1;
    await put(s, '/watch/batch/z', '0');
    await s.txn({
      compare: [],
      success: [
        putOp('/watch/batch/b', '1'),
        putOp('/watch/batch/a', '1'),
        putOp('/watch/unwatched', '1'),
        { type: 'delete', range: rangeOf('/watch/batch/z') },
      ],
    });
    const reader = new Reader(s.watch(prefixRange('/watch/batch/'), { fromRevision: from }));
    assert.equal(await reader.line(), `${from}: put z=0`);
    assert.equal(await reader.line(), `${from + 1}: put b=1, put a=1, delete z`);
    reader.watch.cancel();
  });
  test('previous values come when asked for', async () => {
    const s = store();
    const from = (await s.revision()) + 1;
    const live = new Reader(s.watch(rangeOf('/watch/prev/k'), { prevKv: true }));
    await live.watch.ready;
    await put(s, '/watch/prev/k', '1');
    await put(s, '/watch/prev/k', '2');
    await remove(s, rangeOf('/watch/prev/k'));
    const past = new Reader(s.watch(rangeOf('/watch/prev/k'), { prevKv: true, fromRevision: from }));
    for (const reader of [live, past]) {
      assert.equal(await reader.line(), `${from}: put k=1`);
      assert.equal(await reader.line(), `${from + 1}: put k=2 (1)`);
      assert.equal(await reader.line(), `${from + 2}: delete k (2)`);
      reader.watch.cancel();
    }
  });
  test('a watch below the compacted revision fails with what is left', async () => {
    const s = store();
    const old = await put(s, '/watch/compacted/a', '1');
    const now = await put(s, '/watch/compacted/a', '2');
    await s.compact(now);
    const reader = new Reader(s.watch(prefixRange('/watch/compacted/'), { fromRevision: old }));
    await assert.rejects(reader.next(), { code: 'compacted', compactRevision: now });
    const kept = new Reader(s.watch(prefixRange('/watch/compacted/'), { fromRevision: now }));
    assert.equal(await kept.line(), `${now}: put a=2`);
    kept.watch.cancel();
  });
  test('a progress notice tells how far the watch is', async t => {
    if (!answersProgress()) return t.skip('this server does not answer requests for progress');
    const s = store();
    const reader = new Reader(s.watch(prefixRange('/watch/progress/')));
    await reader.watch.ready;
    const last = await put(s, '/watch/progress/a', '1');
    const elsewhere = await put(s, '/watch/elsewhere', '1');
    assert.equal(await reader.line(), `${last}: put a=1`);
    let notice: WatchBatch | undefined;
    for (let asked = 0; notice === undefined || notice.revision < elsewhere; asked++) {
      assert.ok(asked < 50, 'no notice of the newest revision');
      reader.watch.requestProgress();
      notice = await reader.any();
      assert.equal(notice.events.length, 0);
    }
    reader.watch.cancel();
  });
  test('cancel ends the iteration, also while it waits', async () => {
    const s = store();
    const reader = new Reader(s.watch(prefixRange('/watch/cancel/')));
    await reader.watch.ready;
    const waiting = reader.next();
    reader.watch.cancel();
    assert.equal((await waiting).done, true);
    assert.equal((await reader.next()).done, true);
    const broken = s.watch(prefixRange('/watch/cancel/'), { fromRevision: await put(s, '/watch/cancel/a', '1') });
    for await (const batch of broken) {
      assert.equal(batch.events.length, 1);
      break;
    }
  });
  test('many watches each see every change of theirs once and in order', async () => {
    const s = store();
    const readers = Array.from({ length: 40 }, (_, i) => new Reader(s.watch(prefixRange(`/watch/many/${i % 4}/`))));
    await Promise.all(readers.map(reader => reader.watch.ready));
    const from = await s.revision();
    await Promise.all(Array.from({ length: 200 }, (_, i) => put(s, `/watch/many/${i % 4}/k${i}`, String(i))));
    for (const [i, reader] of readers.entries()) {
      const keys = new Set<string>();
      let last = from;
      while (keys.size < 50) {
        const batch = await reader.batch();
        assert.ok(batch.revision > last);
        last = batch.revision;
        for (const event of batch.events) {
          assert.ok(event.kv.key.startsWith(`/watch/many/${i % 4}/`) && !keys.has(event.kv.key));
          assert.equal(event.kv.modRevision, batch.revision);
          keys.add(event.kv.key);
        }
      }
      reader.watch.cancel();
    }
  });
  test('a slow watch loses nothing', async () => {
    const s = store();
    const reader = new Reader(s.watch(prefixRange('/watch/slow/')));
    await reader.watch.ready;
    const count = 2500;
    const from = await s.revision();
    const value = 'x'.repeat(2000);
    for (let done = 0; done < count; done += 100) {
      await Promise.all(Array.from({ length: 100 }, () => put(s, '/watch/slow/k', value)));
    }
    for (let i = 1; i <= count; i++) assert.equal((await reader.batch()).revision, from + i);
    reader.watch.cancel();
  });
}
