/** Groups of the Kubernetes community need an approval (pkg/apihelpers of apiextensions-apiserver). */
import type { CustomResourceDefinition } from '../../../api/types/apiextensions-v1.ts';
import type { Errors } from '../checks.ts';
import { field } from '../field-errors.ts';

const annotation = 'api-approved.kubernetes.io';
const request = 'see https://github.com/kubernetes/enhancements/pull/1111';

type State = 'missing' | 'bypassed' | 'approved' | 'invalid';

export const isProtectedGroup = (group: string | undefined): boolean =>
  /(^|\.)(k8s\.io|kubernetes\.io)$/.test(group ?? '');

function isUrl(text: string): boolean {
  try {
    return new URL(text).host !== '';
  } catch {
    return false;
  }
}

const textOf = ({ metadata }: CustomResourceDefinition) => metadata.annotations?.[annotation] ?? '';

function stateOf(text: string): State {
  if (text === '') return 'missing';
  if (text.startsWith('unapproved')) return 'bypassed';
  return isUrl(text) ? 'approved' : 'invalid';
}

/** An update only has to say more when what it says changes. */
export function validateApproval(crd: CustomResourceDefinition, old?: CustomResourceDefinition): Errors {
  if (!isProtectedGroup(crd.spec.group)) return [];
  const text = textOf(crd);
  const state = stateOf(text);
  if (old && stateOf(textOf(old)) === state) return [];
  const path = `metadata.annotations[${annotation}]`;
  const must = `protected groups must have approval annotation "${annotation}"`;
  if (state === 'missing') return [field.required(path, `${must}, ${request}`)];
  return state === 'invalid'
    ? [field.invalid(path, text, `${must} with either a URL or a reason starting with "unapproved", ${request}`)]
    : [];
}

/** The KubernetesAPIApprovalPolicyConformant condition of a protected group's definition; undefined for other groups. */
export function approvalCondition(
  crd: CustomResourceDefinition,
): { status: string; reason: string; message: string } | undefined {
  if (!isProtectedGroup(crd.spec.group)) return undefined;
  const text = textOf(crd);
  const must = `protected groups must have approval annotation "${annotation}"`;
  switch (stateOf(text)) {
    case 'approved':
      return { status: 'True', reason: 'ApprovedAnnotation', message: `approved in ${text}` };
    case 'bypassed':
      return { status: 'False', reason: 'UnapprovedAnnotation', message: `not approved: ${JSON.stringify(text)}` };
    case 'missing':
      return { status: 'False', reason: 'MissingAnnotation', message: `${must}, ${request}` };
    case 'invalid':
      return {
        status: 'False',
        reason: 'InvalidAnnotation',
        message: `${must} with either a URL or a reason starting with "unapproved", ${request}`,
      };
  }
}
