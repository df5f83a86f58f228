/** What a service's pods offer, as both Endpoints and EndpointSlices tell it. */
import { type KubeObject, keyOf } from '../../api/object.ts';
import { type Selector, selectorFromSet } from '../../api/selectors/index.ts';
import type { Pod, Service, ServicePort } from '../../api/types/core-v1.ts';
import { deepEqual } from '../../api/util/values.ts';
import type { Informer } from '../../client/contract.ts';
import { isFinished, isPodReady } from './pods.ts';

export interface OfferedPort {
  readonly name: string;
  readonly port: number;
  readonly protocol: string;
  readonly appProtocol?: string;
}

export const headlessLabel = 'service.kubernetes.io/headless';
export const isHeadless = (service: Service): boolean => service.spec?.clusterIP === 'None';

/** Undefined for services whose endpoints are not ours to make. */
export function serviceSelector(service: Service): Selector | undefined {
  const { selector, type } = service.spec ?? {};
  if (!selector || Object.keys(selector).length === 0 || type === 'ExternalName') return undefined;
  return selectorFromSet(selector);
}

/** Has an address and is not done. Terminating pods count: they may still serve. */
export const offersEndpoint = (pod: Pod): boolean =>
  !isFinished(pod) && (pod.status?.podIPs?.length ?? (pod.status?.podIP ? 1 : 0)) > 0;

/** The pod's port for a service port; named ones are looked up. Undefined when the pod has no such port. */
function targetPort(pod: Pod, { targetPort: target, port, protocol = 'TCP' }: ServicePort): number | undefined {
  if (target === undefined || target === '' || target === 0) return port;
  if (typeof target === 'number') return target;
  const restartable = (pod.spec.initContainers ?? []).filter(c => c.restartPolicy === 'Always');
  for (const container of [...pod.spec.containers, ...restartable])
    for (const p of container.ports ?? [])
      if (p.name === target && (p.protocol ?? 'TCP') === protocol) return p.containerPort;
  return undefined;
}

export function offeredPorts(service: Service, pod: Pod): OfferedPort[] {
  const out: OfferedPort[] = [];
  for (const servicePort of service.spec?.ports ?? []) {
    const port = targetPort(pod, servicePort);
    if (port === undefined) continue;
    const { name = '', protocol = 'TCP', appProtocol } = servicePort;
    out.push({ name, port, protocol, ...(appProtocol && { appProtocol }) });
  }
  return out;
}

export const isIpv6 = (address: string): boolean => address.includes(':');
export function addressOf(pod: Pod, ipv6: boolean): string | undefined {
  const all = pod.status?.podIPs?.map(p => p.ip) ?? (pod.status?.podIP ? [pod.status.podIP] : []);
  return all.find(ip => ip !== undefined && isIpv6(ip) === ipv6);
}
/** The name that DNS gives the pod below the service. */
export const hostnameIn = (service: Service, pod: Pod): string | undefined =>
  pod.spec.hostname && pod.spec.subdomain === service.metadata.name ? pod.spec.hostname : undefined;

/** The services that a pod's change concerns: those that select it, or did. */
export function servicesOf(services: Informer<Service>): (pod: Pod, old: Pod | undefined) => Iterable<string> {
  return (pod, old) => {
    if (old && !concernsEndpoints(pod, old)) return [];
    const keys: string[] = [];
    for (const service of services.store.byIndex('namespace', pod.metadata.namespace ?? '')) {
      const selector = serviceSelector(service);
      if (selector?.matches(pod.metadata.labels) || (old && selector?.matches(old.metadata.labels)))
        keys.push(keyOf(service));
    }
    return keys;
  };
}

function concernsEndpoints(pod: Pod, old: Pod): boolean {
  return (
    isPodReady(pod) !== isPodReady(old) ||
    isFinished(pod) !== isFinished(old) ||
    pod.metadata.deletionTimestamp !== old.metadata.deletionTimestamp ||
    pod.spec.nodeName !== old.spec.nodeName ||
    pod.spec.hostname !== old.spec.hostname ||
    !deepEqual(pod.status?.podIPs, old.status?.podIPs) ||
    !deepEqual(pod.metadata.labels, old.metadata.labels)
  );
}

export function podReference(pod: Pod): { kind: string; namespace: string; name: string; uid: string } {
  const { namespace = '', name, uid = '' } = pod.metadata;
  return { kind: 'Pod', namespace, name, uid };
}

/** Labels of the service that its endpoints carry on. */
export function inheritedLabels(service: KubeObject, reserved: readonly string[]): Record<string, string> {
  const { labels = {} } = service.metadata;
  return Object.fromEntries(Object.entries(labels).filter(([key]) => !reserved.includes(key)));
}
