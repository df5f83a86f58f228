import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type CacheEvent, createKindCache } from '../storage/kind-cache.ts';
import { createBroadcasts } from './broadcast.ts';
import type { Piece } from './frame-queue.ts';

const utf8 = (text: string) => new TextEncoder().encode(text);
const prefix = '/registry/pods/';

function setup(perTurn?: number) {
  const turn: (() => void)[] = [];
  const cache = createKindCache(prefix, 0);
  const broadcasts = createBroadcasts(fn => turn.push(fn), perTurn);
  let revision = 0;
  let encoded = 0;
  const frameOf = ({ entry, revision: at }: CacheEvent) => {
    encoded += 1;
    return entry.key.startsWith('hidden') ? undefined : utf8(`${entry.key}@${at};`);
  };
  return {
    channel: (name?: string) => broadcasts.channel(cache, name, frameOf),
    put(key: string) {
      revision += 1;
      cache.put(
        { key: prefix + key, value: utf8('{}'), createRevision: 1, modRevision: revision, version: 1, lease: 0 },
        undefined,
      );
    },
    reset: () => cache.reset([], revision),
    endTurn() {
      for (const fn of turn.splice(0)) fn();
    },
    encoded: () => encoded,
  };
}

function receiver() {
  const got: string[] = [];
  return {
    got,
    pushPieces: (pieces: readonly Piece[]) => got.push(...pieces.map(({ bytes }) => new TextDecoder().decode(bytes))),
    end: () => got.push('end'),
  };
}

describe('broadcasts', () => {
  it('encode an event once for all that ask alike, and send what happens in a turn in one piece', () => {
    const { channel, put, endTurn, encoded } = setup();
    const [a, b] = [receiver(), receiver()];
    channel('alike').join(a);
    channel('alike').join(b);
    put('x');
    put('hidden');
    put('y');
    assert.deepEqual(a.got, []);
    endTurn();
    put('z');
    endTurn();
    for (const { got } of [a, b]) assert.deepEqual(got, ['x@1;y@3;', 'z@4;']);
    assert.equal(encoded(), 4);
  });
  it('do not mix those that ask for something else, or for themselves alone', () => {
    const { channel, put, endTurn, encoded } = setup();
    const all = [receiver(), receiver(), receiver()];
    for (const [i, name] of ['one', undefined, undefined].entries()) channel(name).join(all[i] ?? receiver());
    put('x');
    endTurn();
    for (const { got } of all) assert.deepEqual(got, ['x@1;']);
    assert.equal(encoded(), 3);
  });
  it('tell a newcomer nothing that happened before, and those before him nothing twice', () => {
    const { channel, put, endTurn } = setup();
    const [early, late] = [receiver(), receiver()];
    channel('alike').join(early);
    put('x');
    channel('alike').join(late);
    put('y');
    endTurn();
    assert.deepEqual(early.got, ['x@1;y@2;']);
    assert.deepEqual(late.got, ['y@2;']);
  });
  it('hand out what waits before the turn ends, for those who follow it with a word of their own', () => {
    const { channel, put, endTurn } = setup();
    const one = receiver();
    const membership = channel('alike').join(one);
    put('x');
    membership.catchUp();
    one.got.push('bookmark');
    endTurn();
    assert.deepEqual(one.got, ['x@1;', 'bookmark']);
  });
  it('say no more to those who left, and begin anew when all have', () => {
    const { channel, put, endTurn, encoded } = setup();
    const [a, b] = [receiver(), receiver()];
    const membership = channel('alike').join(a);
    membership.leave();
    membership.leave();
    put('x');
    endTurn();
    assert.equal(encoded(), 0);
    channel('alike').join(b);
    put('y');
    endTurn();
    assert.deepEqual([a.got, b.got], [[], ['y@2;']]);
  });
  it('tell so many in a turn, in rounds, each all that it has not got', () => {
    const { channel, put, endTurn } = setup(2);
    const all = Array.from({ length: 5 }, receiver);
    for (const one of all) channel('alike').join(one);
    put('a');
    endTurn();
    put('b');
    endTurn();
    assert.deepEqual(
      all.map(({ got }) => got),
      [['a@1;'], ['a@1;'], ['a@1;b@2;'], ['a@1;b@2;'], []],
    );
    for (let turn = 0; turn < 4; turn++) endTurn();
    for (const { got } of all) assert.equal(got.join(''), 'a@1;b@2;');
    put('c');
    for (let turn = 0; turn < 4; turn++) endTurn();
    for (const { got } of all) assert.equal(got.join(''), 'a@1;b@2;c@3;');
  });
  it('neither forget nor repeat a frame, whoever comes and goes in the midst of a round', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3 }), fc.array(fc.nat(5), { maxLength: 80 }), (perTurn, steps) => {
        const { channel, put, endTurn } = setup(perTurn);
        const here: { got: string[]; wanted: string; leave(): void; catchUp(): void }[] = [];
        const gone: { got: string[]; wanted: string }[] = [];
        let revision = 0;
        for (const [i, step] of steps.entries()) {
          if (step === 0) {
            const one = receiver();
            here.push({ got: one.got, wanted: '', ...channel('alike').join(one) });
          } else if (step === 1 && here.length > 1) {
            const [left] = here.splice(i % here.length, 1);
            left?.catchUp();
            left?.leave();
            if (left) gone.push(left);
          } else if (step === 2) endTurn();
          else {
            put('x');
            revision += 1;
            for (const one of here) one.wanted += `x@${revision};`;
          }
        }
        for (let turn = 0; turn < 200; turn++) endTurn();
        for (const { got, wanted } of [...here, ...gone]) assert.equal(got.join(''), wanted);
      }),
    );
  });
  it('end when the cache lost its place, after what was known', () => {
    const { channel, put, reset, endTurn } = setup();
    const one = receiver();
    channel('alike').join(one);
    put('x');
    reset();
    endTurn();
    assert.deepEqual(one.got, ['x@1;', 'end']);
  });
});
