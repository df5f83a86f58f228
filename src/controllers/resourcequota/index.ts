/** Counts what quotas limit (pkg/controller/resourcequota of v1.35). Admission charges for what is made; this loop corrects and gives back. */
import { keyOf } from '../../api/object.ts';
import { equalLists, type QuotaEvaluator, totalUsage } from '../../api/quota/index.ts';
import type { ResourceQuota } from '../../api/types/core-v1.ts';
import type { Controller } from '../../controller/contract.ts';
import { watch } from '../../controller/contract.ts';
import { createCharges } from './charges.ts';
import { createUsageSource } from './usage.ts';

/** Upstream's --resource-quota-sync-period. */
const everyMs = 300_000;
/** Many deletions in a row are counted once. */
const settleMs = 100;

const isCounted = ({ spec, status }: ResourceQuota): boolean =>
  equalLists(spec.hard ?? {}, status?.hard ?? {}) &&
  Object.keys(spec.hard ?? {}).every(name => status?.used?.[name] !== undefined);

export const resourceQuotaController: Controller = {
  name: 'resourcequota-controller',
  aliases: ['resourcequota'],
  setUp(context) {
    const { informers, client } = context;
    const quotas = informers.informer('v1/resourcequotas');
    const charges = createCharges(context.clock);
    quotas.addHandler({ onUpdate: charges.changed, onDelete: charges.removed });
    let enqueue: (key: string, afterMs?: number) => void = () => undefined;
    const concerned = (namespace: string, evaluator: QuotaEvaluator): ResourceQuota[] =>
      quotas.store
        .byIndex('namespace', namespace)
        .filter(quota => evaluator.matchingResources(Object.keys(quota.spec.hard ?? {})).length > 0);
    const source = createUsageSource(context, {
      freed(namespace, evaluator) {
        for (const quota of concerned(namespace, evaluator)) enqueue(keyOf(quota), settleMs);
      },
      shown(obj, evaluator) {
        for (const quota of concerned(obj.metadata.namespace ?? '', evaluator))
          charges.shown(quota, totalUsage(evaluator, quota, [obj], context.clock.now()));
      },
    });
    return {
      attach(add) {
        enqueue = add;
      },
      sources: [
        watch<'v1/resourcequotas'>(quotas, (quota, _old, kind) =>
          kind !== 'delete' && (kind === 'add' || !isCounted(quota)) ? [keyOf(quota)] : [],
        ),
      ],
      resync: { everyMs, keys: () => quotas.store.list().map(keyOf) },
      async reconcile(key) {
        const quota = quotas.store.get(key);
        if (!quota || quota.metadata.deletionTimestamp) return undefined;
        const hard = quota.spec.hard ?? {};
        const counted = await source.usage(quota);
        if (!counted) return undefined;
        const { used, againMs } = charges.settle(quota, counted);
        if (!equalLists(hard, quota.status?.hard ?? {}) || !equalLists(used, quota.status?.used ?? {}))
          await client.resourcequotas(quota.metadata.namespace).updateStatus({ ...quota, status: { hard, used } });
        return againMs === undefined ? undefined : { requeueAfter: againMs };
      },
    };
  },
};
