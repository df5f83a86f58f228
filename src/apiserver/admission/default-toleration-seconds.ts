import type { AdmissionPluginFactory } from './contract.ts';
import { on, podOf } from './helpers.ts';

const seconds = 300;
const taints = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'] as const;

/** Pods stay on a node that went away for five minutes, unless they say otherwise. */
export const defaultTolerationSeconds: AdmissionPluginFactory = {
  name: 'DefaultTolerationSeconds',
  create: () => ({
    name: 'DefaultTolerationSeconds',
    handles: on('CREATE', 'UPDATE'),
    admit(request) {
      const pod = podOf(request);
      if (!pod) return;
      const given = pod.spec.tolerations ?? [];
      const missing = taints.filter(
        taint => !given.some(t => (t.key === taint || !t.key) && (t.effect === 'NoExecute' || !t.effect)),
      );
      if (missing.length === 0) return;
      const added = missing.map(key => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: seconds }));
      pod.spec.tolerations = [...given, ...added];
    },
  }),
};
