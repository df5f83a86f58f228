/**
 * When what led to an endpoint's change happened: `endpoints.kubernetes.io/last-change-trigger-time`, by which people measure how long it
 * takes until traffic follows (TriggerTimeTracker in k8s.io/endpointslice/util of v1.35).
 */
import type { Pod, Service } from '../../api/types/core-v1.ts';
import { podCondition } from './pods.ts';

const annotation = 'endpoints.kubernetes.io/last-change-trigger-time';

export interface TriggerTimes {
  /** Call once per look at a service. Gives annotations with the time of the earliest change since the last call, or without one. */
  mark(
    key: string,
    service: Service,
    pods: readonly Pod[],
  ): (annotations?: Record<string, string>) => Record<string, string>;
  forget(key: string): void;
}

export function createTriggerTimes(): TriggerTimes {
  const seen = new Map<string, { readonly service: string; readonly pods: ReadonlyMap<string, string> }>();
  return {
    mark(key, service, pods) {
      const before = seen.get(key);
      const now = { service: service.metadata.creationTimestamp ?? '', pods: readyTimes(pods) };
      seen.set(key, now);
      // Times are in UTC and of one length, so they are ordered as text.
      const changes = [...now.pods].filter(([name, at]) => at > (before?.pods.get(name) ?? '')).map(([, at]) => at);
      if (now.service > (before?.service ?? '')) changes.push(now.service);
      const at = before ? changes.sort()[0] : now.service;
      return annotations => {
        const { [annotation]: _old, ...others } = annotations ?? {};
        return at ? { ...others, [annotation]: at } : others;
      };
    },
    forget: key => void seen.delete(key),
  };
}

function readyTimes(pods: readonly Pod[]): Map<string, string> {
  const times = new Map<string, string>();
  for (const pod of pods) {
    const at = podCondition(pod, 'Ready')?.lastTransitionTime;
    if (at) times.set(pod.metadata.name, at);
  }
  return times;
}
