/** Where the autoscaler learns what pods and others use (pkg/controller/podautoscaler/metrics of v1.35). Values are in thousandths. */
import { milliValueOf } from '../../api/quantity.ts';
import { parseApiVersion } from '../../api/schema.ts';
import { selectorFromObject } from '../../api/selectors/index.ts';
import type { CrossVersionObjectReference, MetricIdentifier } from '../../api/types/autoscaling-v2.ts';
import { messageOf } from '../../base/errors.ts';
import type { Client } from '../../client/contract.ts';
import { type DiscoveredResource, discover } from '../../client/index.ts';

export interface PodMetric {
  readonly value: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly windowMs: number;
}
export type PodMetrics = ReadonlyMap<string, PodMetric>;

/** Throws with upstream's messages when there is nothing to tell. */
export interface MetricsSource {
  /** Of each pod, or of one of its containers. Pods that lack it are absent. */
  resource(name: string, namespace: string, selector: string, container?: string): Promise<PodMetrics>;
  pods(metric: MetricIdentifier, namespace: string, selector: string): Promise<PodMetrics>;
  object(metric: MetricIdentifier, namespace: string, about: CrossVersionObjectReference): Promise<number>;
  external(metric: MetricIdentifier, namespace: string): Promise<readonly number[]>;
}

interface PodMetricsList {
  items?: {
    metadata: { name: string; namespace?: string };
    timestamp?: string;
    window?: string;
    containers?: { name: string; usage?: Record<string, string> }[];
  }[];
}
interface MetricValueList {
  items?: { describedObject?: { name?: string }; timestamp?: string; windowSeconds?: number; value: string }[];
}
const defaultWindowMs = 60_000;
const customRoot = '/apis/custom.metrics.k8s.io/v1beta2';
const selectorText = ({ selector }: MetricIdentifier) => (selector ? selectorFromObject(selector).toString() : '');

/** Asks the metrics APIs through the API server. */
export function apiMetricsSource(client: Client): MetricsSource {
  let known: readonly DiscoveredResource[] = [];

  async function fetch<T extends { items?: readonly unknown[] }>(
    api: string,
    path: string,
    query: Record<string, string>,
  ): Promise<NonNullable<T['items']>> {
    const answer = await client.request<T>('GET', path, { query }).catch(e => {
      throw new Error(`unable to fetch metrics from ${api} metrics API: ${messageOf(e)}`);
    });
    if (!answer.items || answer.items.length === 0) throw new Error(`no metrics returned from ${api} metrics API`);
    return answer.items as NonNullable<T['items']>;
  }

  async function resourceOf(about: CrossVersionObjectReference): Promise<DiscoveredResource> {
    const { group } = parseApiVersion(about.apiVersion ?? 'v1');
    const find = () => known.find(r => r.group === group && r.kind === about.kind);
    if (!find()) known = (await discover(client)).resources;
    const found = find();
    if (!found) throw new Error(`no matches for kind "${about.kind}" in group "${group}"`);
    return found;
  }

  return {
    async resource(name, namespace, selector, container) {
      const path = `/apis/metrics.k8s.io/v1beta1/namespaces/${namespace}/pods`;
      const items = await fetch<PodMetricsList>('resource', path, { labelSelector: selector });
      return podMetricsOf(items, name, container);
    },
    async pods(metric, namespace, selector) {
      const path = `${customRoot}/namespaces/${namespace}/pods/*/${metric.name}`;
      const query = { labelSelector: selector, metricLabelSelector: selectorText(metric) };
      const items = await fetch<MetricValueList>('custom', path, query);
      return new Map(
        items.map(item => [
          item.describedObject?.name ?? '',
          {
            value: milliValueOf(item.value),
            at: Date.parse(item.timestamp ?? ''),
            windowMs: item.windowSeconds === undefined ? defaultWindowMs : item.windowSeconds * 1000,
          },
        ]),
      );
    },
    async object(metric, namespace, about) {
      const query = { metricLabelSelector: selectorText(metric) };
      const { plural, group, namespaced } = await resourceOf(about);
      const resource = group ? `${plural}.${group}` : plural;
      const scope = namespaced ? `/namespaces/${namespace}` : '';
      const path =
        about.kind === 'Namespace' && group === ''
          ? `${customRoot}/namespaces/${about.name}/metrics/${metric.name}`
          : `${customRoot}${scope}/${resource}/${about.name}/${metric.name}`;
      const [item] = await fetch<MetricValueList>('custom', path, query);
      return milliValueOf(item?.value ?? '0');
    },
    async external(metric, namespace) {
      const path = `/apis/external.metrics.k8s.io/v1beta1/namespaces/${namespace}/${metric.name}`;
      const items = await fetch<MetricValueList>('external', path, { labelSelector: selectorText(metric) });
      return items.map(item => milliValueOf(item.value));
    },
  };
}

function podMetricsOf(
  items: NonNullable<PodMetricsList['items']>,
  resource: string,
  container: string | undefined,
): PodMetrics {
  const out = new Map<string, PodMetric>();
  for (const { metadata, timestamp, window, containers = [] } of items) {
    const wanted = container === undefined ? containers : containers.filter(c => c.name === container);
    if (container !== undefined && wanted.length === 0)
      throw new Error(`container ${container} not present in metrics for pod ${metadata.namespace}/${metadata.name}`);
    const values = wanted.map(c => c.usage?.[resource]);
    if (values.length === 0 || values.some(v => v === undefined)) continue;
    const value = values.reduce((sum, v) => sum + milliValueOf(v ?? '0'), 0);
    out.set(metadata.name, { value, at: Date.parse(timestamp ?? ''), windowMs: durationMs(window) });
  }
  return out;
}

/** "1m30s" as Go writes durations. */
function durationMs(text: string | undefined): number {
  const match = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?$/.exec(text ?? '');
  if (!match || !text) return defaultWindowMs;
  return (Number(match[1] ?? 0) * 3600 + Number(match[2] ?? 0) * 60 + Number(match[3] ?? 0)) * 1000;
}
