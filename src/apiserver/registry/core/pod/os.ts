/** What a pod may not ask for on the operating system it names. */
import type { PodSpec } from '../../../../api/types/core-v1.ts';
import { type Errors, each, forbidden, requiredOneOf } from '../../checks.ts';

const podFields = ['hostUsers', 'hostPID', 'hostIPC', 'shareProcessNamespace'] as const;
const podContextFields = [
  'appArmorProfile',
  'seLinuxOptions',
  'seccompProfile',
  'fsGroup',
  'fsGroupChangePolicy',
  'sysctls',
  'runAsUser',
  'runAsGroup',
  'supplementalGroups',
  'supplementalGroupsPolicy',
  'seLinuxChangePolicy',
] as const;
const containerContextFields = [
  'appArmorProfile',
  'seLinuxOptions',
  'seccompProfile',
  'capabilities',
  'readOnlyRootFilesystem',
  'privileged',
  'allowPrivilegeEscalation',
  'procMount',
  'runAsUser',
  'runAsGroup',
] as const;
const lists = ['initContainers', 'containers', 'ephemeralContainers'] as const;

/** Refuses the fields of `from` that are set. */
function refuse<T extends object>(
  from: T | undefined,
  keys: readonly (keyof T & string)[],
  path: string,
  why: string,
): Errors {
  if (!from) return [];
  return keys.flatMap(key => forbidden(from[key] !== undefined && from[key] !== false, `${path}.${key}`, why));
}

function validateContainers(spec: PodSpec, path: string, check: (context: object, at: string) => Errors): Errors {
  return lists.flatMap(list =>
    each(spec[list], `${path}.${list}`, (container, at) =>
      container.securityContext ? check(container.securityContext, `${at}.securityContext`) : [],
    ),
  );
}

export function validateOs(spec: PodSpec, path: string): Errors {
  if (!spec.os) return [];
  const { name } = spec.os;
  const wrong = requiredOneOf(name, `${path}.os.name`, ['linux', 'windows']);
  if (wrong.length > 0) return wrong;
  const context = spec.securityContext;
  if (name === 'linux') {
    const why = 'windows options cannot be set for a linux pod';
    return [
      ...refuse(context, ['windowsOptions'], `${path}.securityContext`, why),
      ...validateContainers(spec, path, (own, at) =>
        refuse<{ windowsOptions?: unknown }>(own, ['windowsOptions'], at, why),
      ),
    ];
  }
  const why = 'cannot be set for a windows pod';
  return [
    ...forbidden(spec.hostUsers !== undefined, `${path}.hostUsers`, why),
    ...refuse(spec, podFields.slice(1), path, why),
    ...refuse(context, podContextFields, `${path}.securityContext`, why),
    ...validateContainers(spec, path, (own, at) =>
      containerContextFields.flatMap(key => forbidden(key in own, `${at}.${key}`, why)),
    ),
  ];
}
