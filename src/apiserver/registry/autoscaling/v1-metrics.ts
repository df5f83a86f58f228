/** Metrics as autoscaling/v1 writes them: flat, where v2 has a metric and a target (pkg/apis/autoscaling/v1/conversion.go). */
import type { MetricSpec, MetricStatus } from '../../../api/types/autoscaling-v2.ts';

type Values = Record<string, unknown>;

/** A field of v1, where v2 has it, and what Go writes when it is not there, unless it leaves it out. */
type Place = readonly [v1: string, v2: string, zero?: unknown];
type Source = 'object' | 'pods' | 'resource' | 'containerResource' | 'external';
type Places = Readonly<Record<Source, readonly Place[]>>;

const name: Place = ['name', 'name', ''];
const container: Place = ['container', 'container', ''];
const metricName: Place = ['metricName', 'metric.name', ''];
const selector: Place = ['selector', 'metric.selector'];
const metricSelector: Place = ['metricSelector', 'metric.selector'];
const object: Place = ['target', 'describedObject', { kind: '', name: '' }];
const share: Place = ['targetAverageUtilization', 'target.averageUtilization'];
const amount: Place = ['targetAverageValue', 'target.averageValue'];
const currentShare: Place = ['currentAverageUtilization', 'current.averageUtilization'];
const currentAmount: Place = ['currentAverageValue', 'current.averageValue', '0'];

const specPlaces: Places = {
  object: [object, metricName, ['targetValue', 'target.value', '0'], selector, ['averageValue', 'target.averageValue']],
  pods: [metricName, ['targetAverageValue', 'target.averageValue', '0'], selector],
  resource: [name, share, amount],
  containerResource: [name, share, amount, container],
  external: [metricName, metricSelector, ['targetValue', 'target.value'], amount],
};
const statusPlaces: Places = {
  object: [
    object,
    metricName,
    ['currentValue', 'current.value', '0'],
    selector,
    ['averageValue', 'current.averageValue'],
  ],
  pods: [metricName, currentAmount, selector],
  resource: [name, currentShare, currentAmount],
  containerResource: [name, currentShare, currentAmount, container],
  external: [
    metricName,
    metricSelector,
    ['currentValue', 'current.value', '0'],
    ['currentAverageValue', 'current.averageValue'],
  ],
};

const isValues = (value: unknown): value is Values =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Every source of a metric that is there, turned over; what is no object stays for whoever checks the result. */
function turned(
  metric: Values,
  places: Places,
  turn: (source: Values, places: readonly Place[], key: Source) => Values,
) {
  const out: Values = { type: metric['type'] ?? '' };
  for (const [key, fields] of Object.entries(places) as [Source, readonly Place[]][]) {
    const source = metric[key] ?? undefined;
    if (source !== undefined) out[key] = isValues(source) ? turn(source, fields, key) : source;
  }
  return out;
}

function flat(source: Values, places: readonly Place[]): Values {
  const out: Values = {};
  for (const [v1, v2, zero] of places) {
    const [outer = '', inner] = v2.split('.');
    const around = source[outer];
    const value = inner === undefined ? around : isValues(around) ? around[inner] : undefined;
    if ((value ?? zero) !== undefined) out[v1] = value ?? zero;
  }
  return out;
}

function nested(source: Values, places: readonly Place[]): Values {
  const out: Values = {};
  for (const [v1, v2, zero] of places) {
    const [outer = '', inner] = v2.split('.');
    const value = source[v1] ?? zero;
    if (inner === undefined) out[outer] = value;
    else out[outer] = { ...(out[outer] as Values | undefined), ...(value !== undefined && { [inner]: value }) };
  }
  return out;
}

const targetTypes = { averageUtilization: 'Utilization', averageValue: 'AverageValue', value: 'Value' } as const;
/** What v1 does not say: a target has the type of the first of these values that it has, or of the last. */
const targetValues: Readonly<Record<Source, readonly (keyof typeof targetTypes)[]>> = {
  object: ['averageValue', 'value'],
  pods: ['averageValue'],
  resource: ['averageUtilization', 'averageValue'],
  containerResource: ['averageUtilization', 'averageValue'],
  external: ['value', 'averageValue'],
};

function withTarget(source: Values, places: readonly Place[], key: Source): Values {
  const out = nested(source, places);
  const { value, ...rest } = out['target'] as Values;
  // Beside an average, zero is what v1 has for no value. Upstream takes it for one, and then refuses it.
  const unset = value === undefined || (key === 'object' && rest['averageValue'] !== undefined && Number(value) === 0);
  const target: Values = unset ? rest : { ...rest, value };
  const names = targetValues[key];
  const decisive = names.find(name => target[name] !== undefined) ?? names.at(-1) ?? 'value';
  return { ...out, target: { ...target, type: targetTypes[decisive] } };
}

export const metricToV1 = (metric: MetricSpec): Values => turned({ ...metric }, specPlaces, flat);
export const statusToV1 = (metric: MetricStatus): Values => turned({ ...metric }, statusPlaces, flat);
export const metricFromV1 = (metric: Values): Values => turned(metric, specPlaces, withTarget);
export const statusFromV1 = (metric: Values): Values => turned(metric, statusPlaces, nested);
