/** Ends pods without the agent that ran them. */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { LinuxNodeOptions } from './linux-node.ts';
import { startContainerd } from './runtime/containerd.ts';
import type { ContainerRuntime } from './runtime/contract.ts';
import { unmountBelow } from './volumes/mount.ts';

/** Ends the pods that kubelets made; containers of others on the same runtime stay. */
export async function removePods(runtime: ContainerRuntime): Promise<void> {
  const ofPods = (labels: Record<string, string>) => labels['io.kubernetes.pod.uid'] !== undefined;
  const containers = (await runtime.listContainers()).filter(c => ofPods(c.labels));
  await Promise.all(containers.filter(c => c.state === 'CONTAINER_RUNNING').map(c => runtime.stopContainer(c.id, 2)));
  for (const { id, labels } of await runtime.listPodSandboxes()) {
    if (!ofPods(labels)) continue;
    await runtime.stopPodSandbox(id);
    await runtime.removePodSandbox(id);
  }
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
