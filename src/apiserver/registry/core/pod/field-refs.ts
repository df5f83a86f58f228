/** References to the pod's own fields and resources, in environment variables and downward API files. */
import { isZeroQuantity, tryParseQuantity } from '../../../../api/quantity.ts';
import type { ObjectFieldSelector, ResourceFieldSelector } from '../../../../api/types/core-v1.ts';
import { type Errors, qualifiedName } from '../../checks.ts';
import { field } from '../../field-errors.ts';

/** Every field label that the downward API knows (ConvertDownwardAPIFieldLabel). */
const knownFields = new Set([
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.restartPolicy',
  'spec.serviceAccountName',
  'spec.schedulerName',
  'status.phase',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
]);
export const envFields = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
];
export const volumeFields = [
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
];

const subscripted = /^([^[]+)\['(.*)'\]$/;

function validateSubscript(path: string, subscript: string, at: string): Errors {
  if (path === 'metadata.annotations') return qualifiedName(subscript.toLowerCase(), at);
  if (path === 'metadata.labels') return qualifiedName(subscript, at);
  return [field.invalid(at, path, 'does not support subscript')];
}

export function validateFieldRef(ref: ObjectFieldSelector, supported: readonly string[], path: string): Errors {
  if (!ref.apiVersion) return [field.required(`${path}.apiVersion`)];
  if (!ref.fieldPath) return [field.required(`${path}.fieldPath`)];
  const match = subscripted.exec(ref.fieldPath);
  const base = match?.[1] ?? ref.fieldPath;
  const at = `${path}.fieldPath`;
  if (ref.apiVersion !== 'v1') {
    const why = `error converting fieldPath: unsupported pod version: ${ref.apiVersion}`;
    return [field.invalid(at, ref.fieldPath, why)];
  }
  if (!knownFields.has(base)) {
    const why = `error converting fieldPath: field label not supported: ${ref.fieldPath}`;
    return [field.invalid(at, ref.fieldPath, why)];
  }
  if (match) return validateSubscript(base, match[2] ?? '', path);
  return supported.includes(base) ? [] : [field.notSupported(at, base, supported)];
}

const resourceFields = ['cpu', 'ephemeral-storage', 'memory']
  .flatMap(name => [`limits.${name}`, `requests.${name}`])
  .sort();
const hugePagesField = /^(requests|limits)\.hugepages-/;
const byteDivisors = ['1', ...['k', 'M', 'G', 'T', 'P', 'E'], ...['Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei']].map(suffix =>
  suffix === '1' ? '1' : `1${suffix}`,
);
const divisors: Record<string, { values: readonly string[]; what: string }> = {
  cpu: { values: ['1m', '1'], what: 'cpu' },
  memory: { values: byteDivisors, what: 'memory' },
  'ephemeral-storage': { values: byteDivisors, what: 'local ephemeral storage' },
};

function validateDivisor(ref: ResourceFieldSelector, path: string): Errors {
  const divisor = tryParseQuantity(ref.divisor ?? '0');
  if (!divisor || isZeroQuantity(divisor)) return [];
  const name = ref.resource.slice(ref.resource.indexOf('.') + 1);
  const rule = hugePagesField.test(ref.resource) ? { values: byteDivisors, what: 'hugepages' } : divisors[name];
  if (!rule || rule.values.includes(String(ref.divisor))) return [];
  const listed = name === 'cpu' ? '1m and 1' : byteDivisors.join(', ');
  const why = `only divisor's values ${listed} are supported with the ${rule.what} resource`;
  return [field.invalid(`${path}.divisor`, ref.resource, why)];
}

/** In a volume the container must be named, because there is no container around it. */
export function validateResourceFieldRef(ref: ResourceFieldSelector, path: string, inVolume: boolean): Errors {
  if (inVolume && !ref.containerName) return [field.required(`${path}.containerName`)];
  if (!ref.resource) return [field.required(`${path}.resource`)];
  const known = resourceFields.includes(ref.resource) || hugePagesField.test(ref.resource);
  return [
    ...(known ? [] : [field.notSupported(`${path}.resource`, ref.resource, resourceFields)]),
    ...validateDivisor(ref, path),
  ];
}
