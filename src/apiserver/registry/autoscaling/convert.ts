/** autoscaling/v1 ↔ v2. What v1 has no field for rides in annotations (pkg/apis/autoscaling/v1/conversion.go). */
import type { KubeObject } from '../../../api/object.ts';
import type { HorizontalPodAutoscaler as V1 } from '../../../api/types/autoscaling-v1.ts';
import type { MetricSpec, MetricStatus, HorizontalPodAutoscaler as V2 } from '../../../api/types/autoscaling-v2.ts';

const metricsAnnotation = 'autoscaling.alpha.kubernetes.io/metrics';
const currentAnnotation = 'autoscaling.alpha.kubernetes.io/current-metrics';
const conditionsAnnotation = 'autoscaling.alpha.kubernetes.io/conditions';
const behaviorAnnotation = 'autoscaling.alpha.kubernetes.io/behavior';
export const carried = [metricsAnnotation, currentAnnotation, conditionsAnnotation, behaviorAnnotation];

const isCpuUtilization = (m: MetricSpec) =>
  m.type === 'Resource' && m.resource?.name === 'cpu' && m.resource.target.averageUtilization !== undefined;
const isCpuStatus = (m: MetricStatus) =>
  m.type === 'Resource' && m.resource?.name === 'cpu' && m.resource.current.averageUtilization !== undefined;

/** Text that is not JSON of the expected form counts as absent: v1 clients may write anything there. */
function parse<T>(text: string | undefined, isValid: (value: unknown) => value is T): T | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isValid(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
const lists = new Set(['policies', 'matchExpressions', 'values']);

/** Objects and lists stand where the API has them, so that whatever reads the value later finds what it expects. */
function wellFormed(value: unknown, key = ''): boolean {
  if (lists.has(key) !== Array.isArray(value)) return false;
  if (Array.isArray(value)) return value.every(item => wellFormed(item));
  if (typeof value !== 'object' || value === null) return !structured.has(key);
  return Object.entries(value).every(([name, member]) => wellFormed(member, name));
}
const structured = new Set([
  ...['resource', 'containerResource', 'object', 'pods', 'external', 'describedObject'],
  ...['metric', 'selector', 'matchLabels', 'target', 'current', 'scaleUp', 'scaleDown'],
]);

const isObject = <T extends object>(value: unknown): value is T =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && wellFormed(value);
const isList = <T>(value: unknown): value is T[] => Array.isArray(value) && value.every(isObject);

function withoutCarried(annotations: Record<string, string> | undefined): Record<string, string> | undefined {
  const left = Object.entries(annotations ?? {}).filter(([key]) => !carried.includes(key));
  return left.length ? Object.fromEntries(left) : undefined;
}

function metadataWith<M extends { annotations?: Record<string, string> }>(
  metadata: M,
  annotations: Record<string, string> | undefined,
): M {
  const { annotations: _, ...rest } = metadata;
  return { ...rest, ...(annotations && { annotations }) } as M;
}

const cpuMetric = (averageUtilization: number): MetricSpec => ({
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } },
});

export function toV2(obj: KubeObject): KubeObject {
  const v1 = obj as V1;
  const annotations = v1.metadata.annotations;
  const { targetCPUUtilizationPercentage: cpu, ...spec } = v1.spec ?? {};
  // A zero that v1 shows is left out in v2.
  const { currentCPUUtilizationPercentage: current, currentReplicas, ...status } = v1.status ?? { desiredReplicas: 0 };
  const others = parse<MetricSpec[]>(annotations?.[metricsAnnotation], isList) ?? [];
  const metrics = [...(cpu === undefined ? [] : [cpuMetric(cpu)]), ...others];
  const behavior = parse<NonNullable<V2['spec']['behavior']>>(annotations?.[behaviorAnnotation], isObject);
  const conditions = parse<NonNullable<NonNullable<V2['status']>['conditions']>>(
    annotations?.[conditionsAnnotation],
    isList,
  );
  const cpuStatus: MetricStatus[] =
    current === undefined
      ? []
      : [{ type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: current } } }];
  const currentMetrics = [...cpuStatus, ...(parse<MetricStatus[]>(annotations?.[currentAnnotation], isList) ?? [])];
  return {
    ...v1,
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: metadataWith(v1.metadata, withoutCarried(annotations)),
    spec: { ...spec, ...(metrics.length > 0 && { metrics }), ...(behavior && { behavior }) },
    status: {
      ...(currentReplicas && { currentReplicas }),
      ...status,
      ...(currentMetrics.length > 0 && { currentMetrics }),
      ...(conditions && { conditions }),
    },
  } as V2;
}

export function fromV2(obj: KubeObject): KubeObject {
  const v2 = obj as V2;
  const { metrics = [], behavior, ...spec } = v2.spec ?? {};
  const { currentMetrics = [], conditions, ...status } = v2.status ?? { desiredReplicas: 0 };
  const cpu = metrics.find(isCpuUtilization);
  const cpuStatus = currentMetrics.find(isCpuStatus);
  const others = metrics.filter(m => m !== cpu);
  const otherStatus = currentMetrics.filter(m => m !== cpuStatus);
  const annotations: Record<string, string> = {
    ...v2.metadata.annotations,
    ...(others.length > 0 && { [metricsAnnotation]: JSON.stringify(others) }),
    ...(otherStatus.length > 0 && { [currentAnnotation]: JSON.stringify(otherStatus) }),
    ...(conditions?.length && { [conditionsAnnotation]: JSON.stringify(conditions) }),
    ...(behavior && { [behaviorAnnotation]: JSON.stringify(behavior) }),
  };
  const percentage = cpu?.resource?.target.averageUtilization;
  const currentPercentage = cpuStatus?.resource?.current.averageUtilization;
  return {
    ...v2,
    apiVersion: 'autoscaling/v1',
    kind: 'HorizontalPodAutoscaler',
    metadata: metadataWith(v2.metadata, Object.keys(annotations).length ? annotations : undefined),
    spec: { ...spec, ...(percentage !== undefined && { targetCPUUtilizationPercentage: percentage }) },
    status: {
      currentReplicas: 0,
      ...status,
      ...(currentPercentage !== undefined && { currentCPUUtilizationPercentage: currentPercentage }),
    },
  } as V1;
}
