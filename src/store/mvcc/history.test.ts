import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { History } from './history.ts';
import { applyTxn, emptyState, type State } from './state.ts';

const never = () => assert.fail('no old state is asked for');
const contents = ({ keys, revision }: State) => [revision, ...[...keys].map(([key, kv]) => `${key}@${kv.modRevision}`)];

test('every state between two that are kept is made again, also after forgetting and in forks', () => {
  const step = fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd', 'e'), remove: fc.boolean() });
  const someSteps = fc.array(step, { minLength: 1, maxLength: 400, size: 'max' });
  const cuts = fc.array(fc.nat(400), { maxLength: 3 });
  fc.assert(
    fc.property(someSteps, cuts, fc.nat(400), (steps, drops, forkAt) => {
      const states = [emptyState];
      const history = History.startingAt(emptyState);
      for (const { key, remove } of steps) {
        const state = states.at(-1) as State;
        const op = remove
          ? ({ type: 'delete', range: { start: key } } as const)
          : ({ type: 'put', key, value: new Uint8Array(1) } as const);
        const outcome = applyTxn(state, { compare: [], success: [op] }, never);
        if (outcome.events.length === 0) continue;
        states.push(outcome.state);
        history.append(outcome);
      }
      const last = states.length - 1;
      const fork = history.fork(emptyState.revision + Math.min(forkAt, last));
      // The fork's own line: it must not be seen by the other.
      const forked = states[Math.min(forkAt, last)] as State;
      const own = applyTxn(
        forked,
        { compare: [], success: [{ type: 'put', key: 'own', value: new Uint8Array(1) }] },
        never,
      );
      fork.append(own);
      for (const drop of drops) history.dropBefore(emptyState.revision + drop);
      for (const state of states) {
        const found = history.stateAt(state.revision);
        if (state.revision < history.oldest) assert.equal(found, undefined);
        else assert.deepEqual(found && contents(found), contents(state));
      }
      assert.deepEqual(contents(fork.stateAt(fork.newest) as State), contents(own.state));
      assert.equal(history.stateAt(history.newest + 1), undefined);
    }),
    { numRuns: 60 },
  );
});

test('what is forgotten for good leaves the states after it readable', () => {
  const history = History.startingAt(emptyState);
  let state = emptyState;
  for (let i = 0; i < 3_000; i++) {
    const outcome = applyTxn(
      state,
      { compare: [], success: [{ type: 'put', key: `k${i % 10}`, value: new Uint8Array(1) }] },
      never,
    );
    history.append(outcome);
    state = outcome.state;
  }
  history.dropBefore(2_500);
  assert.equal(history.oldest, 2_500);
  assert.equal(history.stateAt(2_499), undefined);
  assert.equal(history.stateAt(2_500)?.keys.get('k8')?.modRevision, 2_500);
  assert.equal(history.stateAt(2_777)?.keys.size, 10);
  history.append(applyTxn(state, { compare: [], success: [{ type: 'delete', range: { start: 'k0' } }] }, never));
  assert.equal(history.stateAt(history.newest)?.keys.size, 9);
});
