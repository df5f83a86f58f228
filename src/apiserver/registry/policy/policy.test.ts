/** Every rule of disruption budgets in upstream's words (pkg/apis/policy/validation of v1.35). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sampleOf } from '../samples.ts';
import { cells, created, onCreate, onSubresource, onUpdate, type Rule, withValue } from '../testing.ts';
import { podDisruptionBudgets } from './pod-disruption-budget.ts';

const base = sampleOf('policy/poddisruptionbudgets', true);
const negative = 'must be greater than or equal to 0';

test('disruption budgets', () => {
  const rules: Rule[] = [
    ['metadata.name', 'Under_score'],
    ['spec.minAvailable', -1, `spec.minAvailable: Invalid value: -1: ${negative}`],
    ['spec.minAvailable', '101%', 'spec.minAvailable: Invalid value: "101%": must not be greater than 100%'],
    [
      'spec.minAvailable',
      'some',
      "spec.minAvailable: Invalid value: \"some\": a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
    ],
    [
      'spec.maxUnavailable',
      1,
      'spec: Invalid value: {"MinAvailable":1,"Selector":{"matchLabels":{"app":"web"}},"MaxUnavailable":1,"UnhealthyPodEvictionPolicy":null}: minAvailable and maxUnavailable cannot be both set',
    ],
    [
      'spec.selector',
      { matchExpressions: [{ key: 'app', operator: 'In' }] },
      "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
    ],
    [
      'spec.unhealthyPodEvictionPolicy',
      'Never',
      'spec.unhealthyPodEvictionPolicy: Unsupported value: "Never": supported values: "AlwaysAllow", "IfHealthyBudget"',
    ],
  ];
  assert.deepEqual(onCreate(podDisruptionBudgets, base, rules), rules);
  assert.deepEqual(onUpdate(podDisruptionBudgets, base, rules.slice(1)), rules.slice(1));
  assert.equal(podDisruptionBudgets.allowUnconditionalUpdate, false);
});

test('their status', () => {
  const condition = { type: 'DisruptionAllowed', status: 'True', reason: 'SufficientPods', message: '' };
  const rules: Rule[] = [
    ...['disruptionsAllowed', 'currentHealthy', 'desiredHealthy', 'expectedPods'].map(
      (key): Rule => [`status.${key}`, -1, `status.${key}: Invalid value: -1: ${negative}`],
    ),
    ['status.conditions', [condition], 'status.conditions[0].lastTransitionTime: Required value'],
  ];
  assert.deepEqual(onSubresource(podDisruptionBudgets, 'status', base, rules), rules);
});

test('kubectl get poddisruptionbudgets', () => {
  const shown = (draft: object) => {
    const { Age: _, ...rest } = cells(podDisruptionBudgets, created(podDisruptionBudgets, draft));
    return rest;
  };
  assert.deepEqual(shown(base), {
    Name: 'sample',
    'Min Available': '1',
    'Max Unavailable': 'N/A',
    'Allowed Disruptions': 0,
  });
  const other = withValue(withValue(base, 'spec.minAvailable', undefined), 'spec.maxUnavailable', '50%');
  assert.equal(shown(other)['Max Unavailable'], '50%');
});
