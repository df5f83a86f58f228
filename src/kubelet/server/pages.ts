/** What the kubelet's API tells with a GET: pods, stats, metrics, configuration, log files. Upstream: pkg/kubelet/server/server.go. */
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import type { Pod } from '../../api/types/core-v1.ts';
import type { Kubelet } from '../kubelet.ts';
import { cadvisorMetrics, resourceMetrics, type StateCounts, stateMetrics } from '../metrics/pages.ts';
import type { Machine } from '../node/machine.ts';
import { containerNameLabel, isStaticPod, podNameLabel, podNamespaceLabel, podUidLabel } from '../pod/names.ts';
import type { Stats } from '../stats/summary.ts';
import { HttpError } from './errors.ts';

export interface PagesOptions {
  kubelet: Kubelet;
  machine: Machine;
  stats: Stats;
  /** Holds containers' logs. */
  logRoot: string;
}
export interface Page {
  type: 'text/plain; charset=utf-8' | 'application/json' | 'text/html; charset=utf-8';
  body: string | Uint8Array;
}
type PageOf = (parts: readonly string[], query: URLSearchParams) => Promise<Page>;

const json = (value: unknown): Page => ({ type: 'application/json', body: JSON.stringify(value) });
const plain = (body: string | Uint8Array): Page => ({ type: 'text/plain; charset=utf-8', body });
const notFound = () => new HttpError(404, '404 page not found');

/** Pages by the first part of their path. */
export function createPages({ kubelet, machine, stats, logRoot }: PagesOptions): Readonly<Record<string, PageOf>> {
  const { nodeName, metrics, meters, clusterDns } = kubelet.context;
  return {
    async healthz([check]) {
      if (check === 'syncloop' && !kubelet.node.runtimeUp) throw new HttpError(500, 'runtime is down');
      return plain('ok');
    },
    pods: async () => json(podList(kubelet.pods().map(w => ({ ...w.pod, ...(w.status && { status: w.status }) })))),
    runningpods: async () => json(podList(await runningPods(kubelet))),
    async stats([kind], query) {
      if (kind !== 'summary') throw notFound();
      const { node, pods } = await stats.summary();
      if (query.get('only_cpu_and_memory') !== 'true') return json({ node, pods });
      const { nodeName: name, startTime, cpu, memory } = node;
      const lean = pods.map(p => ({
        ...{ podRef: p.podRef, startTime: p.startTime, cpu: p.cpu, memory: p.memory },
        containers: p.containers.map(c => ({ name: c.name, startTime: c.startTime, cpu: c.cpu, memory: c.memory })),
      }));
      return json({ node: { nodeName: name, startTime, cpu, memory }, pods: lean });
    },
    async metrics([kind = '']) {
      if (kind === 'probes') return plain(meters.probes.text());
      if (kind === 'resource') return plain(resourceMetrics(await stats.summary()));
      if (kind === 'cadvisor') return plain(cadvisorMetrics(await stats.summary(), machine));
      if (kind !== '') throw notFound();
      return plain(metrics.text() + stateMetrics(nodeName, await stats.summary(), stateCounts(kubelet)));
    },
    configz: async () =>
      json({
        kubeletconfig: {
          kind: 'KubeletConfiguration',
          apiVersion: 'kubelet.config.k8s.io/v1beta1',
          clusterDNS: clusterDns.servers,
          clusterDomain: clusterDns.domain,
          ...kubelet.configuration,
        },
      }),
    logs: parts => logFile(logRoot, parts),
  };
}

const podList = (items: readonly object[]) => ({ kind: 'PodList', apiVersion: 'v1', metadata: {}, items });

/** As the runtime knows them, also those that the API does not. */
async function runningPods({ context }: Kubelet): Promise<Pod[]> {
  const containers = (await context.runtime.listContainers()).filter(c => c.state === 'CONTAINER_RUNNING');
  const groups = Map.groupBy(containers, c => c.labels[podUidLabel] ?? '');
  groups.delete('');
  return [...groups].map(([uid, own]) => ({
    metadata: { name: own[0]?.labels[podNameLabel] ?? '', namespace: own[0]?.labels[podNamespaceLabel] ?? '', uid },
    spec: {
      containers: own.map(c => ({ name: c.labels[containerNameLabel] ?? c.metadata.name, image: c.imageRef })),
    },
    status: {},
  }));
}

function stateCounts(kubelet: Kubelet): StateCounts {
  const containers: Record<string, number> = {};
  const none = () => ({ api: 0, static: 0 });
  const counts = { containers, desired: none(), active: none() };
  for (const worker of kubelet.pods()) {
    const kind = isStaticPod(worker.pod) ? 'static' : 'api';
    counts.desired[kind] += 1;
    if (worker.status?.phase !== 'Succeeded' && worker.status?.phase !== 'Failed') counts.active[kind] += 1;
    for (const { status } of [...worker.view.containers.values()].flat()) {
      const state = status.state.replace('CONTAINER_', '').toLowerCase();
      containers[state] = (containers[state] ?? 0) + 1;
    }
  }
  return counts;
}

/** A file under the root, or a folder's list as links. Nothing outside, by dots or by symbolic links. */
async function logFile(root: string, parts: readonly string[]): Promise<Page> {
  const top = await realpath(root);
  const path = await realpath([top, ...parts].join('/')).catch(() => undefined);
  if (path === undefined || (path !== top && !path.startsWith(`${top}/`))) throw notFound();
  if (!(await stat(path)).isDirectory()) return plain(await readFile(path));
  const entries = await readdir(path, { withFileTypes: true });
  const links = entries
    .map(e => (e.isDirectory() ? `${e.name}/` : e.name))
    .map(n => `<a href="${encodeURI(n)}">${n}</a>`);
  return { type: 'text/html; charset=utf-8', body: `<pre>\n${links.sort().join('\n')}\n</pre>\n` };
}
