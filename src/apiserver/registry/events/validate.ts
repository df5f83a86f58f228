/** Rules of events (pkg/apis/core/validation/events.go). New-style events, which have an `eventTime`, are held to more. */
import type { Event } from '../../../api/types/core-v1.ts';
import { byteLength } from '../../../api/validation/names.ts';
import { type Errors, immutable, qualifiedName, required } from '../checks.ts';
import { field } from '../field-errors.ts';

const maxText = 128;
const maxNote = 1024;
/** The event lives where its object does; objects without a namespace use the default or the system's. */
function validateNamespace({ metadata, involvedObject }: Event): Errors {
  const own = involvedObject.namespace ?? '';
  const path = 'involvedObject.namespace';
  if (own === '') {
    const allowed = metadata.namespace === 'default' || metadata.namespace === 'kube-system';
    return allowed ? [] : [field.invalid(path, own, 'does not match event.namespace')];
  }
  return metadata.namespace === own ? [] : [field.invalid(path, own, 'does not match event.namespace')];
}

function limited(value: string | undefined, path: string, max: number): Errors {
  return byteLength(value ?? '') > max ? [field.invalid(path, '', `can have at most ${max} characters`)] : [];
}

function validateNew(event: Event): Errors {
  const controller = event.reportingComponent ?? '';
  return [
    ...(controller ? qualifiedName(controller, 'reportingController') : [field.required('reportingController')]),
    ...required(event.reportingInstance, 'reportingInstance'),
    ...limited(event.reportingInstance, 'reportingInstance', maxText),
    ...required(event.action, 'action'),
    ...limited(event.action, 'action', maxText),
    ...required(event.reason, 'reason'),
    ...limited(event.reason, 'reason', maxText),
    ...limited(event.message, 'message', maxNote),
  ];
}

export function validateEvent(event: Event): Errors {
  return [...validateNamespace(event), ...(event.eventTime ? validateNew(event) : [])];
}

/** What events.k8s.io asks for in addition: every event is of the new style and of a known type. */
export function validateStrictEvent(event: Event): Errors {
  const known = event.type === 'Normal' || event.type === 'Warning';
  return [
    ...validateEvent(event),
    ...required(event.eventTime, 'eventTime'),
    ...(known ? [] : [field.invalid('type', '', `has invalid value: ${event.type ?? ''}`)]),
  ];
}

const fixed = [
  'involvedObject',
  'reason',
  'message',
  'type',
  'source',
  'firstTimestamp',
  'lastTimestamp',
  'count',
] as const;
const fixedNew = ['reportingComponent', 'reportingInstance', 'action', 'related', 'eventTime'] as const;

/** Through events.k8s.io only the series of an event changes. Old-style events stay as they were written. */
export function validateStrictEventUpdate(event: Event, old: Event): Errors {
  return [...fixed, ...fixedNew].flatMap(key => immutable(event[key], old[key], key));
}
