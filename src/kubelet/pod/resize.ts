/** In-place resize: containers that run get the requests and limits that the pod has now. Upstream: pkg/kubelet/allocation, kuberuntime's doPodResizeAction. */
import type { Pod, PodCondition, ResourceRequirements } from '../../api/types/core-v1.ts';
import { messageOf } from '../../base/errors.ts';
import { graceOf, killContainer, podEvent } from './actions.ts';
import type { PodContext } from './context.ts';
import { type AnyContainer, allContainers, resourcesAnnotation } from './names.ts';
import { containerResources, needsRestart, sameResources } from './resources.ts';
import { isRunning, type PodView } from './state.ts';

export type ResizeCondition = Pick<PodCondition, 'type' | 'reason' | 'message'>;
export const resizeConditionTypes: ReadonlySet<string> = new Set(['PodResizePending', 'PodResizeInProgress']);

export interface ResizeOptions {
  pod(): Pod;
  view(): PodView;
  podIp(): string;
  /** The conditions or what a container was given changed. */
  onChange(): void;
  /** A container was stopped to be started with other resources. */
  onRestart(): void;
  retryIn(ms: number): void;
}
export interface Resizer {
  /** Resolves when what could be changed is changed. Rejects when the runtime refused; the condition says so. */
  run(): Promise<void>;
  /** What a container was last given: by a resize, or when it was started. */
  resourcesOf(containerId: string): ResourceRequirements | undefined;
  readonly conditions: readonly ResizeCondition[];
}

/** A resize that did not fit is tried again. */
const retryMs = 30_000;

interface Change {
  container: AnyContainer;
  id: string;
  before: ResourceRequirements;
}

export function createResizer(context: PodContext, options: ResizeOptions): Resizer {
  const { runtime, host } = context;
  const { pod, view } = options;
  const given = new Map<string, ResourceRequirements>();
  let conditions: readonly ResizeCondition[] = [];

  const tell = (type: 'Normal' | 'Warning', reason: string, what: string, error?: string) =>
    podEvent(context, pod())(type, reason, `Pod resize ${what}: ${summaryOf(pod(), error)}`);

  function resourcesOf(id: string): ResourceRequirements | undefined {
    const known = given.get(id);
    if (known) return known;
    const current = [...view().containers.values()].flat().find(c => c.status.id === id);
    const text = current?.status.annotations[resourcesAnnotation];
    return text === undefined ? undefined : (JSON.parse(text) as ResourceRequirements);
  }
  function changes(): Change[] {
    return allContainers(pod()).flatMap(container => {
      const current = view().containers.get(container.name)?.[0];
      const before = current && resourcesOf(current.status.id);
      if (!before || !isRunning(current)) return [];
      return sameResources(before, container.resources ?? {}) ? [] : [{ container, id: current.status.id, before }];
    });
  }
  function show(next: readonly ResizeCondition[]): void {
    if (JSON.stringify(next) === JSON.stringify(conditions)) return;
    conditions = next;
    options.onChange();
  }
  async function apply({ container, id, before }: Change): Promise<void> {
    if (needsRestart(container, before)) {
      const message = `Container ${container.name} resize requires restart`;
      const input = { id, container, podIp: options.podIp(), graceSeconds: graceOf(pod()), message };
      await killContainer(context, pod(), input);
      return options.onRestart();
    }
    const wanted = containerResources(pod(), container, host.memoryBytes);
    await runtime.updateContainerResources(id, { ...wanted, cpuQuota: wanted.cpuQuota ?? -1 });
    given.set(id, container.resources ?? {});
  }

  return {
    resourcesOf,
    get conditions() {
      return conditions;
    },
    async run() {
      const changed = changes();
      if (changed.length === 0) return show([]);
      const refusal = context.admit(pod());
      if (refusal) {
        const reason = refusal.impossible ? 'Infeasible' : 'Deferred';
        const known = conditions.some(c => c.reason === reason && c.message === refusal.message);
        if (!known) tell('Warning', `Resize${reason}`, reason, refusal.message);
        options.retryIn(retryMs);
        return show([{ type: 'PodResizePending', reason, message: refusal.message }]);
      }
      if (conditions[0]?.type !== 'PodResizeInProgress') tell('Normal', 'ResizeStarted', 'started');
      show([{ type: 'PodResizeInProgress' }]);
      try {
        await host.updatePodResources(pod());
        for (const change of changed) await apply(change);
      } catch (e) {
        tell('Warning', 'ResizeError', 'error', messageOf(e));
        show([{ type: 'PodResizeInProgress', reason: 'Error', message: messageOf(e) }]);
        throw e;
      }
      tell('Normal', 'ResizeCompleted', 'completed');
      conditions = [];
      options.onChange();
    },
  };
}

/** As upstream's makeResourceSummaryFromSpec. */
function summaryOf(pod: Pod, error: string | undefined): string {
  const shown = (list: readonly AnyContainer[] | undefined) =>
    list?.map(({ name, resources = {} }) => ({ name, resources }));
  const { initContainers, containers } = pod.spec;
  return JSON.stringify({
    ...(initContainers?.length && { initContainers: shown(initContainers) }),
    containers: shown(containers),
    generation: pod.metadata.generation ?? 0,
    ...(error && { error }),
  });
}
