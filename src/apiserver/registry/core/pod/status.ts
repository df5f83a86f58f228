/** Updates of a pod's status (ValidatePodStatusUpdate). */
import type { Container, ContainerStatus, Pod } from '../../../../api/types/core-v1.ts';
import { parseIp } from '../../../../api/validation/ip.ts';
import {
  type Errors,
  each,
  forbidden,
  immutable,
  ipAddress,
  nonEmpty,
  objectName,
  optional,
  qualifiedName,
} from '../../checks.ts';
import { field } from '../../field-errors.ts';
import { internalForm, internalList } from '../../internal-form.ts';
import { validatePodAnnotationUpdate } from './annotations.ts';

const systemConditions = new Set(['PodScheduled', 'Ready', 'Initialized']);

/** A container that ended and is not to be restarted stays ended. */
function validateTransitions(
  now: readonly ContainerStatus[] | undefined,
  before: readonly ContainerStatus[] | undefined,
  path: string,
  mayRestart: (status: ContainerStatus) => boolean,
): Errors {
  return each(before, path, (old, at) => {
    if (!old.state?.terminated || mayRestart(old)) return [];
    const fresh = now?.find(status => status.name === old.name);
    return fresh && !fresh.state?.terminated
      ? [field.forbidden(`${at}.state`, 'may not be transitioned to non-terminated state')]
      : [];
  });
}

/** The first rule that speaks of the exit code decides. */
function restartedByRule({ restartPolicy, restartPolicyRules = [] }: Container, exitCode: number): boolean {
  const rule = restartPolicyRules.find(
    ({ exitCodes }) => exitCodes?.values?.includes(exitCode) === (exitCodes?.operator === 'In'),
  );
  return restartPolicy !== undefined && rule?.action === 'Restart';
}

function validateContainerStatuses(pod: Pod, old: Pod): Errors {
  const { restartPolicy, initContainers = [], containers = [] } = old.spec;
  const own = new Map([...initContainers, ...containers].map(c => [c.name, c] as const));
  const mayRestart = (status: ContainerStatus) => {
    const container = own.get(status.name);
    const exitCode = status.state?.terminated?.exitCode ?? 0;
    if (container && restartedByRule(container, exitCode)) return true;
    const policy = container?.restartPolicy ?? restartPolicy;
    return policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0);
  };
  const now = pod.status ?? {};
  const before = old.status ?? {};
  const lists = ['containerStatuses', 'initContainerStatuses'] as const;
  return [
    ...lists.flatMap(key => validateTransitions(now[key], before[key], `status.${key}`, mayRestart)),
    ...validateTransitions(
      now.ephemeralContainerStatuses,
      before.ephemeralContainerStatuses,
      'status.ephemeralContainerStatuses',
      () => false,
    ),
  ];
}

function validateIps(list: readonly { ip: string }[] | undefined, path: string): Errors {
  const ips = list ?? [];
  const families = new Set(ips.map(({ ip }) => parseIp(ip ?? '')?.family));
  const crowded = ips.length > 1 && (ips.length > 2 || families.size < 2);
  const seen = new Set<string>();
  return [
    ...each(ips, path, ({ ip }, at) => ipAddress(ip, at)),
    ...(crowded
      ? [field.invalid(path, internalList({ IP: '' }, ips), 'may specify no more than one IP for each IP family')]
      : []),
    ...each(ips, path, (item, at) => {
      const twice = seen.has(item.ip);
      seen.add(item.ip);
      return twice ? [field.duplicate(at, internalForm({ IP: '' }, item))] : [];
    }),
  ];
}

function validateClaimStatuses(pod: Pod): Errors {
  const names = new Set<string>();
  return each(pod.status?.resourceClaimStatuses, 'status.resourceClaimStatuses', ({ name, resourceClaimName }, at) => {
    const known = pod.spec.resourceClaims?.some(claim => claim.name === name);
    const twice = names.has(name);
    names.add(name);
    return [
      ...(known ? [] : [field.invalid(`${at}.name`, name, 'must match the name of an entry in `spec.resourceClaims`')]),
      ...(twice ? [field.duplicate(`${at}.name`, name)] : []),
      ...optional(resourceClaimName, `${at}.name`, objectName()),
    ];
  });
}

export function validatePodStatusUpdate(pod: Pod, old: Pod): Errors {
  const now = pod.status ?? {};
  const hostIps = now.hostIPs ?? [];
  return [
    ...validatePodAnnotationUpdate(pod, old),
    ...each(now.conditions, 'metadata.conditions', (condition, at) =>
      systemConditions.has(condition.type) ? [] : qualifiedName(condition.type, `${at}.Type`),
    ),
    ...nonEmpty(now.nominatedNodeName, 'status.nominatedNodeName', objectName()),
    ...forbidden(
      old.spec.nodeName && now.nominatedNodeName && now.nominatedNodeName !== old.status?.nominatedNodeName,
      'status.nominatedNodeName',
      'may not be set on pods that are already bound to a node',
    ),
    ...(old.status?.qosClass ? immutable(now.qosClass ?? '', old.status.qosClass, 'status.qosClass') : []),
    ...validateContainerStatuses(pod, old),
    ...validateClaimStatuses(pod),
    ...validateIps(now.podIPs, 'status.podIPs'),
    ...(hostIps[0] && now.hostIP !== hostIps[0].ip
      ? [field.invalid('status.hostIPs[0].ip', hostIps[0].ip, 'must be equal to `hostIP`')]
      : []),
    ...validateIps(hostIps, 'status.hostIPs'),
  ];
}
