/** AppArmor profiles, once annotations per container, now fields. */
import type { AppArmorProfile, Pod } from '../../../../api/types/core-v1.ts';
import { same } from '../../checks.ts';

export const appArmorPrefix = 'container.apparmor.security.beta.kubernetes.io/';
const localhostPrefix = 'localhost/';

/** The field that an annotation stands for; undefined when it names no profile. */
export function appArmorOfAnnotation(annotation: string | undefined): AppArmorProfile | undefined {
  if (annotation === 'unconfined') return { type: 'Unconfined' };
  if (annotation === 'runtime/default') return { type: 'RuntimeDefault' };
  if (!annotation?.startsWith(localhostPrefix)) return undefined;
  const localhostProfile = annotation.slice(localhostPrefix.length);
  return localhostProfile ? { type: 'Localhost', localhostProfile } : undefined;
}

const maxProfile = 4095;
const isUsable = ({ type, localhostProfile = '' }: AppArmorProfile) =>
  type !== 'Localhost' || (localhostProfile.trim() === localhostProfile && localhostProfile.length <= maxProfile);

/** Gives each container the profile that only its annotation names, unless the pod has it already. In place. */
export function syncAppArmor({ metadata, spec }: Pod): void {
  if (spec.os?.name === 'windows') return;
  for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) {
    const profile = appArmorOfAnnotation(metadata.annotations?.[appArmorPrefix + container.name]);
    if (!profile || container.securityContext?.appArmorProfile || !isUsable(profile)) continue;
    if (same(profile, spec.securityContext?.appArmorProfile)) continue;
    container.securityContext = { ...container.securityContext, appArmorProfile: profile };
  }
}

/** Annotations of a new pod that the field should replace: those that named a profile of their own, or none that is known. */
export function appArmorWarnings({ metadata, spec }: Pod): string[] {
  if (spec.os?.name === 'windows') return [];
  return [...(spec.initContainers ?? []), ...(spec.containers ?? [])].flatMap(container => {
    const key = appArmorPrefix + container.name;
    const annotation = metadata.annotations?.[key];
    if (annotation === undefined) return [];
    const profile = appArmorOfAnnotation(annotation);
    return profile && same(profile, spec.securityContext?.appArmorProfile)
      ? []
      : [`metadata.annotations[${key}]: deprecated since v1.30; use the "appArmorProfile" field instead`];
  });
}
