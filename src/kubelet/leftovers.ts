/** Ends pods without the agent that ran them. */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { messageOf } from '../base/errors.ts';
import type { LinuxNodeOptions } from './linux-node.ts';
import { podUidLabel } from './pod/names.ts';
import { startContainerd } from './runtime/containerd.ts';
import type { ContainerRuntime } from './runtime/contract.ts';
import { unmountBelow } from './volumes/mount.ts';

/** Ends the pods that kubelets made; containers of others on the same runtime stay. Rejects when all that could be ended are. */
export async function removePods(runtime: ContainerRuntime): Promise<void> {
  const ofPods = (it: { labels: Record<string, string> }) => it.labels[podUidLabel] !== undefined;
  const containers = (await runtime.listContainers()).filter(ofPods);
  const sandboxes = (await runtime.listPodSandboxes()).filter(ofPods);
  const failures: unknown[] = [];
  const each = async <T>(items: T[], end: (item: T) => Promise<void>): Promise<void> => {
    await Promise.all(items.map(item => end(item).catch(e => void failures.push(e))));
  };
  await each(containers, async ({ id, state }) => {
    if (state === 'CONTAINER_RUNNING') await runtime.stopContainer(id, 2);
    await runtime.removeContainer(id);
  });
  await each(sandboxes, async ({ id }) => {
    await runtime.stopPodSandbox(id);
    await runtime.removePodSandbox(id);
  });
  if (failures.length > 0) throw new AggregateError(failures, `pods could not be ended: ${messageOf(failures[0])}`);
}

/** Ends what an agent that was killed left running: containers, mounts, containerd. Nothing to do after a clean end or a reboot. */
export async function endLeftovers(
  { directories, cni }: Pick<LinuxNodeOptions, 'directories' | 'cni'>,
  { clock, log }: LinuxNodeOptions['environment'],
): Promise<void> {
  if (!existsSync(directories.state)) return;
  const containerd = await startContainerd({
    dir: directories.containerd,
    stateDir: directories.state,
    clock,
    log,
    cni,
  });
  await removePods(containerd.runtime);
  await unmountBelow(directories.kubelet);
  await containerd.stop();
  await rm(directories.state, { recursive: true, force: true });
}
