/** Pod templates of workloads. */

import { sortedMap } from '../../../../api/codec/coerce.ts';
import { selectorFromObject } from '../../../../api/selectors/index.ts';
import type { PodTemplateSpec } from '../../../../api/types/core-v1.ts';
import type { LabelSelector } from '../../../../api/types/meta-v1.ts';
import { type Errors, forbidden } from '../../checks.ts';
import { field } from '../../field-errors.ts';
import { validateAnnotations, validateLabels } from '../../meta/object-meta.ts';
import { validatePodAnnotations, validateProfileAnnotations } from './annotations.ts';
import { validatePodSpec } from './spec.ts';

/** Upstream's ValidatePodTemplateSpec. */
export function validatePodTemplate(template: PodTemplateSpec | undefined, path: string): Errors {
  if (!template?.spec) return [field.required(`${path}.spec.containers`)];
  return [
    ...validateTemplateMetadata(template, path),
    ...validatePodSpec(template.spec, `${path}.spec`),
    ...validateProfileAnnotations(template.metadata?.annotations, template.spec, `${path}.spec`),
    ...forbidden(
      template.spec.ephemeralContainers?.length,
      `${path}.spec.ephemeralContainers`,
      'ephemeral containers not allowed in pod template',
    ),
  ];
}

export function validateTemplateMetadata({ metadata, spec }: PodTemplateSpec, path: string): Errors {
  return [
    ...validateLabels(metadata?.labels, `${path}.labels`),
    ...validateAnnotations(metadata?.annotations, `${path}.annotations`),
    ...(spec ? validatePodAnnotations(metadata?.annotations, spec, `${path}.annotations`) : []),
  ];
}

/**
 * A workload's template must be selected by it, and its pods must be restarted. A malformed selector is reported where it stands, not here.
 * @param kind the kind that messages name.
 */
export function validateOwnedTemplate(
  template: PodTemplateSpec | undefined,
  selector: LabelSelector | undefined,
  path: string,
  kind: string,
): Errors {
  if (!template?.spec) return [field.required(path)];
  return [
    ...validateSelected(template, selector, path),
    ...validatePodTemplate(template, path),
    ...validateAlwaysRestart(template, path, kind),
  ];
}

/** Labels are shown in order, as Go writes maps; a template without any has none to show. */
export function validateSelected(template: PodTemplateSpec, selector: LabelSelector | undefined, path: string): Errors {
  const labels = template.metadata?.labels && sortedMap(template.metadata.labels);
  return selects(selector, labels ?? {})
    ? []
    : [field.invalid(`${path}.metadata.labels`, labels, '`selector` does not match template `labels`')];
}

/** A missing selector selects nothing. */
function selects(selector: LabelSelector | undefined, labels: Record<string, string>): boolean {
  try {
    return selectorFromObject(selector).matches(labels);
  } catch {
    return true;
  }
}

/** Deployments, replica sets, stateful sets and daemon sets only run pods that are always restarted. */
export function validateAlwaysRestart(template: PodTemplateSpec | undefined, path: string, kind: string): Errors {
  const spec = template?.spec;
  if (!spec) return [];
  return [
    ...(spec.restartPolicy === 'Always'
      ? []
      : [field.notSupported(`${path}.spec.restartPolicy`, spec.restartPolicy ?? '', ['Always'])]),
    ...forbidden(
      spec.activeDeadlineSeconds !== undefined,
      `${path}.spec.activeDeadlineSeconds`,
      `activeDeadlineSeconds in ${kind} is not Supported`,
    ),
  ];
}
