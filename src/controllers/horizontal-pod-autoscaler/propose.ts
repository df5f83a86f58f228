/** One metric of an autoscaler: its value, the replicas it calls for, and how both are told. */
import { floatOf, formatQuantity, milliQuantityOf, milliValueOf } from '../../api/quantity.ts';
import type {
  HorizontalPodAutoscaler,
  MetricIdentifier,
  MetricSpec,
  MetricStatus,
  MetricTarget,
  MetricValueStatus,
} from '../../api/types/autoscaling-v2.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { messageOf } from '../../base/errors.ts';
import type { MetricsSource } from './metrics.ts';
import {
  type Answer,
  averageReplicas,
  perPodReplicas,
  type Question,
  type Readiness,
  type Tolerances,
  utilizationReplicas,
  wholeReplicas,
} from './replicas.ts';

export interface Target {
  readonly hpa: HorizontalPodAutoscaler;
  /** From the scale: what is wanted and what there is. */
  readonly specReplicas: number;
  readonly statusReplicas: number;
  readonly selector: string;
  readonly pods: readonly Pod[];
}
export interface Proposal {
  readonly replicas: number;
  /** As in "… above target". */
  readonly name: string;
  readonly status: MetricStatus;
}

/** A metric that could not be read: the reason is that of the condition and the event. */
export class MetricError extends Error {
  override readonly name = 'MetricError';
  readonly reason: string;
  /** What the condition says, without what the controller adds for itself. */
  readonly detail: string;
  constructor(reason: string, detail: string, message: string) {
    super(message);
    this.reason = reason;
    this.detail = detail;
  }
}

const defaultTolerance = 0.1;
function tolerancesOf({ spec }: HorizontalPodAutoscaler): Tolerances {
  const { scaleUp, scaleDown } = spec.behavior ?? {};
  return {
    up: scaleUp?.tolerance === undefined ? defaultTolerance : floatOf(scaleUp.tolerance),
    down: scaleDown?.tolerance === undefined ? defaultTolerance : floatOf(scaleDown.tolerance),
  };
}

const milli = (value: number) => formatQuantity(milliQuantityOf(Math.trunc(value)));
const prefixed = async <T>(text: string, work: () => Promise<T> | T): Promise<T> => {
  try {
    return await work();
  } catch (e) {
    throw new Error(`${text}: ${messageOf(e)}`);
  }
};
const identifier = ({ name, selector }: MetricIdentifier): MetricIdentifier => ({
  name,
  ...(selector && { selector }),
});

export async function propose(
  source: MetricsSource,
  target: Target,
  spec: MetricSpec,
  readiness: Readiness,
): Promise<Proposal> {
  const kind = kinds[spec.type];
  if (!kind) {
    const text = `unknown metric source type "${spec.type}"`;
    throw new MetricError('InvalidMetricSourceType', text, text);
  }
  const question: Question = {
    ...readiness,
    current: target.specReplicas,
    pods: target.pods,
    tolerances: tolerancesOf(target.hpa),
  };
  try {
    return await kind.propose(source, target, spec, question);
  } catch (e) {
    throw new MetricError(kind.reason, messageOf(e), `failed to get ${kind.what(spec)} metric value: ${messageOf(e)}`);
  }
}

interface Kind {
  readonly reason: string;
  what(spec: MetricSpec): string;
  propose(source: MetricsSource, target: Target, spec: MetricSpec, question: Question): Promise<Proposal>;
}
const missing = (kind: string): Error =>
  new Error(`invalid ${kind} metric source: neither a value target nor an average value target was set`);

const kinds: Readonly<Record<string, Kind>> = {
  Resource: {
    reason: 'FailedGetResourceMetric',
    what: spec => `${spec.resource?.name} resource`,
    async propose(source, target, { resource }, question) {
      if (!resource) throw missing('resource');
      const { answer, current } = await ofResource(source, target, resource, question);
      const name =
        answer.utilization === undefined
          ? `${resource.name} resource`
          : `${resource.name} resource utilization (percentage of request)`;
      return {
        replicas: answer.replicas,
        name,
        status: { type: 'Resource', resource: { name: resource.name, current } },
      };
    },
  },
  ContainerResource: {
    reason: 'FailedGetContainerResourceMetric',
    what: spec => `${spec.containerResource?.container} container`,
    async propose(source, target, { containerResource: metric }, question) {
      if (!metric) throw missing('container resource');
      const { container, name: resource } = metric;
      const { answer, current } = await ofResource(source, target, metric, question);
      const name =
        answer.utilization === undefined
          ? `${resource} container resource`
          : `${resource} container resource utilization (percentage of request)`;
      const status = { type: 'ContainerResource', containerResource: { name: resource, container, current } };
      return { replicas: answer.replicas, name, status };
    },
  },
  Pods: {
    reason: 'FailedGetPodsMetric',
    what: () => 'pods',
    async propose(source, target, { pods }, question) {
      if (!pods) throw missing('pods');
      const { metric } = pods;
      const namespace = target.hpa.metadata.namespace ?? '';
      const values = await prefixed(`unable to get metric ${metric.name}`, () =>
        source.pods(metric, namespace, target.selector),
      );
      const { replicas, value } = averageReplicas(question, values, '', milliValueOf(pods.target.averageValue ?? '0'));
      const status = { type: 'Pods', pods: { metric: identifier(metric), current: { averageValue: milli(value) } } };
      return { replicas, name: `pods metric ${metric.name}`, status };
    },
  },
  Object: {
    reason: 'FailedGetObjectMetric',
    what: () => 'object',
    async propose(source, { hpa, statusReplicas }, { object }, question) {
      if (!object) throw missing('object');
      const { metric, describedObject } = object;
      const namespace = hpa.metadata.namespace ?? '';
      const value = await source.object(metric, namespace, describedObject).catch(e => {
        const { kind, name } = describedObject;
        throw new Error(`unable to get metric ${metric.name}: ${kind} on ${namespace} ${name}/${messageOf(e)}`);
      });
      const { replicas, current } = ofWhole(object.target, 'object', value, statusReplicas, question);
      const status = { type: 'Object', object: { metric: identifier(metric), describedObject, current } };
      return { replicas, name: `${describedObject.kind} metric ${metric.name}`, status };
    },
  },
  External: {
    reason: 'FailedGetExternalMetric',
    what: spec => `${spec.external?.metric.name} external`,
    async propose(source, { hpa, statusReplicas }, { external }, question) {
      if (!external) throw missing('external');
      const { metric, target } = external;
      const namespace = hpa.metadata.namespace ?? '';
      const values = await prefixed(
        `failed to get ${metric.name} external metric: unable to get external metric ${namespace}/${metric.name}`,
        () => source.external(metric, namespace),
      );
      const sum = values.reduce((a, b) => a + b, 0);
      const { replicas, current } = ofWhole(target, 'external', sum, statusReplicas, question);
      const status = { type: 'External', external: { metric: identifier(metric), current } };
      return { replicas, name: `external metric ${metric.name}`, status };
    },
  },
};

async function ofResource(
  source: MetricsSource,
  { hpa, selector }: Target,
  metric: { name: string; container?: string; target: MetricTarget },
  question: Question,
): Promise<{ answer: Answer; current: MetricValueStatus }> {
  const { name, container, target } = metric;
  const { averageValue, averageUtilization } = target;
  if (averageValue === undefined && averageUtilization === undefined)
    throw new Error(
      'invalid resource metric source: neither an average utilization target nor an average value (usage) target was set',
    );
  const what = averageValue === undefined ? 'utilization' : 'usage';
  const answer = await prefixed(`failed to get ${name} ${what}`, async () => {
    const metrics = await prefixed(`unable to get metrics for resource ${name}`, () =>
      source.resource(name, hpa.metadata.namespace ?? '', selector, container),
    );
    if (averageValue !== undefined) return averageReplicas(question, metrics, name, milliValueOf(averageValue));
    return utilizationReplicas(question, metrics, name, averageUtilization ?? 0, container);
  });
  const { utilization, value } = answer;
  const current = { averageValue: milli(value), ...(utilization !== undefined && { averageUtilization: utilization }) };
  return { answer, current };
}

function ofWhole(target: MetricTarget, kind: string, value: number, running: number, question: Question) {
  if (target.averageValue !== undefined) {
    const answer = perPodReplicas(running, question.tolerances, value, milliValueOf(target.averageValue));
    return { replicas: answer.replicas, current: { averageValue: milli(answer.value) } };
  }
  if (target.value === undefined) throw missing(kind);
  const answer = wholeReplicas(question, value, milliValueOf(target.value));
  return { replicas: answer.replicas, current: { value: milli(answer.value) } };
}
