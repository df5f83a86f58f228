/**
 * Charges what is created to the quotas of its namespace before it is stored. Requests of one namespace that come together
 * are judged together and written with one update per quota; of several API servers, the one whose update fails tries again.
 */
import { equalLists, evaluatorFor, type QuotaEvaluator } from '../../../api/quota/index.ts';
import type { ResourceQuota } from '../../../api/types/core-v1.ts';
import { errors, isConflict, isNotFound } from '../../../base/errors.ts';
import type { AdmissionPluginFactory, AdmissionRequest } from '../contract.ts';
import { forbid, on } from '../helpers.ts';
import { type Charge, fit } from './check.ts';

const attempts = 4;
/** Never stored, or too many and short-lived to count. */
const ignored = new Set([
  '/bindings',
  '/events',
  'events.k8s.io/events',
  'authentication.k8s.io/tokenreviews',
  'authorization.k8s.io/localsubjectaccessreviews',
  'authorization.k8s.io/subjectaccessreviews',
  'authorization.k8s.io/selfsubjectaccessreviews',
  'authorization.k8s.io/selfsubjectrulesreviews',
]);

interface Waiter {
  readonly request: AdmissionRequest;
  readonly evaluator: QuotaEvaluator;
  readonly charge: Charge;
  settled: boolean;
  resolve(): void;
  reject(e: unknown): void;
}

function chargeOf(request: AdmissionRequest, evaluator: QuotaEvaluator): Charge | undefined {
  const { operation, subresource, object, oldObject } = request;
  if (!object) return undefined;
  const charge = (statusOnly = false): Charge => ({
    object,
    old: operation === 'UPDATE' ? oldObject : undefined,
    statusOnly,
  });
  if (evaluator.resource === '/pods' && subresource === 'resize') return charge();
  if (evaluator.resource === '/persistentvolumeclaims' && subresource === 'status') return charge(true);
  if (subresource) return undefined;
  return operation === 'CREATE' || evaluator.countsUpdates ? charge() : undefined;
}

const revision = (quota: ResourceQuota): number => Number(quota.metadata.resourceVersion ?? 0);

export const resourceQuota: AdmissionPluginFactory = {
  name: 'ResourceQuota',
  create({ client, informers, clock }) {
    const informer = informers.informer('v1/resourcequotas');
    /** What this server wrote and the cache may not show yet. */
    const written = new Map<string, ResourceQuota>();
    const queues = new Map<string, Waiter[]>();
    const running = new Set<string>();

    function newest(quota: ResourceQuota): ResourceQuota {
      const key = `${quota.metadata.namespace}/${quota.metadata.name}`;
      const own = written.get(key);
      if (!own || own.metadata.uid !== quota.metadata.uid) return quota;
      if (revision(own) > revision(quota)) return own;
      written.delete(key);
      return quota;
    }
    async function quotasIn(namespace: string, live: boolean): Promise<readonly ResourceQuota[]> {
      if (live || !informer.hasSynced) return (await client.resource('v1/resourcequotas', namespace).list()).items;
      return informer.store.byIndex('namespace', namespace).map(newest);
    }
    async function write(quota: ResourceQuota): Promise<void> {
      const { namespace = '', name } = quota.metadata;
      const stored = await client.resource('v1/resourcequotas', namespace).updateStatus(quota);
      written.set(`${namespace}/${name}`, stored);
    }

    /** Judges each waiter against what the ones before leave. Gives the quotas that changed; settles those who need no write. */
    function judge(quotas: readonly ResourceQuota[], waiters: readonly Waiter[]): ResourceQuota[] {
      let current = quotas;
      for (const waiter of waiters) {
        if (waiter.settled) continue;
        const verdict = fit(current, waiter.evaluator, waiter.charge, clock.now());
        if (!verdict.fits) {
          waiter.reject(forbid(waiter.request, verdict.why));
          continue;
        }
        const changed = verdict.quotas.some((q, i) => q !== current[i]);
        if (waiter.request.dryRun || !changed) waiter.resolve();
        else current = verdict.quotas;
      }
      return current.filter((q, i) => !equalLists(q.status?.used ?? {}, quotas[i]?.status?.used ?? {}));
    }

    /** Quotas that were written count no more; those that failed are read anew and judged again for the same waiters. */
    async function check(namespace: string, waiters: readonly Waiter[]): Promise<void> {
      let quotas = await quotasIn(namespace, false);
      for (let left = attempts; ; left--) {
        const results = await Promise.allSettled(
          judge(quotas, waiters).map(async q => ({ q, done: await tryWrite(q) })),
        );
        const failed = results.flatMap(r => (r.status === 'fulfilled' && !r.value.done ? [r.value.q] : []));
        const fatal = results.find(r => r.status === 'rejected');
        if (fatal?.status === 'rejected') throw fatal.reason;
        if (failed.length === 0) break;
        const [first] = failed;
        if (left <= 1 && first)
          throw errors.conflict({ group: '', resource: 'resourcequotas' }, first.metadata.name, 'please try again');
        const names = new Set(failed.map(q => q.metadata.name));
        quotas = (await quotasIn(namespace, true)).filter(q => names.has(q.metadata.name));
      }
      for (const waiter of waiters) waiter.resolve();
    }
    async function tryWrite(quota: ResourceQuota): Promise<boolean> {
      try {
        await write(quota);
        return true;
      } catch (e) {
        if (isConflict(e) || isNotFound(e)) return false;
        throw e;
      }
    }

    async function drain(namespace: string): Promise<void> {
      if (running.has(namespace)) return;
      running.add(namespace);
      for (let waiters = queues.get(namespace); waiters?.length; waiters = queues.get(namespace)) {
        queues.delete(namespace);
        try {
          await check(namespace, waiters);
        } catch (e) {
          for (const waiter of waiters) waiter.reject(e);
        }
      }
      running.delete(namespace);
    }

    function enqueue(request: AdmissionRequest, evaluator: QuotaEvaluator, charge: Charge): Promise<void> {
      return new Promise((resolve, reject) => {
        const settle = (fn: () => void) => {
          if (waiter.settled) return;
          waiter.settled = true;
          fn();
        };
        const waiter: Waiter = {
          ...{ request, evaluator, charge, settled: false },
          resolve: () => settle(resolve),
          reject: e => settle(() => reject(e)),
        };
        queues.set(request.namespace, [...(queues.get(request.namespace) ?? []), waiter]);
        void drain(request.namespace);
      });
    }

    async function reserve(request: AdmissionRequest, evaluator: QuotaEvaluator, charge: Charge): Promise<void> {
      if ((await quotasIn(request.namespace, false)).length > 0) await enqueue(request, evaluator, charge);
    }

    return {
      name: 'ResourceQuota',
      handles: on('CREATE', 'UPDATE'),
      validate(request) {
        const { group, plural } = request.resource;
        if (!request.namespace || plural === 'namespaces' || ignored.has(`${group}/${plural}`)) return;
        const evaluator = evaluatorFor(group, plural);
        const charge = chargeOf(request, evaluator);
        return charge && reserve(request, evaluator, charge);
      },
    };
  },
};
