/** Where pods are put, and what becomes of nodes that say nothing. */
import type { Unstructured } from '../../../api/object.ts';
import type { Lease } from '../../../api/types/coordination-v1.ts';
import type { Node, Pod, Taint } from '../../../api/types/core-v1.ts';
import type { Invariant } from '../contract.ts';
import { targetNode } from './controllers.ts';
import { memoryMs, podChange, typed } from './support.ts';

const tolerates = (pod: Pod, taint: Taint): boolean =>
  (pod.spec.tolerations ?? []).some(
    t =>
      (!t.effect || t.effect === taint.effect) &&
      (t.key ? t.key === taint.key : t.operator === 'Exists') &&
      (t.operator === 'Exists' || (t.value ?? '') === (taint.value ?? '')),
  );

/** The taint on a node that a pod must not be put beside; or, with NoExecute only, must not stay beside. */
export const repelling = (node: Node, pod: Pod, effects: readonly string[]): Taint | undefined =>
  node.spec.taints?.find(taint => effects.includes(taint.effect) && !tolerates(pod, taint));

/** The scheduler heeds taints, selectors and affinity (plugins TaintToleration, NodeAffinity), by what it may have seen lately. */
export function placement(): Invariant {
  const since = new Map<string, number>();
  return {
    name: 'pods are put where they may be',
    *onChange(change, view) {
      if (change.kind === 'nodes' && change.after) {
        const { metadata, spec } = typed<Node>(change.after);
        const id = (taint: Taint) => `${metadata.uid}/${taint.key}/${taint.effect}`;
        const now = new Set((spec.taints ?? []).map(id));
        for (const known of since.keys())
          if (known.startsWith(`${metadata.uid}/`) && !now.has(known)) since.delete(known);
        for (const one of now) if (!since.has(one)) since.set(one, view.elapsed);
        return;
      }
      const { before, after } = podChange(change) ?? {};
      if (!after?.spec.nodeName || before?.spec.nodeName) return;
      const target = targetNode({ ...after, spec: { ...after.spec, nodeName: undefined } } as unknown as Pod);
      if (target && target !== after.spec.nodeName)
        yield `${change.key} belongs on ${target} and was put on ${after.spec.nodeName}`;
      const node = view.get<Node>('nodes', after.spec.nodeName);
      if (!node) return;
      for (const [label, value] of Object.entries(after.spec.nodeSelector ?? {}))
        if (node.metadata.labels?.[label] !== value)
          yield `${change.key} selects ${label}=${value} and was put on ${node.metadata.name}`;
      const taint = repelling(node, after, ['NoSchedule', 'NoExecute']);
      const age =
        taint && view.elapsed - (since.get(`${node.metadata.uid}/${taint.key}/${taint.effect}`) ?? view.elapsed);
      if (taint && age !== undefined && age > memoryMs)
        yield `${change.key} was put on ${node.metadata.name} in spite of ${taint.key}, which was there for ${age / 1000} s`;
    },
  };
}

/** --node-monitor-grace-period, and what requests that fail and watches that are late may add to it. */
const silenceMs = 50_000 + 100_000;
const leader = 'kube-system/kube-controller-manager';

const isReady = (node: Unstructured): boolean =>
  typed<Node>(node).status?.conditions?.some(c => c.type === 'Ready' && c.status === 'True') ?? false;

/** A node that is not heard of is not ready (pkg/controller/nodelifecycle). A leader that is new, or was cut off, begins to listen anew. */
export function silentNodes(): Invariant {
  const heard = new Map<string, number>();
  const led = { since: 0, at: 0, by: '' };
  function follow({ spec }: Lease, now: number): void {
    const by = spec.holderIdentity ?? '';
    if (by !== led.by || now - led.at > 10_000) led.since = now;
    led.by = by;
    led.at = now;
  }
  return {
    name: 'a silent node is told to be',
    *onChange({ kind, key, before, after }, view) {
      const now = view.elapsed;
      // Its status, too, is a word from the node.
      if (kind === 'nodes' && after && isReady(after) && !(before && isReady(before))) heard.set(key, now);
      if (kind !== 'coordination.k8s.io/leases' || !after) return;
      if (key.startsWith('kube-node-lease/')) heard.set(after.metadata?.name ?? '', now);
      if (key !== leader) return;
      follow(typed<Lease>(after), now);
      for (const [name, at] of heard) {
        const silent = now - Math.max(at, led.since);
        const node = view.get('nodes', name);
        if (silent > silenceMs && node && isReady(node))
          yield `node ${name} is told to be ready, silent for ${silent / 1000} s`;
      }
    },
  };
}
