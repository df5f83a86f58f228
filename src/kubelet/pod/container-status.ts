import type { ContainerState, ContainerStatus, Pod, ResourceRequirements } from '../../api/types/core-v1.ts';
import { rfc3339 } from '../../base/clock.ts';
import { type AnyContainer, isSidecar } from './names.ts';
import type { ContainerView, PodView } from './state.ts';

/** What the status says beyond the runtime's state. */
export interface ContainerNotes {
  /** Why the container does not run now: `CrashLoopBackOff`, `ErrImagePull`, `CreateContainerConfigError` … */
  waiting?: { reason: string; message?: string };
  started: boolean;
  ready: boolean;
}
export interface StatusInput {
  readonly pod: Pod;
  readonly view: PodView;
  readonly notes: (name: string) => ContainerNotes | undefined;
  /** What the container wrote to its termination log, by container id. */
  readonly terminationMessage: (containerId: string) => string | undefined;
  /** What a running container was given, by its id. */
  readonly resources: (containerId: string) => ResourceRequirements | undefined;
  /** "containerd", "simulated". */
  readonly runtimeName: string;
}
export type ContainerGroup = 'init' | 'regular' | 'ephemeral';

const time = (nanoseconds: number): string => rfc3339(Math.floor(nanoseconds / 1e6));

function runtimeState(view: ContainerView, input: StatusInput): ContainerState {
  const { status } = view;
  const containerID = `${input.runtimeName}://${status.id}`;
  if (status.state === 'CONTAINER_RUNNING') return { running: { startedAt: time(status.startedAt) } };
  if (status.state !== 'CONTAINER_EXITED') return { waiting: { reason: 'ContainerCreating' } };
  const message = input.terminationMessage(status.id) || status.message;
  return {
    terminated: {
      exitCode: status.exitCode,
      reason: status.reason || (status.exitCode === 0 ? 'Completed' : 'Error'),
      ...(message && { message }),
      ...(status.startedAt > 0 && { startedAt: time(status.startedAt) }),
      ...(status.finishedAt > 0 && { finishedAt: time(status.finishedAt) }),
      containerID,
    },
  };
}

/** One container's status as upstream's convertToAPIContainerStatuses gives it. */
export function containerStatus(container: AnyContainer, group: ContainerGroup, input: StatusInput): ContainerStatus {
  const history = input.view.containers.get(container.name) ?? [];
  const [current, previous] = history;
  const notes = input.notes(container.name);
  const old = previousStatus(input.pod, container.name, group);
  const base: ContainerStatus = {
    name: container.name,
    image: container.image ?? '',
    imageID: '',
    ready: false,
    restartCount: 0,
    started: false,
    state: { waiting: { reason: defaultWaiting(input, group) } },
    lastState: {},
  };
  if (!current) {
    if (old) Object.assign(base, afterLoss(old));
    if (notes?.waiting) base.state = { waiting: { ...notes.waiting } };
    return base;
  }
  const { status } = current;
  const state = runtimeState(current, input);
  const waits = notes?.waiting !== undefined && !state.running;
  // Who was before this one may be known to the API alone.
  const before = previous ? runtimeState(previous, input) : old && lastStateBefore(current, old);
  const last = waits && state.terminated ? state : before;
  const running = state.running !== undefined;
  return {
    ...base,
    state: waits ? { waiting: { ...notes.waiting } } : state,
    lastState: last?.terminated ? last : {},
    ready: readiness(container, group, running, state, notes),
    started: group === 'init' && !isSidecar(container) ? false : running && (notes?.started ?? false),
    restartCount: current.restartCount,
    image: status.image?.userSpecifiedImage || status.image?.image || container.image || '',
    imageID: status.imageRef,
    containerID: `${input.runtimeName}://${status.id}`,
    ...(running && actualResources(current, input)),
    ...(container.volumeMounts?.length && {
      volumeMounts: container.volumeMounts.map(m => ({
        name: m.name,
        mountPath: m.mountPath,
        ...(m.readOnly && {
          readOnly: true,
          recursiveReadOnly: isRecursive(status, m.mountPath) ? 'Enabled' : 'Disabled',
        }),
      })),
    }),
    ...(status.user?.linux && { user: { linux: status.user.linux } }),
  };
}

/** What remains of a container that the runtime does not know: one that ran will count as restarted. */
function afterLoss(old: ContainerStatus): Pick<ContainerStatus, 'restartCount' | 'lastState'> {
  const { restartCount, state, lastState = {} } = old;
  if (!state?.running) return { restartCount, lastState: state?.terminated ? state : lastState };
  const { containerID } = old;
  const { startedAt } = state.running;
  const terminated = { ...lost, ...(startedAt && { startedAt }), ...(containerID && { containerID }) };
  return { restartCount: restartCount + 1, lastState: { terminated } };
}

function lastStateBefore({ restartCount }: ContainerView, old: ContainerStatus): ContainerState | undefined {
  return old.restartCount < restartCount ? afterLoss(old).lastState : old.lastState;
}

/** Upstream: convertStatusToAPIStatus. */
export const lost = {
  exitCode: 137,
  reason: 'ContainerStatusUnknown',
  message: 'The container could not be located when the pod was terminated',
};

const isRecursive = ({ mounts }: ContainerView['status'], path: string): boolean =>
  mounts.some(m => m.containerPath === path && m.recursiveReadOnly);

/** What the container runs with, which lags behind the spec while a resize is pending. */
function actualResources({ status }: ContainerView, { resources }: StatusInput) {
  const actual = resources(status.id);
  if (!actual || Object.keys(actual).length === 0) return {};
  return { resources: actual, ...(actual.requests && { allocatedResources: actual.requests }) };
}

function readiness(
  container: AnyContainer,
  group: ContainerGroup,
  running: boolean,
  state: ContainerState,
  notes: ContainerNotes | undefined,
): boolean {
  if (group === 'ephemeral') return false;
  if (group === 'init' && !isSidecar(container)) return state.terminated?.exitCode === 0;
  return running && (notes?.ready ?? false);
}

function previousStatus(pod: Pod, name: string, group: ContainerGroup): ContainerStatus | undefined {
  const field = {
    init: 'initContainerStatuses',
    regular: 'containerStatuses',
    ephemeral: 'ephemeralContainerStatuses',
  };
  const list = pod.status?.[field[group] as 'containerStatuses'];
  return list?.find(s => s.name === name);
}

/** A pod with init containers says `PodInitializing` for all that has not begun. */
function defaultWaiting({ pod }: StatusInput, group: ContainerGroup): string {
  return group !== 'ephemeral' && pod.spec.initContainers?.length ? 'PodInitializing' : 'ContainerCreating';
}
