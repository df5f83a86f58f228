/** What deployments, replica sets, daemon sets and stateful sets check alike. */
import type { PodTemplateSpec } from '../../../api/types/core-v1.ts';
import type { LabelSelector } from '../../../api/types/meta-v1.ts';
import type { Errors } from '../checks.ts';
import { validateAlwaysRestart, validateOwnedTemplate } from '../core/pod/template.ts';
import { field } from '../field-errors.ts';
import { isEmptySelector, validateLabelSelector } from '../meta/label-selector.ts';

export function validateSelector(selector: LabelSelector | undefined, kind: string): Errors {
  if (!selector) return [field.required('spec.selector')];
  return [
    ...validateLabelSelector(selector, 'spec.selector'),
    ...(isEmptySelector(selector)
      ? [field.invalid('spec.selector', selector, `empty selector is invalid for ${kind}`)]
      : []),
  ];
}

/** @param kind the kind that messages about the template name (a deployment's are about its replica sets). */
export function validateWorkloadTemplate(
  template: PodTemplateSpec | undefined,
  selector: LabelSelector | undefined,
  kind: string,
): Errors {
  return [
    ...validateOwnedTemplate(template, selector, 'spec.template'),
    ...validateAlwaysRestart(template, 'spec.template', kind),
  ];
}
