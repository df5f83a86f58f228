import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '../../api/types/core-v1.ts';
import { type Candidate, evictionMessage, rank } from './choose.ts';
import { brokenStorageLimit } from './local-storage.ts';
import { createJudge, isBelow, parseThresholds } from './thresholds.ts';

function candidate(name: string, memoryMiB: number, requestMiB: number, priority = 0, annotations = {}): Candidate {
  const requests = requestMiB > 0 ? { memory: `${requestMiB}Mi` } : {};
  const pod: Pod = {
    metadata: { name, namespace: 'd', uid: name, annotations },
    spec: { priority, containers: [{ name: 'app', image: 'i', resources: { requests } }] },
  };
  const memoryBytes = memoryMiB * 2 ** 20;
  const containers = [{ name: 'app', memoryBytes, diskBytes: 0 }];
  return { pod, memoryBytes, diskBytes: 0, inodes: 0, processes: 1, containers };
}
const names = (list: readonly Candidate[]) => list.map(c => c.pod.metadata.name);

test('above the request goes first, then lower priority, then the larger excess', () => {
  const list = [
    candidate('within', 50, 100),
    candidate('much', 500, 100),
    candidate('little', 150, 100),
    candidate('important', 900, 100, 1000),
  ];
  assert.deepEqual(names(rank(list, 'memory.available')), ['much', 'little', 'important', 'within']);
});

test('static and critical pods are spared', () => {
  const spared = candidate('static', 900, 0, 0, { 'kubernetes.io/config.source': 'file' });
  const critical = candidate('critical', 900, 0, 2_000_000_000);
  assert.deepEqual(names(rank([spared, critical, candidate('x', 1, 0)], 'memory.available')), ['x']);
});

test('thresholds are absolute or a share', () => {
  assert.equal(isBelow({ signal: 'memory.available', quantity: 100 }, { available: 99, capacity: 1000 }), true);
  assert.equal(isBelow({ signal: 'nodefs.available', share: 0.1 }, { available: 100, capacity: 1000 }), false);
  assert.equal(isBelow({ signal: 'nodefs.available', share: 0.1 }, { available: 0, capacity: 0 }), false);
});

test('the message names what ran short', () => {
  const threshold = { signal: 'memory.available', quantity: 100 * 2 ** 20 } as const;
  const text = evictionMessage(threshold, { available: 2 ** 20, capacity: 2 ** 30 }, candidate('x', 2, 1));
  assert.equal(
    text,
    'The node was low on resource: memory. Threshold quantity: 100Mi, available: 1Mi. Container app was using 2Mi, request is 1Mi, has larger consumption of memory. ',
  );
});

test('flags become thresholds, and mistakes in them are named', () => {
  const none = { hard: [], soft: [], softGracePeriod: [], minimumReclaim: [] };
  assert.equal(parseThresholds(none).length, 5);
  const parsed = parseThresholds({
    hard: ['memory.available<1Gi', 'nodefs.available<10%'],
    soft: ['memory.available<2Gi'],
    softGracePeriod: ['memory.available=1m30s'],
    minimumReclaim: ['nodefs.available=500Mi'],
  });
  assert.deepEqual(parsed, [
    { signal: 'memory.available', quantity: 2 ** 30 },
    { signal: 'nodefs.available', share: 0.1, reclaim: { quantity: 500 * 2 ** 20 } },
    { signal: 'memory.available', quantity: 2 ** 31, graceMs: 90_000 },
  ]);
  assert.throws(() => parseThresholds({ ...none, soft: ['memory.available<1Gi'] }), /grace period must be specified/);
  assert.throws(
    () => parseThresholds({ ...none, hard: ['memory<1Gi'] }),
    /invalid eviction threshold syntax memory<1Gi/,
  );
  assert.throws(() => parseThresholds({ ...none, hard: ['nodefs.available<110%'] }), /between 0% and 100%/);
});

test('a soft threshold is pressure at once and evicts after its grace; both linger and reclaim', () => {
  const judge = createJudge(
    [{ signal: 'memory.available', quantity: 100, graceMs: 30_000, reclaim: { quantity: 50 } }],
    60_000,
  );
  const at = (seconds: number, available: number) =>
    judge({ 'memory.available': { available, capacity: 1000 } }, seconds * 1000);
  const brief = (v: ReturnType<typeof at>) => [v.pressure.memory, v.due.length];
  assert.deepEqual(brief(at(0, 200)), [false, 0]);
  assert.deepEqual(brief(at(10, 90)), [true, 0]);
  assert.deepEqual(brief(at(39, 90)), [true, 0]);
  assert.deepEqual(brief(at(40, 90)), [true, 1]);
  assert.deepEqual(brief(at(50, 120)), [true, 1], 'the minimum reclaim is not reached');
  assert.deepEqual(brief(at(60, 160)), [true, 0], 'the condition lingers');
  assert.deepEqual(brief(at(115, 160)), [false, 0]);
  assert.deepEqual(brief(at(120, 90)), [true, 0], 'the grace begins anew');
});

test('limits of local storage: volumes, then the pod, then a container', () => {
  const limited = (limit: string) => ({ limits: { 'ephemeral-storage': limit } });
  const pod: Pod = {
    metadata: { name: 'p', namespace: 'd', uid: 'u' },
    spec: {
      containers: [
        { name: 'a', image: 'i', resources: limited('1Mi') },
        { name: 'b', image: 'i', resources: limited('2Mi') },
      ],
      volumes: [{ name: 'v', emptyDir: { sizeLimit: '1Mi' } }],
    },
  };
  const mebibytes = (n: number) => n * 2 ** 20;
  const broken = (volume: number, a: number, b: number) => {
    const containers = [
      { name: 'a', memoryBytes: 0, diskBytes: mebibytes(a) },
      { name: 'b', memoryBytes: 0, diskBytes: mebibytes(b) },
    ];
    const used = { pod, memoryBytes: 0, inodes: 0, processes: 0, containers, diskBytes: mebibytes(volume + a + b) };
    return brokenStorageLimit(used, new Map([['v', mebibytes(volume)]]))?.message;
  };
  assert.equal(broken(1, 1, 1), undefined);
  assert.equal(broken(2, 0, 0), 'Usage of EmptyDir volume "v" exceeds the limit "1Mi". ');
  assert.equal(broken(1, 1, 2), 'Pod ephemeral local storage usage exceeds the total limit of containers 3Mi. ');
  assert.equal(broken(0, 2, 0), 'Container a exceeded its local ephemeral storage limit "1Mi". ');
});
