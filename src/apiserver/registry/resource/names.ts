/** Names of drivers, pools, devices and their attributes (pkg/apis/resource/validation). */
import { byteLength, isCIdentifier } from '../../../api/validation/names.ts';
import { type Check, dnsLabel, dnsSubdomain, type Errors, each, invalidAll } from '../checks.ts';
import { csiDriverName } from '../core/pod/volume-sources.ts';
import { field } from '../field-errors.ts';

const maxPool = 253;
const maxId = 32;

export const driverName: Check<string | undefined> = csiDriverName;
export const deviceName: Check<string | undefined> = dnsLabel;

export const poolName: Check<string | undefined> = (name, path) => {
  if (!name) return [field.required(path)];
  return [
    ...(byteLength(name) > maxPool ? [field.tooLong(path, maxPool)] : []),
    ...name.split('/').flatMap(part => dnsSubdomain(part, path)),
  ];
};

const identifier = (id: string, path: string): Errors => [
  ...(byteLength(id) > maxId ? [field.tooLong(path, maxId)] : []),
  ...invalidAll(path, id, isCIdentifier(id)),
];

/** "name" or "domain/name", the name a C identifier. */
export const qualifiedName: Check<string> = (name, path) => {
  const [first = '', second, ...more] = name.split('/');
  if (more.length > 0) return [];
  if (second === undefined) return identifier(first, path);
  return [
    ...(first ? driverName(first, path) : [field.invalid(path, '', 'the domain must not be empty')]),
    ...(second ? identifier(second, path) : [field.invalid(path, '', 'the name must not be empty')]),
  ];
};

export const fullyQualifiedAttribute: Check<string> = (name, path) => [
  ...qualifiedName(name, path),
  ...(name.includes('/')
    ? []
    : [field.invalid(path, name, 'a fully qualified name must be a domain and a name separated by a slash')]),
];

/** At most `max` items; more are not looked at. */
export function bounded<T>(
  list: readonly T[] | undefined,
  max: number,
  path: string,
  check: (item: T, path: string) => Errors,
): Errors {
  const count = list?.length ?? 0;
  return count > max ? [field.tooMany(path, count, max)] : each(list, path, check);
}

/** The same, each with a key of its own. */
export function boundedSet<T>(
  list: readonly T[] | undefined,
  max: number,
  path: string,
  check: (item: T, path: string) => Errors,
  key: (item: T) => string,
): Errors {
  if ((list?.length ?? 0) > max) return bounded(list, max, path, check);
  const seen = new Set<string>();
  const twice = each(list, path, (item, at) => {
    const value = key(item);
    if (seen.has(value)) return [field.duplicate(at, value)];
    seen.add(value);
    return [];
  });
  return [...each(list, path, check), ...twice];
}
