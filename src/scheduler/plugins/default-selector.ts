/** The pods that belong with a pod: by its services and its controller (pkg/scheduler/framework/plugins/helper DefaultSelector). */
import { controllerOf } from '../../api/object.ts';
import {
  type Requirement,
  type Selector,
  selectorFromObject,
  selectorFromSet,
  selectorOf,
} from '../../api/selectors/index.ts';
import type { Service } from '../../api/types/core-v1.ts';
import type { PodInfo } from '../framework/pod-info.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';

export function defaultSelector(pod: PodInfo, snapshot: Snapshot): Selector {
  const wanted: Record<string, string> = {};
  for (const service of servicesOf(pod, snapshot)) Object.assign(wanted, service.spec.selector);
  return selectorOf([...selectorFromSet(wanted).requirements, ...ofController(pod, snapshot, wanted)]);
}

function servicesOf(pod: PodInfo, { lookup }: Snapshot): Service[] {
  return lookup
    .of('v1/services')
    .list()
    .filter(service => {
      const selector = service.spec.selector;
      if (service.metadata.namespace !== pod.namespace || !selector) return false;
      const entries = Object.entries(selector);
      return entries.length > 0 && entries.every(([key, value]) => pod.labels[key] === value);
    });
}

function ofController(pod: PodInfo, { lookup }: Snapshot, wanted: Record<string, string>): readonly Requirement[] {
  const owner = controllerOf(pod.pod);
  if (!owner) return [];
  const key = `${pod.namespace}/${owner.name}`;
  switch (owner.kind) {
    case 'ReplicationController': {
      const own = lookup.of('v1/replicationcontrollers').get(key)?.spec.selector ?? {};
      const extra = Object.fromEntries(Object.entries(own).filter(([label]) => wanted[label] === undefined));
      return selectorFromSet(extra).requirements;
    }
    case 'ReplicaSet':
      return selectorFromObject(lookup.of('apps/v1/replicasets').get(key)?.spec?.selector).requirements;
    case 'StatefulSet':
      return selectorFromObject(lookup.of('apps/v1/statefulsets').get(key)?.spec?.selector).requirements;
    default:
      return [];
  }
}
