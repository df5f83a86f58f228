/** What administrators do: drains, and pods that are more important than others. */
import type { Node, Pod } from '../../../api/types/core-v1.ts';
import { isApiError } from '../../../base/errors.ts';
import type { Action, ActionContext } from '../contract.ts';
import { chance, newName, openNamespaces, pick, podSpec } from './templates.ts';

/** As `kubectl drain`: no new pods, and those that are there are evicted, as far as budgets let them. */
async function drain({ client, random, view }: ActionContext): Promise<string | undefined> {
  const node = pick(
    view.list<Node>('nodes').filter(({ spec }) => !spec.unschedulable),
    random,
  );
  if (!node) return undefined;
  const { name } = node.metadata;
  await client.nodes().patch(name, 'merge', { spec: { unschedulable: true } });
  const there = view.list<Pod>('pods').filter(pod => pod.spec.nodeName === name);
  let evicted = 0;
  for (const { metadata } of there) {
    if (metadata.ownerReferences?.some(({ kind }) => kind === 'DaemonSet')) continue;
    const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: metadata.name } };
    try {
      await client.pods(metadata.namespace).createSubresource(metadata.name, 'eviction', eviction);
      evicted += 1;
    } catch (error) {
      if (!isApiError(error) || (error.code !== 429 && error.code !== 404)) throw error;
    }
  }
  return `drain ${name}: ${evicted} of ${there.length} pods evicted`;
}

/** A second scheduler that knows less: what is bound already must stay. */
async function bindAgain({ client, random, view, nodes }: ActionContext): Promise<string | undefined> {
  const pod = pick(
    view.list<Pod>('pods').filter(({ spec, metadata }) => spec.nodeName && !metadata.deletionTimestamp),
    random,
  );
  const name = pick(nodes, random);
  if (!pod || !name || pod.spec.nodeName === name) return undefined;
  const { metadata } = pod;
  const body = { apiVersion: 'v1', kind: 'Binding', metadata: { name: metadata.name }, target: { kind: 'Node', name } };
  try {
    await client.pods(metadata.namespace).createSubresource(metadata.name, 'binding', body);
  } catch (error) {
    if (!isApiError(error)) throw error;
    return `pod ${metadata.namespace}/${metadata.name} cannot be bound to ${name} as well`;
  }
  return `pod ${metadata.namespace}/${metadata.name} was bound again, to ${name}`;
}

const important = 'important';

async function importantPod(context: ActionContext): Promise<string | undefined> {
  const { client, random, view } = context;
  if (!view.get('scheduling.k8s.io/priorityclasses', important)) {
    await client.priorityclasses().create({ metadata: { name: important }, value: 1_000 });
    return `create priority class ${important}`;
  }
  const namespace = pick(openNamespaces(view), random);
  const name = namespace && newName(context, 'pods', namespace, important);
  if (!name) return undefined;
  const spec = podSpec(random, { priorityClassName: important });
  const [main] = spec.containers;
  const cpu = chance(random, 0.5) ? '2' : '3500m';
  if (main) main.resources = { requests: { cpu } };
  await client.pods(namespace).create({ metadata: { name }, spec });
  return `create pod ${namespace}/${name}, which is important and wants ${cpu} CPUs`;
}

export const nodeActions: readonly Action[] = [
  { name: 'drain', weight: 1, run: drain },
  { name: 'bind-again', weight: 0.7, run: bindAgain },
  { name: 'important-pod', weight: 1.5, run: importantPod },
];
