import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Deployment, ReplicaSet } from '../../api/types/apps-v1.ts';
import {
  fenceposts,
  maxReplicasAnnotation,
  maxSurge,
  maxUnavailable,
  newSetReplicas,
  proportional,
  replicasOf,
  scaleDownOld,
} from './rollout.ts';

type Limit = number | string;
const deployment = (replicas: number, surge: Limit, unavailable: Limit, type = 'RollingUpdate'): Deployment => ({
  metadata: { name: 'd' },
  spec: {
    replicas,
    selector: {},
    template: {},
    strategy: {
      type,
      ...(type === 'RollingUpdate' && { rollingUpdate: { maxSurge: surge, maxUnavailable: unavailable } }),
    },
  },
});
const set = (name: string, replicas: number, availableReplicas: number, age = 0, before?: number): ReplicaSet => ({
  metadata: {
    name,
    creationTimestamp: new Date(Date.UTC(2026, 0, 1) - age * 1000).toISOString(),
    ...(before !== undefined && { annotations: { [maxReplicasAnnotation]: String(before) } }),
  },
  spec: { replicas, selector: {} },
  status: { replicas, availableReplicas },
});

const posts: [number, Limit, Limit, number, number][] = [
  [10, '25%', '25%', 3, 2],
  [1, '25%', '25%', 1, 0],
  [10, 0, 0, 0, 1],
  [10, '0%', '5%', 0, 1],
  [100, '7%', '7%', 7, 7],
  [3, 5, 5, 5, 3],
  [0, '25%', '25%', 0, 0],
];
for (const [replicas, surge, unavailable, expectedSurge, expectedUnavailable] of posts) {
  test(`of ${replicas} with ${surge} and ${unavailable}: ${expectedSurge} more, ${expectedUnavailable} fewer`, () => {
    const d = deployment(replicas, surge, unavailable);
    assert.equal(maxSurge(d), expectedSurge);
    assert.equal(maxUnavailable(d), expectedUnavailable);
  });
}

test('recreate neither surges nor keeps any available', () => {
  const d = deployment(10, 3, 3, 'Recreate');
  assert.deepEqual([maxSurge(d), maxUnavailable(d), newSetReplicas(d, [], 0)], [0, 0, 10]);
});

// Cases of upstream's behaviour: desired, surge, unavailable; new (size, available); old sets (size, available); sizes after.
const downs: [[number, Limit, Limit], [number, number], [number, number][], number[]][] = [
  [[10, 0, 2], [0, 0], [[10, 10]], [8]],
  [[10, 2, 0], [2, 0], [[10, 10]], [10]],
  [[10, 2, 0], [2, 2], [[10, 10]], [8]],
  [[10, 2, 2], [4, 2], [[8, 8]], [6]],
  // Those that do not serve go first.
  [[10, 0, 5], [0, 0], [[10, 7]], [5]],
  [
    [10, 0, 1],
    [5, 5],
    [
      [3, 0],
      [2, 2],
    ],
    [2, 2],
  ],
  [
    [10, 0, 2],
    [10, 10],
    [
      [1, 1],
      [1, 1],
    ],
    [0, 0],
  ],
];
for (const [limits, [size, available], old, after] of downs) {
  test(`old sets ${JSON.stringify(old)} beside ${size} new ones become ${JSON.stringify(after)} with ${limits}`, () => {
    const d = deployment(...limits);
    const sets = old.map(([n, a], i) => set(`old-${i}`, n, a, 100 - i));
    const changed = new Map(
      scaleDownOld(d, set('new', size, available), sets).map(s => [s.set.metadata.name, s.replicas]),
    );
    assert.deepEqual(
      sets.map(rs => changed.get(rs.metadata.name) ?? replicasOf(rs)),
      after,
    );
  });
}

test('a resize in the middle of a rollout is spread by share, exactly', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 2, maxLength: 4 }),
      fc.integer({ min: 0, max: 120 }),
      fc.integer({ min: 0, max: 10 }),
      (sizes, desired, surge) => {
        const before = sizes.reduce((a, b) => a + b, 0);
        const d = deployment(desired, surge, 1);
        const sets = sizes.map((n, i) => set(`s${i}`, n, n, i, before));
        const after = proportional(d, sets);
        const total = after.reduce((n, s) => n + s.replicas, 0);
        assert.equal(total, desired === 0 ? 0 : desired + maxSurge(d));
        assert.ok(after.every(s => s.replicas >= 0));
      },
    ),
  );
});

/** A model of a rollout: pods become ready at any time, and statuses lag behind. */
interface Model {
  sets: {
    name: string;
    spec: number;
    ready: number;
    starting: number;
    /** Its status: pods, and those available; and whether it has seen its size. */
    pods: number;
    reported: number;
    observed: boolean;
  }[];
}

test('at no moment are there too many pods or too few available, however late the reports are', () => {
  const limits = fc.record({
    desired: fc.integer({ min: 1, max: 12 }),
    surge: fc.oneof(fc.integer({ min: 0, max: 4 }), fc.constantFrom('25%', '50%')),
    unavailable: fc.oneof(fc.integer({ min: 0, max: 4 }), fc.constantFrom('25%', '50%')),
  });
  const steps = fc.array(fc.record({ who: fc.constantFrom('deployment', 'sets', 'ready', 'report'), at: fc.nat(3) }), {
    minLength: 50,
    maxLength: 200,
  });
  fc.assert(
    fc.property(limits, fc.integer({ min: 1, max: 3 }), steps, ({ desired, surge, unavailable }, olds, actions) => {
      const d = deployment(desired, surge, unavailable);
      const share = Math.floor(desired / olds);
      const model: Model = {
        sets: Array.from({ length: olds }, (_, i) => {
          const n = i === 0 ? desired - share * (olds - 1) : share;
          return { name: `old-${i}`, spec: n, ready: n, starting: 0, pods: n, reported: n, observed: true };
        }),
      };
      model.sets.push({ name: 'new', spec: 0, ready: 0, starting: 0, pods: 0, reported: 0, observed: true });
      const act = (who: string, at: number) => {
        step(d, model, who, at % model.sets.length);
        const pods = model.sets.reduce((n, s) => n + s.ready + s.starting, 0);
        const ready = model.sets.reduce((n, s) => n + s.ready, 0);
        assert.ok(pods <= desired + fenceposts(d).surge, `${pods} pods`);
        assert.ok(ready >= desired - maxUnavailable(d), `${ready} ready`);
      };
      for (const { who, at } of actions) act(who, at);
      // With everybody at work it comes to its end.
      for (let i = 0; i < 40 * desired; i++)
        for (const who of ['deployment', 'sets', 'ready', 'report'])
          for (let at = 0; at < model.sets.length; at++) act(who, at);
      assert.deepEqual(
        model.sets.map(s => s.spec),
        [...Array.from({ length: olds }, () => 0), desired],
      );
    }),
    { numRuns: 200 },
  );
});

function step(d: Deployment, model: Model, who: string, at: number): void {
  const one = model.sets[at];
  if (!one) return;
  if (who === 'ready' && one.starting > 0) {
    one.starting -= 1;
    one.ready += 1;
  } else if (who === 'report') report(one);
  else if (who === 'sets') {
    // The status is what was found, not what becomes of it.
    one.observed = true;
    report(one);
    // The ReplicaSet controller gives up pods that are not ready first.
    const surplus = one.ready + one.starting - one.spec;
    if (surplus < 0) one.starting -= surplus;
    else {
      const idle = Math.min(surplus, one.starting);
      one.starting -= idle;
      one.ready -= surplus - idle;
    }
  } else if (who === 'deployment') {
    const sets = model.sets.map((s, i) => {
      const rs = set(s.name, s.spec, s.reported, 10 - i);
      const status = { replicas: s.pods, availableReplicas: s.reported, observedGeneration: s.observed ? 2 : 1 };
      return { ...rs, metadata: { ...rs.metadata, generation: 2 }, status };
    });
    const fresh = sets.at(-1);
    const newest = model.sets.at(-1);
    if (!fresh || !newest) return;
    const wanted = newSetReplicas(d, sets, newest.spec);
    if (wanted !== newest.spec) resize(newest, wanted);
    else
      for (const { set: changed, replicas } of scaleDownOld(d, fresh, sets.slice(0, -1))) {
        const target = model.sets.find(s => s.name === changed.metadata.name);
        if (target) resize(target, replicas);
      }
  }
}

type ModelSet = Model['sets'][number];
function report(one: ModelSet): void {
  if (!one.observed) return;
  one.pods = one.ready + one.starting;
  one.reported = one.ready;
}
function resize(one: ModelSet, replicas: number): void {
  one.spec = replicas;
  one.observed = false;
}
