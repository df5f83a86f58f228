/** How many replicas a metric calls for (pkg/controller/podautoscaler/replica_calculator.go of v1.35). Pure. Values are in thousandths. */
import { milliValueOf } from '../../api/quantity.ts';
import type { Container, Pod } from '../../api/types/core-v1.ts';
import { isPodReady, podCondition } from '../support/pods.ts';
import type { PodMetric, PodMetrics } from './metrics.ts';

/** Ratios of usage to target that change nothing lie between 1 - down and 1 + up. */
export interface Tolerances {
  readonly up: number;
  readonly down: number;
}
export interface Readiness {
  readonly now: number;
  /** While a pod is younger, samples of its CPU count only when it was ready all through their window. Default upstream: 5 min. */
  readonly cpuInitializationMs: number;
  /** A pod that became unready within so long after its start was never ready. Default upstream: 30 s. */
  readonly initialReadinessDelayMs: number;
}
export interface Question extends Readiness {
  readonly current: number;
  readonly pods: readonly Pod[];
  readonly tolerances: Tolerances;
}
export interface Answer {
  readonly replicas: number;
  /** Percent of the requests; only for utilization targets. */
  readonly utilization?: number;
  /** Average per pod, or the whole for object and external metrics. */
  readonly value: number;
}

const isWithin = (ratio: number, { up, down }: Tolerances) => 1 - down <= ratio && ratio <= 1 + up;

interface Groups {
  readonly ready: number;
  readonly unready: ReadonlySet<string>;
  readonly missing: ReadonlySet<string>;
  readonly ignored: ReadonlySet<string>;
}

function groupPods(pods: readonly Pod[], metrics: PodMetrics, resource: string, readiness: Readiness): Groups {
  const groups = { ready: 0, unready: new Set<string>(), missing: new Set<string>(), ignored: new Set<string>() };
  for (const pod of pods) {
    const { name } = pod.metadata;
    const metric = metrics.get(name);
    if (pod.metadata.deletionTimestamp || pod.status?.phase === 'Failed') groups.ignored.add(name);
    else if (pod.status?.phase === 'Pending') groups.unready.add(name);
    else if (!metric) groups.missing.add(name);
    else if (resource === 'cpu' && isUnready(pod, metric, readiness)) groups.unready.add(name);
    else groups.ready += 1;
  }
  return groups;
}

function isUnready(
  pod: Pod,
  metric: PodMetric,
  { now, cpuInitializationMs, initialReadinessDelayMs }: Readiness,
): boolean {
  const ready = podCondition(pod, 'Ready');
  const started = Date.parse(pod.status?.startTime ?? '');
  if (!ready || Number.isNaN(started)) return true;
  const since = Date.parse(ready.lastTransitionTime ?? '');
  if (started + cpuInitializationMs > now) return ready.status === 'False' || metric.at < since + metric.windowMs;
  return ready.status === 'False' && started + initialReadinessDelayMs > since;
}

/** What the pods ask for of a resource, by pod. Throws when one does not say. */
function podRequests(pods: readonly Pod[], resource: string, container?: string): Map<string, number> {
  const requests = new Map<string, number>();
  for (const pod of pods) {
    const whole = container === undefined ? pod.spec.resources?.requests?.[resource] : undefined;
    requests.set(pod.metadata.name, whole === undefined ? sumRequests(pod, resource, container) : milliValueOf(whole));
  }
  return requests;
}

function sumRequests(pod: Pod, resource: string, container: string | undefined): number {
  const restartable = (pod.spec.initContainers ?? []).filter(c => c.restartPolicy === 'Always');
  const all: Container[] = [...pod.spec.containers, ...restartable];
  const wanted = container === undefined ? all : all.filter(c => c.name === container);
  const { name } = pod.metadata;
  if (wanted.length === 0) throw new Error(`container ${container} not found in Pod ${name}`);
  return wanted.reduce((sum, c) => {
    const request = c.resources?.requests?.[resource];
    if (request === undefined) throw new Error(`missing request for ${resource} in container ${c.name} of Pod ${name}`);
    return sum + milliValueOf(request);
  }, 0);
}

interface Ratio {
  readonly ratio: number;
  readonly value: number;
  readonly utilization?: number;
}

/** Usage over requests, in whole percent as upstream counts, against the target. */
function utilizationRatio(
  values: ReadonlyMap<string, number>,
  requests: ReadonlyMap<string, number>,
  target: number,
): Ratio {
  let used = 0;
  let requested = 0;
  let entries = 0;
  for (const [pod, value] of values) {
    const request = requests.get(pod);
    if (request === undefined) continue;
    used += value;
    requested += request;
    entries += 1;
  }
  if (requested === 0) throw new Error('no metrics returned matched known pods');
  const utilization = Math.trunc((used * 100) / requested);
  return { ratio: utilization / target, utilization, value: Math.trunc(used / entries) };
}

function averageRatio(values: ReadonlyMap<string, number>, target: number): Ratio {
  const value = Math.trunc([...values.values()].reduce((a, b) => a + b, 0) / values.size);
  return { ratio: value / target, value };
}

/** For a target in percent of what pods request. */
export function utilizationReplicas(
  question: Question,
  metrics: PodMetrics,
  resource: string,
  target: number,
  container?: string,
): Answer {
  requirePods(question);
  const groups = groupPods(question.pods, metrics, resource, question);
  const requests = podRequests(question.pods, resource, container);
  // On the way down, pods that tell nothing are taken to use what they asked for, or the target where that is more.
  const full = (pod: string) => Math.trunc(((requests.get(pod) ?? 0) * Math.max(100, target)) / 100);
  return decide(question, groups, metrics, full, values => utilizationRatio(values, requests, target));
}

/** For a target in average value; `resource` is empty for metrics of other kinds. */
export function averageReplicas(question: Question, metrics: PodMetrics, resource: string, target: number): Answer {
  requirePods(question);
  const groups = groupPods(question.pods, metrics, resource, question);
  return decide(
    question,
    groups,
    metrics,
    () => target,
    values => averageRatio(values, target),
  );
}

function requirePods({ pods }: Question): void {
  if (pods.length === 0) throw new Error('no pods returned by selector while calculating replica count');
}

function decide(
  { current, tolerances }: Question,
  groups: Groups,
  metrics: PodMetrics,
  full: (pod: string) => number,
  measure: (values: ReadonlyMap<string, number>) => Ratio,
): Answer {
  const values = new Map<string, number>();
  for (const [pod, { value }] of metrics)
    if (!groups.unready.has(pod) && !groups.ignored.has(pod)) values.set(pod, value);
  if (values.size === 0) throw new Error('did not receive metrics for targeted pods (pods might be unready)');
  const { ratio, ...seen } = measure(values);
  const answer = (replicas: number): Answer => ({ replicas, ...seen });
  const withUnready = groups.unready.size > 0 && ratio > 1;
  if (!withUnready && groups.missing.size === 0)
    return answer(isWithin(ratio, tolerances) ? current : Math.ceil(ratio * groups.ready));
  // Pods that tell nothing slow down the change in either direction.
  if (ratio < 1) for (const pod of groups.missing) values.set(pod, full(pod));
  else if (ratio > 1) for (const pod of groups.missing) values.set(pod, 0);
  if (withUnready) for (const pod of groups.unready) values.set(pod, 0);
  const careful = measure(values).ratio;
  const turned = (ratio < 1 && careful > 1) || (ratio > 1 && careful < 1);
  if (isWithin(careful, tolerances) || turned) return answer(current);
  const replicas = Math.ceil(careful * values.size);
  const against = (careful < 1 && replicas > current) || (careful > 1 && replicas < current);
  return answer(against ? current : replicas);
}

/** For a value of the whole, of which each ready pod has its share. From zero replicas, the ratio itself counts. */
export function wholeReplicas(question: Question, value: number, target: number): Answer {
  const ratio = value / target;
  const { current, tolerances, pods } = question;
  if (current === 0) return { replicas: Math.ceil(ratio), value };
  if (isWithin(ratio, tolerances)) return { replicas: current, value };
  requirePods(question);
  const ready = pods.filter(pod => pod.status?.phase === 'Running' && isPodReady(pod)).length;
  return { replicas: Math.ceil(ratio * ready), value };
}

/** For a value of the whole divided by the replicas that there are (`running`, from the target's status). */
export function perPodReplicas(running: number, tolerances: Tolerances, value: number, target: number): Answer {
  const within = running > 0 && isWithin(value / (target * running), tolerances);
  return {
    replicas: within ? running : Math.ceil(value / target),
    value: running > 0 ? Math.ceil(value / running) : value,
  };
}
