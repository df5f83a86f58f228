import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeNode, makePod, type PodOptions } from '../../../test/support/scheduler/world.ts';
import { virtualClock } from '../../base/virtual-clock.ts';
import { definePlugin, type Plugin } from '../framework/plugin.ts';
import { podInfoOf } from '../framework/pod-info.ts';
import { rejections } from '../framework/status.ts';
import { createQueue, type Entry } from './queue.ts';

/** Helped by nodes of a certain name only. */
const picky: Plugin = definePlugin({
  name: 'Picky',
  events: [
    {
      resource: 'Node',
      actions: ['add'],
      hint: (_pod, { object }) => (object?.metadata.name === 'good' ? 'queue' : 'skip'),
    },
  ],
});
const gate = rejections('Gate')('UnschedulableAndUnresolvable', 'gated');
const gates: Plugin = definePlugin({
  name: 'Gate',
  preEnqueue: ({ pod }) => (pod.spec.schedulingGates?.length ? gate : undefined),
});

function setUp() {
  const clock = virtualClock();
  const queue = createQueue({
    clock,
    less: (a, b) =>
      a.info.priority > b.info.priority || (a.info.priority === b.info.priority && a.queuedAt < b.queuedAt),
    profileOf: () => ({ preEnqueue: [gates], plugins: [picky, gates] }),
    onDue: () => undefined,
  });
  const add = (name: string, options: PodOptions = {}) => queue.add(podInfoOf(makePod(name, options)));
  const popped = () => queue.pop()?.info.pod.metadata.name;
  const reject = (entry: Entry | undefined, plugin = 'Picky', pending = false) => {
    assert.ok(entry);
    const by = new Set([plugin]);
    queue.failed(entry, { rejectedBy: by, pendingBy: pending ? by : new Set(), error: false });
  };
  const node = (name: string) => queue.happened({ resource: 'Node', action: 'add', object: makeNode(name) });
  return { clock, queue, add, popped, reject, node };
}

test('higher priority first, then who came first', async () => {
  const { clock, queue, add, popped } = setUp();
  add('first');
  await clock.advance(1);
  add('second');
  await clock.advance(1);
  add('urgent', { spec: { priority: 9 } });
  assert.deepEqual([popped(), popped(), popped(), popped()], ['urgent', 'first', 'second', undefined]);
  queue.close();
});

test('an event wakes only the pods that it can help', () => {
  const { queue, add, popped, reject, node } = setUp();
  add('p');
  reject(queue.pop());
  assert.equal(queue.sizes().unschedulable, 1);
  node('bad');
  queue.happened({ resource: 'StorageClass', action: 'add' });
  assert.equal(popped(), undefined);
  node('good');
  assert.equal(queue.sizes().backoff, 1, 'it failed just now');
  assert.equal(popped(), 'p', 'but nothing else is to do');
  queue.close();
});

test('back-off doubles up to its limit', async () => {
  const { clock, queue, add, reject, node } = setUp();
  add('p');
  add('other');
  const waits: number[] = [];
  for (let i = 0; i < 6; i++) {
    const entry = i === 0 ? queue.pop() : queue.get('default/p');
    if (i > 0 && entry?.place !== 'in-flight') assert.equal(queue.pop()?.info.key, 'default/p');
    reject(entry);
    waits.push((entry?.backoffUntil ?? 0) - clock.now());
    node('good');
    assert.equal(entry?.place, 'backoff');
    await clock.advance(20_000);
    assert.equal(entry?.place, 'active');
    if (i === 0) assert.equal(queue.pop()?.info.key, 'default/other');
  }
  assert.deepEqual(waits, [1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
  queue.close();
});

test('an event during the attempt is not lost', () => {
  const { queue, add, reject, node } = setUp();
  add('p');
  const entry = queue.pop();
  node('good');
  reject(entry);
  assert.equal(entry?.place, 'backoff');
  queue.close();
});

test('a pod that waits for something under way skips its back-off', () => {
  const { queue, add, reject, node } = setUp();
  add('p');
  const entry = queue.pop();
  reject(entry, 'Picky', true);
  node('good');
  assert.equal(entry?.place, 'active');
  queue.close();
});

test('a gate holds a pod until it is removed', () => {
  const { queue, add, popped } = setUp();
  const gated = makePod('p', { spec: { schedulingGates: [{ name: 'wait' }] } });
  queue.add(podInfoOf(gated));
  assert.equal(queue.sizes().gated, 1);
  assert.equal(popped(), undefined);
  add('q');
  queue.update(podInfoOf(makePod('p')), podInfoOf(gated));
  assert.deepEqual([popped(), popped()].sort(), ['p', 'q']);
  queue.close();
});

test('pods are tried again after five minutes whatever happened', async () => {
  const { clock, queue, add, reject } = setUp();
  add('p');
  const entry = queue.pop();
  reject(entry);
  await clock.advance(299_000);
  assert.equal(entry?.place, 'unschedulable');
  await clock.advance(60_000);
  assert.equal(entry?.place, 'active');
  queue.close();
});

test('a deleted pod is gone, wherever it was', () => {
  const { queue, add, popped, reject } = setUp();
  add('active');
  queue.delete('default/active');
  assert.equal(popped(), undefined);
  add('flying');
  const entry = queue.pop();
  queue.delete('default/flying');
  reject(entry);
  assert.deepEqual(
    Object.values(queue.sizes()).filter(n => n > 0),
    [],
  );
  queue.close();
});
