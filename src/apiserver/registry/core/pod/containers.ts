/** Containers, init containers and ephemeral containers. */
import type {
  Container,
  ContainerPort,
  ContainerResizePolicy,
  ContainerRestartRule,
  EphemeralContainer,
  PodSpec,
} from '../../../../api/types/core-v1.ts';
import { isPortName } from '../../../../api/validation/names.ts';
import {
  dnsLabel,
  type Errors,
  each,
  forbidden,
  invalidAll,
  oneOf,
  portNumber,
  required,
  requiredAnd,
  requiredOneOf,
} from '../../checks.ts';
import { field } from '../../field-errors.ts';
import type { PodContext } from './context.ts';
import { validateEnv, validateEnvFrom } from './env.ts';
import { validateLifecycle, validateProbes } from './probes.ts';
import { validateContainerResources } from './resources.ts';
import { validateSecurityContext } from './security-context.ts';
import { validateContainerVolumes } from './volume-mounts.ts';

export const protocols = ['SCTP', 'TCP', 'UDP'];
const pullPolicies = ['Always', 'IfNotPresent', 'Never'];

function validatePorts(ports: readonly ContainerPort[] | undefined, path: string): Errors {
  const names = new Set<string>();
  return each(ports, path, (port, at) => {
    const errors: Errors = [];
    if (port.name) {
      const complaints = isPortName(port.name);
      errors.push(...invalidAll(`${at}.name`, port.name, complaints));
      if (complaints.length === 0 && names.has(port.name)) errors.push(field.duplicate(`${at}.name`, port.name));
      names.add(port.name);
    }
    if (!port.containerPort) errors.push(field.required(`${at}.containerPort`));
    else errors.push(...portNumber(port.containerPort, `${at}.containerPort`));
    if (port.hostPort) errors.push(...portNumber(port.hostPort, `${at}.hostPort`));
    return [...errors, ...requiredOneOf(port.protocol, `${at}.protocol`, protocols)];
  });
}

/** Two containers that run together cannot take the same port of the host. */
function hostPortConflicts(containers: readonly Container[], path: string, indexOf = (i: number) => i): Errors {
  const taken = new Set<string>();
  return containers.flatMap((container, c) =>
    each(container.ports, `${path}[${indexOf(c)}].ports`, (port, at) => {
      if (!port.hostPort) return [];
      const key = `${port.protocol}/${port.hostIP ?? ''}/${port.hostPort}`;
      if (taken.has(key)) return [field.duplicate(`${at}.hostPort`, key)];
      taken.add(key);
      return [];
    }),
  );
}

function validateResizePolicy(
  policies: readonly ContainerResizePolicy[] | undefined,
  path: string,
  context: PodContext,
): Errors {
  const seen = new Set<string>();
  return each(policies, path, ({ resourceName, restartPolicy }, at) => {
    const twice = seen.has(resourceName);
    seen.add(resourceName);
    const never = context.restartPolicy === 'Never' && restartPolicy !== 'NotRequired';
    return [
      ...(twice ? [field.duplicate(at, resourceName)] : []),
      ...requiredOneOf(resourceName, path, ['cpu', 'memory']),
      ...requiredOneOf(restartPolicy, path, ['NotRequired', 'RestartContainer']),
      ...(never ? [field.invalid(path, restartPolicy, "must be 'NotRequired' when `restartPolicy` is 'Never'")] : []),
    ];
  });
}

function validateCommon(container: Container, path: string, context: PodContext): Errors {
  return [
    ...requiredAnd(container.name, `${path}.name`, dnsLabel),
    ...required(container.image, `${path}.image`),
    ...requiredOneOf(container.terminationMessagePolicy, `${path}.terminationMessagePolicy`, [
      'File',
      'FallbackToLogsOnError',
    ]),
    ...validatePorts(container.ports, `${path}.ports`),
    ...validateEnv(container.env, `${path}.env`),
    ...validateEnvFrom(container.envFrom, `${path}.envFrom`),
    ...validateContainerVolumes(container, path, context),
    ...requiredOneOf(container.imagePullPolicy, `${path}.imagePullPolicy`, pullPolicies),
    ...validateContainerResources(container.resources, context.claimNames, `${path}.resources`),
    ...validateResizePolicy(container.resizePolicy, `${path}.resizePolicy`, context),
    ...validateSecurityContext(container.securityContext, `${path}.securityContext`, context.hostUsers),
  ];
}

const maxRules = 20;
const maxExitCodes = 255;

/** Restarting all containers of the pod is an alpha feature that is off in v1.35 (RestartAllContainersOnContainerExits). */
function validateRule({ action, exitCodes }: ContainerRestartRule, path: string): Errors {
  const at = `${path}.exitCodes`;
  return [
    ...oneOf(['Restart'])(action, `${path}.action`),
    ...(exitCodes
      ? oneOf(['In', 'NotIn'])(exitCodes.operator, `${at}.operator`)
      : [field.required(at, 'must be specified')]),
    ...((exitCodes?.values?.length ?? 0) > maxExitCodes ? [field.tooLong(`${at}.values`, maxExitCodes)] : []),
  ];
}

function validateRestart(container: Container, path: string): Errors {
  const { restartPolicy, restartPolicyRules: rules = [] } = container;
  if (restartPolicy === undefined) {
    return rules.length > 0
      ? [field.required(`${path}.restartPolicy`, 'must specify restartPolicy when restart rules are used')]
      : [];
  }
  return [
    ...oneOf(['Always', 'Never', 'OnFailure'])(restartPolicy, `${path}.restartPolicy`),
    ...(rules.length > maxRules ? [field.tooLong(`${path}.restartPolicyRules`, maxRules)] : []),
    ...each(rules, `${path}.restartPolicyRules`, validateRule),
  ];
}

/** Names are unique over the lists already seen in `names`; this list's names are added. */
function uniqueName(container: { name: string }, path: string, names: Set<string>): Errors {
  if (names.has(container.name)) return [field.duplicate(`${path}.name`, container.name)];
  if (container.name) names.add(container.name);
  return [];
}

export function validateContainers(spec: PodSpec, path: string, context: PodContext): Errors {
  const at = `${path}.containers`;
  const containers = spec.containers ?? [];
  if (containers.length === 0) return [field.required(at)];
  const names = new Set<string>();
  return [
    ...each(containers, at, (container, where) => [
      ...validateCommon(container, where, context),
      ...uniqueName(container, where, names),
      ...validateLifecycle(container.lifecycle, context.gracePeriod, `${where}.lifecycle`, Boolean(spec.os?.name)),
      ...validateProbes(container, context.gracePeriod, where),
      ...validateRestart(container, where),
    ]),
    ...hostPortConflicts(containers, at),
  ];
}

const noRules = 'restartPolicyRules are not allowed for init containers with restart policy Always';
const sidecarOnly = ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const;

export function validateInitContainers(spec: PodSpec, path: string, context: PodContext): Errors {
  const names = new Set((spec.containers ?? []).map(c => c.name));
  const list = `${path}.initContainers`;
  return each(spec.initContainers, list, (container, at, index) => {
    const sidecar = container.restartPolicy === 'Always';
    const own = sidecar
      ? [
          ...validateLifecycle(container.lifecycle, context.gracePeriod, `${at}.lifecycle`, Boolean(spec.os?.name)),
          ...validateProbes(container, context.gracePeriod, at),
        ]
      : sidecarOnly.flatMap(key =>
          forbidden(container[key], `${at}.${key}`, 'may not be set for init containers without restartPolicy=Always'),
        );
    return [
      ...validateCommon(container, at, context),
      ...(sidecar
        ? forbidden(container.restartPolicyRules?.length, `${at}.restartPolicyRules`, noRules)
        : validateRestart(container, at)),
      ...uniqueName(container, at, names),
      ...hostPortConflicts([container], list, () => index),
      ...own,
    ];
  });
}

const notForEphemeral = [
  'ports',
  'livenessProbe',
  'readinessProbe',
  'startupProbe',
  'lifecycle',
  'resizePolicy',
  'restartPolicy',
] as const;
const cannotBeSet = 'cannot be set for an Ephemeral Container';

function ephemeralOnly(container: EphemeralContainer, path: string): Errors {
  const resources = container.resources;
  const hasResources = resources && Object.keys(resources).length > 0;
  return [
    ...notForEphemeral.flatMap(key => forbidden(container[key], `${path}.${key}`, cannotBeSet)),
    ...forbidden(hasResources, `${path}.resources`, cannotBeSet),
    ...each(container.volumeMounts, `${path}.volumeMounts`, (mount, at) => [
      ...forbidden(mount.subPath, `${at}.subPath`, cannotBeSet),
      ...forbidden(mount.subPathExpr, `${at}.subPathExpr`, cannotBeSet),
    ]),
  ];
}

export function validateEphemeralContainers(spec: PodSpec, path: string, context: PodContext): Errors {
  const others = new Set([...(spec.containers ?? []), ...(spec.initContainers ?? [])].map(c => c.name));
  const names = new Set(others);
  return each(spec.ephemeralContainers, `${path}.ephemeralContainers`, (container, at) => {
    const target = container.targetContainerName;
    return [
      ...validateCommon(container, at, context),
      ...trimmedImage(container, at),
      ...uniqueName(container, at, names),
      ...(target && !others.has(target) ? [field.notFound(`${at}.targetContainerName`, target)] : []),
      ...ephemeralOnly(container, at),
    ];
  });
}

/** In a pod (not in a template) an image may not be padded. */
export function trimmedImage(container: { image?: string }, path: string): Errors {
  const image = container.image ?? '';
  return image === image.trim()
    ? []
    : [field.invalid(`${path}.image`, image, 'must not have leading or trailing whitespace')];
}
