import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createServer } from '../../test/support/control.ts';
import { silentLogger } from '../base/log.ts';
import { createEventRecorder, createSeriesRecorder } from './index.ts';

async function setUp() {
  const server = await createServer();
  const { clock, client, shaky, faults } = server;
  const recorder = createEventRecorder({ client: shaky, clock, log: silentLogger, component: 'tester', host: 'h' });
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', namespace: 'default', uid: 'u' } };
  const events = async () => (await client.events('default').list()).items;
  return { server, clock, recorder, pod, events, faults };
}

test('an event that repeats is counted, not written again', async () => {
  const { server, clock, recorder, pod, events } = await setUp();
  for (let i = 0; i < 3; i++) {
    recorder.event(pod, 'Warning', 'BackOff', 'Back-off restarting');
    await clock.advance(5_000);
  }
  const [event, ...more] = await events();
  assert.equal(more.length, 0);
  assert.equal(event?.count, 3);
  assert.deepEqual(event?.source, { component: 'tester', host: 'h' });
  assert.deepEqual(
    [event?.involvedObject.kind, event?.involvedObject.name, event?.type, event?.reason],
    ['Pod', 'p', 'Warning', 'BackOff'],
  );
  assert.equal(Date.parse(event?.lastTimestamp ?? '') - Date.parse(event?.firstTimestamp ?? ''), 10_000);
  await server.close();
});

test('many messages of one kind become one event, and too many are dropped', async () => {
  const { server, clock, recorder, pod, events } = await setUp();
  for (let i = 0; i < 40; i++) recorder.event(pod, 'Normal', 'Pulling', `image ${i}`);
  await clock.settle();
  const all = await events();
  assert.equal(all.length, 10, 'nine single ones and the combined one');
  const combined = all.filter(e => e.message?.startsWith('(combined from similar events): '));
  assert.equal(combined.length, 1);
  assert.equal(combined[0]?.count, 16, '25 of a source and object in a burst');
  await server.close();
});

test('events outlast an outage, and a failure never reaches the caller', async () => {
  const { server, clock, recorder, pod, events, faults } = await setUp();
  faults.down = true;
  recorder.event(pod, 'Normal', 'Started', 'Started container');
  await clock.advance(30_000);
  faults.down = false;
  await clock.advance(15_000);
  assert.deepEqual(
    (await events()).map(e => e.message),
    ['Started container'],
  );
  await server.close();
});

test('in events.k8s.io a repetition makes a series, whose last count is written when it is over', async () => {
  const { server, clock, pod } = await setUp();
  const { client } = server;
  const recorder = createSeriesRecorder({ client, clock, log: silentLogger, component: 'tester' });
  const events = async () => (await client.resource('events.k8s.io/v1/events', 'default').list()).items;
  recorder.event(pod, 'Warning', 'FailedScheduling', 'no node', { action: 'Scheduling' });
  await clock.settle();
  const [single] = await events();
  assert.deepEqual(
    [single?.action, single?.reason, single?.note, single?.series],
    ['Scheduling', 'FailedScheduling', 'no node', undefined],
  );
  for (let i = 0; i < 4; i++) {
    await clock.advance(60_000);
    recorder.event(pod, 'Warning', 'FailedScheduling', 'no node', { action: 'Scheduling' });
  }
  await clock.settle();
  assert.equal((await events())[0]?.series?.count, 2);
  await clock.advance(400_000);
  const [series, ...more] = await events();
  assert.equal(series?.series?.count, 5);
  assert.equal(more.length, 0);
  await server.close();
});
