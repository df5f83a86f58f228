/** What may change in a pod, and through which subresource (ValidatePodUpdate and its siblings). */

import { sortedMap } from '../../../../api/codec/coerce.ts';
import type {
  Container,
  NodeAffinity,
  Pod,
  PodSchedulingGate,
  PodSpec,
  Toleration,
} from '../../../../api/types/core-v1.ts';
import { rangeError } from '../../../../api/validation/names.ts';
import { type Errors, each, required, same } from '../../checks.ts';
import { field } from '../../field-errors.ts';
import { internalForm, internalList } from '../../internal-form.ts';
import { describeChanges } from '../../meta/diff.ts';
import { nodeSelectorTerm } from '../shown-selectors.ts';
import { validatePodAnnotationUpdate } from './annotations.ts';
import { trimmedImage } from './containers.ts';

const updatable = [
  '`spec.containers[*].image`',
  '`spec.initContainers[*].image`',
  '`spec.activeDeadlineSeconds`',
  '`spec.tolerations` (only additions to existing tolerations)',
  '`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
].join(',');
const maxInt32 = 0x7fffffff;

function validateImages(now: readonly Container[] | undefined, path: string): Errors {
  return each(now, path, (container, at) => [
    ...required(container.image, `${at}.image`),
    ...trimmedImage(container, at),
  ]);
}

/** A deadline may be set once and then only come closer. `undefined` means fine. */
function deadlineError(now: number | undefined, before: number | undefined): Errors {
  const path = 'spec.activeDeadlineSeconds';
  if (now === undefined) {
    return before === undefined
      ? []
      : [field.invalid(path, null, 'must not update from a positive integer to nil value')];
  }
  if (now < 0 || now > maxInt32) return [field.invalid(path, now, rangeError(0, maxInt32))];
  return before !== undefined && before < now
    ? [field.invalid(path, now, 'must be less than or equal to previous value')]
    : [];
}

function onlyAddedTolerations(now: readonly Toleration[] = [], before: readonly Toleration[] = []): Errors {
  const kept = before.every(old =>
    now.some(fresh => same({ ...old, tolerationSeconds: undefined }, { ...fresh, tolerationSeconds: undefined })),
  );
  return kept
    ? []
    : [field.forbidden('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds')];
}

function onlyRemovedGates(now: readonly PodSchedulingGate[] = [], before: readonly PodSchedulingGate[] = []): Errors {
  return now.flatMap(({ name }, i) =>
    before.some(gate => gate.name === name)
      ? []
      : [
          field.forbidden(
            `spec.schedulingGates[${i}].name`,
            `only deletion is allowed, but found new scheduling gate '${name}'`,
          ),
        ],
  );
}

const requiredKey = 'requiredDuringSchedulingIgnoredDuringExecution';

/** While a pod is gated its required node terms may only become narrower. */
function narrowedAffinity(now: NodeAffinity | undefined, before: NodeAffinity | undefined): Errors {
  const path = `spec.affinity.nodeAffinity.${requiredKey}.nodeSelectorTerms`;
  const old = before?.[requiredKey]?.nodeSelectorTerms;
  if (!old) return [];
  const fresh = now?.[requiredKey]?.nodeSelectorTerms ?? [];
  if (fresh.length !== old.length) {
    return [
      field.invalid(
        path,
        internalList(nodeSelectorTerm, now?.[requiredKey]?.nodeSelectorTerms),
        'no additions/deletions to non-empty NodeSelectorTerms list are allowed',
      ),
    ];
  }
  const includes = <T>(list: readonly T[] = [], part: readonly T[] = []) => part.every(p => list.some(l => same(l, p)));
  return fresh.flatMap((term, i) => {
    const was = old[i];
    const narrower =
      includes(term.matchExpressions, was?.matchExpressions) && includes(term.matchFields, was?.matchFields);
    const wasEmpty = !was?.matchExpressions?.length && !was?.matchFields?.length && !same(term, was);
    return narrower && !wasEmpty
      ? []
      : [
          field.invalid(
            `${path}[${i}]`,
            internalForm(nodeSelectorTerm, term),
            'only additions are allowed (no mutations or deletions)',
          ),
        ];
  });
}

function grownNodeSelector(now: Record<string, string> = {}, before: Record<string, string> = {}): Errors {
  const why = 'only additions to spec.nodeSelector are allowed (no mutations or deletions)';
  return Object.entries(before).every(([key, value]) => now[key] === value)
    ? []
    : [field.invalid('spec.nodeSelector', sortedMap(now), why)];
}

/** The new spec with everything that may change put back to what it was. */
function withOldUpdatables(now: PodSpec, before: PodSpec): PodSpec {
  const images = (fresh: readonly Container[] | undefined, old: readonly Container[] | undefined) =>
    fresh?.map((container, i) => ({ ...container, image: old?.[i]?.image ?? '' }));
  const spec: Record<string, unknown> = {
    ...now,
    containers: images(now.containers, before.containers),
    initContainers: images(now.initContainers, before.initContainers),
    activeDeadlineSeconds: before.activeDeadlineSeconds,
    schedulingGates: before.schedulingGates,
    tolerations: before.tolerations,
  };
  if ((before.terminationGracePeriodSeconds ?? 0) < 0 && now.terminationGracePeriodSeconds === 1) {
    spec['terminationGracePeriodSeconds'] = before.terminationGracePeriodSeconds;
  }
  if (before.schedulingGates?.length) {
    spec['nodeSelector'] = before.nodeSelector;
    const { nodeAffinity: _, ...affinity } = now.affinity ?? {};
    const kept = before.affinity?.nodeAffinity;
    spec['affinity'] = kept ? { ...affinity, nodeAffinity: kept } : affinity;
  }
  return spec as unknown as PodSpec;
}

const addsContainers = 'pod updates may not add or remove containers';

/** Rules of an update of the main resource, besides those of every pod. */
export function validatePodUpdate(pod: Pod, old: Pod): Errors {
  const { spec } = pod;
  const before = old.spec;
  const errors = validatePodAnnotationUpdate(pod, old);
  for (const key of ['containers', 'initContainers'] as const) {
    if ((spec[key]?.length ?? 0) !== (before[key]?.length ?? 0)) {
      return [...errors, field.forbidden(`spec.${key}`, addsContainers)];
    }
    errors.push(...validateImages(spec[key], `spec.${key}`));
  }
  errors.push(
    ...deadlineError(spec.activeDeadlineSeconds, before.activeDeadlineSeconds),
    ...onlyAddedTolerations(spec.tolerations, before.tolerations),
    ...onlyRemovedGates(spec.schedulingGates, before.schedulingGates),
  );
  if (before.schedulingGates?.length) {
    errors.push(
      ...grownNodeSelector(spec.nodeSelector, before.nodeSelector),
      ...narrowedAffinity(spec.affinity?.nodeAffinity, before.affinity?.nodeAffinity),
    );
  }
  const munged = withOldUpdatables(spec, before);
  if (same(munged, before)) return errors;
  const changes = describeChanges(before, munged, 'spec');
  return [...errors, field.forbidden('spec', `pod updates may not change fields other than ${updatable}\n${changes}`)];
}

/** Ephemeral containers are only ever added. */
export function validateEphemeralUpdate(pod: Pod, old: Pod): Errors {
  const path = 'spec.ephemeralContainers';
  return (old.spec.ephemeralContainers ?? []).flatMap(before => {
    const now = pod.spec.ephemeralContainers?.find(c => c.name === before.name);
    const name = JSON.stringify(before.name);
    if (!now) return [field.forbidden(path, `existing ephemeral containers ${name} may not be removed\n`)];
    if (same(now, before)) return [];
    const changes = describeChanges(before, now);
    return [field.forbidden(path, `existing ephemeral containers ${name} may not be changed\n${changes}`)];
  });
}
