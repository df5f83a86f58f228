import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatExplanation } from './why.ts';

test('a pending pod: the sentence, the summary and each node', () => {
  const text = formatExplanation({
    kind: 'pending',
    report: {
      pod: 'default/web',
      schedulerName: 'default-scheduler',
      place: 'unschedulable',
      attempts: 1,
      message: '0/2 nodes are available: 1 Insufficient cpu, 1 node(s) were unschedulable.',
      preemption: { node: 'b', victims: ['default/low'] },
      nodes: [
        {
          node: 'a',
          plugin: 'NodeUnschedulable',
          code: 'UnschedulableAndUnresolvable',
          reasons: ['node(s) were unschedulable'],
        },
        { node: 'b', plugin: 'NodeResourcesFit', code: 'Unschedulable', reasons: ['Insufficient cpu'] },
      ],
      summary: [{ plugin: 'NodeResourcesFit', reason: 'Insufficient cpu', nodes: 1 }],
    },
  });
  const lines = text.split('\n').map(line => line.replace(/ +/g, ' '));
  assert.ok(lines.includes('Room could be made on b by evicting default/low.'));
  assert.ok(lines.includes('1 NodeResourcesFit Insufficient cpu'));
  assert.ok(lines.includes('a NodeUnschedulable no node(s) were unschedulable'));
  assert.ok(lines.includes('b NodeResourcesFit yes Insufficient cpu'));
});

test('a pod that is not pending', () => {
  assert.equal(formatExplanation({ kind: 'assigned', node: 'a' }), 'The pod is assigned to node a.\n');
  assert.match(formatExplanation({ kind: 'foreign', schedulerName: 'x' }), /scheduler named "x"/);
  const scores = [{ node: 'a', total: 7, plugins: { ImageLocality: 7 } }];
  assert.match(
    formatExplanation({ kind: 'fits', node: 'a', feasible: 1, scores }),
    /a would be chosen now\.\n {2}ImageLocality +7\n/,
  );
});
