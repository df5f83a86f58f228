/** autoscaling/v1 ↔ v2. What v1 has no field for rides in annotations (pkg/apis/autoscaling/v1/conversion.go). */
import { schemaOf } from '../../../api/catalog/index.ts';
import { coerce } from '../../../api/codec/coerce.ts';
import { DecodeError } from '../../../api/codec/decode-error.ts';
import type { KubeObject } from '../../../api/object.ts';
import type { ObjectSchema } from '../../../api/schema.ts';
import type { HorizontalPodAutoscaler as V1 } from '../../../api/types/autoscaling-v1.ts';
import type {
  HorizontalPodAutoscalerCondition as Condition,
  MetricSpec,
  MetricStatus,
  HorizontalPodAutoscaler as V2,
} from '../../../api/types/autoscaling-v2.ts';
import { goJson } from '../../../api/util/go-text.ts';
import { isObject } from '../../../api/util/values.ts';
import { type InternalType, internalForm } from '../internal-form.ts';
import { metricFromV1, metricToV1, statusFromV1, statusToV1 } from './v1-metrics.ts';

const metricsAnnotation = 'autoscaling.alpha.kubernetes.io/metrics';
const currentAnnotation = 'autoscaling.alpha.kubernetes.io/current-metrics';
const conditionsAnnotation = 'autoscaling.alpha.kubernetes.io/conditions';
const behaviorAnnotation = 'autoscaling.alpha.kubernetes.io/behavior';
export const carried = [metricsAnnotation, currentAnnotation, conditionsAnnotation, behaviorAnnotation];

const isCpuUtilization = (m: MetricSpec) =>
  m.type === 'Resource' && m.resource?.name === 'cpu' && m.resource.target.averageUtilization !== undefined;
const isCpuStatus = (m: MetricStatus) =>
  m.type === 'Resource' && m.resource?.name === 'cpu' && m.resource.current.averageUtilization !== undefined;

const metricSchema = () => schemaOf('autoscaling.v2.MetricSpec');
const statusSchema = () => schemaOf('autoscaling.v2.MetricStatus');
const conditionSchema = () => schemaOf('autoscaling.v2.HorizontalPodAutoscalerCondition');
const behaviorSchema = () => schemaOf('autoscaling.v2.HorizontalPodAutoscalerBehavior');

const rules: InternalType = {
  StabilizationWindowSeconds: null,
  SelectPolicy: null,
  Policies: [{ Type: '', Value: 0, PeriodSeconds: 0 }],
  Tolerance: null,
};
/** Upstream writes, and reads, its internal type here. */
const internalBehavior: InternalType = { ScaleUp: rules, ScaleDown: rules };

/** Text that is not JSON of the expected form counts as absent: v1 clients may write anything there. */
function parse<T>(text: string | undefined, read: (value: unknown) => T): T | undefined {
  if (text === undefined) return undefined;
  try {
    return read(JSON.parse(text));
  } catch (e) {
    if (e instanceof SyntaxError || e instanceof DecodeError) return undefined;
    throw e;
  }
}

/** A list of what has the schema once it is converted. */
const listOf =
  <T>(schema: () => ObjectSchema, convert: (item: Record<string, unknown>) => unknown = item => item) =>
  (value: unknown): T[] => {
    if (!Array.isArray(value)) throw new DecodeError('no list');
    return value.map(item => coerce(isObject(item) ? convert(item) : item, schema(), { unknown: undefined }) as T);
  };

type Behavior = NonNullable<V2['spec']['behavior']>;
function readBehavior(value: unknown): Behavior | undefined {
  const behavior = coerce(uncapitalized(value, depthOfBehavior), behaviorSchema(), { unknown: undefined });
  return Object.keys(behavior).length > 0 ? behavior : undefined;
}

/** Rules, a list, its policies. What is deeper has no names to change. */
const depthOfBehavior = 4;

/** With the names that v2 has for the fields of internal types. */
function uncapitalized(value: unknown, depth: number): unknown {
  if (depth === 0) return value;
  if (Array.isArray(value)) return value.map(item => uncapitalized(item, depth - 1));
  if (!isObject(value)) return value;
  const named = Object.entries(value).map(([key, member]) => [
    key.charAt(0).toLowerCase() + key.slice(1),
    uncapitalized(member, depth - 1),
  ]);
  return Object.fromEntries(named);
}

/** Metadata without the annotations that stand for fields, and with others instead. */
export function withCarried<M extends { annotations?: Record<string, string> }>(
  metadata: M,
  instead: Record<string, string> = {},
): M {
  const { annotations = {}, ...rest } = metadata;
  const own = Object.entries(annotations).filter(([key]) => !carried.includes(key));
  const all = { ...Object.fromEntries(own), ...instead };
  return { ...rest, ...(Object.keys(all).length > 0 && { annotations: all }) } as M;
}

const cpuMetric = (averageUtilization: number): MetricSpec => ({
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } },
});
const cpuStatus = (averageUtilization: number): MetricStatus => ({
  type: 'Resource',
  resource: { name: 'cpu', current: { averageUtilization } },
});

export function toV2(obj: KubeObject): KubeObject {
  const v1 = obj as V1;
  const { annotations = {} } = v1.metadata;
  const { targetCPUUtilizationPercentage: cpu, ...spec } = v1.spec ?? {};
  // A zero that v1 shows is left out in v2.
  const { currentCPUUtilizationPercentage: current, currentReplicas, ...status } = v1.status ?? { desiredReplicas: 0 };
  const others = parse(annotations[metricsAnnotation], listOf<MetricSpec>(metricSchema, metricFromV1)) ?? [];
  const metrics = [...others, ...(cpu === undefined ? [] : [cpuMetric(cpu)])];
  const behavior = parse(annotations[behaviorAnnotation], readBehavior);
  const conditions = parse(annotations[conditionsAnnotation], listOf<Condition>(conditionSchema));
  const currentMetrics =
    parse(annotations[currentAnnotation], listOf<MetricStatus>(statusSchema, statusFromV1)) ??
    (current === undefined ? [] : [cpuStatus(current)]);
  return {
    ...v1,
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: withCarried(v1.metadata),
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
  const { currentMetrics = [], conditions = [], ...status } = v2.status ?? { desiredReplicas: 0 };
  const cpu = metrics.find(isCpuUtilization);
  const others = metrics.filter(m => m !== cpu);
  const annotations: Record<string, string> = {
    ...(others.length > 0 && { [metricsAnnotation]: goJson(others.map(metricToV1)) }),
    // That of the CPU, too: it has more to say than the field of v1.
    ...(currentMetrics.length > 0 && { [currentAnnotation]: goJson(currentMetrics.map(statusToV1)) }),
    ...(conditions.length > 0 && { [conditionsAnnotation]: goJson(conditions.map(conditionToV1)) }),
    ...(behavior && { [behaviorAnnotation]: goJson(internalForm(internalBehavior, behavior)) }),
  };
  const percentage = cpu?.resource?.target.averageUtilization;
  const currentPercentage = currentMetrics.findLast(isCpuStatus)?.resource?.current.averageUtilization;
  return {
    ...v2,
    apiVersion: 'autoscaling/v1',
    kind: 'HorizontalPodAutoscaler',
    metadata: withCarried(v2.metadata, annotations),
    spec: { ...spec, ...(percentage !== undefined && { targetCPUUtilizationPercentage: percentage }) },
    status: {
      currentReplicas: 0,
      ...status,
      ...(currentPercentage !== undefined && { currentCPUUtilizationPercentage: currentPercentage }),
    },
  } as V1;
}

/** As v1's type is written: its time is never left out. */
const conditionToV1 = ({ type, status, lastTransitionTime = null as never, reason, message }: Condition) => ({
  ...{ type, status, lastTransitionTime },
  ...(reason && { reason }),
  ...(message && { message }),
});
