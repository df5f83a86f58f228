import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { KubeObject } from '../../api/object.ts';
import { fromV2, toV2 } from './autoscaling/convert.ts';
import { toCoreEvent, toNewEvent } from './events/convert.ts';

const metadata = { name: 'a', namespace: 'default' };

describe('autoscalers in v1 and v2', () => {
  const v2 = {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { ...metadata, annotations: { own: 'yes' } },
    spec: {
      maxReplicas: 3,
      minReplicas: 1,
      scaleTargetRef: { kind: 'Deployment', name: 'web' },
      metrics: [
        { type: 'Resource', resource: { name: 'memory', target: { type: 'AverageValue', averageValue: '1Gi' } } },
        { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } },
      ],
      behavior: { scaleDown: { stabilizationWindowSeconds: 60 } },
    },
    status: { desiredReplicas: 1, currentReplicas: 1, conditions: [{ type: 'AbleToScale', status: 'True' }] },
  };
  test('v1 shows the cpu target as its field and the rest as annotations', () => {
    const v1 = fromV2(v2 as KubeObject) as unknown as {
      spec: object;
      metadata: { annotations: Record<string, string> };
    };
    assert.deepEqual(v1.spec, {
      maxReplicas: 3,
      minReplicas: 1,
      scaleTargetRef: { kind: 'Deployment', name: 'web' },
      targetCPUUtilizationPercentage: 50,
    });
    assert.deepEqual(Object.keys(v1.metadata.annotations).sort(), [
      'autoscaling.alpha.kubernetes.io/behavior',
      'autoscaling.alpha.kubernetes.io/conditions',
      'autoscaling.alpha.kubernetes.io/metrics',
      'own',
    ]);
  });
  const target = { kind: 'Ingress', name: 'main', apiVersion: 'networking.k8s.io/v1' };
  const selector = { matchLabels: { a: 'b' } };
  const [value, averageValue] = ['10', '2500m'];
  const average = { type: 'AverageValue', averageValue };
  const cpu = { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } };
  const others = [
    { type: 'Resource', resource: { name: 'memory', target: average } },
    {
      type: 'ContainerResource',
      containerResource: { container: 'c', name: 'cpu', target: { type: 'Utilization', averageUtilization: 5 } },
    },
    { type: 'Pods', pods: { metric: { name: 'm', selector }, target: average } },
    { type: 'Object', object: { describedObject: target, metric: { name: 'm' }, target: { type: 'Value', value } } },
    { type: 'Object', object: { describedObject: target, metric: { name: 'm', selector }, target: average } },
    { type: 'External', external: { metric: { name: 'm', selector }, target: { type: 'Value', value } } },
    { type: 'External', external: { metric: { name: 'm' }, target: average } },
  ];
  const currentMetrics = [
    { type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 40, averageValue } } },
    { type: 'ContainerResource', containerResource: { container: 'c', name: 'cpu', current: { averageValue } } },
    { type: 'Pods', pods: { metric: { name: 'm', selector }, current: { averageValue } } },
    { type: 'Object', object: { describedObject: target, metric: { name: 'm' }, current: { value, averageValue } } },
    { type: 'External', external: { metric: { name: 'm', selector }, current: { value, averageValue } } },
  ];
  test('there and back nothing is lost but the order of metrics: cpu comes last', () => {
    const scaleUp = {
      stabilizationWindowSeconds: 0,
      selectPolicy: 'Max',
      policies: [{ type: 'Pods', value: 4, periodSeconds: 15 }],
      tolerance: '50m',
    };
    const conditions = [
      { type: 'AbleToScale', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z', reason: '<x>' },
    ];
    const full = {
      ...v2,
      spec: { ...v2.spec, metrics: [cpu, ...others], behavior: { ...v2.spec.behavior, scaleUp } },
      status: { ...v2.status, currentMetrics, conditions },
    };
    const back = toV2(fromV2(full as KubeObject));
    assert.deepEqual(back, { ...full, spec: { ...full.spec, metrics: [...others, cpu] } });
  });
  const alpha = (name: string) => `autoscaling.alpha.kubernetes.io/${name}`;
  const annotated = (annotations: Record<string, string>, more = {}) =>
    toV2({ metadata: { ...metadata, annotations }, spec: {}, ...more } as KubeObject) as unknown as {
      metadata: object;
      spec: { metrics?: unknown; behavior?: unknown };
      status: { currentMetrics?: unknown; conditions?: unknown };
    };
  test('annotations have the types of v1, and behavior the internal one', () => {
    const status = { ...v2.status, currentMetrics: [currentMetrics[0]] };
    const spec = { ...v2.spec, metrics: [others[2], others[4]] };
    const { annotations } = fromV2({ ...v2, spec, status } as KubeObject).metadata;
    const picked = '"metricName":"m","targetAverageValue":"2500m","selector":{"matchLabels":{"a":"b"}}';
    const object = '"target":{"kind":"Ingress","name":"main","apiVersion":"networking.k8s.io/v1"},"metricName":"m"';
    const more = '"targetValue":"0","selector":{"matchLabels":{"a":"b"}},"averageValue":"2500m"';
    const current = '"name":"cpu","currentAverageUtilization":40,"currentAverageValue":"2500m"';
    const rules = '{"StabilizationWindowSeconds":60,"SelectPolicy":null,"Policies":null,"Tolerance":null}';
    assert.deepEqual(annotations, {
      own: 'yes',
      [alpha('metrics')]: `[{"type":"Pods","pods":{${picked}}},{"type":"Object","object":{${object},${more}}}]`,
      [alpha('current-metrics')]: `[{"type":"Resource","resource":{${current}}}]`,
      [alpha('conditions')]: '[{"type":"AbleToScale","status":"True","lastTransitionTime":null}]',
      [alpha('behavior')]: `{"ScaleUp":null,"ScaleDown":${rules}}`,
    });
  });
  test('annotations win over the field of the current metric, and are fields after', () => {
    const current = '[{"type":"Resource","resource":{"name":"cpu","currentAverageValue":"1"}}]';
    const status = { desiredReplicas: 1, currentCPUUtilizationPercentage: 7 };
    const read = annotated({ [alpha('current-metrics')]: current }, { status });
    assert.deepEqual(read.metadata, metadata);
    assert.deepEqual(read.status.currentMetrics, [
      { type: 'Resource', resource: { name: 'cpu', current: { averageValue: '1' } } },
    ]);
    const wrong = annotated({ [alpha('current-metrics')]: '[{"type":5}]' }, { status });
    assert.deepEqual(wrong.status.currentMetrics, [
      { type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 7 } } },
    ]);
  });
  test('an annotation that is no JSON, or not of the form it should have, is ignored', () => {
    const metricsOf = (text: string) => annotated({ [alpha('metrics')]: text }).spec.metrics;
    for (const text of [
      '{',
      '5',
      '[5]',
      '[{"type":"Object","object":3}]',
      '[{"type":"Resource","resource":{"targetAverageUtilization":"x"}}]',
      '[{"pods":{"selector":{"matchExpressions":5}}}]',
    ]) {
      assert.equal(metricsOf(text), undefined, text);
    }
    assert.deepEqual(metricsOf('[{"type":"Pods"}]'), [{ type: 'Pods' }]);
    const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
    for (const text of ['[]', '{}', '{"ScaleUp":null}', '{"ScaleUp":{"Policies":{}}}', deep, `{"ScaleUp":${deep}}`])
      assert.equal(annotated({ [alpha('behavior')]: text }).spec.behavior, undefined);
  });
});

test('events are the same object in both groups', () => {
  const text = fc.string({ maxLength: 5 });
  const event = fc.record(
    {
      metadata: fc.constant(metadata),
      involvedObject: fc.record({ kind: text, name: text }),
      message: text,
      reason: text,
      count: fc.nat(),
      source: fc.record({ component: text }),
      reportingComponent: text,
      series: fc.record({ count: fc.nat() }),
    },
    { requiredKeys: ['metadata', 'involvedObject'] },
  );
  fc.assert(
    fc.property(event, core => {
      const fresh = toNewEvent(core as KubeObject);
      assert.equal('message' in fresh || 'involvedObject' in fresh, false);
      assert.deepEqual(toCoreEvent(fresh), { ...core, apiVersion: 'v1', kind: 'Event' });
    }),
    { numRuns: 100 },
  );
});
