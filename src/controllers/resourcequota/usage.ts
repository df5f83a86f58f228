/** Objects that quotas count, from caches that are made when the first quota asks for a resource. */
import type { KubeObject } from '../../api/object.ts';
import { compareQuantity } from '../../api/quantity.ts';
import {
  evaluatorFor,
  type QuotaEvaluator,
  type ResourceList,
  resourceOfQuotaName,
  totalUsage,
} from '../../api/quota/index.ts';
import type { PersistentVolumeClaim, Pod, ResourceQuota, Service } from '../../api/types/core-v1.ts';
import type { ResourceClaim } from '../../api/types/resource-v1.ts';
import { deepEqual } from '../../api/util/values.ts';
import type { Informer, ResourceName } from '../../client/contract.ts';
import { createInformer, discover } from '../../client/index.ts';
import type { ControllerContext } from '../../controller/contract.ts';
import { isFinished } from '../support/pods.ts';

export interface UsageEvents {
  /** Objects of a namespace use less, or may. */
  freed(namespace: string, evaluator: QuotaEvaluator): void;
  /** An object was made. */
  shown(obj: KubeObject, evaluator: QuotaEvaluator): void;
}

export interface UsageSource {
  /** Of every name in the quota that somebody counts. Undefined when the controller stopped meanwhile. */
  usage(quota: ResourceQuota): Promise<Record<string, string> | undefined>;
}

/** A resource's cache, and the way past it. */
interface Monitor {
  readonly informer: Informer<KubeObject>;
  list(namespace: string): Promise<readonly KubeObject[]>;
}

export function createUsageSource(context: ControllerContext, events: UsageEvents): UsageSource {
  const { client, informers, clock, random, log, signal } = context;
  const monitors = new Map<string, Promise<Monitor | undefined>>();
  // A cache that never fills must not keep the controller from stopping.
  const stopped = new Promise<void>(resolve => signal.addEventListener('abort', () => resolve(), { once: true }));
  const metadata = client.with({ metadataOnly: true });

  function handle(informer: Informer<KubeObject>, resource: { group: string; plural: string }): Informer<KubeObject> {
    const evaluator = evaluatorFor(resource.group, resource.plural);
    const tell = (obj: KubeObject) => events.freed(obj.metadata.namespace ?? '', evaluator);
    informer.addHandler({
      onAdd(obj, isInitial) {
        if (!isInitial) events.shown(obj, evaluator);
      },
      onUpdate: (obj, old) => {
        if (usesLess(`${resource.group}/${resource.plural}`, obj, old)) tell(obj);
      },
      onDelete: tell,
    });
    return informer;
  }

  async function open(group: string, plural: string): Promise<Monitor | undefined> {
    const whole = wholeObjects[`${group}/${plural}`];
    if (whole)
      return {
        informer: handle(informers.informer(whole) as unknown as Informer<KubeObject>, { group, plural }),
        list: async namespace => (await client.resource(whole, namespace).list({ signal })).items,
      };
    const { resources } = await discover(client, { signal });
    const found = resources.find(r => r.group === group && r.plural === plural && r.namespaced);
    if (!found?.verbs.includes('watch')) return undefined;
    const informer = createInformer(metadata.resource(found), {}, { clock, random, log });
    void informer.run(signal);
    return {
      informer: handle(informer, { group, plural }),
      list: async namespace => (await metadata.resource(found, namespace).list({ signal })).items,
    };
  }

  /** Resources that are not served (yet) are asked for again the next time. */
  async function monitor({ group, plural }: Counted): Promise<Monitor | undefined> {
    const key = `${group}/${plural}`;
    const opening = monitors.get(key) ?? open(group, plural);
    monitors.set(key, opening);
    const opened = await opening.catch(e => {
      monitors.delete(key);
      throw e;
    });
    if (!opened) monitors.delete(key);
    if (opened) await Promise.race([opened.informer.synced(), stopped]);
    return opened;
  }
  async function count(quota: ResourceQuota, counted: Counted): Promise<Record<string, string>> {
    const { namespace = '', resourceVersion } = quota.metadata;
    const evaluator = evaluatorFor(counted.group, counted.plural);
    const total = (objects: readonly KubeObject[]) => totalUsage(evaluator, quota, objects, clock.now());
    const opened = await monitor(counted);
    if (!opened) return total([]);
    const { informer } = opened;
    const used = total(informer.store.byIndex('namespace', namespace));
    // A cache that is older than the quota may miss what the quota was charged for: to give anything back takes a list.
    const isBehind = Number(informer.revision) < Number(resourceVersion);
    if (signal.aborted || !isBehind || !isLess(used, quota.status?.used ?? {})) return used;
    return total(await opened.list(namespace));
  }

  return {
    async usage(quota) {
      const wanted = new Map(
        Object.keys(quota.spec.hard ?? {}).flatMap(name => {
          const resource = resourceOfQuotaName(name);
          return resource ? [[`${resource.group}/${resource.plural}`, resource] as const] : [];
        }),
      );
      const used: Record<string, string> = {};
      for (const counted of wanted.values()) {
        Object.assign(used, await count(quota, counted));
        if (signal.aborted) return undefined;
      }
      return used;
    },
  };
}

interface Counted {
  readonly group: string;
  readonly plural: string;
}

const isLess = (used: ResourceList, before: ResourceList): boolean =>
  Object.entries(used).some(([name, amount]) => compareQuantity(amount, before[name] ?? '0') < 0);

/** Resources whose usage depends on more than their number. */
const wholeObjects: Readonly<Record<string, ResourceName>> = {
  '/pods': 'v1/pods',
  '/services': 'v1/services',
  '/persistentvolumeclaims': 'v1/persistentvolumeclaims',
  'resource.k8s.io/resourceclaims': 'resource.k8s.io/v1/resourceclaims',
};

/** Upstream's DefaultUpdateFilter, and claims' sizes. */
function usesLess(resource: string, obj: KubeObject, old: KubeObject): boolean {
  switch (resource) {
    case '/pods': {
      const [pod, before] = [obj as Pod, old as Pod];
      const resources = ({ spec }: Pod) => [spec.containers.map(c => c.resources), spec.resources];
      return isFinished(pod) !== isFinished(before) || !deepEqual(resources(pod), resources(before));
    }
    case '/services':
      return (obj as Service).spec?.type !== (old as Service).spec?.type;
    case '/persistentvolumeclaims':
      return !deepEqual((obj as PersistentVolumeClaim).spec?.resources, (old as PersistentVolumeClaim).spec?.resources);
    case 'resource.k8s.io/resourceclaims':
      return !deepEqual((obj as ResourceClaim).spec, (old as ResourceClaim).spec);
    default:
      return false;
  }
}
