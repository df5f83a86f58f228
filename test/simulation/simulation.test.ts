/** Fixed seeds, some new ones, and the promise that a seed is a history. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { replayArguments, simulate } from '../../src/testing/simulation/index.ts';
import { newSeeds, storageOf } from './seeds.ts';

/**
 * Each once found a defect, which is named. What a seed leads to changes with the code and the workload, so `mutants.ts` plants again what
 * was found and mended.
 */
const regressions: readonly (readonly [number, string])[] = [
  [1, 'the worker of a finished pod spun until its status was written'],
  [2, 'a recount gave back what was charged for pods in the making, and a quota was overrun'],
  [12, 'a volume stayed bound to a claim that went before it knew of it'],
  [20, 'a fixed one, over the embedded store'],
  [194, 'a paused deployment grew an old set because its cache did not show the new one'],
  [254, 'a stateful set told of a defect while a claim was being deleted'],
  [1009, 'pods of a node that had been silent stayed out of service'],
  [3060, 'a rollout that did not see its own first set yet made the second one too large'],
  [5011, 'a pod past its deletion time was counted against a quota'],
  [531_380_829, 'a deletion in the background of what waits in the foreground was held against the server'],
  [261_045_584, 'a cron job was held to what its status does not list'],
  [695_835_745, 'a commit was torn from the log after its writer had been told'],
  [7006, 'a job without indexes succeeded once more than asked'],
  [155_367_432, 'a recount from a cache older than the quota gave back what was charged'],
  [57_831_787, 'a deletion in the foreground was overtaken by that of its namespace'],
];
/** For so long, and so many at most, seeds of these sources are tried. A failing one is told with the command that replays it. */
const newSeedsMs = Number(process.env['TSUKUBE_NEW_SEEDS_SECONDS'] ?? 45) * 1_000;
const mostNewSeeds = 50;

test('a seed is a history: every request, answer and stored byte comes again', async () => {
  const first = await simulate({ seed: 7, steps: 40 });
  const second = await simulate({ seed: 7, steps: 40 });
  assert.deepEqual(second.story, first.story);
  assert.equal(second.fingerprint, first.fingerprint);
  assert.ok(first.requests > 100 && first.revision > 100);
  const other = await simulate({ seed: 8, steps: 40 });
  assert.notEqual(other.fingerprint, first.fingerprint);
});

test('a seed is a history over a disk, too', async () => {
  const options = { seed: 9, steps: 30, storage: 'embedded' } as const;
  const first = await simulate(options);
  assert.deepEqual(first.findings, []);
  assert.equal((await simulate(options)).fingerprint, first.fingerprint);
});

for (const [seed, what] of regressions)
  test(`seed ${seed} holds: ${what}`, async () => {
    const options = { seed, storage: storageOf(seed) };
    const { findings } = await simulate(options);
    assert.deepEqual(findings, [], `npm run simulate -- ${replayArguments(options)}`);
  });

test('each state of the sources has seeds of its own', () => {
  const sources = '82ea597d5c0f4c1b9a3e6d7f8091a2b3c4d5e6f7';
  assert.deepEqual(newSeeds(undefined, sources), { first: 35_345_935, from: 'sources 82ea597d5c0f' });
  assert.notEqual(newSeeds(undefined, `1${sources}`).first, newSeeds(undefined, sources).first);
  assert.deepEqual(newSeeds('17', sources), { first: 17, from: 'as given' });
  assert.throws(() => newSeeds('1e9', sources), /at most nine digits/);
});

test('the seeds of these sources hold', {
  skip: newSeedsMs > 0 ? false : 'TSUKUBE_NEW_SEEDS_SECONDS is 0',
}, async t => {
  const { first, from } = newSeeds(process.env['TSUKUBE_NEW_SEEDS']);
  t.diagnostic(`seeds from ${first} on (${from}); again with TSUKUBE_NEW_SEEDS=${first}`);
  const began = performance.now();
  let hours = 0;
  let seed = first;
  for (; seed < first + mostNewSeeds && performance.now() - began < newSeedsMs; seed++) {
    const options = { seed, storage: storageOf(seed) };
    const report = await simulate(options);
    hours += report.elapsedMs / 3_600_000;
    assert.deepEqual(report.findings, [], `npm run simulate -- ${replayArguments(options)}`);
  }
  const rate = (hours * 60_000) / (performance.now() - began);
  t.diagnostic(`${seed - first} seeds hold; ${rate.toFixed(1)} simulated cluster-hours per real minute`);
});
