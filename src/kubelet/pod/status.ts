/** The pod's status as the API shows it: phase, conditions, addresses and the containers' statuses. Pure. */
import type { ContainerStatus, Pod, PodCondition, PodStatus } from '../../api/types/core-v1.ts';
import { rfc3339 } from '../../base/clock.ts';
import { containerStatus, lost, type StatusInput } from './container-status.ts';
import { shouldRestart } from './decide.ts';
import { isSidecar } from './names.ts';
import { type ResizeCondition, resizeConditionTypes } from './resize.ts';
import { qosClass } from './resources.ts';
import { readySandbox } from './state.ts';

/** Why the kubelet ended a pod by itself. */
export interface PodFailure {
  reason: string;
  message: string;
  /** Default: the pod's own. */
  graceSeconds?: number;
  /** The node's shortage, not the pod's own doing. */
  disruption?: boolean;
  /** It was never let in: nothing of it ran. */
  rejected?: boolean;
}

export interface PodStatusInput extends StatusInput {
  readonly now: number;
  readonly hostIps: readonly string[];
  readonly startTime: string;
  /** Set when the kubelet ended the pod: eviction, admission, deadline. The phase is then Failed. */
  readonly failure?: PodFailure;
  /** A resize that has to wait, cannot be, or is being made. */
  readonly resize: readonly ResizeCondition[];
  /** Every container is down and none will start again. */
  readonly finished: boolean;
}
type Phase = 'Pending' | 'Running' | 'Succeeded' | 'Failed';

export function podStatus(input: PodStatusInput): PodStatus {
  const { pod, now, hostIps } = input;
  if (input.failure?.rejected) return rejectedStatus(pod, input.failure, input.startTime);
  const { spec } = pod;
  const unknown = (s: ContainerStatus) => (input.finished ? locateLost(s) : s);
  const init = (spec.initContainers ?? []).map(c => unknown(containerStatus(c, 'init', input)));
  const regular = spec.containers.map(c => unknown(containerStatus(c, 'regular', input)));
  const ephemeral = (spec.ephemeralContainers ?? []).map(c => unknown(containerStatus(c, 'ephemeral', input)));
  const phase = input.failure && input.finished ? 'Failed' : (finalPhase(pod) ?? phaseOf(input, init, regular));
  const ips = podIps(input);
  const conditions = podConditions(input, phase, init, regular);
  return {
    ...(pod.metadata.generation !== undefined && { observedGeneration: pod.metadata.generation }),
    phase,
    conditions: keepTransitionTimes(pod, conditions, now),
    ...(input.failure && { reason: input.failure.reason, message: input.failure.message }),
    ...(hostIps[0] && { hostIP: hostIps[0], hostIPs: hostIps.map(ip => ({ ip })) }),
    ...(ips[0] && { podIP: ips[0], podIPs: ips.map(ip => ({ ip })) }),
    startTime: input.startTime,
    qosClass: qosClass(pod),
    ...(init.length > 0 && { initContainerStatuses: init }),
    containerStatuses: regular,
    ...(ephemeral.length > 0 && { ephemeralContainerStatuses: ephemeral }),
  };
}

/** Upstream's rejectPod: there are no containers to tell of. */
function rejectedStatus(pod: Pod, { reason, message }: PodFailure, startTime: string): PodStatus {
  const { conditions = [] } = pod.status ?? {};
  const { generation } = pod.metadata;
  const observed = generation === undefined ? {} : { observedGeneration: generation };
  return { ...observed, phase: 'Failed', reason, message, startTime, conditions, qosClass: qosClass(pod) };
}

/** A pod that reached its end never leaves it. */
function finalPhase(pod: Pod): Phase | undefined {
  const phase = pod.status?.phase;
  return phase === 'Succeeded' || phase === 'Failed' ? phase : undefined;
}

/** A container that the runtime forgot while the pod ended. */
function locateLost(status: ContainerStatus): ContainerStatus {
  if (status.state?.terminated) return status;
  if (status.state?.waiting && status.lastState?.terminated) return { ...status, state: status.lastState };
  return { ...status, ready: false, started: false, state: { terminated: lost } };
}

/** Upstream's getPhase. */
function phaseOf(input: PodStatusInput, init: readonly ContainerStatus[], regular: readonly ContainerStatus[]): Phase {
  const { pod } = input;
  let pendingInit = 0;
  for (const [i, container] of (pod.spec.initContainers ?? []).entries()) {
    const { state = {}, lastState, started } = init[i] ?? {};
    if (isSidecar(container)) {
      if (!(state.running && started) && !state.terminated) pendingInit++;
    } else if (state.terminated) {
      if (state.terminated.exitCode === 0) continue;
      if (!shouldRestart(pod, container, state.terminated.exitCode)) return 'Failed';
      pendingInit++;
    } else if (!(state.waiting && lastState?.terminated?.exitCode === 0)) pendingInit++;
  }
  const begun = regular.some(s => s.state?.running || s.state?.terminated || s.lastState?.terminated);
  if (pendingInit > 0 && !begun) return 'Pending';
  return phaseOfContainers(pod, regular);
}

function phaseOfContainers(pod: Pod, statuses: readonly ContainerStatus[]): Phase {
  let waiting = 0;
  let running = 0;
  let stopped = 0;
  let succeeded = 0;
  let restartable = 0;
  for (const [i, { state, lastState }] of statuses.entries()) {
    const container = pod.spec.containers[i];
    if (state?.running) running++;
    else if (state?.terminated || lastState?.terminated) {
      const code = (state?.terminated ?? lastState?.terminated)?.exitCode ?? 0;
      stopped++;
      if (code === 0) succeeded++;
      if (container && shouldRestart(pod, container, code)) restartable++;
    } else waiting++;
  }
  if (waiting > 0) return 'Pending';
  if (running > 0) return 'Running';
  if (stopped === 0) return 'Pending';
  if (restartable > 0) return 'Running';
  return stopped === succeeded ? 'Succeeded' : 'Failed';
}

/** The node's primary family comes first, whatever the runtime prefers (upstream's sortPodIPs). */
export function podIps({ pod, view, hostIps }: Pick<PodStatusInput, 'pod' | 'view' | 'hostIps'>): readonly string[] {
  if (pod.spec.hostNetwork) return readySandbox(view) ? hostIps : (pod.status?.podIPs?.map(i => i.ip) ?? []);
  const network = (readySandbox(view) ?? view.sandboxes[0])?.network;
  const isV6 = (ip: string | undefined) => ip?.includes(':') ?? false;
  const secondary = (ip: string) => (isV6(ip) === isV6(hostIps[0]) ? 0 : 1);
  const addresses = network ? [network.ip, ...network.additionalIps.map(a => a.ip)].filter(Boolean) : [];
  const found = addresses.sort((a, b) => secondary(a) - secondary(b));
  return found.length > 0 ? found : (pod.status?.podIPs?.map(i => i.ip) ?? []);
}

type Draft = Omit<PodCondition, 'lastTransitionTime'>;
const yes = (type: string): Draft => ({ type, status: 'True' });
const no = (type: string, reason: string, message?: string): Draft => ({
  type,
  status: 'False',
  reason,
  ...(message && { message }),
});

function podConditions(
  input: PodStatusInput,
  phase: Phase,
  init: readonly ContainerStatus[],
  regular: readonly ContainerStatus[],
): Draft[] {
  const { pod, view } = input;
  const sandbox = readySandbox(view);
  const networked = sandbox !== undefined && (pod.spec.hostNetwork || Boolean(sandbox.network?.ip));
  const containersReady = containersReadyCondition(pod, phase, init, regular);
  return [
    networked ? yes('PodReadyToStartContainers') : { type: 'PodReadyToStartContainers', status: 'False' },
    initializedCondition(pod, phase, init, regular),
    readyCondition(pod, containersReady),
    containersReady,
    yes('PodScheduled'),
    ...foreignConditions(pod),
    ...input.resize.map(c => ({ ...yes(c.type), ...c })),
    ...disruptionCondition(input),
  ];
}

const owned = new Set(['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled']);
/** Conditions of others (readiness gates, disruption) stay as they are. */
const foreignConditions = (pod: Pod): PodCondition[] =>
  (pod.status?.conditions ?? []).filter(c => !owned.has(c.type) && !resizeConditionTypes.has(c.type));

/** Says that it was the node that ended the pod, so that a Job may leave it out of its failures. */
function disruptionCondition({ pod, failure }: PodStatusInput): Draft[] {
  const told = pod.status?.conditions?.some(c => c.type === 'DisruptionTarget');
  if (!failure?.disruption || told) return [];
  return [{ type: 'DisruptionTarget', status: 'True', reason: 'TerminationByKubelet', message: failure.message }];
}

function initializedCondition(
  pod: Pod,
  phase: Phase,
  init: readonly ContainerStatus[],
  regular: readonly ContainerStatus[],
): Draft {
  const incomplete = (pod.spec.initContainers ?? [])
    .filter((c, i) => (isSidecar(c) ? !init[i]?.started : init[i]?.state?.terminated?.exitCode !== 0))
    .map(c => c.name);
  if (phase === 'Succeeded') return { ...yes('Initialized'), reason: 'PodCompleted' };
  const begun = regular.some(s => s.state?.running || s.state?.terminated || s.lastState?.terminated);
  if (incomplete.length === 0 || begun) return yes('Initialized');
  const message = `containers with incomplete status: [${incomplete.join(' ')}]`;
  return no('Initialized', 'ContainersNotInitialized', message);
}

function containersReadyCondition(
  pod: Pod,
  phase: Phase,
  init: readonly ContainerStatus[],
  regular: readonly ContainerStatus[],
): Draft {
  if (phase === 'Succeeded') return no('ContainersReady', 'PodCompleted');
  if (phase === 'Failed') return no('ContainersReady', 'PodFailed');
  const sidecars = init.filter((_, i) => {
    const container = pod.spec.initContainers?.[i];
    return container !== undefined && isSidecar(container);
  });
  const unready = [...sidecars, ...regular].filter(s => !s.ready).map(s => s.name);
  if (unready.length === 0) return yes('ContainersReady');
  return no('ContainersReady', 'ContainersNotReady', `containers with unready status: [${unready.join(' ')}]`);
}

function readyCondition(pod: Pod, containersReady: Draft): Draft {
  if (containersReady.status !== 'True') return { ...containersReady, type: 'Ready' };
  const unready: string[] = [];
  for (const { conditionType } of pod.spec.readinessGates ?? []) {
    const condition = pod.status?.conditions?.find(c => c.type === conditionType);
    if (!condition) unready.push(`corresponding condition of pod readiness gate "${conditionType}" does not exist.`);
    else if (condition.status !== 'True')
      unready.push(`the status of pod readiness gate "${conditionType}" is not "True", but ${condition.status}`);
  }
  return unready.length === 0 ? yes('Ready') : no('Ready', 'ReadinessGatesNotReady', unready.join(', '));
}

function keepTransitionTimes(pod: Pod, drafts: readonly Draft[], now: number): PodCondition[] {
  return drafts.map(draft => {
    const old = pod.status?.conditions?.find(c => c.type === draft.type);
    const observedGeneration =
      owned.has(draft.type) || resizeConditionTypes.has(draft.type) ? pod.metadata.generation : old?.observedGeneration;
    const lastTransitionTime = old?.status === draft.status ? (old.lastTransitionTime ?? rfc3339(now)) : rfc3339(now);
    const extra = observedGeneration !== undefined ? { observedGeneration } : {};
    return { ...draft, ...extra, lastTransitionTime };
  });
}
