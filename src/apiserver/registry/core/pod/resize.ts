/** In-place resize (ValidatePodResize): only cpu and memory of containers and sidecars change. */
import type { Container, Pod, ResourceRequirements } from '../../../../api/types/core-v1.ts';
import { type Errors, each, same } from '../../checks.ts';
import { field } from '../../field-errors.ts';
import { mirrorAnnotation } from './annotations.ts';
import { qosClass } from './qos.ts';

type Resources = Record<string, string> | undefined;

const removed = (now: Resources = {}, before: Resources = {}) =>
  Object.keys(before).some(name => now[name] === undefined);

/** A new limit lowers the memory from "all there is"; lowering one that exists is the kubelet's to refuse (v1.34). */
function addedMemoryLimit(now: ResourceRequirements, before: ResourceRequirements, path: string): Errors {
  if (now.limits?.['memory'] === undefined || before.limits?.['memory'] !== undefined) return [];
  const why = 'memory limits cannot be added unless resizePolicy is RestartContainer';
  return [field.forbidden(`${path}.limits[memory]`, why)];
}

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
    ...(now.resizePolicy?.some(p => p.resourceName === 'memory' && p.restartPolicy === 'RestartContainer')
      ? []
      : addedMemoryLimit(fresh, old, path)),
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

function unsupported(pod: Pod, old: Pod): string | undefined {
  if (old.metadata.annotations?.[mirrorAnnotation] !== undefined) return 'static pods cannot be resized';
  if (old.spec.os?.name === 'windows') return 'windows pods cannot be resized';
  const podLevel = (p: Pod) => Object.keys({ ...p.spec.resources?.limits, ...p.spec.resources?.requests }).length > 0;
  return podLevel(pod) || podLevel(old) ? 'pods with pod-level resources cannot be resized' : undefined;
}

export function validatePodResize(pod: Pod, old: Pod): Errors {
  const why = unsupported(pod, old);
  if (why !== undefined) return [field.forbidden('', why)];
  if ((pod.spec.containers?.length ?? 0) !== old.spec.containers.length) {
    return [field.forbidden('spec.containers', 'containers may not be added or removed on resize')];
  }
  if ((pod.spec.initContainers?.length ?? 0) !== (old.spec.initContainers?.length ?? 0)) {
    return [field.forbidden('spec.initContainers', 'initContainers may not be added or removed on resize')];
  }
  const before = old.status?.qosClass ?? qosClass(old);
  const check = (list: 'containers' | 'initContainers') =>
    each(pod.spec[list], `spec.${list}`, (now, at, i) => {
      const was = old.spec[list]?.[i];
      if (!was || (list === 'initContainers' && was.restartPolicy !== 'Always')) return [];
      return validateContainer(now, was, `${at}.resources`);
    });
  return [
    ...(before === qosClass(pod)
      ? []
      : [field.invalid('spec', pod.status?.qosClass ?? '', 'Pod QOS Class may not change as a result of resizing')]),
    ...check('initContainers'),
    ...check('containers'),
    ...validateFixedParts(pod, old),
  ];
}

/** Everything but the resources and resize policies is taken from the stored pod. */
export function prepareForResize(pod: Pod, old: Pod): void {
  const spec = structuredClone(old.spec);
  const copy = (target: Container, source: Container | undefined) => {
    if (!source) return;
    if (source.resources) target.resources = source.resources;
    if (source.resizePolicy) target.resizePolicy = source.resizePolicy;
  };
  for (const [i, container] of spec.containers.entries()) copy(container, pod.spec.containers?.[i]);
  for (const [i, container] of (spec.initContainers ?? []).entries()) copy(container, pod.spec.initContainers?.[i]);
  pod.spec = spec;
  if (old.status) pod.status = structuredClone(old.status);
}
