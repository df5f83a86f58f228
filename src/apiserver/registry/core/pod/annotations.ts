/** Annotations that mean something on a pod. */
import type { Pod, PodSpec } from '../../../../api/types/core-v1.ts';
import { type Errors, forbidden } from '../../checks.ts';
import { field } from '../../field-errors.ts';

type Annotations = Readonly<Record<string, string>>;
export const mirrorAnnotation = 'kubernetes.io/config.mirror';
const deletionCost = 'controller.kubernetes.io/pod-deletion-cost';
const appArmorPrefix = 'container.apparmor.security.beta.kubernetes.io/';
const path = 'metadata.annotations';

const isInt32 = (text: string) =>
  /^(0|[+-]?[1-9]\d*)$/.test(text) && Math.abs(Number(text)) <= 0x7fffffff && !text.startsWith('+');

function validateAppArmor(annotations: Annotations, spec: PodSpec): Errors {
  const names = new Set(
    [spec.containers, spec.initContainers, spec.ephemeralContainers].flatMap(l => (l ?? []).map(c => c.name)),
  );
  return Object.entries(annotations).flatMap(([key, profile]) => {
    if (!key.startsWith(appArmorPrefix)) return [];
    const name = key.slice(appArmorPrefix.length);
    const known = ['', 'runtime/default', 'unconfined'].includes(profile) || profile.startsWith('localhost/');
    return [
      ...(names.has(name) ? [] : [field.invalid(`${path}[${key}]`, name, 'container not found')]),
      ...(known
        ? []
        : [field.invalid(`${path}[${key}]`, profile, `invalid AppArmor profile name: ${JSON.stringify(profile)}`)]),
    ];
  });
}

export function validatePodAnnotations(pod: Pod): Errors {
  const annotations = pod.metadata.annotations ?? {};
  const mirror = annotations[mirrorAnnotation];
  const cost = annotations[deletionCost];
  return [
    ...(mirror !== undefined && !pod.spec.nodeName
      ? [
          field.invalid(
            `${path}[${mirrorAnnotation}]`,
            mirror,
            'must set spec.nodeName if mirror pod annotation is set',
          ),
        ]
      : []),
    ...(cost !== undefined && !isInt32(cost)
      ? [field.invalid(`${path}[${deletionCost}]`, cost, 'must be a 32bit integer')]
      : []),
    ...validateAppArmor(annotations, pod.spec),
  ];
}

/** Mirror and AppArmor annotations are fixed when the pod is made. */
export function validatePodAnnotationUpdate(pod: Pod, old: Pod): Errors {
  const now = pod.metadata.annotations ?? {};
  const before = old.metadata.annotations ?? {};
  const keys = [...new Set([...Object.keys(before), ...Object.keys(now)])].filter(key => now[key] !== before[key]);
  return keys.flatMap(key => {
    const verb = before[key] === undefined ? 'add' : 'remove or update';
    return [
      ...forbidden(key.startsWith(appArmorPrefix), `${path}[${key}]`, `may not ${verb} AppArmor annotations`),
      ...forbidden(key === mirrorAnnotation, `${path}[${key}]`, `may not ${verb} mirror pod annotation`),
    ];
  });
}
