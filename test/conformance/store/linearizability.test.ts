import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { createMetrics } from '../../../src/base/metrics.ts';
import { seededRandom } from '../../../src/base/random.ts';
import type { Store } from '../../../src/store/contract.ts';
import { openEmbeddedStore } from '../../../src/store/embedded/index.ts';
import { createMemoryStore } from '../../../src/store/memory/index.ts';
import {
  type Change,
  type Recorded,
  randomOperation,
  readHistory,
  violations,
  watchViolations,
} from './linearizability.ts';

describe('the checker finds', () => {
  const history: Change[] = [
    { revision: 2, key: 'a', value: '1' },
    { revision: 3, key: 'a', value: '2' },
    { revision: 4, key: 'a', value: undefined },
  ];
  const at = (began: number, ended: number) => ({ began, ended, key: 'a' });
  const table: [string, Recorded[], RegExp | undefined][] = [
    [
      'nothing wrong',
      [
        { ...at(1, 2), type: 'put', value: '1', revision: 2 },
        { ...at(3, 4), type: 'get', value: '2', modRevision: 3, revision: 3 },
      ],
      undefined,
    ],
    ['a lost write', [{ ...at(1, 2), type: 'put', value: 'x', revision: 5 }], /not in the history/],
    ['a changed write', [{ ...at(1, 2), type: 'put', value: '9', revision: 2 }], /not in the history/],
    [
      'a stale read',
      [
        { ...at(1, 2), type: 'put', value: '2', revision: 3 },
        { ...at(3, 4), type: 'get', value: '1', modRevision: 2, revision: 2 },
      ],
      /back in time/,
    ],
    ['a wrong read', [{ ...at(1, 2), type: 'get', value: '1', modRevision: 2, revision: 3 }], /was not there/],
    [
      'a swap that should have failed',
      [{ ...at(1, 2), type: 'swap', expected: 0, succeeded: true, value: '2', revision: 3 }],
      /against its condition/,
    ],
    [
      'a swap that should not have failed',
      [{ ...at(1, 2), type: 'swap', expected: 3, succeeded: false, value: 'x', revision: 3 }],
      /without reason/,
    ],
    ['a lost deletion', [{ ...at(1, 2), type: 'delete', deleted: 1, revision: 3 }], /not in the history/],
    [
      'one revision for two writes',
      [
        { ...at(1, 4), type: 'put', value: '1', revision: 2 },
        { ...at(2, 3), type: 'put', value: '1', revision: 2 },
      ],
      /share a revision/,
    ],
  ];
  for (const [name, operations, expected] of table) {
    test(name, () => {
      const found = violations(operations, history);
      if (expected) assert.match(found.join('\n'), expected);
      else assert.deepEqual(found, []);
    });
  }
  test('what a watch should not have told, and what it should have', () => {
    const [first, second, third] = history as [Change, Change, Change];
    assert.deepEqual(watchViolations([second, third], history), []);
    assert.match(watchViolations([first, third], history).join(), /not told/);
    assert.match(watchViolations([first, { ...second, value: 'x' }], history).join(), /is gone/);
    assert.match(watchViolations([first, first], history).join(), /told twice/);
    assert.match(watchViolations([second, first], history).join(), /out of order/);
  });
});

/** Many clients at once on few keys, watched while they run. */
async function run(store: Store, operations: number): Promise<void> {
  const random = seededRandom(7);
  let now = 0;
  const recorded: Recorded[] = [];
  const clients = Array.from({ length: 32 }, async (_, client) => {
    const load = { store, prefix: '/lin/', client: `c${client}`, chance: random.next, tick: () => ++now, keys: 5 };
    for (let n = 0; n < operations / 32; n++) {
      const done = await randomOperation(load, n);
      if (done) recorded.push(done);
    }
  });
  await Promise.all(clients);
  const history = await readHistory(store, '/lin/', 2);
  assert.deepEqual(violations(recorded, history), []);
  assert.ok(recorded.length >= operations);
}

describe('linearizability under concurrency', () => {
  test('memory', async () => {
    const store = createMemoryStore({ clock: systemClock });
    await run(store, 6400);
    await store.close();
  });
  test('embedded', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'tsukube-store-'));
    const store = await openEmbeddedStore({
      directory,
      clock: systemClock,
      log: silentLogger,
      metrics: createMetrics(),
    });
    try {
      await run(store, 6400);
    } finally {
      await store.close();
      await rm(directory, { recursive: true });
    }
  });
});
