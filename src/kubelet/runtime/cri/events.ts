/**
 * Container events. CRI's own stream (GetContainerEvents) exists since containerd 1.7; containerd's events service has always
 * been there, on the same socket, and names the container in every task event.
 */
import { type Clock, sleep } from '../../../base/clock.ts';
import { createCodec } from '../../grpc/codec.ts';
import { createUnixClient, isGrpcUnimplemented, type UnixClient } from '../../grpc/unix-client.ts';
import type { RuntimeEvent } from '../contract.ts';

export interface EventWatch {
  grpc: UnixClient;
  socket: string;
  clock: Clock;
  onEvent: (event: RuntimeEvent) => void;
  signal: AbortSignal;
}

const retryMs = 1000;
/** containerd tells of an exit before its CRI side knows it: the event is repeated when that has settled. */
const settleMs = [30, 150, 1000];

/** containerd.services.events.v1: topics such as `/tasks/exit`; the payload's first field is the container's id. */
const containerdMessages = `
SubscribeRequest filters=1:s*
Any type_url=1:s value=2:y
Envelope timestamp=1:y namespace=2:s topic=3:s event=4:Any
TaskEvent container_id=1:s
`;
const taskFilters = ['exit', 'start', 'oom', 'delete'].map(t => `topic=="/tasks/${t}"`);

/** Follows the best source there is and reconnects to it; false when there is none. */
export async function watchRuntimeEvents(watch: EventWatch): Promise<boolean> {
  const sources = [followCri, followContainerd];
  for (const follow of sources) {
    const outcome = await followForever(watch, follow);
    if (outcome === 'aborted') return true;
  }
  return false;
}

async function followForever(watch: EventWatch, follow: (w: EventWatch) => Promise<void>): Promise<'aborted' | 'none'> {
  while (!watch.signal.aborted) {
    try {
      await follow(watch);
    } catch (e) {
      if (isGrpcUnimplemented(e)) return 'none';
    }
    await sleep(watch.clock, retryMs, watch.signal).catch(() => undefined);
  }
  return 'aborted';
}

interface CriEvent {
  containerId: string;
  podSandboxStatus?: { metadata?: { uid: string } };
}
async function followCri({ grpc, onEvent, signal }: EventWatch): Promise<void> {
  const method = 'runtime.v1.RuntimeService/GetContainerEvents';
  for await (const event of grpc.stream<CriEvent>(method, ['GetEventsRequest', {}], 'ContainerEventResponse', signal)) {
    const podUid = event.podSandboxStatus?.metadata?.uid;
    onEvent({ containerId: event.containerId, ...(podUid !== undefined && { podUid }) });
  }
}

interface Envelope {
  namespace: string;
  topic: string;
  event?: { value: Uint8Array };
}
async function followContainerd({ socket, clock, onEvent, signal }: EventWatch): Promise<void> {
  const codec = createCodec(containerdMessages);
  const grpc = createUnixClient(socket, codec);
  const method = 'containerd.services.events.v1.Events/Subscribe';
  try {
    const request: [string, object] = ['SubscribeRequest', { filters: taskFilters }];
    for await (const { namespace, topic, event } of grpc.stream<Envelope>(method, request, 'Envelope', signal)) {
      if (namespace !== 'k8s.io' || !event) continue;
      const about = codec.decode<RuntimeEvent>('TaskEvent', event.value);
      onEvent(about);
      if (topic !== '/tasks/exit') continue;
      for (const ms of settleMs) clock.setTimer(() => !signal.aborted && onEvent(about), ms, { background: true });
    }
  } finally {
    grpc.close();
  }
}
