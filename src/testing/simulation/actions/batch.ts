/** The lives of Jobs and CronJobs. */
import type { CronJob, Job, JobSpec } from '../../../api/types/batch-v1.ts';
import type { Random } from '../../../base/random.ts';
import type { Action, ActionContext } from '../contract.ts';
import { between, chance, newName, openNamespaces, pick, pickObject, podSpec } from './templates.ts';

function jobSpec(random: Random, name: string): JobSpec {
  const fails = chance(random, 0.25);
  const annotations = {
    'simulated.tsukube.io/exit-after': String(between(random, 1, 30)),
    'simulated.tsukube.io/exit-code': fails ? '1' : '0',
  };
  const restartPolicy = chance(random, 0.3) ? 'OnFailure' : 'Never';
  return {
    completions: between(random, 1, 5),
    parallelism: between(random, 1, 4),
    backoffLimit: between(random, 0, 2),
    completionMode: chance(random, 0.5) ? 'Indexed' : 'NonIndexed',
    ...(chance(random, 0.2) && { ttlSecondsAfterFinished: between(random, 5, 120) }),
    template: { metadata: { labels: { work: name }, annotations }, spec: podSpec(random, { restartPolicy }) },
  };
}

async function createJob(context: ActionContext): Promise<string | undefined> {
  const { client, random, view } = context;
  const namespace = pick(openNamespaces(view), random);
  const name = namespace && newName(context, 'batch/jobs', namespace, 'job');
  if (!name) return undefined;
  const spec = jobSpec(random, name);
  await client.jobs(namespace).create({ metadata: { name }, spec });
  return `create job ${namespace}/${name}: ${spec.completions} of ${spec.parallelism} at a time, ${spec.completionMode}`;
}

async function changeJob(context: ActionContext): Promise<string | undefined> {
  const { client, random } = context;
  const target = pickObject<Job>(context, 'batch/jobs');
  if (!target) return undefined;
  const { name, namespace } = target.metadata;
  const jobs = client.jobs(namespace);
  if (chance(random, 0.3)) {
    await jobs.delete(name, { propagationPolicy: chance(random, 0.5) ? 'Background' : 'Foreground' });
    return `delete job ${namespace}/${name}`;
  }
  if (chance(random, 0.5)) {
    const parallelism = between(random, 0, 4);
    await jobs.patch(name, 'merge', { spec: { parallelism } });
    return `let job ${namespace}/${name} run ${parallelism} at a time`;
  }
  await jobs.patch(name, 'merge', { spec: { suspend: !target.spec.suspend } });
  return `${target.spec.suspend ? 'resume' : 'suspend'} job ${namespace}/${name}`;
}

async function createCronJob(context: ActionContext): Promise<string | undefined> {
  const { client, random, view } = context;
  const namespace = pick(openNamespaces(view), random);
  const name = namespace && newName(context, 'batch/cronjobs', namespace, 'cron');
  if (!name) return undefined;
  const concurrencyPolicy = pick(['Allow', 'Forbid', 'Replace'] as const, random) ?? 'Allow';
  await client.cronjobs(namespace).create({
    metadata: { name },
    spec: {
      schedule: chance(random, 0.7) ? '* * * * *' : '*/2 * * * *',
      concurrencyPolicy,
      successfulJobsHistoryLimit: between(random, 0, 2),
      failedJobsHistoryLimit: between(random, 0, 1),
      jobTemplate: { spec: { ...jobSpec(random, name), parallelism: 1, completions: 1 } },
    },
  });
  return `create cron job ${namespace}/${name}, ${concurrencyPolicy}`;
}

async function changeCronJob(context: ActionContext): Promise<string | undefined> {
  const { client, random } = context;
  const target = pickObject<CronJob>(context, 'batch/cronjobs');
  if (!target) return undefined;
  const { name, namespace } = target.metadata;
  if (chance(random, 0.5)) {
    await client.cronjobs(namespace).delete(name, { propagationPolicy: 'Background' });
    return `delete cron job ${namespace}/${name}`;
  }
  await client.cronjobs(namespace).patch(name, 'merge', { spec: { suspend: !target.spec.suspend } });
  return `${target.spec.suspend ? 'resume' : 'suspend'} cron job ${namespace}/${name}`;
}

export const batchActions: readonly Action[] = [
  { name: 'create-job', weight: 5, run: createJob },
  { name: 'change-job', weight: 4, run: changeJob },
  { name: 'create-cronjob', weight: 1, run: createCronJob },
  { name: 'change-cronjob', weight: 1.5, run: changeCronJob },
];
