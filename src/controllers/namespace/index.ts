import type { Namespace, NamespaceCondition } from '../../api/types/core-v1.ts';
import { isApiError, isNotFound, messageOf } from '../../base/errors.ts';
import type { Client } from '../../client/contract.ts';
import { type DiscoveredResource, discover } from '../../client/index.ts';
import type { Controller, ControllerContext, ReconcileResult } from '../../controller/contract.ts';
import { watch } from '../../controller/contract.ts';
import { withCondition } from '../support/conditions.ts';

const finalizer = 'kubernetes';

/** pkg/controller/namespace of v1.35: empties namespaces that are being deleted (pods first), then lets them go. */
export const namespaceController: Controller = {
  name: 'namespace-controller',
  aliases: ['namespace'],
  setUp(context) {
    const namespaces = context.informers.informer('v1/namespaces');
    const pods = context.informers.informer('v1/pods');
    return {
      concurrency: 10,
      sources: [
        watch<'v1/namespaces'>(namespaces, ns => (ns.metadata.deletionTimestamp ? [ns.metadata.name] : [])),
        // The last pod's going lets the rest follow at once.
        watch<'v1/pods'>(pods, (pod, _old, event) => {
          const { namespace = '' } = pod.metadata;
          const last = event === 'delete' && pods.store.byIndex('namespace', namespace).length === 0;
          const ns = last ? namespaces.store.get(namespace) : undefined;
          return ns?.metadata.deletionTimestamp ? [namespace] : [];
        }),
      ],
      async reconcile(name) {
        const ns = namespaces.store.get(name);
        if (!ns?.metadata.deletionTimestamp) return;
        return empty(context, ns);
      },
    };
  },
};

/** What one pass over the content found. */
export interface Findings {
  /** Deletions that failed, and lists that did. */
  failures: string[];
  /** Instances that remain, by "resource.group". */
  remaining: Map<string, number>;
  finalizers: Map<string, number>;
  discoveryFailures: string[];
}

async function empty(context: ControllerContext, ns: Namespace): Promise<ReconcileResult> {
  if (!(ns.spec?.finalizers ?? []).includes(finalizer)) return;
  const findings: Findings = { failures: [], remaining: new Map(), finalizers: new Map(), discoveryFailures: [] };
  await removeContent(context.client, ns.metadata.name, findings);
  const current = await writeConditions(context, ns, findings);
  if (!current) return;
  // A group that cannot be seen may have content, too.
  const obstacles = [...findings.failures, ...findings.discoveryFailures];
  if (obstacles.length > 0) throw new Error(obstacles.join('; '));
  // What is left waits for finalizers or for graceful deletion of pods; upstream too asks again.
  if (findings.remaining.size > 0) return { requeueAfter: findings.remaining.has('pods') ? 5_000 : 1_000 };
  await finalize(context.client, current);
}

async function removeContent(client: Client, namespace: string, findings: Findings): Promise<void> {
  const { resources, failures } = await discover(client);
  for (const [groupVersion, why] of failures) findings.discoveryFailures.push(`${groupVersion}: ${why}`);
  const deletable = resources.filter(r => r.namespaced && r.verbs.includes('delete') && r.verbs.includes('list'));
  const isPods = (r: DiscoveredResource) => r.group === '' && r.plural === 'pods';
  for (const resource of deletable.filter(isPods)) await removeAll(client, namespace, resource, findings);
  // Pods may need their secrets, claims and policies until they are gone (ordered namespace deletion).
  if (findings.remaining.size > 0 || findings.failures.length > 0) return;
  await Promise.all(deletable.filter(r => !isPods(r)).map(r => removeAll(client, namespace, r, findings)));
}

async function removeAll(
  client: Client,
  namespace: string,
  resource: DiscoveredResource,
  findings: Findings,
): Promise<void> {
  const target = client.resource(resource, namespace);
  const name = resource.group ? `${resource.plural}.${resource.group}` : resource.plural;
  try {
    const found = await target.list({ limit: 1 });
    if (found.items.length === 0) return;
    const left = await deleteThem(client, namespace, resource);
    if (left.length === 0) return;
    findings.remaining.set(name, left.length);
    const finalizers = left.flatMap(o => o.metadata.finalizers ?? []);
    for (const f of finalizers) findings.finalizers.set(f, (findings.finalizers.get(f) ?? 0) + 1);
    // Only finalizers, and the pods' time to end, hold up what has been deleted.
    if (finalizers.length > 0 || left.some(o => (o.metadata.deletionGracePeriodSeconds ?? 0) > 0)) return;
    const which = `${resource.group}/${resource.version}, Resource=${resource.plural}`;
    findings.failures.push(`unexpected items still remain in namespace: ${namespace} for gvr: ${which}`);
  } catch (e) {
    // 404: the resource was unregistered meanwhile. 405: it cannot be listed or deleted after all.
    if (isApiError(e) && (e.code === 404 || e.code === 405)) return;
    findings.failures.push(messageOf(e));
  }
}

/** Gives what is still there afterwards. */
async function deleteThem(client: Client, namespace: string, resource: DiscoveredResource) {
  const target = client.resource(resource, namespace);
  if (resource.verbs.includes('deletecollection')) await target.deleteCollection({ propagationPolicy: 'Background' });
  else
    for (const { metadata } of (await target.list()).items)
      await target.delete(metadata.name, { propagationPolicy: 'Background' }).catch(e => {
        if (!isNotFound(e)) throw e;
      });
  return (await target.list()).items;
}

/** The namespace as it then is; undefined when it is gone. */
async function writeConditions(
  { client, clock }: ControllerContext,
  ns: Namespace,
  findings: Findings,
): Promise<Namespace | undefined> {
  let conditions = ns.status?.conditions ?? [];
  const before = conditions;
  for (const next of conditionsOf(findings)) conditions = withCondition(conditions, next, clock.now());
  if (conditions === before && ns.status?.phase === 'Terminating') return ns;
  // A pass that found nothing in the way needs no report: the namespace goes in the next step.
  const clean = [...findings.failures, ...findings.discoveryFailures].length === 0 && findings.remaining.size === 0;
  if (clean && ns.status?.phase === 'Terminating' && before.length === 0) return ns;
  const status = { ...ns.status, phase: 'Terminating', conditions };
  return client
    .namespaces()
    .updateStatus({ ...ns, status })
    .catch(e => {
      if (isNotFound(e)) return undefined;
      throw e;
    });
}

/** Upstream's namespaceConditionUpdater. */
export function conditionsOf({ failures, remaining, finalizers, discoveryFailures }: Findings): NamespaceCondition[] {
  const make = (
    type: string,
    bad: boolean,
    reasons: [string, string],
    messages: [string, string],
  ): NamespaceCondition => ({
    type,
    status: bad ? 'True' : 'False',
    reason: bad ? reasons[1] : reasons[0],
    message: bad ? messages[1] : messages[0],
  });
  const list = (map: Map<string, number>, word: string) =>
    [...map]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, n]) => `${name} ${word} ${n} resource instances`)
      .join(', ');
  return [
    make(
      'NamespaceDeletionDiscoveryFailure',
      discoveryFailures.length > 0,
      ['ResourcesDiscovered', 'DiscoveryFailed'],
      [
        'All resources successfully discovered',
        `Discovery failed for some groups, ${discoveryFailures.length} failing: unable to retrieve the complete list of server APIs: ${[...discoveryFailures].sort().join(', ')}`,
      ],
    ),
    make(
      'NamespaceDeletionGroupVersionParsingFailure',
      false,
      ['ParsedGroupVersions', 'GroupVersionParsingFailed'],
      ['All legacy kube types successfully parsed', ''],
    ),
    make(
      'NamespaceDeletionContentFailure',
      failures.length > 0,
      ['ContentDeleted', 'ContentDeletionFailed'],
      [
        'All content successfully deleted, may be waiting on finalization',
        `Failed to delete all resource types, ${failures.length} remaining: ${[...failures].sort().join(', ')}`,
      ],
    ),
    make(
      'NamespaceContentRemaining',
      remaining.size > 0,
      ['ContentRemoved', 'SomeResourcesRemain'],
      ['All content successfully removed', `Some resources are remaining: ${list(qualified(remaining), 'has')}`],
    ),
    make(
      'NamespaceFinalizersRemaining',
      finalizers.size > 0,
      ['ContentHasNoFinalizers', 'SomeFinalizersRemain'],
      [
        'All content-preserving finalizers finished',
        `Some content in the namespace has finalizers remaining: ${list(finalizers, 'in')}`,
      ],
    ),
  ];
}

/** As upstream writes resources here: the core group's end in a dot. */
const qualified = (counts: Map<string, number>) =>
  new Map([...counts].map(([name, n]) => [name.includes('.') ? name : `${name}.`, n]));

async function finalize(client: Client, ns: Namespace): Promise<void> {
  const finalizers = (ns.spec?.finalizers ?? []).filter(f => f !== finalizer);
  const body = { ...ns, spec: { ...ns.spec, finalizers } };
  await client
    .namespaces()
    .updateSubresource(ns.metadata.name, 'finalize', body)
    .catch(e => {
      if (!isNotFound(e)) throw e;
    });
}
