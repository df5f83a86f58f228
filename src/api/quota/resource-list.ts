/** Arithmetic on maps from resource name to quantity. Nothing is changed in place. */
import {
  addQuantity,
  compareQuantity,
  formatQuantity,
  isZeroQuantity,
  signOfQuantity,
  subQuantity,
} from '../quantity.ts';

export type ResourceList = Readonly<Record<string, string>>;

/** Union of both, with quantities of the same name added. */
export function addLists(a: ResourceList, b: ResourceList): Record<string, string> {
  const out: Record<string, string> = { ...a };
  for (const [name, quantity] of Object.entries(b)) {
    const present = out[name];
    out[name] = present === undefined ? quantity : formatQuantity(addQuantity(present, quantity));
  }
  return out;
}

/** `a - b`, with names that only `b` has as negative quantities. */
export function subtractLists(a: ResourceList, b: ResourceList): Record<string, string> {
  const out: Record<string, string> = { ...a };
  for (const [name, quantity] of Object.entries(b)) out[name] = formatQuantity(subQuantity(out[name] ?? '0', quantity));
  return out;
}

/** Like subtractLists, but never below zero. */
export function subtractToZero(a: ResourceList, b: ResourceList): Record<string, string> {
  const entries = Object.entries(subtractLists(a, b)).map(([k, v]): [string, string] => [
    k,
    signOfQuantity(v) < 0 ? '0' : v,
  ]);
  return Object.fromEntries(entries);
}

/** The larger of each. */
export function maxLists(a: ResourceList, b: ResourceList): Record<string, string> {
  const out: Record<string, string> = { ...a };
  for (const [name, quantity] of Object.entries(b)) {
    const present = out[name];
    if (present === undefined || compareQuantity(quantity, present) > 0) out[name] = quantity;
  }
  return out;
}

/** Only the entries with these names. */
export function maskList(list: ResourceList, names: Iterable<string>): Record<string, string> {
  const wanted = new Set(names);
  return Object.fromEntries(Object.entries(list).filter(([name]) => wanted.has(name)));
}

export function withoutZeros(list: ResourceList): Record<string, string> {
  return Object.fromEntries(Object.entries(list).filter(([, quantity]) => !isZeroQuantity(quantity)));
}

/** Names of entries that are larger than those of `limit` (entries without limit are not). */
export function exceeding(list: ResourceList, limit: ResourceList): string[] {
  return Object.entries(list).flatMap(([name, quantity]) => {
    const most = limit[name];
    return most !== undefined && compareQuantity(quantity, most) > 0 ? [name] : [];
  });
}

export function negativeNames(list: ResourceList): string[] {
  return Object.entries(list).flatMap(([name, quantity]) => (signOfQuantity(quantity) < 0 ? [name] : []));
}

export function equalLists(a: ResourceList, b: ResourceList): boolean {
  const names = Object.keys(a);
  if (names.length !== Object.keys(b).length) return false;
  return names.every(name => {
    const [x, y] = [a[name], b[name]];
    return x !== undefined && y !== undefined && (x === y || compareQuantity(x, y) === 0);
  });
}

/** `cpu=1,pods=2`, in order of names. */
export function showList(list: ResourceList): string {
  return Object.keys(list)
    .sort()
    .map(name => `${name}=${formatQuantity(list[name] ?? '0')}`)
    .join(',');
}
