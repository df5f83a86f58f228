import type { Node } from '../../api/types/core-v1.ts';
import type { AdmissionPluginFactory } from './contract.ts';
import { isFor, objectOf, on } from './helpers.ts';

const notReady = 'node.kubernetes.io/not-ready';

/** A new node takes no pods until the node controller has seen it ready. */
export const taintNodesByCondition: AdmissionPluginFactory = {
  name: 'TaintNodesByCondition',
  create: () => ({
    name: 'TaintNodesByCondition',
    handles: on('CREATE'),
    admit(request) {
      if (!isFor(request, '/nodes')) return;
      const node = objectOf<Node>(request);
      const taints = node.spec?.taints ?? [];
      if (taints.some(t => t.key === notReady && t.effect === 'NoSchedule')) return;
      node.spec = { ...node.spec, taints: [...taints, { key: notReady, effect: 'NoSchedule' }] };
    },
  }),
};
