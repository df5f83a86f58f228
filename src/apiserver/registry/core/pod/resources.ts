/** Requests and limits of containers and pods. */
import { tryParseQuantity } from '../../../../api/quantity.ts';
import type { PodSpec, ResourceClaim, ResourceRequirements } from '../../../../api/types/core-v1.ts';
import { type Check, dnsLabel, type Errors, each, eachEntry, forbidden } from '../../checks.ts';
import { type FieldError, field } from '../../field-errors.ts';
import {
  compareQuantity,
  hugePagesComplaint,
  isHugePages,
  isOvercommitAllowed,
  validateContainerResourceName,
  validatePodResourceName,
  validateQuantity,
} from '../resource-names.ts';
import { aggregateLimits, aggregateRequests } from './aggregate.ts';

function validateEntry(name: string, value: string, path: string, checkName: Check<string>): Errors {
  const complaint = hugePagesComplaint(name, value);
  return [
    ...checkName(name, path),
    ...validateQuantity(name, value, path),
    ...(complaint === undefined ? [] : [field.invalid(path, value, complaint)]),
  ];
}

function againstLimit(name: string, request: string, resources: ResourceRequirements, path: string): Errors {
  const limit = resources.limits?.[name];
  if (limit === undefined) {
    return isOvercommitAllowed(name)
      ? []
      : [field.required(`${path}.limits`, 'Limit must be set for non overcommitable resources')];
  }
  if (!tryParseQuantity(limit) || !tryParseQuantity(request)) return [];
  const order = compareQuantity(request, limit);
  const at = `${path}.requests`;
  if (order !== 0 && !isOvercommitAllowed(name)) {
    return [field.invalid(at, request, `must be equal to ${name} limit of ${limit}`)];
  }
  return order > 0 ? [field.invalid(at, request, `must be less than or equal to ${name} limit of ${limit}`)] : [];
}

function notInPod(path: string, name: string, known: ReadonlySet<string>): FieldError {
  const names = known.size === 0 ? ' which is empty' : `: ${[...known].sort().join(', ')}`;
  const { message, ...rest } = field.notFound(path, name);
  return { ...rest, message: `${message}: must be one of the names in pod.spec.resourceClaims${names}` };
}

function validateClaims(
  claims: readonly ResourceClaim[] | undefined,
  known: ReadonlySet<string>,
  path: string,
): Errors {
  const seen = new Set<string>();
  return each(claims, path, ({ name, request }, at) => {
    if (!name) return [field.required(at)];
    const key = request ? `${name}/${request}` : name;
    const overlaps = seen.has(name) || seen.has(key) || (!request && [...seen].some(k => k.startsWith(`${name}/`)));
    seen.add(key);
    return [
      ...(overlaps ? [field.duplicate(at, seen.has(name) && request ? name : key)] : []),
      ...(request ? dnsLabel(request, `${at}.request`) : []),
      ...(known.has(name) ? [] : [notInPod(at, name, known)]),
    ];
  });
}

function validateRequirements(
  resources: ResourceRequirements,
  checkName: Check<string>,
  claimNames: ReadonlySet<string>,
  path: string,
): Errors {
  const names = [...Object.keys(resources.limits ?? {}), ...Object.keys(resources.requests ?? {})];
  const computes = names.some(name => name === 'cpu' || name === 'memory');
  return [
    ...eachEntry(resources.limits, `${path}.limits`, (value, at, name) => validateEntry(name, value, at, checkName)),
    ...eachEntry(resources.requests, `${path}.requests`, (value, at, name) => [
      ...validateEntry(name, value, at, checkName),
      ...againstLimit(name, value, resources, path),
    ]),
    ...forbidden(!computes && names.some(isHugePages), path, 'HugePages require cpu or memory'),
    ...validateClaims(resources.claims, claimNames, `${path}.claims`),
  ];
}

const none: ReadonlySet<string> = new Set();

export function validateContainerResources(
  resources: ResourceRequirements | undefined,
  claimNames: ReadonlySet<string>,
  path: string,
): Errors {
  return resources ? validateRequirements(resources, validateContainerResourceName, claimNames, path) : [];
}

/** Overhead is written as limits of a container. */
export function validateOverhead(overhead: Record<string, string>, path: string): Errors {
  return validateRequirements({ limits: overhead }, validateContainerResourceName, none, path);
}

function againstContainers(spec: PodSpec, resources: ResourceRequirements, path: string): Errors {
  const covers = (kind: 'requests' | 'limits', totals: Record<string, string>) =>
    Object.entries(totals).flatMap(([name, total]) => {
      const own = resources[kind]?.[name];
      const why = `must be greater than or equal to aggregate container ${kind} of ${total}`;
      return own !== undefined && compareQuantity(total, own) > 0
        ? [field.invalid(`${path}.${kind}[${name}]`, own, why)]
        : [];
    });
  // Huge pages cannot be overcommitted, so the pod's limit covers those of its containers.
  const huge = Object.fromEntries(Object.entries(aggregateLimits(spec)).filter(([name]) => isHugePages(name)));
  const limits = each(spec.containers, `${path}.containers`, (container, at) =>
    eachEntry(container.resources?.limits, '', (limit, _, name) => {
      const whole = resources.limits?.[name];
      return whole !== undefined && compareQuantity(limit, whole) > 0
        ? [field.invalid(`${at}[${name}].limits`, limit, `must be less than or equal to pod limits of ${whole}`)]
        : [];
    }),
  );
  return [...covers('requests', aggregateRequests(spec)), ...covers('limits', huge), ...limits];
}

/** Pod-level resources: cpu, memory and huge pages, covering what the containers ask for. */
export function validatePodResources(spec: PodSpec, path: string): Errors {
  const { resources } = spec;
  if (!resources) return [];
  if (spec.os?.name === 'windows') return [field.forbidden(path, 'may not be set for a windows pod')];
  return [
    ...forbidden(resources.claims, `${path}.claims`, 'claims may not be set for Resources at pod-level'),
    ...validateRequirements({ ...resources, claims: [] }, validatePodResourceName, none, path),
    ...againstContainers(spec, resources, path),
  ];
}
