/** Counts what quotas limit (pkg/controller/resourcequota of v1.35). Admission charges for what is made; this loop corrects and gives back. */
import { keyOf } from '../../api/object.ts';
import { equalLists, evaluatorFor } from '../../api/quota/index.ts';
import type { ResourceQuota } from '../../api/types/core-v1.ts';
import type { Controller } from '../../controller/contract.ts';
import { watch } from '../../controller/contract.ts';
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
    let enqueue: (key: string, afterMs?: number) => void = () => undefined;
    const source = createUsageSource(context, (namespace, { group, plural }) => {
      for (const quota of quotas.store.byIndex('namespace', namespace))
        if (evaluatorFor(group, plural).matchingResources(Object.keys(quota.spec.hard ?? {})).length > 0)
          enqueue(keyOf(quota), settleMs);
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
        if (!quota || quota.metadata.deletionTimestamp) return;
        const hard = quota.spec.hard ?? {};
        const used = await source.usage(quota);
        if (equalLists(hard, quota.status?.hard ?? {}) && equalLists(used, quota.status?.used ?? {})) return;
        await client.resourcequotas(quota.metadata.namespace).updateStatus({ ...quota, status: { hard, used } });
      },
    };
  },
};
