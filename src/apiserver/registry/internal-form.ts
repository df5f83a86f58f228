/**
 * Objects in messages. Upstream validates values of internal types and prints them as JSON: with Go's names of their fields, all of
 * them, in Go's order.
 */
import { sortedMap } from '../../api/codec/coerce.ts';
import type { LabelSelector } from '../../api/types/meta-v1.ts';
import { isObject } from '../../api/util/values.ts';

/**
 * The fields of one of upstream's types. Of each its zero value (null where Go has a pointer, a list or a map), or the type of what it
 * points to, or in brackets that of the list's items, or a function that prints what is there or undefined.
 */
export interface InternalType {
  readonly [field: string]: Zero | InternalType | readonly [InternalType] | ((value: unknown) => unknown);
}
type Zero = string | number | boolean | null;

/** "SELinuxOptions" is "seLinuxOptions" in JSON, "IP" is "ip". */
const jsonName = (field: string) => field.replace(/^[A-Z]+(?=$|[A-Z][a-z])|^[A-Z]/, initials => initials.toLowerCase());

/** A value as it is served in upstream's internal form. Null when there is none. */
export function internalForm(type: InternalType, value: unknown): object | null {
  if (!isObject(value)) return null;
  const fields = Object.entries(type).map(([field, part]) => {
    const found = value[jsonName(field)];
    if (typeof part === 'function') return [field, part(found)];
    if (isList(part)) return [field, internalList(part[0], found as unknown[] | undefined)];
    if (isObject(part)) return [field, internalForm(part as InternalType, found)];
    return [field, isObject(found) ? sortedMap(found) : (found ?? part)];
  });
  return Object.fromEntries(fields);
}
const isList = (part: InternalType[string]): part is readonly [InternalType] => Array.isArray(part);

export const internalList = (type: InternalType, list: readonly unknown[] | undefined): unknown[] | null =>
  list?.map(item => internalForm(type, item)) ?? null;

/** A struct inside a struct, which is there even when it is empty. */
export const inside =
  (type: InternalType) =>
  (value: unknown): unknown =>
    internalForm(type, value ?? {});

/** Selectors of labels have one form only, that of JSON. */
export function shownSelector(selector: unknown): object | null {
  if (!isObject(selector)) return null;
  const { matchLabels, matchExpressions } = selector as LabelSelector;
  return {
    ...(matchLabels && { matchLabels: sortedMap(matchLabels) }),
    ...(matchExpressions?.length && {
      matchExpressions: matchExpressions.map(({ key, operator, values }) => ({
        key,
        operator,
        ...(values?.length && { values }),
      })),
    }),
  };
}
