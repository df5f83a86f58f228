import type { NetworkPolicy } from '../../../api/types/networking-v1.ts';
import { ageColumn, formatSelector, nameColumn, text } from '../columns.ts';
import { namespaced } from '../define.ts';

export const networkPolicies = namespaced<NetworkPolicy>({
  resource: 'networking.k8s.io/networkpolicies',
  generation: true,
  default({ spec }) {
    if (!spec) return;
    spec.podSelector ??= {};
    for (const rule of [...(spec.ingress ?? []), ...(spec.egress ?? [])]) {
      for (const port of rule.ports ?? []) port.protocol ??= 'TCP';
    }
    if (!spec.policyTypes?.length) spec.policyTypes = spec.egress?.length ? ['Ingress', 'Egress'] : ['Ingress'];
  },
  columns: [nameColumn, text('Pod-Selector', obj => formatSelector(obj.spec.podSelector)), ageColumn],
});
