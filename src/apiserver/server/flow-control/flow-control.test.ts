import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { virtualClock } from '../../../base/virtual-clock.ts';
import { allocate, createDemandMeter, currentLimits } from './borrowing.ts';
import { createQueueSet, type Seats } from './queue-set.ts';
import { dealHand, flowHash } from './shuffle-sharding.ts';

describe('shuffle sharding', () => {
  test('a hand has different cards of the deck', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1, max: 128 }), fc.integer({ min: 1, max: 8 }), (flow, deck, hand) => {
        const cards = dealHand(flowHash(flow), deck, Math.min(hand, deck));
        assert.equal(new Set(cards).size, Math.min(hand, deck));
        assert.ok(cards.every(card => card >= 0 && card < deck));
      }),
    );
  });
  test('flows have hands of their own, and every card is dealt', () => {
    const hands = Array.from({ length: 200 }, (_, i) => dealHand(flowHash(`flow-${i}`), 64, 4));
    assert.ok(new Set(hands.map(String)).size > 195);
    assert.equal(new Set(hands.flat()).size, 64);
  });
});

describe('queues of a level', () => {
  const shape = { queues: 64, handSize: 4, queueLengthLimit: 3 };
  function setUp(limit: number) {
    const clock = virtualClock();
    const set = createQueueSet(clock, shape, limit);
    const started: string[] = [];
    const running: Seats[] = [];
    const wait = (flow: string, seats = 1) =>
      set.wait(flow, seats, taken => {
        started.push(flow);
        running.push(taken);
      });
    return { clock, set, started, running, wait };
  }
  test('a flood in one flow does not keep others waiting', () => {
    const { clock, set, started, running, wait } = setUp(1);
    const first = set.take(1);
    assert.ok(first);
    for (let i = 0; i < 12; i++) assert.notEqual(typeof wait('flood'), 'string');
    assert.equal(wait('flood'), 'queue-full');
    wait('quiet');
    set.release(first);
    for (let i = 0; i < 12; i++) {
      void clock.advance(10);
      const seats = running.shift();
      if (seats) set.release(seats);
    }
    // Five queues take turns: the four of the flood and the one that is quiet.
    assert.ok(started.indexOf('quiet') < 5, started.join(' '));
    assert.equal(set.seatsInUse + set.seatsWaiting, 1);
  });
  test('a wide request waits for its seats, and nobody overtakes it', () => {
    const { set, started, wait } = setUp(4);
    const seats = [set.take(2), set.take(2)];
    wait('wide', 3);
    assert.equal(set.take(1), undefined);
    for (const taken of seats) if (taken) set.release(taken);
    assert.deepEqual(started, ['wide']);
    assert.equal(set.seatsInUse, 3);
  });
  test('what is wider than the level has it for itself', () => {
    const { set } = setUp(2);
    const wide = set.take(5);
    assert.ok(wide);
    assert.equal(set.take(1), undefined);
    set.release(wide);
    assert.ok(set.take(1));
  });
  test('who leaves is not started, and queues that go are emptied into others', () => {
    const { set, started, wait } = setUp(1);
    const taken = set.take(1);
    const leave = wait('a');
    wait('b');
    assert.ok(typeof leave === 'function' && taken);
    leave();
    set.configure({ queues: 1, handSize: 1, queueLengthLimit: 3 });
    set.release(taken);
    assert.deepEqual(started, ['b']);
  });
});

describe('borrowing', () => {
  test('shares are in proportion, within bounds', () => {
    const claim = (target: number, lower: number, upper: number) => ({ target, lower, upper });
    const round = (list: number[]) => list.map(x => Math.round(x));
    assert.deepEqual(round(allocate(30, [claim(1, 0, 100), claim(2, 0, 100)])), [10, 20]);
    assert.deepEqual(round(allocate(30, [claim(1, 15, 100), claim(2, 0, 100)])), [15, 15]);
    assert.deepEqual(round(allocate(30, [claim(1, 0, 100), claim(2, 0, 12)])), [18, 12]);
    assert.deepEqual(round(allocate(5, [claim(1, 4, 9), claim(1, 4, 9)])), [4, 4]);
    assert.deepEqual(round(allocate(50, [claim(1, 0, 9), claim(1, 0, 9)])), [9, 9]);
  });
  test('an idle level lends, and takes back what is its own when it needs it', () => {
    const state = (highest: number, smoothed = highest) => ({
      bounds: { nominal: 10, min: 0, max: 30 },
      exempt: false,
      demand: { highest, smoothed },
    });
    assert.deepEqual(currentLimits([state(20), state(0)]), [20, 0]);
    assert.deepEqual(currentLimits([state(20), state(20)]), [10, 10]);
    const [busy = 0, calm = 0] = currentLimits([state(18), state(2)]);
    assert.equal(busy + calm, 20);
    assert.ok(calm >= 2 && busy > 10);
  });
  test('demand rises at once and falls slowly', () => {
    let now = 0;
    const meter = createDemandMeter(() => now);
    meter.set(8);
    now = 1_000;
    assert.deepEqual(meter.read(), { highest: 8, smoothed: 8 });
    meter.set(0);
    now = 2_000;
    const { highest, smoothed } = meter.read();
    assert.equal(highest, 8);
    assert.ok(smoothed > 7 && smoothed < 8);
  });
});
