/** Every rule of priority classes in upstream's words (pkg/apis/scheduling/validation of v1.35). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleOf } from '../samples.ts';
import { context, created, onCreate, onUpdate, type Rule, withValue } from '../testing.ts';
import { priorityClasses } from './priority-class.ts';

const base = sampleOf('scheduling.k8s.io/priorityclasses', false);
const reserved = (why: string) =>
  `metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: ${why}`;

test('new priority classes', () => {
  const rules: Rule[] = [
    ['value', -5],
    ['value', 1_000_000_000],
    ['value', 1_000_000_001, 'value: Forbidden: maximum allowed value of a user defined priority is 1000000000'],
    ['metadata.name', 'system-mine', reserved('system-mine is not a known system priority class')],
    [
      'metadata.name',
      'system-node-critical',
      reserved('value of system-node-critical PriorityClass must be 2000001000'),
    ],
    ['preemptionPolicy', '', 'preemptionPolicy: Required value'],
    [
      'preemptionPolicy',
      'Always',
      'preemptionPolicy: Unsupported value: "Always": supported values: "PreemptLowerPriority", "Never"',
    ],
  ];
  assert.deepEqual(onCreate(priorityClasses, base, rules), rules);
  const system = withValue(withValue(base, 'metadata.name', 'system-cluster-critical'), 'value', 2_000_000_000);
  const ofSystem: Rule[] = [
    ['globalDefault', false],
    ['globalDefault', true, reserved('globalDefault of system-cluster-critical PriorityClass must be false')],
  ];
  assert.deepEqual(onCreate(priorityClasses, system, ofSystem), ofSystem);
});

test('stored priority classes', () => {
  const rules: Rule[] = [
    ['description', 'new'],
    ['value', 11, 'value: Forbidden: may not be changed in an update.'],
    ['preemptionPolicy', 'Never', 'preemptionPolicy: Invalid value: "Never": field is immutable'],
  ];
  assert.deepEqual(onUpdate(priorityClasses, base, rules), rules);
  const made = created(priorityClasses, base);
  assert.equal(made.metadata.generation, 1);
  const changed = { ...structuredClone(made), description: 'new' };
  priorityClasses.prepareForUpdate?.(changed, made, context);
  assert.equal(changed.metadata.generation, 1);
});
