/**
 * One step of a pod: from what should be and what is, to what to do next. A pure function; the worker carries the actions out and
 * asks again. Follows upstream's computePodActions and computeInitContainerActions.
 */
import type { Container, Pod } from '../../api/types/core-v1.ts';
import { type AnyContainer, containerHash, hashAnnotationOf, isSidecar } from './names.ts';
import { type ContainerView, hasExited, isRunning, latest, type PodView } from './state.ts';

/** What the kubelet remembers of a container between decisions. */
export interface ContainerHistory {
  /** The startup probe has succeeded, or there is none and the container runs. */
  started: boolean;
  /** A probe gave up on the running container with this id. */
  failedProbe?: { containerId: string; kind: 'liveness' | 'startup' };
}
export type History = (containerName: string) => ContainerHistory | undefined;

export interface KillDecision {
  readonly container: ContainerView;
  readonly message: string;
  readonly reason: string;
}
export interface StartDecision {
  readonly container: AnyContainer;
  readonly kind: 'init' | 'sidecar' | 'regular' | 'ephemeral';
}
export interface Decision {
  /** Ends every container and the sandbox first. */
  readonly killPod: boolean;
  /** A new sandbox, with this attempt number. */
  readonly createSandbox: { attempt: number } | undefined;
  readonly kill: readonly KillDecision[];
  /** In this order. */
  readonly start: readonly StartDecision[];
}

const nothing: Decision = { killPod: false, createSandbox: undefined, kill: [], start: [] };

export function decide(pod: Pod, view: PodView, history: History): Decision {
  const sandbox = sandboxDecision(pod, view);
  if (sandbox.recreate) return decideWithNewSandbox(pod, view, sandbox.attempt);
  const ephemeral = (pod.spec.ephemeralContainers ?? [])
    .filter(c => !latest(view, c.name))
    .map((container): StartDecision => ({ container, kind: 'ephemeral' }));
  const init = decideInit(pod, view, history);
  if (init.podFails) return { ...nothing, killPod: true };
  if (!init.initialized) return { ...nothing, kill: init.kill, start: [...ephemeral, ...init.start] };
  const regular = decideRegular(pod, view, history);
  if (regular.keep === 0 && regular.start.length === 0) return { ...nothing, killPod: true };
  return {
    ...nothing,
    kill: [...init.kill, ...regular.kill],
    start: [...ephemeral, ...init.start, ...regular.start],
  };
}

function sandboxDecision(pod: Pod, view: PodView): { recreate: boolean; attempt: number } {
  const [newest, ...older] = view.sandboxes;
  if (!newest) return { recreate: true, attempt: 0 };
  const attempt = newest.metadata.attempt + 1;
  const moreReady = older.some(s => s.state === 'SANDBOX_READY');
  if (newest.state !== 'SANDBOX_READY' || moreReady) return { recreate: true, attempt };
  if (!pod.spec.hostNetwork && newest.network !== undefined && newest.network.ip === '')
    return { recreate: true, attempt };
  return { recreate: false, attempt: newest.metadata.attempt };
}

function decideWithNewSandbox(pod: Pod, view: PodView, attempt: number): Decision {
  const had = view.containers.size > 0;
  const never = (pod.spec.restartPolicy ?? 'Always') === 'Never';
  if (never && attempt !== 0 && had) return { ...nothing, killPod: true };
  const start = pod.spec.containers.filter(c => {
    const last = latest(view, c.name);
    return !(hasExited(last) && !shouldRestart(pod, c, last?.status.exitCode ?? 0) && had);
  });
  if (start.length === 0) return { ...nothing, killPod: true };
  const killPod = view.sandboxes.length > 0;
  const [firstInit] = pod.spec.initContainers ?? [];
  const first: StartDecision[] = firstInit
    ? [{ container: firstInit, kind: isSidecar(firstInit) ? 'sidecar' : 'init' }]
    : start.map(container => ({ container, kind: 'regular' }));
  return { killPod, createSandbox: { attempt }, kill: [], start: first };
}

interface InitDecision {
  initialized: boolean;
  podFails: boolean;
  kill: KillDecision[];
  start: StartDecision[];
}

function decideInit(pod: Pod, view: PodView, history: History): InitDecision {
  const result: InitDecision = { initialized: true, podFails: false, kill: [], start: [] };
  const sandboxId = view.sandboxes[0]?.id;
  const current = (name: string) => view.containers.get(name)?.find(c => c.sandboxId === sandboxId);
  const passed = pod.spec.containers.some(c => current(c.name) !== undefined);
  for (const container of pod.spec.initContainers ?? []) {
    const last = current(container.name);
    if (isSidecar(container)) {
      const ready = decideSidecar(pod, container, last, history, result);
      if (!ready && !passed) return { ...result, initialized: false };
    } else if (!passed && !decideInitContainer(pod, container, last, history, result))
      return { ...result, initialized: false };
  }
  return result;
}

/** True when the next container may start. */
function decideSidecar(
  pod: Pod,
  container: Container,
  last: ContainerView | undefined,
  history: History,
  result: InitDecision,
): boolean {
  if (!last || !isRunning(last)) {
    result.start.push({ container, kind: 'sidecar' });
    return false;
  }
  const kill = whyKill(pod, container, last, history);
  if (kill) {
    result.kill.push({ container: last, ...kill });
    result.start.push({ container, kind: 'sidecar' });
    return false;
  }
  return history(container.name)?.started ?? false;
}

/** True when the container has completed. */
function decideInitContainer(
  pod: Pod,
  container: Container,
  last: ContainerView | undefined,
  history: History,
  result: InitDecision,
): boolean {
  if (last && hasExited(last)) {
    if (last.status.exitCode === 0) return true;
    if (shouldRestart(pod, container, last.status.exitCode)) result.start.push({ container, kind: 'init' });
    else result.podFails = true;
    return false;
  }
  if (!isRunning(last)) result.start.push({ container, kind: 'init' });
  else if (last) {
    const kill = whyKill(pod, container, last, history);
    if (kill) result.kill.push({ container: last, ...kill });
  }
  return false;
}

function decideRegular(pod: Pod, view: PodView, history: History) {
  const kill: KillDecision[] = [];
  const start: StartDecision[] = [];
  let keep = 0;
  for (const container of pod.spec.containers) {
    const last = latest(view, container.name);
    if (!last || last.status.state === 'CONTAINER_CREATED' || last.status.state === 'CONTAINER_UNKNOWN') {
      if (last?.status.state === 'CONTAINER_UNKNOWN')
        kill.push({
          container: last,
          message: 'Container is in unknown state, try killing it before restart',
          reason: 'Unknown',
        });
      start.push({ container, kind: 'regular' });
    } else if (hasExited(last)) {
      if (shouldRestart(pod, container, last.status.exitCode)) start.push({ container, kind: 'regular' });
    } else {
      const why = whyKill(pod, container, last, history);
      if (!why) keep++;
      else {
        kill.push({ container: last, ...why });
        if (why.restart) start.push({ container, kind: 'regular' });
        else keep++;
      }
    }
  }
  return { kill, start, keep };
}

function whyKill(
  pod: Pod,
  container: Container,
  last: ContainerView,
  history: History,
): { message: string; reason: string; restart: boolean } | undefined {
  const { name } = container;
  const known = hashAnnotationOf(last.status.annotations);
  if (known !== undefined && known !== containerHash(container))
    return { message: `Container ${name} definition changed, will be restarted`, reason: '', restart: true };
  const failed = history(name)?.failedProbe;
  if (failed?.containerId !== last.status.id) return undefined;
  const restart = effectivePolicy(pod, container) !== 'Never';
  const reason = failed.kind === 'liveness' ? 'LivenessProbe' : 'StartupProbe';
  const message = `Container ${name} failed ${failed.kind} probe`;
  return { message: restart ? `${message}, will be restarted` : message, reason, restart };
}

function effectivePolicy(pod: Pod, container: AnyContainer): string {
  const own = 'restartPolicy' in container ? container.restartPolicy : undefined;
  return own ?? pod.spec.restartPolicy ?? 'Always';
}

/** Whether an ended container runs again: its own rules first, then its own policy, then the pod's. */
export function shouldRestart(pod: Pod, container: AnyContainer, exitCode: number): boolean {
  const rules = 'restartPolicyRules' in container ? (container.restartPolicyRules ?? []) : [];
  for (const { action, exitCodes } of rules) {
    const listed = exitCodes?.values?.includes(exitCode) ?? false;
    const matches = exitCodes !== undefined && (exitCodes.operator === 'NotIn' ? !listed : listed);
    if (matches && action === 'Restart') return true;
  }
  const policy = effectivePolicy(pod, container);
  if (policy === 'Always') return true;
  return policy === 'OnFailure' && exitCode !== 0;
}
