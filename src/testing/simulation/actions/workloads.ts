/** The lives of Deployments, StatefulSets and DaemonSets. */
import type { DaemonSet, Deployment, StatefulSet, StatefulSetSpec } from '../../../api/types/apps-v1.ts';
import type { Random } from '../../../base/random.ts';
import type { Action, ActionContext } from '../contract.ts';
import {
  between,
  chance,
  newName,
  openNamespaces,
  pick,
  pickObject,
  podSpec,
  propagation,
  template,
} from './templates.ts';

async function createDeployment(context: ActionContext): Promise<string | undefined> {
  const { client, random, view } = context;
  const namespace = pick(openNamespaces(view), random);
  const name = namespace && newName(context, 'apps/deployments', namespace, 'web');
  if (!name) return undefined;
  const replicas = between(random, 0, 6);
  const surge = between(random, 0, 2);
  const unavailable = surge === 0 ? between(random, 1, 2) : between(random, 0, 2);
  await client.deployments(namespace).create({
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: template(random, name),
      revisionHistoryLimit: between(random, 0, 3),
      minReadySeconds: chance(random, 0.3) ? between(random, 1, 10) : 0,
      strategy: chance(random, 0.8)
        ? { type: 'RollingUpdate', rollingUpdate: { maxSurge: surge, maxUnavailable: unavailable } }
        : { type: 'Recreate' },
    },
  });
  return `create deployment ${namespace}/${name} with ${replicas} replicas`;
}

async function changeDeployment(context: ActionContext): Promise<string | undefined> {
  const { client, random } = context;
  const target = pickObject<Deployment>(context, 'apps/deployments');
  if (!target) return undefined;
  const { name, namespace } = target.metadata;
  const id = `deployment ${namespace}/${name}`;
  const patch = (spec: object) => client.deployments(namespace).patch(name, 'strategic', { spec });
  const choice = random.next();
  if (choice < 0.35) {
    const replicas = between(random, 0, 8);
    // As an autoscaler does, and as an editor does.
    const subresource = chance(random, 0.5) ? 'scale' : undefined;
    const scale = { spec: { replicas } };
    await client.deployments(namespace).patch(name, 'merge', scale, { ...(subresource && { subresource }) });
    return `scale ${id} to ${replicas}`;
  }
  if (choice < 0.8) {
    await patch({ template: { spec: podSpec(random) } });
    return `roll out ${id}`;
  }
  if (choice < 0.9) {
    await patch({ paused: !target.spec.paused });
    return `${target.spec.paused ? 'resume' : 'pause'} ${id}`;
  }
  const policy = propagation(random);
  await client.deployments(namespace).delete(name, { propagationPolicy: policy });
  return `delete ${id}, ${policy}`;
}

async function createStatefulSet(context: ActionContext): Promise<string | undefined> {
  const { client, random, view } = context;
  const namespace = pick(openNamespaces(view), random);
  const name = namespace && newName(context, 'apps/statefulsets', namespace, 'db');
  if (!name) return undefined;
  const policy = chance(random, 0.7) ? 'OrderedReady' : 'Parallel';
  await client.statefulsets(namespace).create({
    metadata: { name },
    spec: {
      serviceName: name,
      replicas: between(random, 0, 4),
      podManagementPolicy: policy,
      selector: { matchLabels: { app: name } },
      template: template(random, name),
      ...(chance(random, 0.3) && { updateStrategy: { type: 'OnDelete' } }),
      ...(chance(random, 0.25) && withClaims(random)),
    },
  });
  return `create stateful set ${namespace}/${name}, ${policy}`;
}

/** A volume for each pod, and what becomes of it. */
function withClaims(random: Random): Partial<StatefulSetSpec> {
  const claim = { storageClassName: '', accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
  const policy = () => (chance(random, 0.5) ? 'Delete' : 'Retain');
  return {
    volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: claim }],
    persistentVolumeClaimRetentionPolicy: { whenDeleted: policy(), whenScaled: policy() },
  };
}

async function changeStatefulSet(context: ActionContext): Promise<string | undefined> {
  const { client, random } = context;
  const target = pickObject<StatefulSet>(context, 'apps/statefulsets');
  if (!target) return undefined;
  const { name, namespace } = target.metadata;
  const id = `stateful set ${namespace}/${name}`;
  const patch = (spec: object) => client.statefulsets(namespace).patch(name, 'strategic', { spec });
  const choice = random.next();
  if (choice < 0.45) {
    const replicas = between(random, 0, 5);
    await patch({ replicas });
    return `scale ${id} to ${replicas}`;
  }
  if (choice < 0.9) {
    await patch({ template: { spec: podSpec(random) } });
    return `roll out ${id}`;
  }
  await client.statefulsets(namespace).delete(name, { propagationPolicy: propagation(random) });
  return `delete ${id}`;
}

async function createDaemonSet(context: ActionContext): Promise<string | undefined> {
  const { client, random, view } = context;
  const namespace = pick(openNamespaces(view), random);
  const name = namespace && newName(context, 'apps/daemonsets', namespace, 'agent');
  if (!name) return undefined;
  const tolerations = [{ operator: 'Exists' as const, effect: 'NoSchedule' as const }];
  await client.daemonsets(namespace).create({
    metadata: { name },
    spec: {
      selector: { matchLabels: { app: name } },
      template: template(random, name, { tolerations, ...(chance(random, 0.5) && { nodeSelector: { disk: 'fast' } }) }),
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: between(random, 1, 3) } },
    },
  });
  return `create daemon set ${namespace}/${name}`;
}

async function changeDaemonSet(context: ActionContext): Promise<string | undefined> {
  const { client, random } = context;
  const target = pickObject<DaemonSet>(context, 'apps/daemonsets');
  if (!target) return undefined;
  const { name, namespace } = target.metadata;
  const sets = client.daemonsets(namespace);
  if (chance(random, 0.8)) {
    const image = `registry.example/agent:${random.int(5)}`;
    await sets.patch(name, 'strategic', { spec: { template: { spec: { containers: [{ name: 'main', image }] } } } });
    return `roll out daemon set ${namespace}/${name}`;
  }
  await sets.delete(name, { propagationPolicy: 'Background' });
  return `delete daemon set ${namespace}/${name}`;
}

export const workloadActions: readonly Action[] = [
  { name: 'create-deployment', weight: 6, run: createDeployment },
  { name: 'change-deployment', weight: 14, run: changeDeployment },
  { name: 'create-statefulset', weight: 3, run: createStatefulSet },
  { name: 'change-statefulset', weight: 7, run: changeStatefulSet },
  { name: 'create-daemonset', weight: 2, run: createDaemonSet },
  { name: 'change-daemonset', weight: 3, run: changeDaemonSet },
];
