/** Every rule of leases in upstream's words (pkg/apis/coordination/validation of v1.35). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleOf } from '../samples.ts';
import { created, onCreate, onUpdate, type Rule, withValue } from '../testing.ts';
import { leases } from './lease.ts';

const base = sampleOf('coordination.k8s.io/leases', true);

test('leases', () => {
  const rules: Rule[] = [
    ['spec', {}],
    ['spec.leaseDurationSeconds', 0, 'spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0'],
    ['spec.leaseTransitions', -1, 'spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0'],
  ];
  assert.deepEqual(onCreate(leases, base, rules), rules);
  assert.deepEqual(onUpdate(leases, base, rules), rules);
});

test('leases are without the fields of coordinated leader election', () => {
  const { spec } = created(leases, withValue(base, 'spec.strategy', 'OldestEmulationVersion'));
  assert.equal(spec.strategy, undefined);
});
