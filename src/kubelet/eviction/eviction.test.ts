import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod } from '../../api/types/core-v1.ts';
import { type Candidate, evictionMessage, isBelow, rank } from './choose.ts';

function candidate(name: string, memoryMiB: number, requestMiB: number, priority = 0, annotations = {}): Candidate {
  const requests = requestMiB > 0 ? { memory: `${requestMiB}Mi` } : {};
  const pod: Pod = {
    metadata: { name, namespace: 'd', uid: name, annotations },
    spec: { priority, containers: [{ name: 'app', image: 'i', resources: { requests } }] },
  };
  return { pod, memoryBytes: memoryMiB * 2 ** 20, diskBytes: 0, processes: 1 };
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
  const text = evictionMessage(
    'memory.available',
    threshold,
    { available: 2 ** 20, capacity: 2 ** 30 },
    candidate('x', 2, 1),
  );
  assert.equal(
    text,
    'The node was low on resource: memory. Threshold quantity: 102400Ki, available: 1024Ki. Container app was using 2048Ki, request is 1024Ki, has larger consumption of memory. ',
  );
});
