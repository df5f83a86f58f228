import { type KubeObject, keyOf } from '../../api/object.ts';
import type { Node, Pod, Service } from '../../api/types/core-v1.ts';
import type { EndpointSlice } from '../../api/types/discovery-v1.ts';
import { isNotFound, messageOf } from '../../base/errors.ts';
import type { Informer } from '../../client/contract.ts';
import type { Controller, ControllerContext, ReconcileResult } from '../../controller/contract.ts';
import { watch } from '../../controller/contract.ts';
import { createWriteLedger, type WriteLedger } from '../../controller/ledger.ts';
import { serviceSelector, servicesOf } from '../support/endpoints.ts';
import { isNamespaceTerminating, settleAll } from '../support/pod-control.ts';
import { managedBy, managedByLabel, planSlices, serviceNameLabel } from './plan.ts';

const zoneLabel = 'topology.kubernetes.io/zone';

/** pkg/controller/endpointslice of v1.35. */
export const endpointSliceController: Controller = {
  name: 'endpointslice-controller',
  component: 'endpoint-slice-controller',
  aliases: ['endpointslice'],
  setUp(context) {
    const { informers } = context;
    const services = informers.informer('v1/services');
    const slices = informers.informer('discovery.k8s.io/v1/endpointslices');
    const pods = informers.informer('v1/pods');
    const nodes = informers.informer('v1/nodes');
    slices.addIndex('service', slice => serviceKeys(slice));
    const all: Deps = { context, services, slices, pods, nodes, ledger: createWriteLedger(slices) };
    return {
      sources: [
        watch<'v1/services'>(services, service => [keyOf(service)]),
        watch<'v1/pods'>(pods, servicesOf(services)),
        watch<'discovery.k8s.io/v1/endpointslices'>(slices, slice => serviceKeys(slice)),
        watch<'v1/nodes'>(nodes, (node, old) => servicesOnNode(all, node, old)),
      ],
      reconcile: key => reconcile(all, key),
    };
  },
};

interface Deps {
  readonly context: ControllerContext;
  readonly services: Informer<Service>;
  readonly slices: Informer<EndpointSlice>;
  readonly pods: Informer<Pod>;
  readonly nodes: Informer<Node>;
  readonly ledger: WriteLedger<EndpointSlice>;
}

function serviceKeys(slice: KubeObject): string[] {
  const { labels = {}, namespace } = slice.metadata;
  const service = labels[serviceNameLabel];
  return service && labels[managedByLabel] === managedBy ? [`${namespace}/${service}`] : [];
}

/** A node that got another zone changes the endpoints on it. */
function servicesOnNode({ pods, services }: Deps, node: Node, old: Node | undefined): string[] {
  if ((old?.metadata.labels?.[zoneLabel] ?? '') === (node.metadata.labels?.[zoneLabel] ?? '')) return [];
  const find = servicesOf(services);
  return pods.store
    .list()
    .filter(pod => pod.spec.nodeName === node.metadata.name)
    .flatMap(pod => [...find(pod, undefined)]);
}

async function reconcile(all: Deps, key: string): Promise<ReconcileResult> {
  const { services, slices, pods, nodes, ledger, context } = all;
  const settled = ledger.settled(key);
  const service = services.store.get(key);
  if (!service) {
    // Its slices go with it: the garbage collector follows their owner.
    ledger.forget(key);
    return;
  }
  const selector = serviceSelector(service);
  if (!selector || service.metadata.deletionTimestamp) return;
  if (!settled) return { requeueAfter: 1_000 };
  const { namespace = '' } = service.metadata;
  const selected = pods.store.byIndex('namespace', namespace).filter(pod => selector.matches(pod.metadata.labels));
  const existing = slices.store.byIndex('service', key).filter(slice => !slice.metadata.deletionTimestamp);
  const plan = planSlices(service, selected, existing, node => nodes.store.get(node)?.metadata.labels?.[zoneLabel]);
  const client = context.client.endpointslices(namespace);
  try {
    await settleAll(plan.create.map(async draft => ledger.created(key, await client.create(draft))));
    await settleAll(plan.update.map(slice => client.update(slice)));
    await settleAll(plan.remove.map(slice => client.delete(slice.metadata.name).catch(ignoreNotFound)));
  } catch (e) {
    if (isNamespaceTerminating(e)) return;
    const message = `Error updating Endpoint Slices for Service ${key}: ${messageOf(e)}`;
    context.recorder.event(service, 'Warning', 'FailedToUpdateEndpointSlices', message);
    throw e;
  }
}

function ignoreNotFound(e: unknown): undefined {
  if (!isNotFound(e)) throw e;
  return undefined;
}
