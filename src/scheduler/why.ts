/** Why a pod is pending, as data. */
import { rfc3339 } from '../base/clock.ts';
import type { RejectionCode } from './framework/status.ts';
import type { Attempt } from './misfits.ts';
import type { Place, Queue } from './queue/queue.ts';

export interface NodeVerdict {
  readonly node: string;
  readonly plugin: string;
  readonly code: RejectionCode;
  readonly reasons: readonly string[];
}

export interface PendingReport {
  readonly pod: string;
  readonly schedulerName: string;
  /** Where it waits. */
  readonly place: Place;
  readonly attempts: number;
  /** RFC 3339; missing when not tried yet. */
  readonly lastAttempt?: string;
  /** The sentence of the event. */
  readonly message: string;
  /** The pod as a whole was rejected before any node was looked at, or is held back. */
  readonly rejection?: Omit<NodeVerdict, 'node'>;
  readonly nodes: readonly NodeVerdict[];
  /** Nodes per plugin and reason, most frequent first. */
  /** Where room could be made, and by whose leaving. */
  readonly preemption?: { readonly node: string; readonly victims: readonly string[] };
  readonly summary: readonly { plugin: string; reason: string; nodes: number }[];
}

export interface Why {
  of(key: string): PendingReport | undefined;
}

export function createWhy({ queue, attempts }: { queue: Queue; attempts: ReadonlyMap<string, Attempt> }): Why {
  return {
    of(key) {
      const entry = queue.get(key);
      if (!entry) return undefined;
      const { info, place, gate } = entry;
      const attempt = attempts.get(key);
      const base = {
        pod: key,
        schedulerName: info.pod.spec.schedulerName ?? 'default-scheduler',
        place,
        attempts: entry.attempts,
      };
      if (gate) return { ...base, message: gate.reasons.join(', '), rejection: { ...gate }, nodes: [], summary: [] };
      if (!attempt || attempt.pod.uid !== info.uid)
        return { ...base, message: 'not tried yet', nodes: [], summary: [] };
      return { ...base, ...reportOf(attempt) };
    },
  };
}

export function reportOf(attempt: Attempt) {
  const { diagnosis, nodeNames, message, at } = attempt;
  const nodes: NodeVerdict[] = [];
  diagnosis.rejections.forEach((rejection, row) => {
    const node = nodeNames[row];
    if (rejection && node !== undefined) nodes.push({ node, ...rejection });
  });
  nodes.sort((a, b) => (a.node < b.node ? -1 : 1));
  return {
    lastAttempt: rfc3339(at),
    message,
    ...(diagnosis.preFilter && { rejection: { ...diagnosis.preFilter } }),
    nodes,
    summary: summaryOf(nodes),
  };
}

function summaryOf(nodes: readonly NodeVerdict[]): { plugin: string; reason: string; nodes: number }[] {
  const counts = new Map<string, { plugin: string; reason: string; nodes: number }>();
  for (const { plugin, reasons } of nodes)
    for (const reason of reasons) {
      const key = `${plugin}\n${reason}`;
      const known = counts.get(key);
      if (known) known.nodes++;
      else counts.set(key, { plugin, reason, nodes: 1 });
    }
  return [...counts.values()].sort((a, b) => b.nodes - a.nodes);
}
