import type {
  MatchResources,
  ParamKind,
  ParamRef,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
} from '../../../api/types/admissionregistration-v1.ts';
import type { LabelSelector } from '../../../api/types/meta-v1.ts';
import { ageColumn, integer, nameColumn, text } from '../columns.ts';
import { clusterScoped, statusSubresource } from '../define.ts';
import { validatePolicyBinding, validatePolicyStatus, validateValidatingPolicy } from './policy-validate.ts';

function defaultMatch(match: MatchResources | undefined): void {
  if (!match) return;
  match.matchPolicy ??= 'Equivalent';
  match.namespaceSelector ??= {};
  match.objectSelector ??= {};
  for (const rule of [...(match.resourceRules ?? []), ...(match.excludeResourceRules ?? [])]) rule.scope ??= '*';
}

const paramKind = (kind: ParamKind | undefined) => (kind ? `${kind.apiVersion ?? ''}/${kind.kind ?? ''}` : '<unset>');

/** Go's text of a label selector. */
function goSelector({ matchLabels = {}, matchExpressions = [] }: LabelSelector): string {
  const labels = Object.entries(matchLabels).sort(([a], [b]) => (a < b ? -1 : 1));
  const expressions = matchExpressions.map(
    ({ key, operator, values = [] }) =>
      `LabelSelectorRequirement{Key:${key},Operator:${operator},Values:[${values.join(' ')}],},`,
  );
  const map = `map[string]string{${labels.map(([key, value]) => `${key}: ${value},`).join('')}}`;
  return `&LabelSelector{MatchLabels:${map},MatchExpressions:[]LabelSelectorRequirement{${expressions.join('')}},}`;
}

/** Whether a parameter is cluster-scoped cannot be seen here, so that a name alone may be in any namespace. */
function paramRef(ref: ParamRef | undefined): string {
  if (ref?.name) return `${ref.namespace || '*'}/${ref.name}`;
  return ref?.selector ? goSelector(ref.selector) : '<unset>';
}

export const validatingAdmissionPolicies = clusterScoped<ValidatingAdmissionPolicy>({
  resource: 'admissionregistration.k8s.io/validatingadmissionpolicies',
  generation: true,
  allowUnconditionalUpdate: false,
  validate: validateValidatingPolicy,
  default(obj) {
    obj.status ??= {};
    obj.spec.failurePolicy ??= 'Fail';
    defaultMatch(obj.spec.matchConstraints);
  },
  initialStatus: () => ({}),
  subresources: {
    status: statusSubresource<ValidatingAdmissionPolicy>({ fixedMetadata: true, validateUpdate: validatePolicyStatus }),
  },
  columns: [
    nameColumn,
    integer('Validations', obj => obj.spec.validations?.length ?? 0),
    text('ParamKind', obj => paramKind(obj.spec.paramKind)),
    ageColumn,
  ],
});

export const validatingAdmissionPolicyBindings = clusterScoped<ValidatingAdmissionPolicyBinding>({
  resource: 'admissionregistration.k8s.io/validatingadmissionpolicybindings',
  generation: true,
  allowUnconditionalUpdate: false,
  validate: validatePolicyBinding,
  default: obj => defaultMatch(obj.spec.matchResources),
  columns: [
    nameColumn,
    text('PolicyName', obj => obj.spec.policyName ?? ''),
    text('ParamRef', obj => paramRef(obj.spec.paramRef)),
    ageColumn,
  ],
});
