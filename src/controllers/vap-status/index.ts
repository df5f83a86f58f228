/** Tells that a validating admission policy was looked at (pkg/controller/validatingadmissionpolicystatus of v1.35). */
import type { TypeChecking, ValidatingAdmissionPolicy } from '../../api/types/admissionregistration-v1.ts';
import type { Controller } from '../../controller/contract.ts';
import { watch } from '../../controller/contract.ts';

export interface PolicyStatusOptions {
  /** Checks the types in a policy's expressions. Absent: none is complained about. */
  readonly check?: (policy: ValidatingAdmissionPolicy) => Promise<TypeChecking>;
}

export function policyStatusController(options: PolicyStatusOptions = {}): Controller {
  return {
    name: 'validatingadmissionpolicy-status-controller',
    aliases: ['validatingadmissionpolicy-status'],
    setUp({ informers, client }) {
      const policies = informers.informer('admissionregistration.k8s.io/v1/validatingadmissionpolicies');
      return {
        sources: [
          watch<'admissionregistration.k8s.io/v1/validatingadmissionpolicies'>(policies, policy => [
            policy.metadata.name,
          ]),
        ],
        async reconcile(name) {
          const policy = policies.store.get(name);
          const { generation } = policy?.metadata ?? {};
          if (!policy || generation === undefined || (policy.status?.observedGeneration ?? 0) >= generation) return;
          const typeChecking = (await options.check?.(policy)) ?? {};
          const status = { ...policy.status, observedGeneration: generation, typeChecking };
          await client.validatingadmissionpolicies().updateStatus({ ...policy, status });
        },
      };
    },
  };
}
