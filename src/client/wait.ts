import type { Clock } from '../base/clock.ts';
import { errors, isExpired } from '../base/errors.ts';
import type { Client, ResourceDescriptor, ResourceName, TypeOf } from './contract.ts';
import { descriptorOf } from './resources.ts';

export interface WaitOptions<T> {
  readonly clock: Clock;
  readonly name: string;
  readonly namespace?: string;
  /** Called with the object's state, undefined while it does not exist. True ends the wait; throwing fails it. */
  until(obj: T | undefined): boolean;
  /** Default 60 s. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** Watches one object until a condition holds; gives its last state. Throws a 504 ApiError when time is up. */
export async function waitFor<R extends ResourceName | ResourceDescriptor>(
  client: Client,
  resource: R,
  options: WaitOptions<TypeOf<R>>,
): Promise<TypeOf<R> | undefined> {
  const { clock, name, timeoutMs = 60_000 } = options;
  const late = new AbortController();
  const timer = clock.setTimer(() => late.abort(new Error('late')), timeoutMs);
  const signal = options.signal ? AbortSignal.any([options.signal, late.signal]) : late.signal;
  try {
    for (;;) {
      const outcome = await waitOnce(client, resource, options, signal);
      if (outcome.done) return outcome.obj;
    }
  } catch (e) {
    if (!late.signal.aborted) throw e;
    const { kind } = descriptorOf(resource);
    throw errors.timeout(`timed out after ${timeoutMs} ms waiting for ${kind} ${JSON.stringify(name)}`);
  } finally {
    timer.cancel();
  }
}

async function waitOnce<R extends ResourceName | ResourceDescriptor>(
  client: Client,
  resource: R,
  { name, namespace, until }: WaitOptions<TypeOf<R>>,
  signal: AbortSignal,
): Promise<{ done: boolean; obj?: TypeOf<R> }> {
  const source = client.resource(resource, namespace);
  const selection = { fieldSelector: `metadata.name=${name}`, signal };
  const list = await source.list(selection);
  let obj = list.items[0];
  if (until(obj)) return { done: true, ...(obj && { obj }) };
  try {
    const resourceVersion = list.metadata.resourceVersion ?? '';
    for await (const event of source.watch({ ...selection, resourceVersion })) {
      if (event.type === 'BOOKMARK') continue;
      obj = event.type === 'DELETED' ? undefined : event.object;
      if (until(obj)) return { done: true, ...(obj && { obj }) };
    }
  } catch (e) {
    if (!isExpired(e)) throw e;
  }
  return { done: false };
}
