/** The spec of a pod or of a pod template (ValidatePodSpec in pkg/apis/core/validation). */
import type {
  HostAlias,
  PodDNSConfig,
  PodResourceClaim,
  PodSchedulingGate,
  PodSpec,
} from '../../../../api/types/core-v1.ts';
import type { ObjectMeta } from '../../../../api/types/meta-v1.ts';
import { isDns1123SubdomainWithUnderscore, rangeError } from '../../../../api/validation/names.ts';
import {
  type Check,
  dnsLabel,
  dnsSubdomain,
  type Errors,
  each,
  forbidden,
  invalidAll,
  ipAddress,
  nonEmpty,
  objectName,
  optional,
  qualifiedName,
  required,
  requiredAnd,
  requiredOneOf,
} from '../../checks.ts';
import { field } from '../../field-errors.ts';
import { internalForm } from '../../internal-form.ts';
import { validateLabels } from '../../meta/object-meta.ts';
import { validateContainers, validateEphemeralContainers, validateInitContainers } from './containers.ts';
import { containersOf } from './containers-of.ts';
import { podContext } from './context.ts';
import { validateFileKeyVolumes } from './env.ts';
import { validateOs } from './os.ts';
import { validateOverhead, validatePodResources } from './resources.ts';
import { validateAffinity, validateTolerations, validateTopologySpread } from './scheduling.ts';
import { validatePodSecurityContext } from './security-context.ts';
import { validateVolumes } from './volumes.ts';

const maxInt32 = 0x7fffffff;
const maxNameservers = 3;
const maxSearches = 32;
const maxSearchCharacters = 2048;

function validateDns(config: PodDNSConfig | undefined, policy: string, path: string): Errors {
  const servers = config?.nameservers ?? [];
  if (policy === 'None') {
    if (!config) return [field.required(path, 'must provide `dnsConfig` when `dnsPolicy` is None')];
    const none = 'must provide at least one DNS nameserver when `dnsPolicy` is None';
    if (servers.length === 0) return [field.required(`${path}.nameservers`, none)];
  }
  const searches = config?.searches ?? [];
  const wrong = (key: string, value: unknown, why: string) => field.invalid(`${path}.${key}`, value, why);
  const tooLong = `must not have more than ${maxSearchCharacters} characters (including spaces) in the search list`;
  return [
    ...(servers.length > maxNameservers
      ? [wrong('nameservers', servers, `must not have more than ${maxNameservers} nameservers`)]
      : []),
    ...each(servers, `${path}.nameservers`, ipAddress),
    ...(searches.length > maxSearches
      ? [wrong('searches', searches, `must not have more than ${maxSearches} search paths`)]
      : []),
    ...(searches.join(' ').length > maxSearchCharacters ? [wrong('searches', searches, tooLong)] : []),
    ...each(searches, `${path}.searches`, (search, at) => {
      if (search === '.') return [];
      const name = search.replace(/\.$/, '');
      return invalidAll(at, name, isDns1123SubdomainWithUnderscore(name));
    }),
    ...each(config?.options, `${path}.options`, (option, at) => required(option.name, at, 'must not be empty')),
  ];
}

function validateGates(gates: readonly PodSchedulingGate[] | undefined, path: string): Errors {
  const seen = new Set<string>();
  return each(gates, path, ({ name }, at) => {
    const errors = qualifiedName(name, at);
    if (seen.has(name)) errors.push(field.duplicate(at, name));
    seen.add(name);
    return errors;
  });
}

const hostAlias: Check<HostAlias> = (alias, path) => [
  ...ipAddress(alias.ip ?? '', `${path}.ip`),
  ...each(alias.hostnames, `${path}.hostnames`, dnsSubdomain),
];

const shownClaim = { Name: '', ResourceClaimName: null, ResourceClaimTemplateName: null };

function validateResourceClaims(claims: readonly PodResourceClaim[] | undefined, path: string): Errors {
  const names = new Set<string>();
  return each(claims, path, (claim, at) => {
    const { name, resourceClaimName: own, resourceClaimTemplateName: template } = claim;
    const errors = requiredAnd(name, `${at}.name`, (value, where) =>
      names.has(value) ? [field.duplicate(where, value)] : dnsLabel(value, where),
    );
    names.add(name);
    if (own !== undefined && template !== undefined) {
      const why = 'at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified';
      errors.push(field.invalid(at, internalForm(shownClaim, claim), why));
    }
    if (own === undefined && template === undefined) {
      const why = 'must specify one of: `resourceClaimName`, `resourceClaimTemplateName`';
      errors.push(field.invalid(at, internalForm(shownClaim, claim), why));
    }
    return [
      ...errors,
      ...optional(own, `${at}.resourceClaimName`, objectName()),
      ...optional(template, `${at}.resourceClaimTemplateName`, objectName()),
    ];
  });
}

/** A pod on the host's network takes the host's ports; a template may leave that to the pod's defaults. */
function validateHostPorts(spec: PodSpec, path: string, isPod: boolean): Errors {
  if (!spec.hostNetwork) return [];
  return each(spec.containers, `${path}.containers`, (container, at) =>
    each(container.ports, `${at}.ports`, ({ hostPort = 0, containerPort }, where) =>
      (isPod || hostPort !== 0) && hostPort !== containerPort
        ? [field.invalid(`${where}.hostPort`, hostPort, 'must match `containerPort` when `hostNetwork` is true')]
        : [],
    ),
  );
}

/** A user namespace cannot be combined with the host's other namespaces. */
function validateHostUsers(spec: PodSpec, path: string): Errors {
  if (spec.hostUsers !== false) return [];
  const why = 'when `hostUsers` is false';
  return [
    ...forbidden(spec.hostNetwork, `${path}.hostNetwork`, why),
    ...forbidden(spec.hostPID, `${path}.HostPID`, why),
    ...forbidden(spec.hostIPC, `${path}.HostIPC`, why),
    ...containersOf(spec, path).flatMap(([{ volumeDevices }, at]) =>
      forbidden(volumeDevices?.length, `${at}.volumeDevices`, why),
    ),
  ];
}

const maxHostname = 64;

/** A name that replaces the pod's own in its hostname. */
function validateHostname({ hostnameOverride: name, setHostnameAsFQDN, hostNetwork }: PodSpec, path: string): Errors {
  return optional(name, `${path}.hostnameOverride`, (value, at) => [
    ...forbidden(setHostnameAsFQDN, at, 'may not be specified when setHostnameAsFQDN is true'),
    ...forbidden(hostNetwork, at, 'may not be specified when hostNetwork is true'),
    ...(value.length > maxHostname ? [field.tooLong(at, maxHostname)] : []),
    ...dnsSubdomain(value, at),
  ]);
}

function validateIdentity(spec: PodSpec, path: string): Errors {
  return [
    ...nonEmpty(spec.serviceAccountName, `${path}.serviceAccountName`, objectName()),
    ...nonEmpty(spec.nodeName, `${path}.nodeName`, objectName()),
    ...optional(spec.activeDeadlineSeconds, `${path}.activeDeadlineSeconds`, (value, at) =>
      value < 1 || value > maxInt32 ? [field.invalid(at, value, rangeError(1, maxInt32))] : [],
    ),
    ...nonEmpty(spec.hostname, `${path}.hostname`, dnsLabel),
    ...nonEmpty(spec.subdomain, `${path}.subdomain`, dnsLabel),
    ...validateTolerations(spec.tolerations, `${path}.tolerations`),
    ...each(spec.hostAliases, `${path}.hostAliases`, hostAlias),
    ...nonEmpty(spec.priorityClassName, `${path}.priorityClassName`, objectName()),
    ...optional(spec.runtimeClassName, `${path}.runtimeClassName`, objectName()),
    ...optional(spec.preemptionPolicy, `${path}.preemptionPolicy`, (value, at) =>
      requiredOneOf(value, at, ['PreemptLowerPriority', 'Never']),
    ),
    ...optional(spec.overhead, `${path}.overhead`, validateOverhead),
  ];
}

/** @param meta the pod's metadata, absent for a template. */
export function validatePodSpec(spec: PodSpec, path: string, meta?: ObjectMeta): Errors {
  const { byName, errors } = validateVolumes(spec.volumes, meta, `${path}.volumes`);
  const context = podContext(spec, byName);
  return [
    ...(spec.terminationGracePeriodSeconds === undefined
      ? [field.required(`${path}.terminationGracePeriodSeconds`)]
      : []),
    ...errors,
    ...validateResourceClaims(spec.resourceClaims, `${path}.resourceClaims`),
    ...validateContainers(spec, path, context),
    ...validateInitContainers(spec, path, context),
    ...validateEphemeralContainers(spec, path, context),
    ...validatePodResources(spec, `${path}.resources`),
    ...validateHostPorts(spec, path, meta !== undefined),
    ...requiredOneOf(spec.restartPolicy, `${path}.restartPolicy`, ['Always', 'OnFailure', 'Never']),
    ...requiredOneOf(spec.dnsPolicy, `${path}.dnsPolicy`, [
      'ClusterFirstWithHostNet',
      'ClusterFirst',
      'Default',
      'None',
    ]),
    ...validateLabels(spec.nodeSelector, `${path}.nodeSelector`),
    ...validatePodSecurityContext(spec, `${path}.securityContext`),
    ...validateAffinity(spec.affinity, `${path}.affinity`),
    ...validateDns(spec.dnsConfig, spec.dnsPolicy ?? '', `${path}.dnsConfig`),
    ...each(spec.readinessGates, `${path}.readinessGates`, (gate, at) =>
      qualifiedName(gate.conditionType, `${at}.conditionType`),
    ),
    ...validateGates(spec.schedulingGates, `${path}.schedulingGates`),
    ...validateTopologySpread(spec.topologySpreadConstraints, `${path}.topologySpreadConstraints`),
    ...validateHostUsers(spec, path),
    ...validateHostname(spec, path),
    ...validateIdentity(spec, path),
    ...validateOs(spec, path),
    ...validateFileKeyVolumes(spec, path),
  ];
}
