import type { KubeObject } from '../../../api/object.ts';

/** Fields that events.k8s.io/v1 names differently from core/v1: [core, new]. Everything else has one name in both. */
const renamed = [
  ['involvedObject', 'regarding'],
  ['message', 'note'],
  ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
  ['count', 'deprecatedCount'],
  ['reportingComponent', 'reportingController'],
] as const;

const toNewNames = new Map<string, string>(renamed);
const toCoreNames = new Map<string, string>(renamed.map(([core, fresh]) => [fresh, core]));

function rename(obj: KubeObject, names: ReadonlyMap<string, string>, apiVersion: string): KubeObject {
  const entries = Object.entries(obj).map(([key, value]) => [names.get(key) ?? key, value]);
  return { ...Object.fromEntries(entries), apiVersion, kind: 'Event' };
}

/** events.k8s.io/v1 → core/v1. Values are shared with the argument. */
export const toCoreEvent = (obj: KubeObject): KubeObject => rename(obj, toCoreNames, 'v1');
/** core/v1 → events.k8s.io/v1. Values are shared with the argument. */
export const toNewEvent = (obj: KubeObject): KubeObject => rename(obj, toNewNames, 'events.k8s.io/v1');
