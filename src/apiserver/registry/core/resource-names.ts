/** What resource names mean, and which are allowed where (pkg/apis/core/helper and pkg/apis/core/validation). */
import {
  compareQuantity,
  formatQuantity,
  milliValueOf,
  type QuantityLike,
  signOfQuantity,
  tryParseQuantity,
} from '../../../api/quantity.ts';
import { isQualifiedName } from '../../../api/validation/names.ts';
import { type Errors, invalidAll, negativeDetail } from '../checks.ts';
import { field } from '../field-errors.ts';

export type ResourceList = Readonly<Record<string, string>>;

const hugePages = 'hugepages-';
const containerResources = new Set(['cpu', 'memory', 'ephemeral-storage']);
const countedResources = [
  'pods',
  'services',
  'replicationcontrollers',
  'resourcequotas',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'services.nodeports',
  'services.loadbalancers',
];
const quotaResources = new Set([
  'cpu',
  'memory',
  'ephemeral-storage',
  'requests.cpu',
  'requests.memory',
  'requests.storage',
  'requests.ephemeral-storage',
  'limits.cpu',
  'limits.memory',
  'limits.ephemeral-storage',
  ...countedResources,
]);
const standardResources = new Set([...quotaResources, 'storage']);
const integerResources = new Set(countedResources);

export const isHugePages = (name: string): boolean => name.startsWith(hugePages);
const isPrefixedNative = (name: string) => name.includes('kubernetes.io/');
export const isNative = (name: string): boolean => !name.includes('/') || isPrefixedNative(name);
export const isOvercommitAllowed = (name: string): boolean => isNative(name) && !isHugePages(name);
export const isStandardQuotaResource = (name: string): boolean =>
  quotaResources.has(name) || isHugePages(name) || name.startsWith(`requests.${hugePages}`);

export function isExtended(name: string): boolean {
  return !isNative(name) && !name.startsWith('requests.') && isQualifiedName(`requests.${name}`).length === 0;
}
const isInteger = (name: string) => integerResources.has(name) || isExtended(name);

function standardOrQualified(name: string, path: string): Errors {
  const complaints = isQualifiedName(name);
  if (complaints.length > 0) return invalidAll(path, name, complaints);
  const known = name.includes('/') || standardResources.has(name) || isHugePages(name) || isStandardQuotaResource(name);
  return known ? [] : [field.invalid(path, name, 'must be a standard resource type or fully qualified')];
}

export function validateContainerResourceName(name: string, path: string): Errors {
  const errors = standardOrQualified(name, path);
  if (!name.includes('/')) {
    const standard = containerResources.has(name) || isHugePages(name);
    return standard ? errors : [...errors, field.invalid(path, name, 'must be a standard resource for containers')];
  }
  if (isPrefixedNative(name) || isExtended(name)) return errors;
  return [...errors, field.invalid(path, name, "doesn't follow extended resource name standard")];
}

export function validatePodResourceName(name: string, path: string): Errors {
  const known = name === 'cpu' || name === 'memory' || isHugePages(name);
  return known ? [] : [field.notSupported(path, name, ['cpu', 'hugepages-', 'memory'])];
}

export function validateQuotaResourceName(name: string, path: string): Errors {
  const errors = standardOrQualified(name, path);
  if (name.includes('/') || isStandardQuotaResource(name)) return errors;
  return [...errors, field.invalid(path, name, 'must be a standard resource for quota')];
}

export function validateLimitRangeResourceName(type: string, name: string, path: string): Errors {
  if (type === 'Pod' || type === 'Container') return validateContainerResourceName(name, path);
  return standardOrQualified(name, path);
}

/** A quantity of a resource: not negative, and whole when the resource is counted. Text that is no quantity is refused on decode. */
export function validateQuantity(name: string, value: QuantityLike, path: string): Errors {
  const quantity = tryParseQuantity(value);
  if (!quantity) return [field.invalid(path, value, 'must be a valid resource quantity')];
  const shown = formatQuantity(quantity);
  return [
    ...(signOfQuantity(quantity) < 0 ? [field.invalid(path, shown, negativeDetail)] : []),
    ...(isInteger(name) && milliValueOf(quantity) % 1000 !== 0
      ? [field.invalid(path, shown, 'must be an integer')]
      : []),
  ];
}

export function validatePositiveQuantity(value: QuantityLike, path: string): Errors {
  const quantity = tryParseQuantity(value);
  return quantity && signOfQuantity(quantity) > 0
    ? []
    : [field.invalid(path, String(value), 'must be greater than zero')];
}

/** A huge page quantity is a whole number of pages. */
export function hugePagesComplaint(name: string, value: string): string | undefined {
  if (!isHugePages(name)) return undefined;
  const page = tryParseQuantity(name.slice(hugePages.length));
  const quantity = tryParseQuantity(value);
  if (!page || !quantity || page.nano === 0n || quantity.nano % page.nano !== 0n) {
    return `${value} is not positive integer multiple of ${name}`;
  }
  return undefined;
}

export { compareQuantity };
