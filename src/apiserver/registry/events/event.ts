/** Events: one stored object (core/v1) behind two groups, "" and events.k8s.io. */
import { ageOf } from '../../../api/duration.ts';
import type { Event } from '../../../api/types/core-v1.ts';
import { isPathSegmentName } from '../../../api/validation/names.ts';
import { text, wideText } from '../columns.ts';
import { type Definition, namespaced } from '../define.ts';
import type { Column } from '../strategy.ts';
import { toCoreEvent, toNewEvent } from './convert.ts';
import { validateEvent, validateStrictEvent, validateStrictEventUpdate } from './validate.ts';

const firstSeen = (e: Event, now: number) => ageOf(e.firstTimestamp ?? e.eventTime, now);

function lastSeen(e: Event, now: number): string {
  if (e.series) return ageOf(e.series.lastObservedTime, now);
  return e.lastTimestamp ? ageOf(e.lastTimestamp, now) : firstSeen(e, now);
}

function target({ involvedObject: { kind = '', name = '' } }: Event): string {
  return name ? `${kind.toLowerCase()}/${name}` : kind.toLowerCase();
}

function source(e: Event): string {
  const component = e.source?.component || e.reportingComponent || '';
  const host = e.source?.host || e.reportingInstance || '';
  return host ? `${component}, ${host}` : component;
}

const columns: readonly Column<Event>[] = [
  text('Last Seen', lastSeen),
  text('Type', e => e.type ?? ''),
  text('Reason', e => e.reason ?? ''),
  text('Object', target),
  wideText('Subobject', e => e.involvedObject.fieldPath ?? ''),
  wideText('Source', source),
  text('Message', e => (e.message ?? '').trim()),
  wideText('First Seen', firstSeen),
  wideText('Count', e => (e.series ? (e.series.count ?? 0) : e.count || 1)),
  { name: 'Name', type: 'string', format: 'name', wide: true, cell: e => e.metadata.name },
];

const objectFields = ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'] as const;

const definition: Definition<Event> = {
  resource: '/events',
  specless: true,
  storageVersion: 'v1',
  allowCreateOnUpdate: true,
  default(event) {
    event.involvedObject ??= {};
    event.source ??= {};
    event.reportingComponent ??= '';
    event.reportingInstance ??= '';
  },
  // Upstream checks no more of the name than that it can stand in a path.
  validateName: isPathSegmentName,
  validate: validateEvent('reportingComponent'),
  ttlSeconds: () => 3600,
  columns,
  selectableFields: {
    ...Object.fromEntries(objectFields.map(f => [`involvedObject.${f}`, (e: Event) => e.involvedObject?.[f] ?? ''])),
    reason: e => e.reason ?? '',
    reportingComponent: e => e.reportingComponent ?? '',
    source: e => e.source?.component || e.reportingComponent || '',
    type: e => e.type ?? '',
  },
};

export const coreEvents = namespaced<Event>(definition);

const { validateName: _, ...shared } = definition;

/** The same objects as `/events`, seen through events.k8s.io/v1, which has names of its own for some fields. */
export const events = namespaced<Event>({
  ...shared,
  resource: 'events.k8s.io/events',
  storedAs: '/events',
  fieldNames: {
    ...Object.fromEntries(objectFields.map(f => [`regarding.${f}`, `involvedObject.${f}`])),
    reason: 'reason',
    reportingController: 'reportingComponent',
    type: 'type',
  },
  validate: validateEvent('reportingController'),
  validateCreate: validateStrictEvent,
  validateUpdate: validateStrictEventUpdate,
  conversions: [{ apiVersion: 'events.k8s.io/v1', toStorage: toCoreEvent, fromStorage: toNewEvent }],
});
