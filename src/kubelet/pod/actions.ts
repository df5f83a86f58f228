/** The effects a decision asks for: sandboxes, starts and stops, with upstream's events. */
import type { Pod } from '../../api/types/core-v1.ts';
import { sleep } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import { ImageError } from '../images/puller.ts';
import type { ContainerType } from '../metrics/meters.ts';
import type { Image, RuntimeHandler, SandboxConfig } from '../runtime/contract.ts';
import { goSeconds } from './back-off.ts';
import { containerConfig, podDns, sandboxConfig } from './config.ts';
import type { PodContext } from './context.ts';
import type { StartDecision } from './decide.ts';
import { ConfigError, containerEnv } from './env.ts';
import { runHook } from './hooks.ts';
import { type AnyContainer, containerHash, containerPath, formatPod, isSidecar, uidOf } from './names.ts';
import type { UserNamespace } from './security.ts';
import { type ContainerView, hasExited, isRunning, latest, type PodView } from './state.ts';

/** A start that did not work: the waiting reason to show, and when to try again. */
export class StartError extends Error {
  readonly reason: string;
  readonly retryMs: number;
  constructor(reason: string, message: string, retryMs: number) {
    super(message);
    this.name = 'StartError';
    this.reason = reason;
    this.retryMs = retryMs;
  }
}

/** The shortest time a container gets between its stop signal and SIGKILL, unless the pod is deleted at once. */
const minimumGraceSeconds = 2;
const startRetryMs = 10_000;

/** Tells events about a pod, or about one of its containers. */
export function podEvent(context: PodContext, pod: Pod, container?: AnyContainer) {
  const fieldPath = container && containerPath(pod, container.name);
  return (type: 'Normal' | 'Warning', reason: string, message: string) =>
    context.recorder.event(
      { ...pod, apiVersion: 'v1', kind: 'Pod' },
      type,
      reason,
      message,
      fieldPath ? { fieldPath } : {},
    );
}

/** What the runtime said, without gRPC's wrapping. */
const runtimeMessage = (e: unknown) => messageOf(e).replace(/^rpc error: code = \w+ desc = /, '');

export async function buildSandboxConfig(context: PodContext, pod: Pod, attempt: number): Promise<SandboxConfig> {
  const { host, clusterDns, nodeName } = context;
  return sandboxConfig({
    users: await usersOf(context, pod),
    pod,
    attempt,
    dns: podDns(pod, clusterDns, await host.resolver()),
    domain: clusterDns.domain,
    nodeName,
    logDirectory: host.logDirectory(pod),
    cgroupParent: host.cgroupParent(pod),
  });
}

async function handlerOf(context: PodContext, pod: Pod): Promise<RuntimeHandler> {
  const name = await context.runtimeHandler(pod.spec.runtimeClassName);
  const { handlers } = await context.runtime.status();
  return handlers.find(h => h.name === name) ?? { name };
}

/** Paths of the container under which nothing may be written, mounts below mounts included. Upstream: resolveRecursiveReadOnly. */
async function recursivePaths(context: PodContext, pod: Pod, container: AnyContainer): Promise<ReadonlySet<string>> {
  const asked = (container.volumeMounts ?? []).filter(
    m => m.readOnly && (m.recursiveReadOnly ?? 'Disabled') !== 'Disabled',
  );
  if (asked.length === 0) return new Set();
  const { features } = await handlerOf(context, pod);
  if (features?.recursiveReadOnlyMounts) return new Set(asked.map(m => m.mountPath));
  const must = asked.find(m => m.recursiveReadOnly === 'Enabled');
  if (!must) return new Set();
  throw new ConfigError(
    `failed to resolve recursive read-only mode: volume "${must.name}": not supported by the runtime`,
  );
}

/** Undefined: the host's. Rejects when the runtime cannot keep them apart, rather than to run as the host's root. */
async function usersOf(context: PodContext, pod: Pod): Promise<UserNamespace> {
  if (pod.spec.hostUsers !== false) return undefined;
  const { name, features } = await handlerOf(context, pod);
  if (features?.userNamespaces) return context.host.userNamespace(pod);
  const which = name ? `runtime handler "${name}"` : 'runtime';
  throw new Error(`can't set \`spec.hostUsers: false\`, ${which} does not support user namespaces`);
}

export async function createSandbox(context: PodContext, pod: Pod, attempt: number): Promise<string> {
  const event = podEvent(context, pod);
  const { clock, meters } = context;
  const begun = clock.monotonic();
  let handler = '';
  try {
    const config = await buildSandboxConfig(context, pod, attempt);
    handler = await context.runtimeHandler(pod.spec.runtimeClassName);
    const id = await context.runtime.runPodSandbox(config, handler);
    meters.sandboxStarted(handler, (clock.monotonic() - begun) / 1000, false);
    return id;
  } catch (e) {
    meters.sandboxStarted(handler, (clock.monotonic() - begun) / 1000, true);
    event('Warning', 'FailedCreatePodSandBox', `Failed to create pod sandbox: ${messageOf(e)}`);
    throw e;
  }
}

const backOffKey = (pod: Pod, container: AnyContainer) =>
  `${formatPod(pod)}/${container.name}/${containerHash(container)}`;

/** Rejects with CrashLoopBackOff while the container has to wait. */
function checkBackOff(context: PodContext, pod: Pod, container: AnyContainer, last: ContainerView | undefined): void {
  if (!last || !hasExited(last)) return;
  const { crashBackOff } = context;
  const key = backOffKey(pod, container);
  const finishedMs = last.status.finishedAt / 1e6;
  if (!crashBackOff.isActiveSince(key, finishedMs)) {
    crashBackOff.next(key, finishedMs);
    return;
  }
  podEvent(context, pod, container)(
    'Warning',
    'BackOff',
    `Back-off restarting failed container ${container.name} in pod ${formatPod(pod)}`,
  );
  const message = `back-off ${goSeconds(crashBackOff.delay(key))} restarting failed container=${container.name} pod=${formatPod(pod)}`;
  throw new StartError('CrashLoopBackOff', message, crashBackOff.remaining(key, finishedMs));
}

export interface StartInput {
  pod: Pod;
  view: PodView;
  sandboxId: string;
  sandbox: SandboxConfig;
  podIps: readonly string[];
  signal: AbortSignal;
}

const containerTypes: Record<StartDecision['kind'], ContainerType> = {
  init: 'init_container',
  sidecar: 'init_container',
  regular: 'container',
  ephemeral: 'ephemeral_container',
};

/** Pulls, creates and starts one container and runs its postStart hook. Rejects with `StartError`. */
export async function startContainer(context: PodContext, start: StartDecision, input: StartInput): Promise<void> {
  checkBackOff(context, input.pod, start.container, latest(input.view, start.container.name));
  const type = containerTypes[start.kind];
  try {
    await pullAndStart(context, start.container, input);
    context.meters.containerStarted(type);
  } catch (e) {
    context.meters.containerStarted(type, e instanceof StartError ? e.reason : 'Unknown');
    throw e;
  }
}

async function pullAndStart(context: PodContext, container: AnyContainer, input: StartInput): Promise<void> {
  const { pod, view, sandboxId, sandbox } = input;
  const { runtime } = context;
  const event = podEvent(context, pod, container);
  const last = latest(view, container.name);
  const image = await ensureImage(context, container, input);
  throwIfAborted(input.signal);
  const attempt = last ? last.restartCount + 1 : attemptFromStatus(pod, container.name);
  const id = await createContainer(context, container, image, attempt, input);
  event('Normal', 'Created', 'Container created');
  try {
    await runtime.startContainer(id);
  } catch (e) {
    event('Warning', 'Failed', `Error: ${runtimeMessage(e)}`);
    throw new StartError('RunContainerError', runtimeMessage(e), startRetryMs);
  }
  event('Normal', 'Started', 'Container started');
  await postStart(context, container, id, input);

  async function createContainer(
    ctx: PodContext,
    c: AnyContainer,
    img: Image,
    n: number,
    { podIps }: StartInput,
  ): Promise<string> {
    try {
      const env = await containerEnv({
        ...ctx,
        pod,
        container: c,
        podIps,
        hostIps: ctx.hostIps(),
        allocatable: ctx.allocatable(),
      });
      const files = await ctx.host.containerFiles(pod, c, podIps, n);
      const target =
        'targetContainerName' in c && c.targetContainerName ? latest(view, c.targetContainerName) : undefined;
      const config = containerConfig({
        pod,
        container: c,
        attempt: n,
        image: img,
        env,
        files,
        nodeMemory: ctx.host.memoryBytes,
        users: await usersOf(ctx, pod),
        recursive: await recursivePaths(ctx, pod, c),
        ...(target && { targetContainerId: target.status.id }),
      });
      return await runtime.createContainer(sandboxId, config, sandbox);
    } catch (e) {
      event('Warning', 'Failed', `Error: ${runtimeMessage(e)}`);
      const reason = e instanceof ConfigError ? 'CreateContainerConfigError' : 'CreateContainerError';
      throw new StartError(reason, runtimeMessage(e), startRetryMs);
    }
  }
}

/** The runtime lost the container, or a reboot did: the API still counts. */
function attemptFromStatus(pod: Pod, name: string): number {
  const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
  const known = [...containerStatuses, ...initContainerStatuses].find(s => s.name === name);
  return known ? known.restartCount + (known.state?.running || known.state?.terminated ? 1 : 0) : 0;
}

async function ensureImage(context: PodContext, container: AnyContainer, input: StartInput): Promise<Image> {
  const { pod, sandbox, signal } = input;
  const event = podEvent(context, pod, container);
  try {
    const secrets = await context.pullSecrets(pod);
    const { image = '', imagePullPolicy: policy } = container;
    const pull = context.images.ensure({ podUid: uidOf(pod), image, policy, secrets, sandbox, event });
    return await abortable(pull, signal);
  } catch (e) {
    if (!(e instanceof ImageError)) throw e;
    event('Warning', 'Failed', `Error: ${e.reason}`);
    throw new StartError(e.reason, e.message, e.retryMs);
  }
}

async function postStart(context: PodContext, container: AnyContainer, id: string, input: StartInput): Promise<void> {
  const handler = container.lifecycle?.postStart;
  if (!handler) return;
  const { pod, podIps, signal } = input;
  const { runtime, clock, host } = context;
  const podIp = podIps[0] ?? '';
  try {
    const hook = runHook({ pod, container, containerId: id, handler, podIp, runtime, clock, checks: host.checks });
    await abortable(hook, signal);
  } catch (e) {
    throwIfAborted(signal);
    podEvent(context, pod, container)('Warning', 'FailedPostStartHook', messageOf(e));
    await killContainer(context, pod, {
      id,
      container,
      podIp,
      graceSeconds: graceOf(pod),
      message: 'FailedPostStartHook',
    });
    throw new StartError('PostStartHookError', 'PostStartHookError', startRetryMs);
  }
}

export function graceOf(pod: Pod): number {
  return pod.metadata.deletionGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30;
}

export interface KillInput {
  id: string;
  container: AnyContainer;
  podIp: string;
  graceSeconds: number;
  message?: string;
}

/** Runs the preStop hook inside the grace period, then stops the container with what is left of it. */
export async function killContainer(context: PodContext, pod: Pod, input: KillInput): Promise<void> {
  const { id, container, graceSeconds, podIp } = input;
  const { runtime, clock, host } = context;
  const event = podEvent(context, pod, container);
  event('Normal', 'Killing', input.message || `Stopping container ${container.name}`);
  let left = graceSeconds;
  const handler = container.lifecycle?.preStop;
  if (handler && graceSeconds > 0) {
    const begun = clock.monotonic();
    const limit = new AbortController();
    const hook = runHook({
      pod,
      container,
      containerId: id,
      handler,
      podIp,
      runtime,
      clock,
      checks: host.checks,
      signal: limit.signal,
    });
    const failed = hook.catch((e: unknown) => event('Warning', 'FailedPreStopHook', messageOf(e)));
    await Promise.race([failed, sleep(clock, graceSeconds * 1000, limit.signal).catch(() => undefined)]);
    limit.abort();
    left -= Math.floor((clock.monotonic() - begun) / 1000);
  }
  const least = graceSeconds === 0 ? 0 : minimumGraceSeconds;
  await runtime.stopContainer(id, Math.max(left, least));
}

/** Ends all containers: the regular ones together, then the sidecars from last to first, each with what is left of the time. */
export async function killAll(
  context: PodContext,
  pod: Pod,
  view: PodView,
  graceSeconds: number,
  podIp: string,
): Promise<void> {
  const { clock, runtime } = context;
  const begun = clock.monotonic();
  const init = pod.spec.initContainers ?? [];
  const sidecars = new Set(init.filter(isSidecar).map(c => c.name));
  const specs = new Map<string, AnyContainer>(
    [...init, ...pod.spec.containers, ...(pod.spec.ephemeralContainers ?? [])].map(c => [c.name, c]),
  );
  const running = [...view.containers.values()].flat().filter(isRunning);
  const kill = (v: ContainerView, grace: number) => {
    const container = specs.get(v.name) ?? { name: v.name };
    return killContainer(context, pod, { id: v.status.id, container, podIp, graceSeconds: grace });
  };
  await Promise.all(running.filter(v => !sidecars.has(v.name)).map(v => kill(v, graceSeconds)));
  for (const name of [...sidecars].reverse()) {
    const left = graceSeconds - Math.floor((clock.monotonic() - begun) / 1000);
    const least = graceSeconds === 0 ? 0 : minimumGraceSeconds;
    for (const v of running.filter(r => r.name === name)) await kill(v, Math.max(left, least));
  }
  await Promise.all(view.sandboxes.map(s => runtime.stopPodSandbox(s.id)));
}

export function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw signal.reason;
}

/** The promise, or a rejection as soon as the signal is aborted. The work itself goes on. */
function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  work.catch(() => undefined);
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
