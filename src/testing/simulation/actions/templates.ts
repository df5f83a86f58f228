/** Random but valid parts of objects. */
import type { KubeObject } from '../../../api/object.ts';
import type { PodSpec, PodTemplateSpec } from '../../../api/types/core-v1.ts';
import type { Random } from '../../../base/random.ts';
import type { ActionContext } from '../contract.ts';
import type { View } from '../view.ts';

export const pick = <T>(items: readonly T[], random: Random): T | undefined => items[random.int(items.length)];
export const chance = (random: Random, of: number): boolean => random.next() < of;
export const between = (random: Random, low: number, high: number): number => low + random.int(high - low + 1);

/** Namespaces that users work in: theirs, and those that are not being deleted. */
export function openNamespaces(view: View): string[] {
  const all = view.list('namespaces').filter(ns => !ns.metadata.deletionTimestamp);
  return all.map(ns => ns.metadata.name).filter(name => name === 'default' || name.startsWith('team-'));
}

/** An object of a kind that users made, anywhere. */
export function pickObject<T extends KubeObject>({ view, random }: ActionContext, kind: string): T | undefined {
  const mine = view
    .list<T>(kind)
    .filter(
      o => !o.metadata.deletionTimestamp && !o.metadata.namespace?.startsWith('kube-') && !o.metadata.ownerReferences,
    );
  return pick(mine, random);
}

/** A name not in use among a few: names come back, which is where stale caches show. */
export function newName(context: ActionContext, kind: string, namespace: string, prefix: string): string | undefined {
  const name = `${prefix}-${context.random.int(4)}`;
  return context.view.get(kind, namespace ? `${namespace}/${name}` : name) ? undefined : name;
}

export function podSpec(random: Random, more: Partial<PodSpec> = {}): PodSpec {
  const cpu = pick(['50m', '200m', '500m', '1'], random) ?? '50m';
  return {
    terminationGracePeriodSeconds: between(random, 1, 20),
    containers: [
      {
        name: 'main',
        image: `registry.example/app:${random.int(5)}`,
        resources: { requests: { cpu, memory: '64Mi' } },
        ...(chance(random, 0.3) && { readinessProbe: { exec: { command: ['true'] }, periodSeconds: 5 } }),
      },
    ],
    ...more,
  };
}

export function template(random: Random, app: string, more: Partial<PodSpec> = {}): PodTemplateSpec {
  return { metadata: { labels: { app } }, spec: podSpec(random, more) };
}

export const propagation = (random: Random) =>
  pick(['Background', 'Foreground', 'Orphan', 'Background'] as const, random) ?? 'Background';
