/** In-place resize (ValidatePodResize): only cpu and memory of containers and sidecars change. */
import type { Container, Pod } from '../../../../api/types/core-v1.ts';
import { type Errors, each, same } from '../../checks.ts';
import { keepMetadata } from '../../define.ts';
import { field } from '../../field-errors.ts';
import { mirrorAnnotation } from './annotations.ts';
import { qosClass } from './qos.ts';

type Resources = Record<string, string> | undefined;

const removed = (now: Resources = {}, before: Resources = {}) =>
  Object.keys(before).some(name => now[name] === undefined);

function validateContainer(now: Container, before: Container, path: string): Errors {
  const fresh = now.resources ?? {};
  const old = before.resources ?? {};
  return [
    ...(removed(fresh.requests, old.requests)
      ? [field.forbidden(`${path}.requests`, 'resource requests cannot be removed')]
      : []),
    ...(removed(fresh.limits, old.limits)
      ? [field.forbidden(`${path}.limits`, 'resource limits cannot be removed')]
      : []),
  ];
}

const withoutComputed = (list: Resources) =>
  Object.fromEntries(Object.entries(list ?? {}).filter(([name]) => name !== 'cpu' && name !== 'memory'));

/** The container without its cpu and memory, for comparison. */
function fixedPart(container: Container): unknown {
  const { resources, resizePolicy, ...rest } = container;
  return {
    ...rest,
    resizePolicy,
    limits: withoutComputed(resources?.limits),
    requests: withoutComputed(resources?.requests),
  };
}

function validateFixedParts(pod: Pod, old: Pod): Errors {
  const wrong = (why: string) => [field.forbidden('spec', why)];
  const containers = (pod.spec.containers ?? []).flatMap((now, i) => {
    const before = old.spec.containers[i];
    return before && same(fixedPart(now), fixedPart(before)) ? [] : wrong('only cpu and memory resources are mutable');
  });
  const inits = (pod.spec.initContainers ?? []).flatMap((now, i) => {
    const before = old.spec.initContainers?.[i];
    if (now.restartPolicy !== 'Always') {
      return same(now, before) ? [] : wrong('resources for non-sidecar init containers are immutable');
    }
    return before && same(fixedPart(now), fixedPart(before))
      ? []
      : wrong('only cpu and memory resources for sidecar containers are mutable');
  });
  return [...containers, ...inits];
}

function unsupported(old: Pod): string | undefined {
  if (old.metadata.annotations?.[mirrorAnnotation] !== undefined) return 'static pods cannot be resized';
  return old.spec.os?.name === 'windows' ? 'windows pods cannot be resized' : undefined;
}

const hasPodLevel = ({ spec }: Pod) =>
  Object.keys({ ...spec.resources?.limits, ...spec.resources?.requests }).length > 0;

/** Containers are compared by their place, so the places must be the same. */
function validateOrder(pod: Pod, old: Pod): Errors {
  return (['containers', 'initContainers'] as const).flatMap(key => {
    const now = pod.spec[key] ?? [];
    const before = old.spec[key] ?? [];
    if (now.length !== before.length) {
      return [field.forbidden(`spec.${key}`, `${key} may not be added or removed on resize`)];
    }
    return each(now, `spec.${key}`, ({ name }, at, i) =>
      name === before[i]?.name
        ? []
        : [field.forbidden(`${at}.name`, `${key} may not be renamed or reordered on resize`)],
    );
  });
}

const podLevelDetail =
  'resize of pods with pod-level resources is forbidden when InPlacePodLevelResourcesVerticalScalingEnabled feature gate is disabled';

/** @param valid what is wrong with the pod as a whole; hidden when its kind cannot be resized at all. */
export function validatePodResize(pod: Pod, old: Pod, valid: Errors): Errors {
  const why = unsupported(old);
  if (why !== undefined) return [field.forbidden('', why)];
  const before = old.status?.qosClass ?? qosClass(old);
  const check = (list: 'containers' | 'initContainers') =>
    each(pod.spec[list], `spec.${list}`, (now, at, i) => {
      const was = old.spec[list]?.[i];
      if (!was || (list === 'initContainers' && was.restartPolicy !== 'Always')) return [];
      return validateContainer(now, was, `${at}.resources`);
    });
  const first = [
    ...valid,
    ...(before === qosClass(pod)
      ? []
      : [field.invalid('spec', pod.status?.qosClass ?? '', 'Pod QOS Class may not change as a result of resizing')]),
  ];
  if (hasPodLevel(pod) || hasPodLevel(old)) return [...first, field.forbidden('', podLevelDetail)];
  const order = validateOrder(pod, old);
  if (order.length > 0) return [...first, ...order];
  return [...first, ...check('initContainers'), ...check('containers'), ...validateFixedParts(pod, old)];
}

/**
 * Everything but the resources and resize policies is taken from the stored pod. Containers that are not those of the stored pod are left
 * for validation to refuse.
 */
export function prepareForResize(pod: Pod, old: Pod): void {
  const lists = ['containers', 'initContainers'] as const;
  if (lists.some(key => (pod.spec[key]?.length ?? 0) !== (old.spec[key]?.length ?? 0))) return;
  const spec = structuredClone(old.spec);
  for (const key of lists) {
    const asked = pod.spec[key];
    if (!asked) continue;
    spec[key] = asked.every((container, i) => container.name === spec[key]?.[i]?.name)
      ? asked.map((container, i) => withResources(spec[key]?.[i] ?? container, container))
      : asked;
  }
  pod.spec = spec;
  if (old.status) pod.status = structuredClone(old.status);
  keepMetadata(pod, old);
}

function withResources(container: Container, { resources, resizePolicy }: Container): Container {
  const { resources: _, resizePolicy: __, ...rest } = container;
  return { ...rest, ...(resources && { resources }), ...(resizePolicy && { resizePolicy }) };
}
