import type {
  MatchResources,
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  ParamKind,
  ParamRef,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
} from '../../../api/types/admissionregistration-v1.ts';
import { ageColumn, integer, nameColumn, text } from '../columns.ts';
import { clusterScoped } from '../define.ts';
import {
  validateActions,
  validateMutatingPolicy,
  validatePolicyBinding,
  validateValidatingPolicy,
} from './policy-validate.ts';

function defaultMatch(match: MatchResources | undefined): void {
  if (!match) return;
  match.matchPolicy ??= 'Equivalent';
  match.namespaceSelector ??= {};
  match.objectSelector ??= {};
  for (const rule of [...(match.resourceRules ?? []), ...(match.excludeResourceRules ?? [])]) rule.scope ??= '*';
}

const paramKind = (kind: ParamKind | undefined) => (kind ? `${kind.apiVersion ?? ''}/${kind.kind ?? ''}` : '<unset>');

function paramRef(ref: ParamRef | undefined): string {
  if (!ref) return '<unset>';
  if (!ref.name) return '*';
  return ref.namespace ? `${ref.namespace}/${ref.name}` : ref.name;
}

export const validatingAdmissionPolicies = clusterScoped<ValidatingAdmissionPolicy>({
  resource: 'admissionregistration.k8s.io/validatingadmissionpolicies',
  generation: true,
  validate: validateValidatingPolicy,
  default(obj) {
    obj.status ??= {};
    obj.spec.failurePolicy ??= 'Fail';
    defaultMatch(obj.spec.matchConstraints);
  },
  initialStatus: () => ({}),
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
  validate: ({ spec }) => [...validatePolicyBinding(spec), ...validateActions(spec.validationActions)],
  default: obj => defaultMatch(obj.spec.matchResources),
  columns: [
    nameColumn,
    text('PolicyName', obj => obj.spec.policyName),
    text('ParamRef', obj => paramRef(obj.spec.paramRef)),
    ageColumn,
  ],
});

export const mutatingAdmissionPolicies = clusterScoped<MutatingAdmissionPolicy>({
  resource: 'admissionregistration.k8s.io/mutatingadmissionpolicies',
  generation: true,
  validate: validateMutatingPolicy,
  default(obj) {
    obj.spec.failurePolicy ??= 'Fail';
    defaultMatch(obj.spec.matchConstraints);
  },
  columns: [
    nameColumn,
    integer('Mutations', obj => obj.spec.mutations?.length ?? 0),
    text('ParamKind', obj => paramKind(obj.spec.paramKind)),
    ageColumn,
  ],
});

export const mutatingAdmissionPolicyBindings = clusterScoped<MutatingAdmissionPolicyBinding>({
  resource: 'admissionregistration.k8s.io/mutatingadmissionpolicybindings',
  generation: true,
  validate: ({ spec }) => validatePolicyBinding(spec),
  default: obj => defaultMatch(obj.spec.matchResources),
  columns: [
    nameColumn,
    text('PolicyName', obj => obj.spec.policyName ?? ''),
    text('ParamRef', obj => paramRef(obj.spec.paramRef)),
    ageColumn,
  ],
});
