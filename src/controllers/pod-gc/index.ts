/** Removes pods that no kubelet will ever finish (pkg/controller/podgc of upstream). */
import { splitKey } from '../../api/object.ts';
import type { Pod } from '../../api/types/index.ts';
import { rfc3339 } from '../../base/clock.ts';
import { isNotFound } from '../../base/errors.ts';
import { type Controller, watch } from '../../controller/contract.ts';

export interface PodGcOptions {
  /** Ended pods beyond this number go, the oldest first; 0 keeps all. Default 12,500. */
  readonly terminatedThreshold?: number;
}

/** A node must be missing this long before its pods go. */
const quarantineMs = 40_000;
const everyMs = 20_000;
const outOfService = 'node.kubernetes.io/out-of-service';
const sweep = 'all';

const hasEnded = (pod: Pod) => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';

const isEvicted = (pod: Pod) => pod.status?.phase === 'Failed' && pod.status.reason === 'Evicted';

/** Ended pods over the threshold: evicted ones first, which nobody's history needs, then the oldest. Pure. */
export function surplus(pods: readonly Pod[], threshold: number): Pod[] {
  if (threshold <= 0) return [];
  const ended = pods.filter(pod => hasEnded(pod) && !pod.metadata.deletionTimestamp);
  const byAge = ended.sort(
    (a, b) =>
      Number(isEvicted(b)) - Number(isEvicted(a)) ||
      (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? '') ||
      a.metadata.name.localeCompare(b.metadata.name),
  );
  return byAge.slice(0, Math.max(0, byAge.length - threshold));
}

export function podGcController(options: PodGcOptions = {}): Controller {
  return {
    name: 'pod-garbage-collector-controller',
    account: 'pod-garbage-collector',
    setUp({ client, clock, informers }) {
      const pods = informers.informer('v1/pods');
      const nodes = informers.informer('v1/nodes');
      const missingSince = new Map<string, number>();

      async function remove(pod: Pod, disruption: string | undefined): Promise<void> {
        const { namespace = '', name, uid = '' } = pod.metadata;
        try {
          if (!hasEnded(pod)) {
            const condition = disruption && {
              type: 'DisruptionTarget',
              status: 'True',
              reason: 'DeletionByPodGC',
              message: disruption,
              lastTransitionTime: rfc3339(clock.now()),
            };
            await client
              .pods(namespace)
              .patch(
                name,
                'strategic',
                { metadata: { uid }, status: { phase: 'Failed', ...(condition && { conditions: [condition] }) } },
                { subresource: 'status' },
              );
          }
          await client.pods(namespace).delete(name, { gracePeriodSeconds: 0, preconditions: { uid } });
        } catch (error) {
          if (!isNotFound(error)) throw error;
        }
      }

      /** Missing from the cache for long enough, and the server does not have it either. */
      async function isGone(name: string, now: number): Promise<boolean> {
        const since = missingSince.get(name) ?? now;
        missingSince.set(name, since);
        if (now - since < quarantineMs) return false;
        try {
          await client.nodes().get(name);
          return false;
        } catch (error) {
          if (!isNotFound(error)) throw error;
          return true;
        }
      }
      async function goneNodes(all: readonly Pod[], now: number): Promise<ReadonlySet<string>> {
        const missing = new Set<string>();
        for (const { spec } of all) if (spec.nodeName && !nodes.store.get(spec.nodeName)) missing.add(spec.nodeName);
        for (const name of missingSince.keys()) if (!missing.has(name)) missingSince.delete(name);
        const gone = new Set<string>();
        for (const name of missing) if (await isGone(name, now)) gone.add(name);
        return gone;
      }

      function isOutOfService(pod: Pod): boolean {
        const node = pod.spec.nodeName ? nodes.store.get(pod.spec.nodeName) : undefined;
        const ready = node?.status?.conditions?.find(c => c.type === 'Ready')?.status;
        return node !== undefined && ready !== 'True' && node.spec.taints?.some(t => t.key === outOfService) === true;
      }

      return {
        sources: [watch<'v1/nodes'>(nodes, (_node, _old, kind) => (kind === 'delete' ? [sweep] : []))],
        resync: { everyMs, keys: () => [sweep] },
        concurrency: 1,
        async reconcile(key) {
          if (splitKey(key).name !== sweep) return;
          const now = clock.monotonic();
          const all = pods.store.list();
          const gone = await goneNodes(all, now);
          for (const pod of surplus(all, options.terminatedThreshold ?? 12_500)) await remove(pod, undefined);
          for (const pod of all) {
            const { deletionTimestamp } = pod.metadata;
            if (gone.has(pod.spec.nodeName ?? '')) await remove(pod, 'PodGC: node no longer exists');
            else if (deletionTimestamp && !pod.spec.nodeName) await remove(pod, undefined);
            else if (deletionTimestamp && isOutOfService(pod)) await remove(pod, undefined);
          }
        },
      };
    },
  };
}
