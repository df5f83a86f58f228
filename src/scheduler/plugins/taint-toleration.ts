import type { Node, Toleration } from '../../api/types/core-v1.ts';
import { definePlugin, type PluginFactory } from '../framework/plugin.ts';
import { rejections } from '../framework/status.ts';
import { normalizeToMax } from './normalize.ts';
import { isHard, tolerates, untolerated } from './taints.ts';

const name = 'TaintToleration';
const reject = rejections(name);

/** Keeps pods off nodes with taints they do not tolerate, and prefers nodes with fewer PreferNoSchedule taints. */
export const taintToleration: PluginFactory = {
  name,
  create: () =>
    definePlugin<undefined, readonly Toleration[]>({
      name,
      signature: ({ pod }) => JSON.stringify(pod.spec.tolerations ?? 0),
      preFilter(_pod, snapshot) {
        const some = () => snapshot.nodes.some(node => node?.taints.some(isHard) === true);
        return snapshot.memo('some tainted', some) ? { state: undefined } : { skip: true };
      },
      filter(_state, { taints }, { pod }) {
        const taint = untolerated(taints, pod.spec.tolerations);
        return taint && reject('UnschedulableAndUnresolvable', 'node(s) had untolerated taint(s)');
      },
      preScore: ({ pod }) => ({
        state: (pod.spec.tolerations ?? []).filter(t => !t.effect || t.effect === 'PreferNoSchedule'),
      }),
      score(tolerations, { taints }) {
        let intolerable = 0;
        for (const taint of taints)
          if (taint.effect === 'PreferNoSchedule' && !tolerations.some(t => tolerates(t, taint))) intolerable++;
        return intolerable;
      },
      normalize: (_state, scores) => normalizeToMax(scores, true),
      events: [
        {
          resource: 'Node',
          actions: ['add', 'update'],
          hint: ({ pod }, { object, old }) => {
            const open = (node: Node) => !untolerated(node.spec.taints ?? [], pod.spec.tolerations);
            return open(object as Node) && (!old || !open(old as Node)) ? 'queue' : 'skip';
          },
        },
        { resource: 'TargetPod', actions: ['update'] },
      ],
    }),
};
