/** Tells kubelets how long they may keep secrets and config maps, by the size of the cluster (pkg/controller/ttl of upstream). */
import { keyOf } from '../../api/object.ts';
import { isNotFound } from '../../base/errors.ts';
import { type Controller, watch } from '../../controller/contract.ts';

const annotation = 'node.alpha.kubernetes.io/ttl';
/** Sizes overlap, so that a cluster at a boundary does not have all its nodes written again and again. */
const steps = [
  { min: 0, max: 100, seconds: 0 },
  { min: 90, max: 500, seconds: 15 },
  { min: 450, max: 1000, seconds: 30 },
  { min: 900, max: 2000, seconds: 60 },
  { min: 1800, max: Number.POSITIVE_INFINITY, seconds: 300 },
] as const;

/** The seconds for a size of the cluster, given those for the size before. */
export function ttlFor(nodes: number, before: number): number {
  let step = Math.max(
    0,
    steps.findIndex(({ seconds }) => seconds === before),
  );
  while (nodes > (steps[step]?.max ?? Number.POSITIVE_INFINITY)) step += 1;
  while (nodes < (steps[step]?.min ?? 0)) step -= 1;
  return steps[step]?.seconds ?? 0;
}

export const ttlController: Controller = {
  name: 'ttl-controller',
  setUp({ client, informers }) {
    const nodes = informers.informer('v1/nodes');
    let seconds = 0;
    const current = () => {
      seconds = ttlFor(nodes.store.size, seconds);
      return String(seconds);
    };
    return {
      sources: [
        watch<'v1/nodes'>(nodes, (node, _old, kind) => {
          const wanted = current();
          if (kind !== 'update')
            return nodes.store
              .list()
              .filter(n => n.metadata.annotations?.[annotation] !== wanted)
              .map(keyOf);
          return node.metadata.annotations?.[annotation] === wanted ? [] : [keyOf(node)];
        }),
      ],
      async reconcile(name) {
        const node = nodes.store.get(name);
        const wanted = current();
        if (!node || node.metadata.annotations?.[annotation] === wanted) return;
        try {
          await client.nodes().patch(name, 'merge', { metadata: { annotations: { [annotation]: wanted } } });
        } catch (error) {
          if (!isNotFound(error)) throw error;
        }
      },
    };
  },
};
