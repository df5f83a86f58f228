import type { MetricSpec, MetricStatus, MetricTarget, MetricValueStatus } from '../../../api/types/autoscaling-v2.ts';

const unknown = '<unknown>';
const percent = (value: number | undefined) => (value === undefined ? unknown : `${value}%`);

/** "current/target" of a metric that has a value or an average. */
function valueCell(target: Partial<MetricTarget> = {}, current?: MetricValueStatus): string {
  return target.averageValue !== undefined
    ? `${current?.averageValue ?? unknown}/${target.averageValue} (avg)`
    : `${current?.value ?? unknown}/${target.value ?? '0'}`;
}

function resourceCell(name = '', target: Partial<MetricTarget> = {}, current?: MetricValueStatus): string {
  return target.averageValue !== undefined
    ? `${name}: ${current?.averageValue ?? unknown}/${target.averageValue}`
    : `${name}: ${percent(current?.averageUtilization)}/${target.averageUtilization === undefined ? '<auto>' : percent(target.averageUtilization)}`;
}

/** One entry of the TARGETS cell of an autoscaler. */
export function metricCell(spec: MetricSpec, status: MetricStatus | undefined): string {
  if (spec.external) return valueCell(spec.external.target, status?.external?.current);
  if (spec.pods) return `${status?.pods?.current?.averageValue ?? unknown}/${spec.pods.target?.averageValue ?? ''}`;
  if (spec.object) return valueCell(spec.object.target, status?.object?.current);
  if (spec.resource) return resourceCell(spec.resource.name, spec.resource.target, status?.resource?.current);
  if (spec.containerResource) {
    const { name, target } = spec.containerResource;
    return resourceCell(name, target, status?.containerResource?.current);
  }
  return '<unknown type>';
}
