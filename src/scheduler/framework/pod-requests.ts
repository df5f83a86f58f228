/** What a pod asks for, in numbers: milli-CPU for cpu, whole units for the rest (k8s.io/component-helpers/resource, PodRequests). */
import { milliValueOf, unitsOf } from '../../api/quantity.ts';
import type { Container, Pod } from '../../api/types/core-v1.ts';

export type Amounts = Map<string, number>;

export interface PodRequests {
  /** By resource name; zero amounts are left out. */
  readonly amounts: ReadonlyMap<string, number>;
  /** For scoring: containers that ask for nothing count as if they asked for 100m and 200Mi. */
  readonly nonZeroCpu: number;
  readonly nonZeroMemory: number;
}

/** pkg/scheduler/util: DefaultMilliCPURequest and DefaultMemoryRequest. */
const defaultCpu = 100;
const defaultMemory = 200 * 1024 * 1024;

export const amountOf = (name: string, quantity: string | number): number =>
  name === 'cpu' ? milliValueOf(quantity) : unitsOf(quantity);

type Ask = (container: Container) => Readonly<Record<string, string>>;

function add(into: Amounts, list: Readonly<Record<string, string>>): void {
  for (const name in list) into.set(name, (into.get(name) ?? 0) + amountOf(name, list[name] ?? '0'));
}
function raise(into: Amounts, other: Amounts): void {
  for (const [name, value] of other) if (value > (into.get(name) ?? 0)) into.set(name, value);
}

/** Containers and sidecars together, or what the start needs at its worst moment, if that is more. */
function aggregate(pod: Pod, ask: Ask): Amounts {
  const total: Amounts = new Map();
  for (const container of pod.spec.containers) add(total, ask(container));
  if (!pod.spec.initContainers?.length) return total;
  const sidecars: Amounts = new Map();
  const start: Amounts = new Map();
  for (const container of pod.spec.initContainers) {
    if (container.restartPolicy === 'Always') {
      add(total, ask(container));
      add(sidecars, ask(container));
      raise(start, sidecars);
      continue;
    }
    const now = new Map(sidecars);
    add(now, ask(container));
    raise(start, now);
  }
  raise(total, start);
  return total;
}

const isPodLevel = (name: string) => name === 'cpu' || name === 'memory' || name.startsWith('hugepages-');

function finish(pod: Pod, total: Amounts): Amounts {
  const own = pod.spec.resources?.requests;
  for (const name in own) if (isPodLevel(name)) total.set(name, amountOf(name, own[name] ?? '0'));
  if (pod.spec.overhead) add(total, pod.spec.overhead);
  return total;
}

const none = {};
/**
 * While a resize is under way a container holds the larger of what it asks for and what it has; when the resize cannot be done, what it has.
 */
function asking(pod: Pod): Ask {
  const statuses = pod.status?.containerStatuses;
  const resizing = pod.spec.nodeName && statuses?.some(s => s.resources?.requests);
  if (!resizing) return container => container.resources?.requests ?? none;
  const infeasible = pod.status?.conditions?.some(c => c.type === 'PodResizePending' && c.reason === 'Infeasible');
  return container => {
    const asked = container.resources?.requests ?? none;
    const has = statuses?.find(s => s.name === container.name)?.resources?.requests;
    if (!has) return asked;
    return infeasible ? has : larger(asked, has);
  };
}

function larger(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): Record<string, string> {
  const out: Record<string, string> = { ...a };
  for (const name in b) {
    const mine = out[name];
    const other = b[name] ?? '0';
    if (mine === undefined || amountOf(name, other) > amountOf(name, mine)) out[name] = other;
  }
  return out;
}

export function podRequests(pod: Pod): PodRequests {
  const ask = asking(pod);
  const amounts = finish(pod, aggregate(pod, ask));
  const needsDefault = [pod.spec.containers, pod.spec.initContainers ?? []].some(list =>
    list.some(c => c.resources?.requests?.['cpu'] === undefined || c.resources.requests['memory'] === undefined),
  );
  const full = needsDefault ? finish(pod, aggregate(pod, withDefaults(ask))) : amounts;
  const nonZeroCpu = full.get('cpu') ?? 0;
  const nonZeroMemory = full.get('memory') ?? 0;
  for (const [name, value] of amounts) if (value === 0) amounts.delete(name);
  return { amounts, nonZeroCpu, nonZeroMemory };
}

const withDefaults =
  (ask: Ask): Ask =>
  container => {
    const asked = ask(container);
    return {
      ...asked,
      cpu: asked['cpu'] ?? `${defaultCpu}m`,
      memory: asked['memory'] ?? String(defaultMemory),
    };
  };
