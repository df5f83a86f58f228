/** Annotations that mean something on a pod. */
import type { Pod, PodSpec } from '../../../../api/types/core-v1.ts';
import { type Errors, forbidden } from '../../checks.ts';
import { field } from '../../field-errors.ts';
import { appArmorPrefix } from './app-armor.ts';
import { containersOf } from './containers-of.ts';
import { descendingPath } from './paths.ts';

type Annotations = Readonly<Record<string, string>>;
export const mirrorAnnotation = 'kubernetes.io/config.mirror';
const deletionCost = 'controller.kubernetes.io/pod-deletion-cost';
const podSeccomp = 'seccomp.security.alpha.kubernetes.io/pod';
const containerSeccomp = 'container.seccomp.security.alpha.kubernetes.io/';
const localhost = 'localhost/';

const isInt32 = (text: string) =>
  /^(0|-\d+|[1-9]\d*)$/.test(text) && Number(text) >= -0x80000000 && Number(text) <= 0x7fffffff;

function validateSeccomp(annotations: Annotations, path: string): Errors {
  return Object.entries(annotations).flatMap(([key, profile]) => {
    if (key !== podSeccomp && !key.startsWith(containerSeccomp)) return [];
    if (['runtime/default', 'docker/default', 'unconfined'].includes(profile)) return [];
    return profile.startsWith(localhost)
      ? descendingPath(profile.slice(localhost.length), `${path}.${key}`)
      : [field.invalid(`${path}.${key}`, profile, 'must be a valid seccomp profile')];
  });
}

function validateAppArmor(annotations: Annotations, spec: PodSpec, path: string): Errors {
  const names = new Set(containersOf(spec, '').map(([container]) => container.name));
  return Object.entries(annotations).flatMap(([key, profile]) => {
    if (!key.startsWith(appArmorPrefix)) return [];
    const name = key.slice(appArmorPrefix.length);
    const known = ['', 'runtime/default', 'unconfined'].includes(profile) || profile.startsWith(localhost);
    return [
      ...(names.has(name) ? [] : [field.invalid(`${path}[${key}]`, name, 'container not found')]),
      ...(known
        ? []
        : [field.invalid(`${path}[${key}]`, profile, `invalid AppArmor profile name: ${JSON.stringify(profile)}`)]),
    ];
  });
}

/** Annotations of a pod or of a template (ValidatePodSpecificAnnotations). */
export function validatePodAnnotations(annotations: Annotations = {}, spec: PodSpec, path: string): Errors {
  const mirror = annotations[mirrorAnnotation];
  const cost = annotations[deletionCost];
  return [
    ...(mirror !== undefined && !spec.nodeName
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
    ...validateSeccomp(annotations, path),
    ...validateAppArmor(annotations, spec, path),
  ];
}

interface Profile {
  readonly type?: string;
  readonly localhostProfile?: string;
}

/** @param defaults the annotation's words for the runtime's own profile. */
function agree(
  annotation: string | undefined,
  profile: Profile | undefined,
  what: string,
  defaults: readonly string[],
  path: string,
): Errors {
  if (annotation === undefined || !profile) return [];
  const otherType = [field.forbidden(`${path}.type`, `${what} type in annotation and field must match`)];
  if (profile.type === 'Unconfined') return annotation === 'unconfined' ? [] : otherType;
  if (profile.type === 'RuntimeDefault') return defaults.includes(annotation) ? [] : otherType;
  if (profile.type !== 'Localhost') return [];
  if (!annotation.startsWith(localhost)) return otherType;
  return annotation.slice(localhost.length) === profile.localhostProfile
    ? []
    : [field.forbidden(`${path}.localhostProfile`, `${what} profile in annotation and field must match`)];
}

/** Who sets a security profile in an annotation and in a field says the same in both. */
export function validateProfileAnnotations(annotations: Annotations = {}, spec: PodSpec, path: string): Errors {
  const containers = containersOf(spec, path);
  const seccomp = (key: string, profile: Profile | undefined, at: string) =>
    agree(
      annotations[key],
      profile,
      'seccomp',
      ['runtime/default', 'docker/default'],
      `${at}.securityContext.seccompProfile`,
    );
  const { securityContext: own, os } = spec;
  return [
    ...seccomp(podSeccomp, own?.seccompProfile, path),
    ...containers.flatMap(([c, at]) => seccomp(containerSeccomp + c.name, c.securityContext?.seccompProfile, at)),
    ...(os?.name === 'windows' ? [] : containers).flatMap(([c, at]) =>
      agree(
        annotations[appArmorPrefix + c.name],
        c.securityContext?.appArmorProfile ?? own?.appArmorProfile,
        'apparmor',
        ['runtime/default'],
        `${at}.securityContext.appArmorProfile`,
      ),
    ),
  ];
}

const path = 'metadata.annotations';

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
