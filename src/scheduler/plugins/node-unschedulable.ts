import type { Node, Toleration } from '../../api/types/core-v1.ts';
import { definePlugin, type PluginFactory } from '../framework/plugin.ts';
import { rejections } from '../framework/status.ts';
import { tolerates } from './taints.ts';

const name = 'NodeUnschedulable';
const reject = rejections(name);
const taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };

const passes = (tolerations: readonly Toleration[] | undefined, node: Node) =>
  !node.spec.unschedulable || (tolerations ?? []).some(t => tolerates(t, taint));

/** Cordoned nodes take only pods that tolerate the taint of cordoned nodes. */
export const nodeUnschedulable: PluginFactory = {
  name,
  create: () =>
    definePlugin<undefined>({
      name,
      signature: ({ pod }) => JSON.stringify(pod.spec.tolerations ?? 0),
      preFilter(_pod, snapshot) {
        const some = () => snapshot.nodes.some(node => node?.node.spec.unschedulable === true);
        return snapshot.memo('some unschedulable', some) ? { state: undefined } : { skip: true };
      },
      filter: (_state, { node }, { pod }) =>
        passes(pod.spec.tolerations, node)
          ? undefined
          : reject('UnschedulableAndUnresolvable', 'node(s) were unschedulable'),
      events: [
        {
          resource: 'Node',
          actions: ['add', 'update'],
          hint: ({ pod }, { object, old }) => {
            const fits = passes(pod.spec.tolerations, object as Node);
            return fits && (!old || !passes(pod.spec.tolerations, old as Node)) ? 'queue' : 'skip';
          },
        },
        { resource: 'TargetPod', actions: ['update'] },
      ],
    }),
};
