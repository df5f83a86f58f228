import type { HorizontalPodAutoscaler, MetricSpec, MetricStatus } from '../../../api/types/autoscaling-v2.ts';
import { nonNegative, optional } from '../checks.ts';
import { ageColumn, firstFew, nameColumn, text } from '../columns.ts';
import { namespaced, statusSubresource } from '../define.ts';
import { carried, fromV2, toV2, withCarried } from './convert.ts';
import { metricCell } from './metric-cell.ts';
import { validateAutoscaler } from './validate.ts';

const scaleUpPolicies = [
  { type: 'Pods', value: 4, periodSeconds: 15 },
  { type: 'Percent', value: 100, periodSeconds: 15 },
];
const scaleDownPolicies = [{ type: 'Percent', value: 100, periodSeconds: 15 }];

function targets(spec: readonly MetricSpec[] = [], status: readonly MetricStatus[] = []): string {
  return firstFew(
    spec.map((metric, i) => metricCell(metric, status[i])),
    2,
    '<none>',
    ', ',
  );
}

export const horizontalPodAutoscalers = namespaced<HorizontalPodAutoscaler>({
  resource: 'autoscaling/horizontalpodautoscalers',
  storageVersion: 'autoscaling/v2',
  conversionAnnotations: carried,
  conversions: [{ apiVersion: 'autoscaling/v1', toStorage: toV2, fromStorage: fromV2 }],
  default(hpa) {
    // v2 has fields for what they say.
    if (carried.some(key => hpa.metadata.annotations?.[key] !== undefined)) hpa.metadata = withCarried(hpa.metadata);
    hpa.status ??= { desiredReplicas: 0 };
    const { spec } = hpa;
    spec.minReplicas ??= 1;
    if (!spec.metrics?.length) {
      spec.metrics = [
        { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } },
      ];
    }
    if (!spec.behavior) return;
    spec.behavior.scaleUp = {
      selectPolicy: 'Max',
      stabilizationWindowSeconds: 0,
      policies: structuredClone(scaleUpPolicies),
      ...spec.behavior.scaleUp,
    };
    spec.behavior.scaleDown = {
      selectPolicy: 'Max',
      policies: structuredClone(scaleDownPolicies),
      ...spec.behavior.scaleDown,
    };
  },
  initialStatus: () => ({ desiredReplicas: 0 }),
  validateCreate: hpa => validateAutoscaler(hpa),
  validateUpdate: validateAutoscaler,
  subresources: {
    status: statusSubresource<HorizontalPodAutoscaler>({
      validateUpdate: ({ status }) => [
        ...optional(status?.currentReplicas, 'status.currentReplicas', nonNegative),
        ...optional(status?.desiredReplicas, 'status.desiredReplicas', nonNegative),
      ],
    }),
  },
  columns: [
    nameColumn,
    text('Reference', ({ spec: { scaleTargetRef: ref } }) => `${ref?.kind ?? ''}/${ref?.name ?? ''}`),
    text('Targets', obj => targets(obj.spec.metrics, obj.status?.currentMetrics)),
    text('MinPods', obj => (obj.spec.minReplicas === undefined ? '<unset>' : String(obj.spec.minReplicas))),
    text('MaxPods', obj => obj.spec.maxReplicas),
    text('Replicas', obj => obj.status?.currentReplicas ?? 0),
    ageColumn,
  ],
});
