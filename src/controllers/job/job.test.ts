import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createWorld, runningStatus, setStatus, type World } from '../../../test/support/control.ts';
import type { Job, JobSpec, JobStatus } from '../../api/types/batch-v1.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { ttlAfterFinishedController } from '../ttl-after-finished/index.ts';
import { jobController } from './index.ts';
import { formatIndexes, parseIndexes } from './indexes.ts';
import { podsToRemove } from './plan.ts';
import { stateOf, verdictOf } from './state.ts';

const controllers = [jobController, ttlAfterFinishedController];
const job = (spec: Partial<JobSpec> = {}) => ({
  metadata: { name: 'work', namespace: 'a' },
  spec: {
    template: { metadata: {}, spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] } },
    ...spec,
  },
});
const live = (pods: readonly Pod[]) =>
  pods.filter(p => !p.metadata.deletionTimestamp && p.status?.phase !== 'Succeeded' && p.status?.phase !== 'Failed');

async function end(
  world: World,
  pod: Pod,
  phase: 'Succeeded' | 'Failed',
  exitCode = phase === 'Failed' ? 1 : 0,
): Promise<void> {
  const finishedAt = new Date(world.clock.now()).toISOString().replace(/\.\d+/, '');
  const state = {
    terminated: { exitCode, finishedAt, reason: phase === 'Failed' ? 'Error' : 'Completed', startedAt: finishedAt },
  };
  const containerStatuses = [{ name: 'c', image: 'i', imageID: '', ready: false, restartCount: 0, state }];
  await setStatus(world.client, pod, { ...runningStatus(world.clock), phase, conditions: [], containerStatuses });
}
/** Ends all pods at work, again and again, until the job has an end. */
async function runToEnd(world: World, phaseOf: (pod: Pod) => 'Succeeded' | 'Failed', rounds = 60): Promise<Job> {
  for (let i = 0; i < rounds; i++) {
    await world.clock.advance(20_000);
    const found = await world.client.jobs('a').get('work');
    if (found.status?.conditions?.some(c => c.type === 'Complete' || c.type === 'Failed')) return found;
    for (const pod of live(await world.pods())) await end(world, pod, phaseOf(pod));
  }
  throw new Error('the job did not end');
}
const conditions = (j: Job) => (j.status?.conditions ?? []).map(c => `${c.type} ${c.reason}: ${c.message}`).sort();

test('a job runs its completions, never more than its parallelism, and says so', async () => {
  const world = await createWorld({ controllers, nodes: false });
  await world.client.jobs('a').create(job({ completions: 5, parallelism: 2 }));
  let most = 0;
  await world.follow('v1/pods', cache => {
    most = Math.max(most, live(cache.list()).length);
  });
  const done = await runToEnd(world, () => 'Succeeded');
  assert.equal(most, 2);
  assert.equal(done.status?.succeeded, 5);
  assert.ok(done.status?.completionTime);
  assert.deepEqual(conditions(done), [
    'Complete CompletionsReached: Reached expected number of succeeded pods',
    'SuccessCriteriaMet CompletionsReached: Reached expected number of succeeded pods',
  ]);
  assert.ok((await world.events()).includes('Normal Completed Job completed'));
  assert.ok((await world.pods()).every(p => !p.metadata.finalizers?.length));
  await world.stop();
});

test('failures are retried with back-off up to the limit', async () => {
  const world = await createWorld({ controllers, nodes: false });
  await world.client.jobs('a').create(job({ backoffLimit: 2 }));
  const done = await runToEnd(world, () => 'Failed');
  assert.equal(done.status?.failed, 3);
  assert.ok(conditions(done).includes('Failed BackoffLimitExceeded: Job has reached the specified backoff limit'));
  await world.stop();
});

test('an indexed job gives each index once, and an index that fails too often does not stop the others', async () => {
  const world = await createWorld({ controllers, nodes: false });
  await world.client
    .jobs('a')
    .create(job({ completionMode: 'Indexed', completions: 4, parallelism: 4, backoffLimitPerIndex: 1 }));
  const done = await runToEnd(world, pod =>
    pod.metadata.annotations?.['batch.kubernetes.io/job-completion-index'] === '2' ? 'Failed' : 'Succeeded',
  );
  assert.equal(done.status?.completedIndexes, '0,1,3');
  assert.equal(done.status?.failedIndexes, '2');
  assert.equal(done.status?.failed, 2);
  assert.ok(conditions(done).includes('Failed FailedIndexes: Job has failed indexes'));
  await world.stop();
});

test('a pod failure policy ends the job, or overlooks a failure', async () => {
  const world = await createWorld({ controllers, nodes: false });
  const rules = [
    { action: 'FailJob', onExitCodes: { operator: 'In', values: [42] } },
    { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
  ];
  await world.client.jobs('a').create(job({ backoffLimit: 0, podFailurePolicy: { rules } }));
  await world.clock.advance(5_000);
  const [first] = live(await world.pods());
  assert.ok(first);
  await setStatus(world.client, first, { phase: 'Failed', conditions: [{ type: 'DisruptionTarget', status: 'True' }] });
  await world.clock.advance(30_000);
  const [second] = live(await world.pods());
  assert.ok(second, 'the disrupted pod is replaced');
  await end(world, second, 'Failed', 42);
  await world.clock.advance(30_000);
  const done = await world.client.jobs('a').get('work');
  const message = `Container c for pod a/${second.metadata.name} failed with exit code 42 matching FailJob rule at index 0`;
  assert.ok(conditions(done).includes(`Failed PodFailurePolicy: ${message}`));
  await world.stop();
});

test('a success policy completes the job early; suspension removes pods without counting them as failed', async () => {
  const world = await createWorld({ controllers, nodes: false });
  const successPolicy = { rules: [{ succeededIndexes: '0', succeededCount: 1 }] };
  await world.client
    .jobs('a')
    .create(job({ completionMode: 'Indexed', completions: 3, parallelism: 3, successPolicy }));
  await world.clock.advance(5_000);
  await world.client.jobs('a').patch('work', 'merge', { spec: { suspend: true } });
  await world.clock.advance(30_000);
  assert.equal((await world.pods()).length, 0);
  const suspended = await world.client.jobs('a').get('work');
  assert.ok(conditions(suspended).includes('Suspended JobSuspended: Job suspended'));
  assert.equal(suspended.status?.failed ?? 0, 0);
  await world.client.jobs('a').patch('work', 'merge', { spec: { suspend: false } });
  await world.clock.advance(30_000);
  const leader = live(await world.pods()).find(p => p.metadata.name.startsWith('work-0-'));
  assert.ok(leader);
  await end(world, leader, 'Succeeded');
  await world.clock.advance(60_000);
  const done = await world.client.jobs('a').get('work');
  assert.ok(conditions(done).includes('Complete SuccessPolicy: Matched rules at index 0'));
  await world.stop();
});

test('a deadline ends a job, and its time to live removes it', async () => {
  const world = await createWorld({ controllers });
  await world.client.jobs('a').create(job({ activeDeadlineSeconds: 30, ttlSecondsAfterFinished: 100 }));
  await world.clock.advance(60_000);
  const done = await world.client.jobs('a').get('work');
  assert.ok(conditions(done).includes('Failed DeadlineExceeded: Job was active longer than specified deadline'));
  await world.clock.advance(120_000);
  const left = await world.client.jobs('a').list();
  assert.ok(
    left.items.every(j => j.metadata.deletionTimestamp),
    'deleted, or waiting for the garbage collector',
  );
  await world.stop();
});

for (let seed = 1; seed <= 12; seed++) {
  test(`a job never runs past its completions under faults and restarts, seed ${seed}`, async () => {
    const indexed = seed % 2 === 0;
    const world = await createWorld({ controllers, nodes: false, seed });
    const completions = 4 + world.random.int(4);
    await world.client
      .jobs('a')
      .create(job({ completions, parallelism: 3, backoffLimit: 100, ...(indexed && { completionMode: 'Indexed' }) }));
    Object.assign(world.faults, {
      failBefore: 0.1,
      failAfter: 0.1,
      breakWatch: 0.1,
      delayMs: 500,
      repeat: 0.1,
      expire: 0.1,
    });
    const successes = new Set<string>();
    for (let i = 0; i < 40 && successes.size < completions; i++) {
      await world.clock.advance(world.random.int(30_000));
      if (world.random.int(8) === 0) await world.restart();
      for (const pod of live(await world.pods())) {
        if (successes.size >= completions) break;
        const ok = world.random.int(3) > 0;
        if (ok)
          successes.add(
            indexed
              ? (pod.metadata.annotations?.['batch.kubernetes.io/job-completion-index'] ?? '')
              : pod.metadata.name,
          );
        await end(world, pod, ok ? 'Succeeded' : 'Failed');
      }
    }
    Object.assign(world.faults, { failBefore: 0, failAfter: 0, breakWatch: 0, delayMs: 0, repeat: 0, expire: 0 });
    const done = await runToEnd(world, () => 'Succeeded', 100);
    assert.equal(done.status?.succeeded, completions);
    assert.ok((await world.pods()).every(p => !p.metadata.finalizers?.length));
    await world.stop();
  });
}

const indexed = (name: string, index: number | undefined, more: Partial<Pod> = {}): Pod => ({
  spec: { containers: [], nodeName: 'n' },
  ...more,
  metadata: {
    name,
    uid: name,
    creationTimestamp: '2026-01-01T00:00:00Z',
    finalizers: ['batch.kubernetes.io/job-tracking'],
    ...more.metadata,
    annotations: {
      ...(index !== undefined && { 'batch.kubernetes.io/job-completion-index': String(index) }),
      ...more.metadata?.annotations,
    },
  },
  status: { phase: 'Running', ...more.status },
});
const specOf = (spec: Partial<JobSpec>, status: JobStatus = {}): Job => ({ ...job(spec), status }) as Job;

test("of an indexed job, pods whose index is another one's or none of the job's go, and count for the surplus", () => {
  const table: [string, number, (number | undefined)[], number, string[]][] = [
    ['nothing to do', 2, [0, 1], 0, []],
    ['a double, though the number is right', 2, [0, 0], 0, ['p0']],
    ['made smaller', 2, [0, 3, 1, 2], 2, ['p1', 'p3']],
    ['without index', 3, [undefined, 1], 0, ['p0']],
    ['a double and one more', 3, [0, 0, 1, 2], 2, ['p0', 'p1']],
  ];
  for (const [title, completions, indexes, surplus, gone] of table) {
    const pods = indexes.map((index, i) => indexed(`p${i}`, index));
    const spec = specOf({ completionMode: 'Indexed', completions });
    const names = podsToRemove(spec, pods, surplus, Date.parse('2026-01-01T00:01:00Z')).map(p => p.metadata.name);
    assert.deepEqual(names.sort(), gone, title);
  }
});

test('a job that could end in several ways ends in the one that upstream looks for first', () => {
  const at = Date.parse('2026-01-01T00:10:00Z');
  const ended = (name: string, index: number, phase: string) => indexed(name, index, { status: { phase } });
  const base: Partial<JobSpec> = { completionMode: 'Indexed', completions: 2, backoffLimit: 6 };
  const policy = { successPolicy: { rules: [{ succeededIndexes: '0' }] } };
  const met = { type: 'SuccessCriteriaMet', status: 'True', reason: 'SuccessPolicy', message: 'm' };
  const target = { type: 'FailureTarget', status: 'True', reason: 'DeadlineExceeded', message: 'm' };
  const started = { startTime: '2026-01-01T00:00:00Z' };
  const table: [string, Partial<JobSpec>, JobStatus, Pod[], string | undefined][] = [
    ['goes on', {}, {}, [ended('a', 0, 'Succeeded')], undefined],
    ['success policy', policy, {}, [ended('a', 0, 'Succeeded')], 'SuccessPolicy'],
    [
      'too many failures',
      { ...policy, backoffLimit: 0 },
      {},
      [ended('a', 0, 'Succeeded'), ended('b', 1, 'Failed')],
      'BackoffLimitExceeded',
    ],
    ['late', { ...policy, activeDeadlineSeconds: 60 }, started, [ended('a', 0, 'Succeeded')], 'DeadlineExceeded'],
    [
      'index failed',
      { ...policy, backoffLimitPerIndex: 0 },
      {},
      [ended('a', 0, 'Succeeded'), ended('b', 1, 'Failed')],
      'FailedIndexes',
    ],
    ['success stands', { backoffLimit: 0 }, { conditions: [met], failed: 3 }, [], 'SuccessPolicy'],
    ['failure stands', {}, { conditions: [target], completedIndexes: '0,1' }, [], 'DeadlineExceeded'],
    ['made smaller', { completions: 1 }, { completedIndexes: '0,5' }, [], 'CompletionsReached'],
    ['indexes of no account', { ...policy, completions: 3 }, { completedIndexes: '7' }, [], undefined],
  ];
  for (const [title, spec, status, pods, reason] of table) {
    const one = specOf({ ...base, ...spec }, status);
    assert.equal(verdictOf(one, stateOf(one, pods), at)?.reason, reason, title);
  }
});

test('each index backs off by its own failures, those that a policy ignores too', async () => {
  const world = await createWorld({ controllers, nodes: false });
  const rules = [{ action: 'Ignore', onExitCodes: { operator: 'In', values: [7] } }];
  await world.client.jobs('a').create(
    job({
      completionMode: 'Indexed',
      completions: 2,
      parallelism: 2,
      backoffLimitPerIndex: 5,
      podFailurePolicy: { rules },
    }),
  );
  await world.clock.advance(100);
  const at = (pods: readonly Pod[], index: number) =>
    live(pods).find(p => p.metadata.name.startsWith(`work-${index}-`));
  const counts = (pod: Pod | undefined) =>
    ['failure', 'ignored-failure'].map(k => pod?.metadata.annotations?.[`batch.kubernetes.io/job-index-${k}-count`]);
  const expected = [
    { code: 1, wait: 10_000, counts: ['1', undefined] },
    { code: 7, wait: 20_000, counts: ['1', '1'] },
    { code: 1, wait: 40_000, counts: ['2', '1'] },
  ];
  for (const { code, wait, counts: wanted } of expected) {
    const before = at(await world.pods(), 0);
    assert.ok(before);
    await end(world, before, 'Failed', code);
    await world.clock.advance(wait - 2_000);
    assert.equal(at(await world.pods(), 0), undefined, `no pod before ${wait} ms`);
    await world.clock.advance(4_000);
    assert.deepEqual(counts(at(await world.pods(), 0)), wanted);
  }
  assert.deepEqual(counts(at(await world.pods(), 1)), ['0', undefined]);
  await world.stop();
});

test('pods that are at work when a job fails have failed, and the counts are there at once', async () => {
  const world = await createWorld({ controllers, nodes: false });
  const rules = [{ action: 'FailJob', onExitCodes: { operator: 'In', values: [42] } }];
  await world.client.jobs('a').create(job({ parallelism: 3, completions: 3, podFailurePolicy: { rules } }));
  await world.clock.settle();
  const [first] = await world.pods();
  assert.ok(first);
  assert.equal((await world.client.jobs('a').get('work')).status?.active, 3);
  await end(world, first, 'Failed', 42);
  await world.clock.advance(60_000);
  const { status } = await world.client.jobs('a').get('work');
  assert.deepEqual([status?.failed, status?.succeeded ?? 0, status?.active ?? 0], [3, 0, 0]);
  await world.stop();
});

test('index sets survive writing and reading', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(50)), indexes => {
      const set = new Set(indexes);
      assert.deepEqual(
        [...parseIndexes(formatIndexes(set), 51)].sort((a, b) => a - b),
        indexes.sort((a, b) => a - b),
      );
    }),
  );
  assert.equal(formatIndexes(new Set([0, 1, 3])), '0,1,3');
  assert.equal(formatIndexes(new Set([0, 1, 2, 5])), '0-2,5');
});
