/** Building blocks for the columns of `kubectl get` (pkg/printers/internalversion). */
import { ageOf } from '../../api/duration.ts';
import type { KubeObject } from '../../api/object.ts';
import { formatLabelSelector } from '../../api/selectors/index.ts';
import type { Container, PodTemplateSpec } from '../../api/types/core-v1.ts';
import type { LabelSelector } from '../../api/types/meta-v1.ts';
import type { Column } from './strategy.ts';

type Cell = string | number | boolean | null;
interface CellReader<T> {
  cell(obj: T, now: number): Cell;
}

export const nameColumn: Column<KubeObject> = {
  name: 'Name',
  type: 'string',
  format: 'name',
  cell: obj => obj.metadata.name,
};
export const ageColumn: Column<KubeObject> = {
  name: 'Age',
  type: 'string',
  cell: (obj, now) => ageOf(obj.metadata.creationTimestamp, now),
};
/** Kinds without a printer of their own show when they were made. */
export const createdColumn: Column<KubeObject> = {
  name: 'Created At',
  type: 'date',
  cell: obj => obj.metadata.creationTimestamp ?? '',
};

const column =
  (type: Column<KubeObject>['type'], wide: boolean) =>
  <T>(name: string, cell: CellReader<T>['cell']): Column<T> => ({ name, type, ...(wide && { wide }), cell });

export const text = column('string', false);
export const wideText = column('string', true);
export const integer = column('integer', false);
export const flag = column('boolean', false);

export const orNone = (value: string | undefined): string => value || '<none>';

const pairs = (labels: Readonly<Record<string, string>>) =>
  Object.keys(labels)
    .sort()
    .map(key => `${key}=${labels[key]}`);

/** "a=1,b=2", or `<none>`. */
export function formatLabels(labels: Readonly<Record<string, string>> | undefined): string {
  return orNone(pairs(labels ?? {}).join(','));
}

/** A selector as the query language writes it; absent and empty both read `<none>`, a malformed one `<error>`. */
export function formatSelector(selector: LabelSelector | undefined): string {
  return formatLabelSelector(selector);
}

/** The first `max` of a list, then how many were left out. */
export function firstFew(list: readonly string[], max: number, empty: string, separator = ','): string {
  if (list.length === 0) return empty;
  const shown = list.slice(0, max).join(separator);
  return list.length > max ? `${shown} + ${list.length - max} more...` : shown;
}

const joined = (containers: readonly Container[] | undefined, read: (c: Container) => string | undefined) =>
  (containers ?? []).map(c => read(c) ?? '').join(',');

/** The wide columns of everything that carries a pod template. */
export function templateColumns<T>(read: (obj: T) => PodTemplateSpec | undefined): Column<T>[] {
  return [
    wideText('Containers', obj => joined(read(obj)?.spec?.containers, c => c.name)),
    wideText('Images', obj => joined(read(obj)?.spec?.containers, c => c.image)),
  ];
}

const shortModes: Record<string, string> = {
  ReadWriteOnce: 'RWO',
  ReadOnlyMany: 'ROX',
  ReadWriteMany: 'RWX',
  ReadWriteOncePod: 'RWOP',
};

/** Access modes in upstream's order and short form. */
export function formatAccessModes(modes: readonly string[] | undefined): string {
  return Object.entries(shortModes)
    .filter(([mode]) => modes?.includes(mode))
    .map(([, short]) => short)
    .join(',');
}
