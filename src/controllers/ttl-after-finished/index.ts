import { keyOf } from '../../api/object.ts';
import type { Job } from '../../api/types/batch-v1.ts';
import { isNotFound } from '../../base/errors.ts';
import type { Controller, ReconcileResult } from '../../controller/contract.ts';
import { watch } from '../../controller/contract.ts';

/** pkg/controller/ttlafterfinished of v1.35: deletes finished jobs when spec.ttlSecondsAfterFinished is over. */
export const ttlAfterFinishedController: Controller = {
  name: 'ttl-after-finished-controller',
  aliases: ['ttl-after-finished'],
  setUp({ informers, client, clock }) {
    const jobs = informers.informer('batch/v1/jobs');
    return {
      sources: [
        watch<'batch/v1/jobs'>(jobs, (job, _old, event) => (event !== 'delete' && expiresAt(job) ? [keyOf(job)] : [])),
      ],
      async reconcile(key): Promise<ReconcileResult> {
        const cached = jobs.store.get(key);
        const expires = cached && expiresAt(cached);
        if (!cached || expires === undefined) return;
        const left = expires - clock.now();
        if (left > 0) return { requeueAfter: left };
        // The time to live may have been raised: the last word is the server's.
        const { name, namespace } = cached.metadata;
        const live = await client.jobs(namespace).get(name).catch(ignoreNotFound);
        const due = live && expiresAt(live);
        if (!live || due === undefined || due > clock.now()) return;
        const { uid = '', resourceVersion = '' } = live.metadata;
        const options = { propagationPolicy: 'Foreground', preconditions: { uid, resourceVersion } };
        await client.jobs(namespace).delete(name, options).catch(ignoreNotFound);
      },
    };
  },
};

/** Undefined for a job that has no time to live, has not finished, or is going already. */
export function expiresAt(job: Job): number | undefined {
  const ttl = job.spec?.ttlSecondsAfterFinished;
  if (ttl === undefined || job.metadata.deletionTimestamp) return undefined;
  const end = job.status?.conditions?.find(c => (c.type === 'Complete' || c.type === 'Failed') && c.status === 'True');
  const at = Date.parse(end?.lastTransitionTime ?? '');
  return Number.isNaN(at) ? undefined : at + ttl * 1000;
}

function ignoreNotFound(e: unknown): undefined {
  if (!isNotFound(e)) throw e;
  return undefined;
}
