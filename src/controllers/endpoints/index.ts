import { keyOf } from '../../api/object.ts';
import type {
  EndpointAddress,
  EndpointPort,
  EndpointSubset,
  Endpoints,
  Pod,
  Service,
} from '../../api/types/core-v1.ts';
import { deepEqual } from '../../api/util/values.ts';
import { isConflict, isNotFound, messageOf } from '../../base/errors.ts';
import type { Informer } from '../../client/contract.ts';
import type { Controller, ControllerContext } from '../../controller/contract.ts';
import { watch } from '../../controller/contract.ts';
import {
  addressOf,
  headlessLabel,
  hostnameIn,
  inheritedLabels,
  isHeadless,
  offeredPorts,
  offersEndpoint,
  podReference,
  serviceSelector,
  servicesOf,
} from '../support/endpoints.ts';
import { canonicalJson } from '../support/hash.ts';
import { isNamespaceTerminating } from '../support/pod-control.ts';
import { isPodReady } from '../support/pods.ts';
import { createTriggerTimes, type TriggerTimes } from '../support/trigger-time.ts';

const capacity = 1000;
const overCapacity = 'endpoints.kubernetes.io/over-capacity';
const managedByLabel = 'endpoints.kubernetes.io/managed-by';

/** pkg/controller/endpoint of v1.35: the older form of EndpointSlices, kept for those who still read it. */
export const endpointsController: Controller = {
  name: 'endpoints-controller',
  account: 'endpoint-controller',
  component: 'endpoint-controller',
  aliases: ['endpoint'],
  setUp(context) {
    const { informers } = context;
    const services = informers.informer('v1/services');
    const endpoints = informers.informer('v1/endpoints');
    const pods = informers.informer('v1/pods');
    const all: Deps = { context, services, endpoints, pods, times: createTriggerTimes() };
    return {
      sources: [
        watch<'v1/services'>(services, service => [keyOf(service)]),
        watch<'v1/pods'>(pods, servicesOf(services)),
        watch<'v1/endpoints'>(endpoints, (e, _old, event) => (event === 'add' ? [] : [keyOf(e)])),
      ],
      reconcile: key => reconcile(all, key),
    };
  },
};

interface Deps {
  readonly context: ControllerContext;
  readonly services: Informer<Service>;
  readonly endpoints: Informer<Endpoints>;
  readonly pods: Informer<Pod>;
  readonly times: TriggerTimes;
}

async function reconcile({ context, services, endpoints, pods, times }: Deps, key: string): Promise<void> {
  const service = services.store.get(key);
  const current = endpoints.store.get(key);
  if (!service) {
    times.forget(key);
    // Only what this controller made: others' Endpoints may stand without a service.
    if (current?.metadata.labels?.[managedByLabel] === 'endpoint-controller')
      await context.client.endpoints(current.metadata.namespace).delete(current.metadata.name).catch(ignoreNotFound);
    return;
  }
  const selector = serviceSelector(service);
  if (!selector || service.metadata.deletionTimestamp) return;
  const { name, namespace = '' } = service.metadata;
  const selected = pods.store.byIndex('namespace', namespace).filter(pod => selector.matches(pod.metadata.labels));
  const { subsets, truncated } = endpointSubsets(service, selected);
  const labels = endpointLabels(service);
  const mark = times.mark(key, service, selected);
  const { [overCapacity]: capacityNow, ...others } = current?.metadata.annotations ?? {};
  const wanted = truncated ? 'truncated' : undefined;
  if (current && capacityNow === wanted && sameEndpoints(current, subsets, labels)) return;
  const annotations = mark({ ...others, ...(wanted && { [overCapacity]: wanted }) });
  const client = context.client.endpoints(namespace);
  try {
    if (current) await client.update({ ...current, metadata: { ...current.metadata, labels, annotations }, subsets });
    else await client.create({ metadata: { name, namespace, labels, annotations }, subsets });
  } catch (e) {
    if (isNamespaceTerminating(e)) return;
    // The cache is behind the last write. Upstream's tracker of stale objects does not even try, and says nothing.
    if (current && isConflict(e)) throw e;
    const about = current ?? { apiVersion: 'v1', kind: 'Endpoints', metadata: { name, namespace } };
    const reason = current ? 'FailedToUpdateEndpoint' : 'FailedToCreateEndpoint';
    const what = current ? 'update endpoint' : 'create endpoint for service';
    context.recorder.event(about, 'Warning', reason, `Failed to ${what} ${key}: ${messageOf(e)}`);
    throw e;
  }
}

const sameEndpoints = (current: Endpoints, subsets: EndpointSubset[], labels: object): boolean =>
  deepEqual(current.subsets ?? [], subsets) && deepEqual(current.metadata.labels ?? {}, labels);

function endpointLabels(service: Service): Record<string, string> {
  return {
    ...inheritedLabels(service, [headlessLabel, managedByLabel]),
    [managedByLabel]: 'endpoint-controller',
    ...(isHeadless(service) && { [headlessLabel]: '' }),
  };
}

/** Subsets of pods with the same ports, in a fixed order, cut at 1,000 addresses (ready ones are kept first). */
function endpointSubsets(service: Service, pods: readonly Pod[]): { subsets: EndpointSubset[]; truncated: boolean } {
  const ipv6 = (service.spec?.ipFamilies?.[0] ?? '') === 'IPv6';
  const groups = new Map<string, { ports: EndpointPort[]; ready: EndpointAddress[]; notReady: EndpointAddress[] }>();
  const usable = pods.filter(pod => offersEndpoint(pod) && !pod.metadata.deletionTimestamp);
  const sorted = usable.sort((a, b) => Number(isPodReady(b)) - Number(isPodReady(a)));
  for (const pod of sorted.slice(0, capacity)) {
    const ip = addressOf(pod, ipv6);
    const ports = offeredPorts(service, pod);
    if (ip === undefined || (ports.length === 0 && (service.spec?.ports?.length ?? 0) > 0)) continue;
    const key = canonicalJson(ports);
    const group = groups.get(key) ?? { ports: ports.map(portOf), ready: [], notReady: [] };
    groups.set(key, group);
    const ready = service.spec?.publishNotReadyAddresses === true || isPodReady(pod);
    (ready ? group.ready : group.notReady).push(addressEntry(service, pod, ip));
  }
  const subsets = [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { ports, ready, notReady }]) => ({
      ...(ready.length > 0 && { addresses: ready.sort(byIp) }),
      ...(notReady.length > 0 && { notReadyAddresses: notReady.sort(byIp) }),
      ...(ports.length > 0 && { ports }),
    }));
  return { subsets, truncated: sorted.length > capacity };
}

const byIp = (a: EndpointAddress, b: EndpointAddress) => (a.ip < b.ip ? -1 : 1);
const portOf = ({
  name,
  ...port
}: {
  name: string;
  port: number;
  protocol: string;
  appProtocol?: string;
}): EndpointPort => ({
  ...(name && { name }),
  ...port,
});
function addressEntry(service: Service, pod: Pod, ip: string): EndpointAddress {
  const hostname = hostnameIn(service, pod);
  const { nodeName } = pod.spec;
  return { ip, ...(hostname && { hostname }), ...(nodeName && { nodeName }), targetRef: podReference(pod) };
}

function ignoreNotFound(e: unknown): void {
  if (!isNotFound(e)) throw e;
}
