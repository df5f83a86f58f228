/** Tells kubelets how long they may keep secrets and config maps, by the size of the cluster (pkg/controller/ttl of upstream). */
import { keyOf } from '../../api/object.ts';
import { isNotFound } from '../../base/errors.ts';
import { type Controller, watch } from '../../controller/contract.ts';

const annotation = 'node.alpha.kubernetes.io/ttl';
/** Up to so many nodes: so many seconds. */
const steps = [
  { nodes: 100, seconds: 0 },
  { nodes: 500, seconds: 15 },
  { nodes: 1000, seconds: 30 },
  { nodes: 2000, seconds: 60 },
  { nodes: Number.POSITIVE_INFINITY, seconds: 300 },
] as const;

export function ttlFor(nodes: number): number {
  return steps.find(step => nodes <= step.nodes)?.seconds ?? 300;
}

export const ttlController: Controller = {
  name: 'ttl-controller',
  setUp({ client, informers }) {
    const nodes = informers.informer('v1/nodes');
    return {
      sources: [
        watch<'v1/nodes'>(nodes, (node, _old, kind) => {
          const wanted = String(ttlFor(nodes.store.size));
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
        const wanted = String(ttlFor(nodes.store.size));
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
