/** The STATUS logic of `kubectl get pods` (printPod in pkg/printers/internalversion/printers.go). */
import { humanDuration } from '../../../../api/duration.ts';
import type { ContainerStatus, Pod } from '../../../../api/types/core-v1.ts';
import { ageColumn, nameColumn, orNone, text, wideText } from '../../columns.ts';
import type { Column, RowCondition } from '../../strategy.ts';

interface PodSummary {
  ready: number;
  total: number;
  reason: string;
  restarts: number;
  /** When a counted container last ended, in milliseconds; undefined when none did. */
  lastRestart: number | undefined;
}

const isTrue = (pod: Pod, type: string) => pod.status?.conditions?.some(c => c.type === type && c.status === 'True');

function later(a: number | undefined, b: string | undefined): number | undefined {
  const at = b ? Date.parse(b) : Number.NaN;
  if (Number.isNaN(at)) return a;
  return a === undefined || at > a ? at : a;
}

function count(summary: { restarts: number; lastRestart: number | undefined }, status: ContainerStatus): void {
  summary.restarts += status.restartCount;
  summary.lastRestart = later(summary.lastRestart, status.lastState?.terminated?.finishedAt);
}

const ended = (terminated: { signal?: number; exitCode: number }) =>
  terminated.signal ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode}`;

/** Why an init container holds the pod back, or undefined when it does not. */
function initReason(status: ContainerStatus, index: number, total: number, sidecar: boolean): string | undefined {
  const { terminated, waiting } = status.state ?? {};
  if (terminated?.exitCode === 0) return undefined;
  if (sidecar && status.started) return undefined;
  if (terminated) return `Init:${terminated.reason || ended(terminated)}`;
  if (waiting?.reason && waiting.reason !== 'PodInitializing') return `Init:${waiting.reason}`;
  return `Init:${index}/${total}`;
}

function summarizeInit(pod: Pod, summary: PodSummary): { initializing: boolean; sidecars: PodSummary } {
  const specs = pod.spec.initContainers ?? [];
  const sidecarNames = new Set(specs.filter(c => c.restartPolicy === 'Always').map(c => c.name));
  const sidecars: PodSummary = { ready: 0, total: 0, reason: '', restarts: 0, lastRestart: undefined };
  summary.total += sidecarNames.size;
  for (const [index, status] of (pod.status?.initContainerStatuses ?? []).entries()) {
    const sidecar = sidecarNames.has(status.name);
    count(summary, status);
    if (sidecar) count(sidecars, status);
    const reason = initReason(status, index, specs.length, sidecar);
    if (reason !== undefined) {
      summary.reason = reason;
      return { initializing: true, sidecars };
    }
    if (sidecar && status.started && !(status.state?.terminated?.exitCode === 0) && status.ready) summary.ready++;
  }
  return { initializing: false, sidecars };
}

function summarizeContainers(pod: Pod, summary: PodSummary): void {
  let running = false;
  let failure: string | undefined;
  for (const status of [...(pod.status?.containerStatuses ?? [])].reverse()) {
    count(summary, status);
    const { waiting, terminated } = status.state ?? {};
    if (waiting?.reason) summary.reason = waiting.reason;
    else if (terminated) {
      summary.reason = terminated.reason || ended(terminated);
      if (terminated.exitCode !== 0) failure = summary.reason;
    } else if (status.ready && status.state?.running) {
      running = true;
      summary.ready++;
    }
  }
  if (summary.reason !== 'Completed') return;
  // The last word is that of the first container; one that runs or failed says more about the pod.
  if (running && isTrue(pod, 'Ready')) summary.reason = 'Running';
  else if (failure !== undefined) summary.reason = failure;
  else if (running) summary.reason = 'NotReady';
}

/** Ready counts, status text and restarts of a pod. */
function summarizePod(pod: Pod): PodSummary {
  const status = pod.status ?? {};
  const total = pod.spec.containers?.length ?? 0;
  const summary: PodSummary = { ready: 0, total, reason: '', restarts: 0, lastRestart: undefined };
  summary.reason = status.reason || status.phase || '';
  if (status.conditions?.some(c => c.type === 'PodScheduled' && c.reason === 'SchedulingGated')) {
    summary.reason = 'SchedulingGated';
  }
  const { initializing, sidecars } = summarizeInit(pod, summary);
  if (!initializing || isTrue(pod, 'Initialized')) {
    summary.restarts = sidecars.restarts;
    summary.lastRestart = sidecars.lastRestart;
    summarizeContainers(pod, summary);
  }
  if (pod.metadata.deletionTimestamp) {
    if (status.reason === 'NodeLost') summary.reason = 'Unknown';
    else if (status.phase !== 'Succeeded' && status.phase !== 'Failed') summary.reason = 'Terminating';
  }
  return summary;
}

function restarts(pod: Pod, now: number): string {
  const { restarts, lastRestart } = summarizePod(pod);
  return restarts > 0 && lastRestart !== undefined
    ? `${restarts} (${humanDuration(now - lastRestart)} ago)`
    : String(restarts);
}

function readinessGates(pod: Pod): string {
  const gates = pod.spec.readinessGates ?? [];
  if (gates.length === 0) return '<none>';
  return `${gates.filter(g => isTrue(pod, g.conditionType)).length}/${gates.length}`;
}

const completed = (reason: string, message: string) => [{ type: 'Completed', status: 'True', reason, message }];

/** Pods that ended are marked, so that clients can hide or grey them. */
export function podRowConditions({ status }: Pod): RowCondition[] {
  if (status?.phase === 'Succeeded') return completed('Succeeded', 'The pod has completed successfully.');
  return status?.phase === 'Failed' ? completed('Failed', 'The pod failed.') : [];
}

export const podColumns: readonly Column<Pod>[] = [
  nameColumn,
  text('Ready', pod => {
    const { ready, total } = summarizePod(pod);
    return `${ready}/${total}`;
  }),
  text('Status', pod => summarizePod(pod).reason),
  text('Restarts', restarts),
  ageColumn,
  wideText('IP', pod => orNone(pod.status?.podIPs?.[0]?.ip ?? pod.status?.podIP)),
  wideText('Node', pod => orNone(pod.spec.nodeName)),
  wideText('Nominated Node', pod => orNone(pod.status?.nominatedNodeName)),
  wideText('Readiness Gates', readinessGates),
];
