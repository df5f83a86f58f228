/** Tells the user: the event FailedScheduling and the condition PodScheduled. */
import type { Pod } from '../api/types/core-v1.ts';
import { type Clock, rfc3339 } from '../base/clock.ts';
import { isNotFound, messageOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Client, EventRecorder } from '../client/contract.ts';

export interface ReportContext {
  readonly client: Client;
  readonly recorder: EventRecorder;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

export interface FailureReport {
  /** "Unschedulable" or "SchedulerError". */
  readonly reason: string;
  readonly message: string;
  /** The node where room is made; "" removes a nomination. */
  readonly nominated?: string;
}

/** Longer notes are cut, as upstream does. */
const maxNote = 1024;
const cut = (text: string) => (text.length <= maxNote ? text : `${text.slice(0, maxNote - 4)} ...`);

/** Never rejects. */
export async function reportFailure(context: ReportContext, pod: Pod, report: FailureReport): Promise<void> {
  const { client, recorder, clock, log, signal } = context;
  recorder.event(pod, 'Warning', 'FailedScheduling', cut(report.message));
  const patch = statusPatch(clock, pod, report);
  if (!patch) return;
  try {
    await client
      .pods(pod.metadata.namespace)
      .patch(pod.metadata.name, 'strategic', patch, { subresource: 'status', signal });
  } catch (error) {
    if (!isNotFound(error) && !signal.aborted)
      log.warn('The state of a pod could not be written', { pod: pod.metadata.name, error: messageOf(error) });
  }
}

function statusPatch(clock: Clock, pod: Pod, { reason, message, nominated }: FailureReport): object | undefined {
  const known = pod.status?.conditions?.find(c => c.type === 'PodScheduled');
  const sameCondition = known?.status === 'False' && known.reason === reason && known.message === message;
  const sameNode = nominated === undefined || (pod.status?.nominatedNodeName ?? '') === nominated;
  if (sameCondition && sameNode) return undefined;
  const since = known?.status === 'False' ? known.lastTransitionTime : undefined;
  return {
    metadata: { uid: pod.metadata.uid },
    status: {
      ...(!sameCondition && {
        conditions: [
          {
            type: 'PodScheduled',
            status: 'False',
            reason,
            message,
            lastProbeTime: null,
            lastTransitionTime: since ?? rfc3339(clock.now()),
          },
        ],
      }),
      ...(!sameNode && { nominatedNodeName: nominated || null }),
    },
  };
}

/** Says for which node the pod is meant, or with null that it is for none any more. Never rejects. */
export async function patchNomination(
  { client, log, signal }: Pick<ReportContext, 'client' | 'log' | 'signal'>,
  pod: Pod,
  node: string | null,
): Promise<void> {
  const { name, namespace, uid } = pod.metadata;
  const patch = { metadata: { uid }, status: { nominatedNodeName: node } };
  await client
    .pods(namespace)
    .patch(name, 'strategic', patch, { subresource: 'status', signal })
    .catch((error: unknown) => {
      if (!isNotFound(error) && !signal.aborted)
        log.warn('The nomination of a pod could not be written', { pod: name, node, error: messageOf(error) });
    });
}
