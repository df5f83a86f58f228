import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createWorld } from '../../../test/support/control.ts';
import type { CronJob, CronJobSpec } from '../../api/types/batch-v1.ts';
import { cronJobController } from './index.ts';
import { dueSlot, scheduleOf, slotText } from './schedule.ts';

const cron = (spec: Partial<CronJobSpec> = {}) => ({
  metadata: { name: 'tick', namespace: 'a' },
  spec: {
    schedule: '*/10 * * * *',
    jobTemplate: { spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] } } } },
    ...spec,
  },
});
const minutes = (n: number) => n * 60_000;

test('each slot makes one job, named after its minute', async () => {
  const world = await createWorld({ controllers: [cronJobController] });
  await world.client.cronjobs('a').create(cron());
  const start = world.clock.now();
  await world.clock.advance(minutes(35));
  const { items } = await world.client.jobs('a').list();
  const expected = [10, 20, 30].map(m => `tick-${(start + minutes(m)) / 60_000}`);
  assert.deepEqual(items.map(j => j.metadata.name).sort(), expected);
  const { status } = await world.client.cronjobs('a').get('tick');
  assert.equal(status?.active?.length, 3);
  assert.equal(Date.parse(status?.lastScheduleTime ?? ''), start + minutes(30));
  await world.stop();
});

test('Forbid waits for the job at work, Replace puts an end to it', async () => {
  for (const [policy, left] of [
    ['Forbid', 1],
    ['Replace', 1],
  ] as const) {
    const world = await createWorld({ controllers: [cronJobController] });
    await world.client.cronjobs('a').create(cron({ concurrencyPolicy: policy }));
    const start = world.clock.now();
    await world.clock.advance(minutes(35));
    const { items } = await world.client.jobs('a').list();
    assert.equal(items.length, left);
    const slot = policy === 'Forbid' ? 10 : 30;
    assert.equal(items[0]?.metadata.name, `tick-${(start + minutes(slot)) / 60_000}`);
    await world.stop();
  }
});

test('an outage over several slots runs the last one of them only', async () => {
  const world = await createWorld({ controllers: [cronJobController] });
  await world.client.cronjobs('a').create(cron());
  const start = world.clock.now();
  await world.clock.advance(minutes(5));
  world.faults.down = true;
  await world.clock.advance(minutes(37));
  world.faults.down = false;
  await world.clock.advance(minutes(4));
  const { items } = await world.client.jobs('a').list();
  assert.deepEqual(
    items.map(j => j.metadata.name),
    [`tick-${(start + minutes(40)) / 60_000}`],
  );
  await world.stop();
});

test('a schedule that nobody can read is told by an event', async () => {
  const world = await createWorld({ controllers: [cronJobController] });
  const made = await world.client.cronjobs('a').create(cron({ timeZone: 'Etc/UTC' }));
  assert.ok(made.metadata.uid);
  await world.clock.advance(minutes(1));
  assert.deepEqual(await world.events(), []);
  await world.stop();
});

test('a job made by hand from a CronJob is told, and holds up no slot', async () => {
  const world = await createWorld({ controllers: [cronJobController] });
  const made = await world.client.cronjobs('a').create(cron({ concurrencyPolicy: 'Forbid' }));
  const { uid = '' } = made.metadata;
  const owner = { apiVersion: 'batch/v1', kind: 'CronJob', name: 'tick', uid, controller: true };
  const spec = made.spec.jobTemplate.spec ?? { template: {} };
  await world.client
    .jobs('a')
    .create({ metadata: { name: 'by-hand', namespace: 'a', ownerReferences: [owner] }, spec });
  await world.clock.advance(minutes(11));
  const { items } = await world.client.jobs('a').list();
  assert.equal(items.length, 2);
  const { status } = await world.client.cronjobs('a').get('tick');
  assert.deepEqual(
    status?.active?.map(ref => ref.name),
    items.map(j => j.metadata.name).filter(name => name !== 'by-hand'),
  );
  const told = 'Warning UnexpectedJob Saw a job that the controller did not create or forgot: by-hand';
  assert.ok((await world.events()).includes(told));
  await world.stop();
});

test("what is wrong with a schedule is told in upstream's words", async () => {
  const table: [Partial<CronJobSpec>, string | undefined][] = [
    [
      { schedule: '59 23 31 2 *' },
      'InvalidSchedule invalid schedule: 59 23 31 2 * : time difference between two schedules is less than 1 second',
    ],
    [{ schedule: '59 23 31 2 *', suspend: true }, undefined],
    [{ schedule: '0 9 * * *' }, undefined],
  ];
  for (const [spec, event] of table) {
    const world = await createWorld({ controllers: [cronJobController] });
    await world.client.cronjobs('a').create(cron(spec));
    await world.clock.advance(minutes(1));
    assert.deepEqual(await world.events(), event ? [`Warning ${event}`] : []);
    await world.stop();
  }
});

test('a job says its slot in the time zone of the CronJob', () => {
  const slot = Date.UTC(2026, 0, 1, 12, 30);
  const table = {
    '': '2026-01-01T12:30:00Z',
    'Etc/UTC': '2026-01-01T12:30:00Z',
    'Europe/London': '2026-01-01T12:30:00Z',
    'America/New_York': '2026-01-01T07:30:00-05:00',
    'Asia/Kolkata': '2026-01-01T18:00:00+05:30',
  };
  for (const [timeZone, text] of Object.entries(table))
    assert.equal(slotText({ ...cron({ timeZone }), metadata: { name: 'tick' } }, slot), text);
});

for (let seed = 1; seed <= 10; seed++) {
  test(`no slot is missed or doubled under faults, restarts and the change of clocks, seed ${seed}`, async () => {
    // The night of 8 March 2026 in New York, or that of 1 November.
    const startMs = seed % 2 ? Date.UTC(2026, 2, 8, 3) : Date.UTC(2026, 10, 1, 2);
    const world = await createWorld({ controllers: [cronJobController], seed, startMs });
    const runs: string[] = [];
    const made = new Set<string>();
    await world.follow('batch/v1/jobs', cache => {
      for (const j of cache.list()) {
        if (made.has(j.metadata.uid ?? '')) continue;
        made.add(j.metadata.uid ?? '');
        runs.push(j.metadata.name);
      }
    });
    await world.client.cronjobs('a').create(cron({ schedule: '30 */1 * * *', timeZone: 'America/New_York' }));
    const schedule = scheduleOf({
      ...cron({ schedule: '30 */1 * * *', timeZone: 'America/New_York' }),
      metadata: { name: 'tick' },
    });
    Object.assign(world.faults, { failBefore: 0.1, failAfter: 0.1, breakWatch: 0.1, delayMs: 300, repeat: 0.1 });
    for (let i = 0; i < 10; i++) {
      await world.clock.advance(minutes(50));
      if (world.random.int(3) === 0) await world.restart();
    }
    Object.assign(world.faults, { failBefore: 0, failAfter: 0, breakWatch: 0, delayMs: 0, repeat: 0 });
    await world.clock.advance(minutes(20));
    const expected: string[] = [];
    for (
      let at = schedule.next(startMs);
      at !== undefined && at <= world.clock.now() - minutes(1);
      at = schedule.next(at)
    )
      expected.push(`tick-${at / 60_000}`);
    assert.deepEqual(runs, expected);
    await world.stop();
  });
}

test('the due slot is the last one between the last run and now', () => {
  const schedules = fc.constantFrom('*/5 * * * *', '0 * * * *', '30 2 * * *', '0 0 * * 0', '@every 7m', '15 14 1 * *');
  fc.assert(
    fc.property(
      schedules,
      fc.integer({ min: 0, max: 400_000 }),
      fc.integer({ min: 0, max: 200_000 }),
      (schedule, from, late) => {
        const last = Date.UTC(2026, 0, 1) + minutes(from);
        const now = last + minutes(late);
        const cj: CronJob = {
          ...cron({ schedule }),
          metadata: { name: 'tick' },
          status: { lastScheduleTime: new Date(last).toISOString() },
        };
        const { slot, next } = dueSlot(cj, scheduleOf(cj), now);
        assert.ok(next === undefined || next > now);
        if (slot === undefined) return;
        assert.ok(slot > last && slot <= now);
        const following = scheduleOf(cj).next(slot);
        assert.ok(following === undefined || following > now);
      },
    ),
  );
});
