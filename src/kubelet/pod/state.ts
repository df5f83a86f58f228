/** What the runtime knows of one pod, read into values that the decisions work on. */
import type { ContainerRuntime, ContainerStatus, SandboxStatus } from '../runtime/contract.ts';
import { containerNameLabel, podUidLabel, restartCountAnnotation } from './names.ts';

export interface ContainerView {
  readonly status: ContainerStatus;
  readonly name: string;
  readonly sandboxId: string;
  readonly restartCount: number;
}
export interface PodView {
  /** Newest first. */
  readonly sandboxes: readonly SandboxStatus[];
  /** Newest first, per container name. */
  readonly containers: ReadonlyMap<string, readonly ContainerView[]>;
}

export const emptyView: PodView = { sandboxes: [], containers: new Map() };

/** Statuses of ended containers never change: they are asked for once. */
export type StatusCache = Map<string, ContainerView>;

export async function readPodView(runtime: ContainerRuntime, uid: string, cache: StatusCache): Promise<PodView> {
  const labels = { [podUidLabel]: uid };
  const [sandboxes, containers] = await Promise.all([runtime.listPodSandboxes(labels), runtime.listContainers(labels)]);
  const [sandboxStatuses, views] = await Promise.all([
    Promise.all(sandboxes.map(s => runtime.podSandboxStatus(s.id).catch(() => undefined))),
    Promise.all(containers.map(c => readContainer(runtime, c.id, c.podSandboxId, cache))),
  ]);
  const present = new Set(containers.map(c => c.id));
  for (const id of cache.keys()) if (!present.has(id)) cache.delete(id);
  return {
    sandboxes: sandboxStatuses
      .filter(s => s !== undefined)
      .sort((a, b) => b.metadata.attempt - a.metadata.attempt || b.createdAt - a.createdAt),
    containers: groupByName(views.filter(v => v !== undefined)),
  };
}

async function readContainer(
  runtime: ContainerRuntime,
  id: string,
  sandboxId: string,
  cache: StatusCache,
): Promise<ContainerView | undefined> {
  const known = cache.get(id);
  if (known) return known;
  const status = await runtime.containerStatus(id).catch(() => undefined);
  if (!status) return undefined;
  const name = status.labels[containerNameLabel] ?? status.metadata.name;
  const restartCount = Number(status.annotations[restartCountAnnotation] ?? status.metadata.attempt);
  const view = { status, name, sandboxId, restartCount };
  if (status.state === 'CONTAINER_EXITED') cache.set(id, view);
  return view;
}

function groupByName(views: readonly ContainerView[]): Map<string, ContainerView[]> {
  const groups = new Map<string, ContainerView[]>();
  const newest = (a: ContainerView, b: ContainerView) =>
    b.restartCount - a.restartCount || b.status.createdAt - a.status.createdAt;
  for (const view of [...views].sort(newest)) {
    const group = groups.get(view.name);
    if (group) group.push(view);
    else groups.set(view.name, [view]);
  }
  return groups;
}

export const latest = (view: PodView, name: string): ContainerView | undefined => view.containers.get(name)?.[0];
export const isRunning = (view: ContainerView | undefined): boolean => view?.status.state === 'CONTAINER_RUNNING';
export const hasExited = (view: ContainerView | undefined): boolean => view?.status.state === 'CONTAINER_EXITED';
export const readySandbox = (view: PodView): SandboxStatus | undefined =>
  view.sandboxes.find(s => s.state === 'SANDBOX_READY');
export const anyRunning = (view: PodView): boolean =>
  [...view.containers.values()].some(group => group.some(isRunning));
