/** Every rule of autoscalers in upstream's words (pkg/apis/autoscaling/validation of v1.35). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sampleOf } from '../samples.ts';
import { cells, context, created, onCreate, onSubresource, onUpdate, type Rule, texts, withValue } from '../testing.ts';
import { horizontalPodAutoscalers } from './hpa.ts';

const base = sampleOf('autoscaling/horizontalpodautoscalers', true);
const ref = 'spec.scaleTargetRef';
const at = 'spec.metrics[0]';
const metric = (type: string, source: object = {}, ...errors: string[]): Rule => [
  'spec.metrics',
  [{ type, ...source }],
  ...errors,
];
const value = { type: 'Value', value: '5' };
const average = { type: 'AverageValue', averageValue: '5' };
const share = { type: 'Utilization', averageUtilization: 50 };
const pod = { apiVersion: 'v1', kind: 'Pod', name: 'a' };
const types = '"ContainerResource", "External", "Object", "Pods", "Resource"';
const segment = (path: string) => `${path}: Invalid value: "a/b": may not contain '/'`;

describe('autoscalers', () => {
  test('in bounds and targets', () => {
    const rules: Rule[] = [
      [
        'spec.minReplicas',
        0,
        'spec.minReplicas: Invalid value: 0: must be greater than or equal to 1',
        'spec.metrics: Forbidden: must specify at least one Object or External metric to support scaling to zero replicas',
      ],
      [
        'spec.maxReplicas',
        0,
        'spec.maxReplicas: Invalid value: 0: must be greater than 0',
        'spec.maxReplicas: Invalid value: 0: must be greater than or equal to `minReplicas`',
      ],
      ['spec.minReplicas', 4, 'spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`'],
      [`${ref}.kind`, '', `${ref}.kind: Required value`],
      [`${ref}.kind`, 'a/b', segment(`${ref}.kind`)],
      [`${ref}.name`, '', `${ref}.name: Required value`],
      [`${ref}.name`, 'a/b', segment(`${ref}.name`)],
      [`${ref}.apiVersion`, 'v1', `${ref}.apiVersion: Invalid value: "v1": apiVersion must specify API group`],
      [
        `${ref}.apiVersion`,
        'a/b/c',
        `${ref}.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c`,
      ],
      [ref, { apiVersion: 'v1', kind: 'ReplicationController', name: 'web' }],
    ];
    assert.deepEqual(onCreate(horizontalPodAutoscalers, base, rules), rules);
  });
  test('in the kinds of their metrics', () => {
    const rules: Rule[] = [
      metric(
        '',
        {},
        `${at}.type: Required value: must specify a metric source type`,
        `${at}.type: Unsupported value: "": supported values: ${types}`,
      ),
      metric('Magic', {}, `${at}.type: Unsupported value: "Magic": supported values: ${types}`),
      metric('Pods', {}, `${at}.pods: Required value: must populate information for the given metric source`),
      metric(
        'Resource',
        { resource: { name: 'cpu', target: share }, pods: { metric: { name: 'a' }, target: average } },
        `${at}.pods: Forbidden: must populate the given metric source only`,
      ),
      metric(
        'Resource',
        { pods: { metric: { name: 'a' }, target: average } },
        `${at}.resource: Required value: must populate information for the given metric source`,
      ),
    ];
    assert.deepEqual(onCreate(horizontalPodAutoscalers, base, rules), rules);
  });
  test('in metrics of objects, pods and others', () => {
    const rules: Rule[] = [
      metric('Object', { object: { describedObject: pod, metric: { name: 'a' }, target: value } }),
      metric(
        'Object',
        { object: { describedObject: {}, metric: {}, target: {} } },
        `${at}.object.describedObject.kind: Required value`,
        `${at}.object.describedObject.name: Required value`,
        `${at}.object.metric.name: Required value: must specify a metric name`,
        `${at}.object.target.type: Required value: must specify a metric target type`,
        `${at}.object.target.type: Invalid value: "": must be either Utilization, Value, or AverageValue`,
        `${at}.object.target.averageValue: Required value: must set either a target value or averageValue`,
      ),
      metric(
        'External',
        { external: { metric: { name: 'a/b' }, target: { ...value, averageValue: '-1' } } },
        segment(`${at}.external.metric.name`),
        `${at}.external.target.averageValue: Invalid value: "-1": must be positive`,
        `${at}.external.target.value: Forbidden: may not set both a target value for metric and a per-pod target`,
      ),
      metric(
        'External',
        { external: { metric: { name: 'a' }, target: { type: 'Value' } } },
        `${at}.external.target.averageValue: Required value: must set either a target value for metric or a per-pod target`,
      ),
      metric(
        'Pods',
        { pods: { metric: { name: 'a' }, target: value } },
        `${at}.pods.target.averageValue: Required value: must specify a positive target averageValue`,
      ),
      metric(
        'Object',
        { object: { describedObject: pod, metric: { name: 'a' }, target: { type: 'Value', value: '0' } } },
        `${at}.object.target.value: Invalid value: "0": must be positive`,
      ),
    ];
    assert.deepEqual(onCreate(horizontalPodAutoscalers, base, rules), rules);
  });
  test('in metrics of resources', () => {
    const resource = (target: object, ...errors: string[]) =>
      metric('Resource', { resource: { name: 'cpu', target } }, ...errors);
    const target = `${at}.resource.target`;
    const rules: Rule[] = [
      metric(
        'Resource',
        { resource: { target: share } },
        `${at}.resource.name: Required value: must specify a resource name`,
      ),
      resource(
        { type: 'Utilization' },
        `${target}.averageUtilization: Required value: must set either a target raw value or a target utilization`,
      ),
      resource(
        { ...share, averageValue: '1' },
        `${target}.averageValue: Forbidden: may not set both a target raw value and a target utilization`,
      ),
      resource(
        { ...share, averageUtilization: 0 },
        `${target}.averageUtilization: Invalid value: 0: must be greater than 0`,
      ),
      metric(
        'ContainerResource',
        { containerResource: { target: share } },
        `${at}.containerResource.name: Required value: must specify a resource name`,
        `${at}.containerResource.container: Required value: must specify a container`,
      ),
      metric(
        'ContainerResource',
        { containerResource: { name: 'gpu', container: 'a.b', target: share } },
        `${at}.containerResource.name: Invalid value: "gpu": must be a standard resource type or fully qualified`,
        `${at}.containerResource.name: Invalid value: "gpu": must be a standard resource for containers`,
        `${at}.containerResource.container: Invalid value: "a.b": must not contain dots`,
      ),
    ];
    assert.deepEqual(onCreate(horizontalPodAutoscalers, base, rules), rules);
  });
  test('in how they behave', () => {
    const up = 'spec.behavior.scaleUp';
    const policy = { type: 'Pods', value: 1, periodSeconds: 1 };
    const withPolicy = (more: object, ...errors: string[]): Rule => [
      `${up}.policies`,
      [{ ...policy, ...more }],
      ...errors,
    ];
    const rules: Rule[] = [
      [
        `${up}.stabilizationWindowSeconds`,
        -1,
        `${up}.stabilizationWindowSeconds: Invalid value: -1: must be greater than or equal to zero`,
      ],
      [
        `${up}.stabilizationWindowSeconds`,
        3601,
        `${up}.stabilizationWindowSeconds: Invalid value: 3601: must be less than or equal to 3600`,
      ],
      [
        `${up}.selectPolicy`,
        'Best',
        `${up}.selectPolicy: Unsupported value: "Best": supported values: "Disabled", "Max", "Min"`,
      ],
      [`${up}.policies`, [], `${up}.policies: Required value: must specify at least one Policy`],
      withPolicy(
        { type: 'Nodes' },
        `${up}.policies[0].type: Unsupported value: "Nodes": supported values: "Percent", "Pods"`,
      ),
      withPolicy({ value: 0 }, `${up}.policies[0].value: Invalid value: 0: must be greater than zero`),
      withPolicy({ periodSeconds: 0 }, `${up}.policies[0].periodSeconds: Invalid value: 0: must be greater than zero`),
      withPolicy(
        { periodSeconds: 1801 },
        `${up}.policies[0].periodSeconds: Invalid value: 1801: must be less than or equal to 1800`,
      ),
      [`${up}.tolerance`, '-1', `${up}.tolerance: Invalid value: "-1": must be greater than or equal to 0`],
    ];
    assert.deepEqual(onCreate(horizontalPodAutoscalers, base, rules), rules);
  });
  test('that were stored keep a version that is wrong and a bound of zero', () => {
    const wrong = withValue(withValue(base, `${ref}.apiVersion`, ''), 'spec.metrics', [
      { type: 'External', external: { metric: { name: 'a' }, target: value } },
    ]);
    const old = created(horizontalPodAutoscalers, withValue(wrong, 'spec.minReplicas', 0));
    const changed = { ...structuredClone(old), spec: { ...old.spec, maxReplicas: 9 } };
    assert.deepEqual(texts(horizontalPodAutoscalers.validateUpdate?.(changed, old, context)), []);
    const rules: Rule[] = [
      [
        ref,
        { apiVersion: '', kind: 'Other', name: 'web' },
        `${ref}.apiVersion: Invalid value: "": apiVersion must specify API group`,
      ],
    ];
    assert.deepEqual(onUpdate(horizontalPodAutoscalers, base, rules), rules);
  });
  test('in their status', () => {
    const rules = ['currentReplicas', 'desiredReplicas'].map(
      (key): Rule => [`status.${key}`, -1, `status.${key}: Invalid value: -1: must be greater than or equal to 0`],
    );
    assert.deepEqual(onSubresource(horizontalPodAutoscalers, 'status', base, rules), rules);
  });
});

test('kubectl get horizontalpodautoscalers', () => {
  const targets = (metrics: object[], currentMetrics: object[] = []) => {
    const hpa = created(horizontalPodAutoscalers, withValue(base, 'spec.metrics', metrics));
    hpa.status = { desiredReplicas: 1, currentMetrics } as unknown as NonNullable<typeof hpa.status>;
    return cells(horizontalPodAutoscalers, hpa)['Targets'];
  };
  const cpu = { type: 'Resource', resource: { name: 'cpu', target: share } };
  const pods = { type: 'Pods', pods: { metric: { name: 'a' }, target: average } };
  const external = { type: 'External', external: { metric: { name: 'a' }, target: average } };
  assert.equal(targets([cpu]), 'cpu: <unknown>/50%');
  const current = { type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 20 } } };
  assert.equal(targets([cpu], [current]), 'cpu: 20%/50%');
  assert.equal(targets([pods]), '<unknown>/5');
  assert.equal(targets([external]), '<unknown>/5 (avg)');
  assert.equal(targets([cpu, pods, external]), 'cpu: <unknown>/50%, <unknown>/5 + 1 more...');
});
