/** Deletes pods from nodes with NoExecute taints that they do not tolerate, or no longer (pkg/controller/tainteviction of upstream). */
import { keyOf, splitKey } from '../../api/object.ts';
import type { Pod, Taint, Toleration } from '../../api/types/index.ts';
import { rfc3339 } from '../../base/clock.ts';
import { isConflict, isNotFound } from '../../base/errors.ts';
import { type Controller, watch } from '../../controller/contract.ts';

export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false;
  if (toleration.key && toleration.key !== taint.key) return false;
  if (toleration.operator === 'Exists') return true;
  return (toleration.key ?? '') !== '' && (toleration.value ?? '') === (taint.value ?? '');
}

/**
 * When the pod must go, in milliseconds since the epoch: 0 for at once, undefined for never. A taint without a time counts from `seenAt`.
 */
export function evictionTime(pod: Pod, taints: readonly Taint[], seenAt: number): number | undefined {
  const executing = taints.filter(t => t.effect === 'NoExecute');
  let earliest: number | undefined;
  for (const taint of executing) {
    const matching = (pod.spec.tolerations ?? []).filter(t => tolerates(t, taint));
    if (matching.length === 0) return 0;
    const seconds = matching.map(t => t.tolerationSeconds).filter(s => s !== undefined);
    if (seconds.length === 0) continue;
    const since = taint.timeAdded ? Date.parse(taint.timeAdded) : seenAt;
    const at = since + Math.max(0, Math.min(...seconds)) * 1000;
    earliest = earliest === undefined ? at : Math.min(earliest, at);
  }
  return earliest;
}

export const taintEvictionController: Controller = {
  name: 'taint-eviction-controller',
  account: 'node-controller',
  setUp({ client, clock, informers, recorder }) {
    const pods = informers.informer('v1/pods');
    const nodes = informers.informer('v1/nodes');
    pods.addIndex('node', pod => (pod.spec.nodeName ? [pod.spec.nodeName] : []));
    const seen = new Map<string, number>();
    const hasExecuting = (name: string) =>
      nodes.store.get(name)?.spec.taints?.some(t => t.effect === 'NoExecute') === true;

    async function evict(pod: Pod): Promise<void> {
      const { namespace = '', name, uid } = pod.metadata;
      recorder.event(pod, 'Normal', 'TaintManagerEviction', `Marking for deletion Pod ${namespace}/${name}`);
      const now = rfc3339(clock.now());
      const condition = {
        type: 'DisruptionTarget',
        status: 'True',
        reason: 'DeletionByTaintManager',
        message: 'Taint manager: deleting due to NoExecute taint',
        lastTransitionTime: now,
      };
      try {
        await client
          .pods(namespace)
          .patch(
            name,
            'strategic',
            { metadata: { uid }, status: { conditions: [condition] } },
            { subresource: 'status' },
          );
        await client.pods(namespace).delete(name, { preconditions: { uid: uid ?? '' } });
      } catch (error) {
        if (!isNotFound(error) && !isConflict(error)) throw error;
      }
    }

    return {
      sources: [
        watch<'v1/pods'>(pods, pod => (pod.spec.nodeName && hasExecuting(pod.spec.nodeName) ? [keyOf(pod)] : [])),
        watch<'v1/nodes'>(nodes, (node, old, kind) => {
          const matters = [node, old].some(n => n?.spec.taints?.some(t => t.effect === 'NoExecute'));
          const changed = kind !== 'update' || JSON.stringify(node.spec.taints) !== JSON.stringify(old?.spec.taints);
          return matters && changed ? pods.store.byIndex('node', node.metadata.name).map(keyOf) : [];
        }),
      ],
      concurrency: 8,
      async reconcile(key) {
        const pod = pods.store.get(key);
        const node = pod?.spec.nodeName ? nodes.store.get(pod.spec.nodeName) : undefined;
        const taints = node?.spec.taints ?? [];
        const since = seen.get(key) ?? clock.now();
        const at = pod && !pod.metadata.deletionTimestamp ? evictionTime(pod, taints, since) : undefined;
        if (!pod || at === undefined) {
          if (seen.delete(key) && pod && !pod.metadata.deletionTimestamp) {
            const { namespace = '', name } = splitKey(key);
            recorder.event(pod, 'Normal', 'TaintManagerEviction', `Cancelling deletion of Pod ${namespace}/${name}`);
          }
          return;
        }
        if (!seen.has(key)) seen.set(key, since);
        const left = at - clock.now();
        if (left > 0) return { requeueAfter: left };
        seen.delete(key);
        await evict(pod);
        return;
      },
    };
  },
};
