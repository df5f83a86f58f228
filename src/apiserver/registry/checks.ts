/** Small validators that kinds are put together from. Each gives the list of errors at `path`, empty when the value is fine. */
import { semanticEqual } from '../../api/util/values.ts';
import { isCidr, isIp } from '../../api/validation/ip.ts';
import {
  isDns1123Label,
  isDns1123Subdomain,
  isFullyQualifiedName,
  isHttpPath,
  isPathSegmentName,
  isPortName,
  isPortNumber,
  isQualifiedName,
  type NameCheck,
  nameIsDnsSubdomain,
} from '../../api/validation/names.ts';
import { type FieldError, field } from './field-errors.ts';

export type Errors = FieldError[];
/** A validator of one value at one path. */
export type Check<T> = (value: T, path: string) => Errors;

/** One `Invalid` per complaint. */
export function invalidAll(path: string, value: unknown, complaints: readonly string[]): Errors {
  return complaints.map(complaint => field.invalid(path, value, complaint));
}

/** Runs `check` on every item of a list that may be absent; paths end in `[i]`. */
export function each<T>(
  list: readonly T[] | undefined,
  path: string,
  check: (item: T, path: string, index: number) => Errors,
): Errors {
  return (list ?? []).flatMap((item, i) => check(item, `${path}[${i}]`, i));
}

/** Runs `check` on every entry of a map in key order; paths end in `[key]`. */
export function eachEntry<T>(
  map: Readonly<Record<string, T>> | undefined,
  path: string,
  check: (value: T, path: string, key: string) => Errors,
): Errors {
  if (!map) return [];
  const keys = Object.keys(map);
  if (keys.length > 1) keys.sort();
  return keys.flatMap(key => check(map[key] as T, `${path}[${key}]`, key));
}

/** Runs `check` only on a value that is set. */
export function optional<T>(value: T | undefined | null, path: string, check: Check<T>): Errors {
  return value === undefined || value === null ? [] : check(value, path);
}

/** Like `optional`, but an empty string counts as not set. */
export function nonEmpty(value: string | undefined, path: string, check: Check<string>): Errors {
  return value ? check(value, path) : [];
}

export function required(value: unknown, path: string, detail = ''): Errors {
  const missing = value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0);
  return missing ? [field.required(path, detail)] : [];
}

/** Required, and then `check`. */
export function requiredAnd(value: string | undefined, path: string, check: Check<string>, detail = ''): Errors {
  return value ? check(value, path) : [field.required(path, detail)];
}

export function forbidden(isForbidden: unknown, path: string, detail: string): Errors {
  return isForbidden ? [field.forbidden(path, detail)] : [];
}

/** A value that must be one of a few; absent values are fine. */
export const oneOf =
  (supported: readonly string[]): Check<string | undefined> =>
  (value = '', path) =>
    supported.includes(value) ? [] : [field.notSupported(path, value, supported)];

/** A value that must be there and be one of a few. */
export function requiredOneOf(value: string | undefined, path: string, supported: readonly string[]): Errors {
  return value ? oneOf(supported)(value, path) : [field.required(path)];
}

/** A required field that the client left out reads as Go's zero value. */
const complain =
  (check: (value: string) => string[]): Check<string | undefined> =>
  (value = '', path) =>
    invalidAll(path, value, check(value));

export const dnsLabel: Check<string | undefined> = complain(isDns1123Label);
export const dnsSubdomain: Check<string | undefined> = complain(isDns1123Subdomain);
export const qualifiedName: Check<string | undefined> = complain(isQualifiedName);
/**
 * Addresses and blocks in the fields that are older than the strict rules: leading zeros, mapped addresses and bits past the prefix pass
 * with a warning (`meta/ip-warnings.ts`), as the StrictIPCIDRValidation gate is off in v1.35 (IsValidIPForLegacyField).
 */
export const ipAddress: Check<string | undefined> = complain(value => isIp(value, false));
export const cidrBlock: Check<string | undefined> = complain(value => isCidr(value, false));
/** "domain/path" (IsDomainPrefixedPath): each complaint shows the part it is about. */
export const domainPrefixedPath: Check<string | undefined> = (value, path) => {
  if (!value) return [field.required(path)];
  const slash = value.indexOf('/');
  if (slash <= 0 || slash === value.length - 1) {
    return [field.invalid(path, value, 'must be a domain-prefixed path (such as "acme.io/foo")')];
  }
  return [
    ...dnsSubdomain(value.slice(0, slash), path),
    ...invalidAll(path, value.slice(slash + 1), isHttpPath(value.slice(slash + 1))),
  ];
};
/** At least two labels, a final dot is fine (IsFullyQualifiedDomainName). */
export const fullyQualifiedDomain: Check<string | undefined> = (value, path) => {
  if (!value) return [field.required(path)];
  const name = value.endsWith('.') ? value.slice(0, -1) : value;
  const complaints = isDns1123Subdomain(name);
  if (complaints.length > 0) return [field.invalid(path, name, complaints.join(','))];
  const labels = name.split('.');
  if (labels.length < 2) {
    return [field.invalid(path, name, 'should be a domain with at least two segments separated by dots')];
  }
  const wrong = labels.find(label => isDns1123Label(label).length > 0);
  return wrong === undefined ? [] : [field.invalid(path, wrong, isDns1123Label(wrong).join(','))];
};
/** At least three labels (IsFullyQualifiedName). */
export const fullyQualifiedName: Check<string | undefined> = (value, path) =>
  value ? invalidAll(path, value, isFullyQualifiedName(value)) : [field.required(path)];
export const pathSegment: Check<string | undefined> = complain(isPathSegmentName);
/** The name of an object of another kind. */
export const objectName =
  (check: NameCheck = nameIsDnsSubdomain): Check<string> =>
  (value, path) =>
    invalidAll(path, value, check(value, false));

export const portNumber: Check<number | undefined> = (value = 0, path) => invalidAll(path, value, isPortNumber(value));
export const portNumberOrName: Check<number | string | undefined> = (value = 0, path) =>
  typeof value === 'number' ? portNumber(value, path) : invalidAll(path, value, isPortName(value));

export const negativeDetail = 'must be greater than or equal to 0';
export const nonNegative: Check<number> = (value, path) =>
  value < 0 ? [field.invalid(path, value, negativeDetail)] : [];
export const positive: Check<number> = (value, path) =>
  value <= 0 ? [field.invalid(path, value, 'must be greater than 0')] : [];

const immutableDetail = 'field is immutable';
/** The value may not differ from the old one. `show` gives what is to be seen of it. */
export function immutable<T>(value: T, old: T, path: string, show?: (value: T) => unknown): Errors {
  return same(value, old) ? [] : [field.invalid(path, show ? show(value) : value, immutableDetail)];
}

/** Equal as upstream's semantic equality sees it: absent, empty lists and empty maps are the same. */
export const same: (a: unknown, b: unknown) => boolean = semanticEqual;

/** `Duplicate` for each item whose key came before. */
export function unique<T>(
  list: readonly T[] | undefined,
  path: string,
  key: (item: T) => string,
  at: (path: string) => string = p => p,
): Errors {
  const seen = new Set<string>();
  return each(list, path, (item, itemPath) => {
    const value = key(item);
    if (seen.has(value)) return [field.duplicate(at(itemPath), value)];
    seen.add(value);
    return [];
  });
}

/** Refuses a second member of a union: the first that is set is checked, every other is forbidden. */
export function oneMember<T extends object>(
  union: T,
  path: string,
  members: readonly { readonly key: keyof T & string; check(value: never, path: string): Errors }[],
  tooMany: string,
  none?: string,
): Errors {
  const errors: Errors = [];
  let found = false;
  for (const { key, check } of members) {
    const value = union[key];
    if (value === undefined || value === null) continue;
    if (found) errors.push(field.forbidden(`${path}.${key}`, tooMany));
    else errors.push(...check(value as never, `${path}.${key}`));
    found = true;
  }
  if (!found && none !== undefined) errors.push(field.required(path, none));
  return errors;
}

/** Bytes behind a base64 text. */
export const decodedLength = (text: string): number => Math.floor((text.replace(/=+$/, '').length * 3) / 4);
