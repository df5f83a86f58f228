import { type Draft, type KubeObject, keyOf } from '../../api/object.ts';
import type { Node, Pod, Service } from '../../api/types/core-v1.ts';
import type { EndpointSlice } from '../../api/types/discovery-v1.ts';
import { isConflict, isNotFound, messageOf } from '../../base/errors.ts';
import type { Informer } from '../../client/contract.ts';
import type { Controller, ControllerContext, ReconcileResult } from '../../controller/contract.ts';
import { watch } from '../../controller/contract.ts';
import { createWriteLedger, type WriteLedger } from '../../controller/ledger.ts';
import { serviceSelector, servicesOf } from '../support/endpoints.ts';
import { isNamespaceTerminating, settleAll } from '../support/pod-control.ts';
import { createTriggerTimes, type TriggerTimes } from '../support/trigger-time.ts';
import { managedBy, managedByLabel, planSlices, serviceNameLabel } from './plan.ts';
import { topologyOf, wantsZoneHints, zoneShares } from './topology.ts';

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
    const all: Deps = {
      context,
      services,
      slices,
      pods,
      nodes,
      ledger: createWriteLedger(slices),
      times: createTriggerTimes(),
      hinted: new Set(),
    };
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
  readonly times: TriggerTimes;
  /** Services whose endpoints have hints by their annotation. */
  readonly hinted: Set<string>;
}

function serviceKeys(slice: KubeObject): string[] {
  const { labels = {}, namespace } = slice.metadata;
  const service = labels[serviceNameLabel];
  return service && labels[managedByLabel] === managedBy ? [`${namespace}/${service}`] : [];
}

/** A node that came or got another zone changes the endpoints on it, and one with other CPUs the shares of all zones. */
function servicesOnNode({ pods, services }: Deps, node: Node, old: Node | undefined): string[] {
  if (old && topologyOf(old) === topologyOf(node)) return [];
  const sharing = services.store.list().filter(wantsZoneHints).map(keyOf);
  if (old && zoneOf(old) === zoneOf(node)) return sharing;
  const find = servicesOf(services);
  const here = pods.store.list().filter(pod => pod.spec.nodeName === node.metadata.name);
  return [...sharing, ...here.flatMap(pod => [...find(pod, undefined)])];
}

const zoneOf = (node: Node): string => node.metadata.labels?.[zoneLabel] ?? '';

async function reconcile(all: Deps, key: string): Promise<ReconcileResult> {
  const { services, slices, pods, nodes, ledger, context } = all;
  const settled = ledger.settled(key);
  const service = services.store.get(key);
  if (!service) {
    // Its slices go with it: the garbage collector follows their owner.
    ledger.forget(key);
    all.times.forget(key);
    all.hinted.delete(key);
    return;
  }
  const selector = serviceSelector(service);
  if (!selector || service.metadata.deletionTimestamp) return;
  if (!settled) return { requeueAfter: 1_000 };
  const { namespace = '' } = service.metadata;
  const selected = pods.store.byIndex('namespace', namespace).filter(pod => selector.matches(pod.metadata.labels));
  const existing = slices.store.byIndex('service', key).filter(slice => !slice.metadata.deletionTimestamp);
  const placeOf = (name: string) => {
    const node = nodes.store.get(name);
    return node && { zone: zoneOf(node) };
  };
  const plan = planSlices(service, selected, existing, placeOf, zoneShares(nodes.store.list()));
  const client = context.client.endpointslices(namespace);
  const mark = all.times.mark(key, service, selected);
  const marked = <T extends Draft<EndpointSlice>>(slice: T): T => ({
    ...slice,
    metadata: { ...slice.metadata, annotations: mark(slice.metadata.annotations) },
  });
  try {
    await settleAll(plan.create.map(async draft => ledger.created(key, await client.create(marked(draft)))));
    await settleAll(plan.update.map(slice => client.update(marked(slice))));
    await settleAll(plan.remove.map(slice => client.delete(slice.metadata.name).catch(ignoreNotFound)));
    tellHints(all, key, service, plan.hints);
    complainOfLost(service, plan.lost);
  } catch (e) {
    if (isNamespaceTerminating(e)) return;
    // The cache is behind the last write. Upstream's tracker of slices does not even try, and says nothing.
    if (isConflict(e)) throw e;
    const message = `Error updating Endpoint Slices for Service ${key}: ${messageOf(e)}`;
    context.recorder.event(service, 'Warning', 'FailedToUpdateEndpointSlices', message);
    throw e;
  }
}

/** Upstream's events of its topology cache. */
function tellHints({ context, hinted }: Deps, key: string, service: Service, hints: ReadonlyMap<string, string>): void {
  const tell = (type: 'Normal' | 'Warning', what: string, message: string, family: string) =>
    context.recorder.event(service, type, `TopologyAwareHints${what}`, `${message}, addressType: ${family}`);
  for (const [family, why] of hints) {
    if (why !== '') {
      hinted.delete(key);
      tell('Warning', 'Disabled', why, family);
    } else if (!hinted.has(key)) {
      hinted.add(key);
      tell('Normal', 'Enabled', 'Topology Aware Hints has been enabled', family);
    }
  }
  if (hints.size > 0 || !hinted.delete(key)) return;
  for (const family of service.spec?.ipFamilies ?? ['IPv4'])
    tell('Warning', 'Disabled', 'Topology Aware Hints has been disabled', family);
}

/** They are looked at again later: the node may only be new. */
function complainOfLost(service: Service, lost: ReadonlySet<Pod>): void {
  const texts = [...lost].map(
    pod => `skipping Pod ${pod.metadata.name} for Service ${keyOf(service)}: Node ${pod.spec.nodeName ?? ''} Not Found`,
  );
  if (texts.length > 0) throw new Error(texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`);
}

function ignoreNotFound(e: unknown): undefined {
  if (!isNotFound(e)) throw e;
  return undefined;
}
