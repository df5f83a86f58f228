import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { virtualClock } from '../../../src/base/virtual-clock.ts';
import { type Compare, type KeyRange, prefixRange, type Store } from '../../../src/store/contract.ts';
import { createMemoryStore } from '../../../src/store/memory/index.ts';
import { bytes, contents, put, putOp, rangeOf, remove, type StoreFixture, text } from './helpers.ts';
import { leaseTests } from './leases.ts';
import { watchTests } from './watches.ts';

/** Checks every property that the contract states. One fixture serves the whole suite; each test has a prefix of its own. */
export function storeConformance(name: string, makeStore: () => Promise<StoreFixture>): void {
  describe(`store: ${name}`, () => {
    let fixture: StoreFixture | undefined;
    before(async () => {
      fixture = await makeStore();
    });
    after(() => fixture?.close());
    const current = (): StoreFixture => {
      if (!fixture) throw new Error('the store did not start');
      return fixture;
    };
    const store = () => current().store;
    revisionTests(store);
    rangeTests(store);
    transactionTests(store);
    compactionTests(store);
    watchTests(store, () => current().answersProgress ?? true);
    leaseTests(store, ms => current().pass(ms));
  });
}

function revisionTests(store: () => Store): void {
  test('an empty store is at revision 1', async () => {
    assert.equal(await store().revision(), 1);
    assert.equal((await store().range({ start: '', end: '' })).count, 0);
    await store().health();
  });
  test('each transaction that changes something adds one revision', async () => {
    const s = store();
    const start = await s.revision();
    assert.equal(await put(s, '/rev/a', '1'), start + 1);
    const two = await s.txn({ compare: [], success: [putOp('/rev/a', '2'), putOp('/rev/b', '2')] });
    assert.equal(two.revision, start + 2);
    assert.equal((await remove(s, rangeOf('/rev/none'))).revision, start + 2);
    const refused = await s.txn({
      compare: [{ key: '/rev/a', target: 'version', op: '=', value: 9 }],
      success: [putOp('/rev/a', '3')],
    });
    assert.deepEqual([refused.succeeded, refused.revision], [false, start + 2]);
    assert.equal(await s.revision(), start + 2);
  });
  test('a key carries its creation, last change, and version', async () => {
    const s = store();
    const created = await put(s, '/meta/k', '1');
    const changed = await put(s, '/meta/k', '2');
    const read = await s.get('/meta/k');
    assert.deepEqual(
      { ...read.kv, value: text(read.kv?.value ?? bytes('')) },
      { key: '/meta/k', value: '2', createRevision: created, modRevision: changed, version: 2, lease: 0 },
    );
    assert.equal(read.revision, changed);
    await remove(s, rangeOf('/meta/k'));
    assert.equal((await s.get('/meta/k')).kv, undefined);
    const again = await put(s, '/meta/k', '3');
    const reborn = (await s.get('/meta/k')).kv;
    assert.deepEqual([reborn?.createRevision, reborn?.version], [again, 1]);
  });
  test('an empty value is a value', async () => {
    await put(store(), '/empty/k', '');
    assert.equal((await store().get('/empty/k')).kv?.value.length, 0);
  });
}

function rangeTests(store: () => Store): void {
  test('keys come in the order of their UTF-8 bytes', async () => {
    const s = store();
    const keys = ['b', 'a', 'a/b', 'é', '\uffee', '\u{1f600}', 'a\u0000'];
    for (const key of keys) await put(s, `/order/${key}`, key);
    const sorted = keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    assert.deepEqual(
      (await s.range(prefixRange('/order/'))).kvs.map(kv => kv.key.slice(7)),
      sorted,
    );
  });
  test('limit, count, keys only', async () => {
    const s = store();
    for (const key of ['a', 'b', 'c', 'd']) await put(s, `/limit/${key}`, key);
    const range = prefixRange('/limit/');
    const two = await s.range(range, { limit: 2 });
    assert.deepEqual([two.kvs.map(kv => text(kv.value)), two.count, two.more], [['a', 'b'], 4, true]);
    const rest = await s.range({ start: '/limit/c', end: range.end ?? '' }, { limit: 2 });
    assert.deepEqual([rest.kvs.length, rest.count, rest.more], [2, 2, false]);
    const counted = await s.range(range, { countOnly: true });
    assert.deepEqual([counted.kvs.length, counted.count], [0, 4]);
    const keys = await s.range(range, { keysOnly: true });
    assert.deepEqual(
      keys.kvs.map(kv => [kv.key, kv.value.length, kv.version]),
      ['a', 'b', 'c', 'd'].map(key => [`/limit/${key}`, 0, 1]),
    );
    assert.equal((await s.range({ start: '/limit/b', end: '/limit/d' })).count, 2);
    assert.ok((await s.range({ start: '/limit/c', end: '' })).count >= 2);
  });
  test('a read at a revision sees that revision', async () => {
    const s = store();
    const first = await put(s, '/old/a', '1');
    const second = await put(s, '/old/b', '1');
    const third = await put(s, '/old/a', '2');
    const fourth = (await remove(s, rangeOf('/old/b'))).revision;
    assert.deepEqual(await contents(s, '/old/', first), ['a=1']);
    assert.deepEqual(await contents(s, '/old/', second), ['a=1', 'b=1']);
    assert.deepEqual(await contents(s, '/old/', third), ['a=2', 'b=1']);
    assert.deepEqual(await contents(s, '/old/', fourth), ['a=2']);
    const read = await s.get('/old/a', { revision: first });
    assert.deepEqual([text(read.kv?.value ?? bytes('')), read.revision], ['1', fourth]);
    await assert.rejects(s.range(prefixRange('/old/'), { revision: fourth + 1 }), { code: 'future-revision' });
  });
  test('what was handed out stays as it was', async () => {
    const s = store();
    await put(s, '/still/a', 'before');
    const read = await s.get('/still/a');
    await put(s, '/still/a', 'after!');
    assert.equal(text(read.kv?.value ?? bytes('')), 'before');
  });
}

function transactionTests(store: () => Store): void {
  const present = async () => {
    await put(store(), '/cmp/k', 'm');
    const { kv } = await store().get('/cmp/k');
    return kv?.modRevision ?? 0;
  };
  test('compares', async () => {
    const s = store();
    const mod = await present();
    const { kv } = await s.get('/cmp/k');
    const created = kv?.createRevision ?? 0;
    const version = kv?.version ?? 0;
    const table: [Compare, boolean][] = [];
    for (const [target, value] of [
      ['modRevision', mod],
      ['createRevision', created],
      ['version', version],
    ] as const) {
      const key = '/cmp/k';
      table.push([{ key, target, op: '=', value }, true], [{ key, target, op: '!=', value }, false]);
      table.push([{ key, target, op: '<', value: value + 1 }, true], [{ key, target, op: '<', value }, false]);
      table.push([{ key, target, op: '>', value: value - 1 }, true], [{ key, target, op: '>', value }, false]);
      table.push([{ key: '/cmp/none', target, op: '=', value: 0 }, true]);
      table.push([{ key: '/cmp/none', target, op: '>', value: 0 }, false]);
    }
    for (const [value, less, equal] of [
      ['a', false, false],
      ['m', false, true],
      ['mm', true, false],
      ['z', true, false],
    ] as const) {
      const key = '/cmp/k';
      table.push([{ key, target: 'value', op: '<', value: bytes(value) }, less]);
      table.push([{ key, target: 'value', op: '=', value: bytes(value) }, equal]);
      table.push([{ key, target: 'value', op: '!=', value: bytes(value) }, !equal]);
      table.push([{ key, target: 'value', op: '>', value: bytes(value) }, !less && !equal]);
    }
    table.push([{ key: '/cmp/none', target: 'value', op: '=', value: bytes('') }, false]);
    table.push([{ key: '/cmp/none', target: 'value', op: '!=', value: bytes('x') }, false]);
    table.push([{ key: '/cmp/k', target: 'lease', op: '=', value: 0 }, true]);
    for (const [compare, expected] of table) {
      const { succeeded } = await s.txn({ compare: [compare], success: [] });
      assert.equal(succeeded, expected, `${compare.key} ${compare.target} ${compare.op} ${String(compare.value)}`);
    }
  });
  test('all compares must hold; the other branch runs otherwise', async () => {
    const s = store();
    const mod = await present();
    const result = await s.txn({
      compare: [
        { key: '/cmp/k', target: 'modRevision', op: '=', value: mod },
        { key: '/cmp/k', target: 'version', op: '<', value: 1 },
      ],
      success: [putOp('/cmp/k', 'wrong')],
      failure: [{ type: 'range', range: rangeOf('/cmp/k') }],
    });
    assert.equal(result.succeeded, false);
    const [read] = result.results;
    assert.equal(read?.type === 'range' && text(read.kvs[0]?.value ?? bytes('')), 'm');
  });
  test('operations run in order and see those before them', async () => {
    const s = store();
    await put(s, '/ops/old', 'x');
    const { revision, results } = await s.txn({
      compare: [],
      success: [
        { type: 'range', range: prefixRange('/ops/') },
        putOp('/ops/new', 'y'),
        { type: 'range', range: prefixRange('/ops/') },
        { type: 'delete', range: rangeOf('/ops/old'), prevKv: true },
        { type: 'range', range: prefixRange('/ops/') },
      ],
    });
    assert.deepEqual(
      results.map(r => (r.type === 'range' ? r.kvs.map(kv => kv.key) : r.type)),
      [['/ops/old'], 'put', ['/ops/new', '/ops/old'], 'delete', ['/ops/new']],
    );
    const deleted = results[3];
    assert.ok(deleted?.type === 'delete' && deleted.deleted === 1 && deleted.prevKvs[0]?.key === '/ops/old');
    assert.equal((await s.get('/ops/new')).kv?.modRevision, revision);
  });
  test('deletes a range', async () => {
    const s = store();
    for (const key of ['a', 'b', 'c']) await put(s, `/delete/${key}`, key);
    const { results } = await remove(s, { start: '/delete/a', end: '/delete/c' }, true);
    const [deleted] = results;
    assert.ok(deleted?.type === 'delete');
    assert.deepEqual([deleted.deleted, deleted.prevKvs.map(kv => text(kv.value))], [2, ['a', 'b']]);
    assert.deepEqual(await contents(s, '/delete/'), ['c=c']);
  });
  test('one writer of many wins a compare-and-swap', async () => {
    const s = store();
    const start = await put(s, '/race/k', 'start');
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        s.txn({
          compare: [{ key: '/race/k', target: 'modRevision', op: '=', value: start }],
          success: [putOp('/race/k', String(i))],
          failure: [{ type: 'range', range: rangeOf('/race/k') }],
        }),
      ),
    );
    assert.equal(outcomes.filter(o => o.succeeded).length, 1);
    const { kv } = await s.get('/race/k');
    for (const lost of outcomes.filter(o => !o.succeeded)) {
      const [seen] = lost.results;
      assert.ok(seen?.type === 'range' && seen.kvs[0]?.modRevision === kv?.modRevision);
    }
  });
  test('refuses what no store may run', async () => {
    const s = store();
    const invalid = [
      [putOp('', 'x')],
      [putOp('/bad/a', '1'), putOp('/bad/a', '2')],
      [putOp('/bad/a', '1'), { type: 'delete' as const, range: prefixRange('/bad/') }],
      Array.from({ length: 129 }, (_, i) => putOp(`/bad/${i}`, 'x')),
    ];
    for (const success of invalid) await assert.rejects(s.txn({ compare: [], success }), { code: 'invalid' });
    const large = putOp('/bad/large', 'x'.repeat(1.5 * 1024 * 1024 + 1));
    await assert.rejects(s.txn({ compare: [], success: [large] }), { code: 'too-large' });
    assert.equal((await s.range(prefixRange('/bad/'))).count, 0);
  });
  test('random transactions give what the model gives', async () => {
    const s = store();
    let round = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(randomTxn, { minLength: 1, maxLength: 12 }), async txns => {
        const model = createMemoryStore({ clock: virtualClock() });
        const prefix = `/model/${round++}/`;
        const offset = (await s.revision()) - 1;
        for (const txn of txns) {
          const [got, expected] = await Promise.all([s.txn(txn(prefix, offset)), model.txn(txn(prefix, 0))]);
          assert.equal(got.succeeded, expected.succeeded);
          assert.equal(got.revision - offset, expected.revision);
        }
        const shape = (from: Awaited<ReturnType<Store['range']>>, by: number) =>
          from.kvs.map(kv => [kv.key, text(kv.value), kv.createRevision - by, kv.modRevision - by, kv.version]);
        const range = prefixRange(prefix);
        assert.deepEqual(shape(await s.range(range), offset), shape(await model.range(range), 0));
      }),
      { numRuns: 25 },
    );
  });
}

const keyName = fc.constantFrom('a', 'b', 'c', 'd');
const randomTxn = fc
  .record({
    compare: fc.array(fc.record({ key: keyName, op: fc.constantFrom('=', '!=', '<', '>'), value: fc.nat(6) }), {
      maxLength: 2,
    }),
    puts: fc.uniqueArray(fc.tuple(keyName, fc.string({ maxLength: 3 })), { selector: p => p[0], maxLength: 2 }),
    deleted: fc.option(keyName),
  })
  .map(({ compare, puts, deleted }) => (prefix: string, offset: number) => ({
    compare: compare.map(
      c =>
        ({
          key: prefix + c.key,
          target: 'modRevision',
          op: c.op,
          value: c.value === 0 ? 0 : c.value + offset,
        }) satisfies Compare,
    ),
    success: puts.map(([key, value]) => putOp(prefix + key, value)),
    failure: deleted === null ? [] : [{ type: 'delete' as const, range: rangeOf(prefix + deleted) }],
  }));

function compactionTests(store: () => Store): void {
  test('history below the compacted revision is gone, the newest values stay', async () => {
    const s = store();
    const first = await put(s, '/compact/a', '1');
    const second = await put(s, '/compact/a', '2');
    await put(s, '/compact/b', '1');
    await s.compact(second);
    await assert.rejects(s.range(prefixRange('/compact/'), { revision: first }), { code: 'compacted' });
    assert.deepEqual(await contents(s, '/compact/', second), ['a=2']);
    assert.deepEqual(await contents(s, '/compact/'), ['a=2', 'b=1']);
    const range: KeyRange = prefixRange('/compact/');
    await assert.rejects(s.txn({ compare: [], success: [{ type: 'range', range, options: { revision: first } }] }), {
      code: 'compacted',
    });
  });
  test('compacts neither backwards nor ahead', async () => {
    const s = store();
    const now = await put(s, '/compact/c', '1');
    await assert.rejects(s.compact(now + 1), { code: 'future-revision' });
    await s.compact(now);
    await assert.rejects(s.compact(now), { code: 'compacted' });
    await assert.rejects(s.compact(now - 1), { code: 'compacted' });
  });
}
