/** What deployments, replica sets, daemon sets and stateful sets check alike. */
import { selectorFromObject } from '../../../api/selectors/index.ts';
import type { PodTemplateSpec } from '../../../api/types/core-v1.ts';
import type { LabelSelector } from '../../../api/types/meta-v1.ts';
import type { Errors } from '../checks.ts';
import { validateOwnedTemplate } from '../core/pod/template.ts';
import { field } from '../field-errors.ts';
import { isEmptySelector, validateLabelSelector } from '../meta/label-selector.ts';

export function validateSelector(selector: LabelSelector | undefined, kind: string): Errors {
  return selector
    ? [...validateLabelSelector(selector, 'spec.selector'), ...refuseEmptySelector(selector, kind)]
    : [field.required('spec.selector')];
}

export function refuseEmptySelector(selector: LabelSelector | undefined, kind: string): Errors {
  return selector && isEmptySelector(selector)
    ? [field.invalid('spec.selector', selector, `empty selector is invalid for ${kind}`)]
    : [];
}

/** Whether pods can be matched against the selector; a template is only looked at when they can. */
export function isUsableSelector(selector: LabelSelector | undefined): boolean {
  try {
    selectorFromObject(selector);
    return true;
  } catch {
    return false;
  }
}

/** The template of deployments and replica sets (ValidatePodTemplateSpecForReplicaSet); messages are about replica sets for both. */
export function validateReplicaTemplate(
  template: PodTemplateSpec | undefined,
  selector: LabelSelector | undefined,
): Errors {
  return isUsableSelector(selector)
    ? validateOwnedTemplate(template, selector, 'spec.template', 'ReplicaSet')
    : [field.invalid('spec.selector', selector, 'invalid label selector')];
}

/** An update strategy as upstream shows it when it is of no known type. */
export const shownStrategy = (strategy: { type?: string; rollingUpdate?: unknown } | undefined): object => ({
  Type: strategy?.type ?? '',
  RollingUpdate: strategy?.rollingUpdate ?? null,
});
