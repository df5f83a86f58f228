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
  test('there and back nothing is lost but the order of metrics: cpu comes first', () => {
    const back = toV2(fromV2(v2 as KubeObject));
    const [memory, cpu] = v2.spec.metrics;
    assert.deepEqual(back, { ...v2, spec: { ...v2.spec, metrics: [cpu, memory] } });
  });
  test('an annotation that is no JSON, or not of the form it should have, is ignored', () => {
    const key = 'autoscaling.alpha.kubernetes.io/metrics';
    const metricsOf = (text: string) => {
      const v1 = { metadata: { ...metadata, annotations: { [key]: text } }, spec: {} };
      return (toV2(v1 as KubeObject) as unknown as { spec: { metrics?: unknown } }).spec.metrics;
    };
    for (const text of [
      '{',
      '5',
      '[5]',
      '[{"type":"Object","object":3}]',
      '[{"pods":{"metric":{"selector":{"matchExpressions":5}}}}]',
    ]) {
      assert.equal(metricsOf(text), undefined, text);
    }
    assert.deepEqual(metricsOf('[{"type":"Pods"}]'), [{ type: 'Pods' }]);
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
