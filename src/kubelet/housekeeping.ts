/** Looks at all containers of the node from time to time: pokes workers whose pods changed, ends pods nobody knows, drops dead containers. */
import { type Clock, sleep } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Meters } from './metrics/meters.ts';
import type { PodHost } from './pod/host.ts';
import { gracePeriodAnnotation, podUidLabel } from './pod/names.ts';
import { hasExited } from './pod/state.ts';
import type { PodWorker } from './pod/worker.ts';
import type { Container, ContainerRuntime, Sandbox } from './runtime/contract.ts';

export interface HousekeepingOptions {
  meters: Meters;
  runtime: ContainerRuntime;
  host: PodHost;
  clock: Clock;
  log: Logger;
  workers(): ReadonlyMap<string, PodWorker>;
  relistSeconds: number | undefined;
}
export interface Housekeeping {
  /** Follows the runtime's events until the signal is aborted. */
  watch(signal: AbortSignal): Promise<void>;
  /** Looks every so often until the signal is aborted. Call it when all pods that should be here are known. */
  run(signal: AbortSignal): Promise<void>;
}

const defaultRelistMs = 10_000;
/** Without events this is what tells that a container ended. */
const fastRelistMs = 1000;
/** Dead containers kept per container of a pod, besides the newest: the one `kubectl logs --previous` shows. */
const deadKept = 1;
const orphanGraceSeconds = 30;

export function createHousekeeping(options: HousekeepingOptions): Housekeeping {
  const { runtime, host, clock, log, meters, workers } = options;
  const prints = new Map<string, string>();
  let relistMs = options.relistSeconds === undefined ? defaultRelistMs : options.relistSeconds * 1000;

  function onEvent(event: { podUid?: string; containerId: string }): void {
    const owner = event.podUid !== undefined ? workers().get(event.podUid) : ownerOf(event.containerId);
    owner?.poke();
  }
  function ownerOf(id: string): PodWorker | undefined {
    for (const worker of workers().values()) {
      if (worker.view.sandboxes.some(s => s.id === id)) return worker;
      for (const group of worker.view.containers.values()) if (group.some(c => c.status.id === id)) return worker;
    }
    return undefined;
  }

  async function relist(): Promise<void> {
    const [sandboxes, containers] = await Promise.all([runtime.listPodSandboxes(), runtime.listContainers()]);
    const byPod = new Map<string, { sandboxes: Sandbox[]; containers: Container[] }>();
    const group = (labels: Record<string, string>) => {
      const uid = labels[podUidLabel];
      if (uid === undefined) return undefined;
      const known = byPod.get(uid) ?? { sandboxes: [], containers: [] };
      byPod.set(uid, known);
      return known;
    };
    for (const s of sandboxes) group(s.labels)?.sandboxes.push(s);
    for (const c of containers) group(c.labels)?.containers.push(c);
    for (const [uid, found] of byPod) {
      const worker = workers().get(uid);
      if (worker) pokeWhenChanged(uid, worker, found);
      else await removeOrphan(uid, found);
    }
    for (const uid of prints.keys()) if (!byPod.has(uid)) prints.delete(uid);
    for (const [uid, worker] of workers()) if (!byPod.has(uid) && worker.view.sandboxes.length > 0) worker.poke();
    await removeDead();
    for (const uid of await host.podsOnDisk()) {
      if (workers().has(uid) || byPod.has(uid)) continue;
      await host.removeLogs(uid);
      await host.tearDownPod(uid);
    }
  }
  function pokeWhenChanged(
    uid: string,
    worker: PodWorker,
    found: { sandboxes: Sandbox[]; containers: Container[] },
  ): void {
    const print = [...found.sandboxes, ...found.containers]
      .map(x => `${x.id}=${x.state}`)
      .sort()
      .join();
    if (prints.get(uid) === print) return;
    prints.set(uid, print);
    worker.poke();
  }
  /** Pods that were deleted while the kubelet was away. */
  async function removeOrphan(uid: string, found: { sandboxes: Sandbox[]; containers: Container[] }): Promise<void> {
    log.info('removing a pod that is not in the API', { uid });
    await Promise.all(
      found.containers.map(async c => {
        const grace = Number(c.annotations[gracePeriodAnnotation] ?? orphanGraceSeconds);
        if (c.state === 'CONTAINER_RUNNING') await runtime.stopContainer(c.id, grace);
      }),
    );
    for (const c of found.containers) await runtime.removeContainer(c.id);
    await host.removeLogs(uid);
    for (const s of found.sandboxes) {
      await runtime.stopPodSandbox(s.id);
      await runtime.removePodSandbox(s.id);
    }
    await host.tearDownPod(uid);
  }
  async function removeDead(): Promise<void> {
    for (const worker of workers().values()) {
      for (const group of worker.view.containers.values()) {
        const old = group.slice(1).filter(hasExited).slice(deadKept);
        for (const { status } of old) await runtime.removeContainer(status.id);
      }
      const [newest, ...older] = worker.view.sandboxes;
      const used = new Set([...worker.view.containers.values()].flat().map(c => c.sandboxId));
      for (const s of older)
        if (newest && s.state === 'SANDBOX_NOTREADY' && !used.has(s.id)) await runtime.removePodSandbox(s.id);
    }
  }

  return {
    async watch(signal) {
      const hasEvents = await runtime.watchEvents(onEvent, signal);
      if (!hasEvents && relistMs > 0) relistMs = Math.min(relistMs, fastRelistMs);
    },
    async run(signal) {
      let last: number | undefined;
      while (relistMs > 0 && !signal.aborted) {
        const begun = clock.monotonic();
        await relist().catch((e: unknown) => log.debug('containers could not be listed', { error: messageOf(e) }));
        meters.relisted((clock.monotonic() - begun) / 1000, last === undefined ? undefined : (begun - last) / 1000);
        last = begun;
        await sleep(clock, relistMs, signal).catch(() => undefined);
      }
    },
  };
}
