/** `Table` answers: what `kubectl get` prints. */
import type { Unstructured } from '../../api/object.ts';
import { errors } from '../../base/errors.ts';
import type { Column } from '../registry/strategy.ts';
import { partialOf } from './output.ts';
import type { Served } from './scope.ts';

export type IncludeObject = 'None' | 'Metadata' | 'Object';

export function includeObject(query: URLSearchParams): IncludeObject {
  const value = query.get('includeObject') || 'Metadata';
  if (value !== 'None' && value !== 'Metadata' && value !== 'Object')
    throw errors.badRequest(
      `Unable to convert to Table as requested: includeObject: Invalid value: ${JSON.stringify(value)}: must be 'Metadata', 'Object', 'None', or empty`,
    );
  return value;
}

const defaultColumns: readonly Column<Unstructured>[] = [
  {
    name: 'Name',
    type: 'string',
    format: 'name',
    description: 'Name must be unique within a namespace.',
    cell: o => o.metadata.name,
  },
  {
    name: 'Created At',
    type: 'date',
    description: 'CreationTimestamp is the time at which the object was created.',
    cell: o => o.metadata.creationTimestamp ?? '',
  },
];

function columnsOf(served: Served): readonly Column<Unstructured>[] {
  return served.columns.length > 0 ? served.columns : defaultColumns;
}

export function columnDefinitions(served: Served): object[] {
  return columnsOf(served).map(c => ({
    name: c.name,
    type: c.type,
    format: c.format ?? '',
    description: c.description ?? '',
    priority: c.priority ?? (c.wide ? 1 : 0),
  }));
}

export function tableRow(served: Served, obj: Unstructured, include: IncludeObject, now: number): object {
  const cells = columnsOf(served).map(c => safeCell(c, obj, now));
  const conditions = served.strategy.rowConditions?.(obj) ?? [];
  const row = conditions.length > 0 ? { cells, conditions } : { cells };
  if (include === 'None') return { ...row, object: null };
  return { ...row, object: include === 'Object' ? obj : partialOf(obj) };
}

/** A cell of a half-filled object must not fail the whole list. */
function safeCell(column: Column<Unstructured>, obj: Unstructured, now: number): string | number | boolean | null {
  try {
    return column.cell(obj, now) ?? null;
  } catch {
    return '<unknown>';
  }
}

export function table(
  served: Served,
  objects: readonly Unstructured[],
  include: IncludeObject,
  now: number,
  metadata: object,
  headers = true,
): object {
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata,
    columnDefinitions: headers ? columnDefinitions(served) : null,
    rows: objects.map(obj => tableRow(served, obj, include, now)),
  };
}
