/** The lives of pods, namespaces, quotas, budgets, services and nodes. */
import type { Node, Pod } from '../../../api/types/core-v1.ts';
import type { Action, ActionContext } from '../contract.ts';
import { between, chance, newName, openNamespaces, pick, pickObject, podSpec } from './templates.ts';

function anyPod({ view, random }: ActionContext): Pod | undefined {
  return pick(
    view.list<Pod>('pods').filter(pod => !pod.metadata.deletionTimestamp),
    random,
  );
}

async function createPod(context: ActionContext): Promise<string | undefined> {
  const { client, random, view } = context;
  const namespace = pick(openNamespaces(view), random);
  const name = namespace && newName(context, 'pods', namespace, 'bare');
  if (!name) return undefined;
  const nodeSelector = chance(random, 0.3) && { nodeSelector: { disk: chance(random, 0.5) ? 'fast' : 'slow' } };
  const spec = podSpec(random, { ...nodeSelector });
  await client.pods(namespace).create({ metadata: { name, labels: { app: 'bare' } }, spec });
  return `create pod ${namespace}/${name}`;
}

async function removePod(context: ActionContext): Promise<string | undefined> {
  const { client, random } = context;
  const pod = anyPod(context);
  if (!pod) return undefined;
  const { name, namespace, uid } = pod.metadata;
  const choice = random.next();
  if (choice < 0.4) {
    await client.pods(namespace).delete(name);
    return `delete pod ${namespace}/${name}`;
  }
  if (choice < 0.7) {
    await client.pods(namespace).createSubresource(name, 'eviction', {
      apiVersion: 'policy/v1',
      kind: 'Eviction',
      metadata: { name, namespace },
    });
    return `evict pod ${namespace}/${name}`;
  }
  if (choice < 0.9) {
    await context.killContainer(uid ?? '', chance(random, 0.5) ? 1 : 137);
    return `kill a container of pod ${namespace}/${name}`;
  }
  await client.pods(namespace).delete(name, { gracePeriodSeconds: 0 });
  return `delete pod ${namespace}/${name} at once`;
}

async function namespaceLife(context: ActionContext): Promise<string | undefined> {
  const { client, random, view } = context;
  const name = `team-${random.int(3)}`;
  const known = view.get('namespaces', name);
  if (!known) {
    await client.namespaces().create({ metadata: { name }, spec: {} });
    return `create namespace ${name}`;
  }
  if (known.metadata.deletionTimestamp || chance(random, 0.6)) return undefined;
  await client.namespaces().delete(name);
  return `delete namespace ${name}`;
}

async function quotaLife(context: ActionContext): Promise<string | undefined> {
  const { client, random, view } = context;
  const namespace = pick(
    openNamespaces(view).filter(name => name !== 'default'),
    random,
  );
  if (!namespace) return undefined;
  const quotas = client.resourcequotas(namespace);
  const pods = String(between(random, 2, 12));
  if (!view.get('resourcequotas', `${namespace}/limit`)) {
    await quotas.create({ metadata: { name: 'limit' }, spec: { hard: { pods } } });
    return `limit ${namespace} to ${pods} pods`;
  }
  if (chance(random, 0.5)) {
    await quotas.delete('limit');
    return `lift the limit of ${namespace}`;
  }
  await quotas.patch('limit', 'merge', { spec: { hard: { pods } } });
  return `change the limit of ${namespace} to ${pods} pods`;
}

async function budgetLife(context: ActionContext): Promise<string | undefined> {
  const { client, random, view } = context;
  const target = pickObject(context, 'apps/deployments');
  if (!target) return undefined;
  const { name, namespace = '' } = target.metadata;
  const budgets = client.poddisruptionbudgets(namespace);
  if (view.get('policy/poddisruptionbudgets', `${namespace}/${name}`)) {
    await budgets.delete(name);
    return `delete the budget of ${namespace}/${name}`;
  }
  const minAvailable = between(random, 0, 3);
  await budgets.create({ metadata: { name }, spec: { minAvailable, selector: { matchLabels: { app: name } } } });
  return `let ${minAvailable} of ${namespace}/${name} stay up`;
}

async function serviceLife(context: ActionContext): Promise<string | undefined> {
  const { client, random, view } = context;
  const target = pickObject(context, 'apps/deployments') ?? pickObject(context, 'apps/statefulsets');
  if (!target) return undefined;
  const { name, namespace = '' } = target.metadata;
  if (!view.get('services/specs', `${namespace}/${name}`) && !view.get('services', `${namespace}/${name}`)) {
    await client.services(namespace).create({
      metadata: { name },
      spec: { selector: { app: name }, ports: [{ port: 80, targetPort: 8080 }] },
    });
    return `create service ${namespace}/${name}`;
  }
  if (chance(random, 0.5)) return undefined;
  await client.services(namespace).delete(name);
  return `delete service ${namespace}/${name}`;
}

const maintenance = 'maintenance';

async function nodeLife(context: ActionContext): Promise<string | undefined> {
  const { client, random, view } = context;
  const node = pick(view.list<Node>('nodes'), random);
  if (!node) return undefined;
  const { name } = node.metadata;
  const nodes = client.nodes();
  if (node.spec.unschedulable || chance(random, 0.4)) {
    const unschedulable = !node.spec.unschedulable;
    await nodes.patch(name, 'merge', { spec: { unschedulable } });
    return `${unschedulable ? 'cordon' : 'uncordon'} ${name}`;
  }
  const isTainted = node.spec.taints?.some(taint => taint.key === maintenance);
  const fresh = await nodes.get(name);
  const taints = (fresh.spec.taints ?? []).filter(taint => taint.key !== maintenance);
  const effect = chance(random, 0.5) ? 'NoExecute' : 'NoSchedule';
  const next = isTainted ? taints : [...taints, { key: maintenance, effect } as const];
  await nodes.update({ ...fresh, spec: { ...fresh.spec, taints: next } });
  return isTainted ? `take the taint from ${name}` : `taint ${name}, ${effect}`;
}

export const clusterActions: readonly Action[] = [
  { name: 'create-pod', weight: 2, run: createPod },
  { name: 'remove-pod', weight: 10, run: removePod },
  { name: 'namespace', weight: 3, run: namespaceLife },
  { name: 'quota', weight: 2, run: quotaLife },
  { name: 'budget', weight: 2, run: budgetLife },
  { name: 'service', weight: 2, run: serviceLife },
  { name: 'node', weight: 4, run: nodeLife },
];
