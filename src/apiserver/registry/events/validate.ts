/** Rules of events (pkg/apis/core/validation/events.go). New-style events, which have an `eventTime`, are held to more. */
import type { Event } from '../../../api/types/core-v1.ts';
import { byteLength } from '../../../api/validation/names.ts';
import { dnsSubdomain, type Errors, immutable, qualifiedName, required, same } from '../checks.ts';
import { field } from '../field-errors.ts';
import { internalForm } from '../internal-form.ts';

const maxText = 128;
const maxNote = 1024;

/** The event lives where its object does; objects without a namespace use the default or, for new events, the system's. */
function validateNamespace({ metadata, involvedObject, eventTime }: Event): Errors {
  const { namespace = '' } = metadata;
  const own = involvedObject.namespace ?? '';
  const homes = eventTime ? ['default', 'kube-system'] : ['default'];
  const fits = own === '' ? homes.includes(namespace) : eventTime !== undefined || namespace === own;
  return fits ? [] : [field.invalid('involvedObject.namespace', own, 'does not match event.namespace')];
}

function limited(value: string | undefined, path: string, max: number): Errors {
  return byteLength(value ?? '') > max ? [field.invalid(path, '', `can have at most ${max} characters`)] : [];
}

/** @param controllerPath the reporting controller's name in the version that is written. */
function validateNew(event: Event, controllerPath: string): Errors {
  return [
    ...required(event.reportingComponent, controllerPath),
    ...qualifiedName(event.reportingComponent, controllerPath),
    ...required(event.reportingInstance, 'reportingInstance'),
    ...limited(event.reportingInstance, 'reportingInstance', maxText),
    ...required(event.action, 'action'),
    ...limited(event.action, 'action', maxText),
    ...required(event.reason, 'reason'),
    ...limited(event.reason, 'reason', maxText),
    ...limited(event.message, 'message', maxNote),
  ];
}

/** Holds for events of both groups, new and changed. */
export const validateEvent =
  (controllerPath: 'reportingComponent' | 'reportingController') =>
  (event: Event): Errors => [
    ...validateNamespace(event),
    ...(event.eventTime ? validateNew(event, controllerPath) : []),
    ...dnsSubdomain(event.metadata.namespace, 'namespace'),
  ];

function validateSeries({ series }: Event): Errors {
  if (!series) return [];
  return [
    ...((series.count ?? 0) < 2 ? [field.invalid('series.count', '', 'should be at least 2')] : []),
    ...required(series.lastObservedTime, 'series.lastObservedTime'),
  ];
}

/** What events.k8s.io asks for on top: every event is of the new style and of a known type. */
export function validateStrictEvent(event: Event): Errors {
  const { type = '', firstTimestamp, lastTimestamp, count = 0, source } = event;
  const unset = (isSet: boolean, path: string) => (isSet ? [field.invalid(path, '', 'needs to be unset')] : []);
  return [
    ...validateSeries(event),
    ...required(event.eventTime, 'eventTime'),
    ...(type === 'Normal' || type === 'Warning' ? [] : [field.invalid('type', '', `has invalid value: ${type}`)]),
    ...unset(Boolean(firstTimestamp), 'firstTimestamp'),
    ...unset(Boolean(lastTimestamp), 'lastTimestamp'),
    ...unset(count !== 0, 'count'),
    ...unset(Boolean(source?.component || source?.host), 'source'),
  ];
}

const text = (value: unknown) => value ?? '';
const referenceType = {
  Kind: '',
  Namespace: '',
  Name: '',
  UID: '',
  APIVersion: '',
  ResourceVersion: '',
  FieldPath: '',
};
const reference = (value: unknown) => internalForm(referenceType, value);

const shown: Readonly<Partial<Record<keyof Event, (value: unknown) => unknown>>> = {
  involvedObject: reference,
  reason: text,
  message: text,
  source: value => internalForm({ Component: '', Host: '' }, value ?? {}),
  count: value => value ?? 0,
  type: text,
};

const fixed = [
  'involvedObject',
  'reason',
  'message',
  'source',
  'firstTimestamp',
  'lastTimestamp',
  'count',
  'type',
] as const;

/** Clients write more or fewer digits; only microseconds count. */
const microseconds = (time: string | undefined) => time?.replace(/(\.\d{6})\d+/, '$1');

/** Through events.k8s.io only the series of an event changes. */
export function validateStrictEventUpdate(event: Event, old: Event): Errors {
  const sameTime = microseconds(event.eventTime) === microseconds(old.eventTime);
  return [
    ...(same(event.series, old.series) ? [] : validateSeries(event)),
    ...fixed.flatMap(key => immutable(event[key], old[key], key, shown[key])),
    ...(sameTime ? [] : immutable(event.eventTime, old.eventTime, 'eventTime')),
    ...immutable(event.action, old.action, 'action', text),
    ...immutable(event.related, old.related, 'related', reference),
    ...immutable(event.reportingComponent, old.reportingComponent, 'reportingController', text),
    ...immutable(event.reportingInstance, old.reportingInstance, 'reportingInstance', text),
  ];
}
