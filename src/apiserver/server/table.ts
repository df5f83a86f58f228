/** `Table` answers: what `kubectl get` prints. */
import type { Unstructured } from '../../api/object.ts';
import { errors } from '../../base/errors.ts';
import type { Column } from '../registry/strategy.ts';
import { partialOf } from './output.ts';
import type { Served } from './scope.ts';

export type IncludeObject = 'None' | 'Metadata' | 'Object';

/** How objects become rows. Like everything in a strategy, columns read the stored version of an object. */
export type Printer = Pick<Served, 'columns'> & Partial<Pick<Served, 'conversion' | 'strategy'>>;

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

function columnsOf(printer: Printer): readonly Column<Unstructured>[] {
  return printer.columns.length > 0 ? printer.columns : defaultColumns;
}

export function columnDefinitions(printer: Printer): object[] {
  return columnsOf(printer).map(c => ({
    name: c.name,
    type: c.type,
    format: c.format ?? '',
    description: c.description ?? '',
    priority: c.priority ?? (c.wide ? 1 : 0),
  }));
}

export function tableRow(printer: Printer, obj: Unstructured, include: IncludeObject, now: number): object {
  const stored = printer.conversion ? (printer.conversion.toStorage(obj) as Unstructured) : obj;
  const cells = columnsOf(printer).map(c => safeCell(c, stored, now));
  const conditions = printer.strategy?.rowConditions?.(stored) ?? [];
  const row = conditions.length > 0 ? { cells, conditions } : { cells };
  if (include === 'None') return { ...row, object: null };
  return { ...row, object: include === 'Object' ? obj : partialOf(printer, obj) };
}

function sorted({ strategy }: Printer, objects: readonly Unstructured[]): readonly Unstructured[] {
  return strategy?.compareRows ? objects.toSorted(strategy.compareRows) : objects;
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
  printer: Printer,
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
    columnDefinitions: headers ? columnDefinitions(printer) : null,
    rows: sorted(printer, objects).map(obj => tableRow(printer, obj, include, now)),
  };
}
