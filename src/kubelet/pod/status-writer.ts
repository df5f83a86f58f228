/** Brings a pod's status to the API server: the newest only, in the background, again and again until it arrives. */
import type { Pod, PodStatus } from '../../api/types/core-v1.ts';
import { type Clock, sleep } from '../../base/clock.ts';
import { isConflict, isForbidden, isInvalid, isNotFound, messageOf } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { Client } from '../../client/contract.ts';
import type { Meters } from '../metrics/meters.ts';
import { resizeConditionTypes } from './resize.ts';

export interface StatusWriter {
  /** The status as it should be now. Writes nothing when the API server has it. */
  set(status: PodStatus): void;
  /** What was set last. */
  readonly last: PodStatus | undefined;
  /** Resolves when the newest status is written, or the pod is gone. */
  flushed(): Promise<void>;
  stop(): void;
}
export interface StatusWriterOptions {
  client: Client;
  clock: Clock;
  log: Logger;
  meters: Meters;
  /** The pod in the API: the pod itself or a static pod's mirror. Undefined: not there (yet). */
  target(): Pod | undefined;
  /** What the API server answered. */
  onWritten?(pod: Pod): void;
}

const retryMs = 1000;
const maxRetryMs = 10_000;

/** Fields that are set null in a patch when they are gone. */
const clearable = [
  'reason',
  'message',
  'podIP',
  'podIPs',
  'ephemeralContainerStatuses',
  'initContainerStatuses',
] as const;

/** A strategic merge patch from what the API has to what should be; undefined when nothing differs. */
export function statusPatch(old: PodStatus | undefined, wanted: PodStatus): Record<string, unknown> | undefined {
  const patch: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(wanted)) {
    const before = old?.[key as keyof PodStatus];
    if (key === 'conditions') {
      const changed =
        wanted.conditions?.filter(
          c =>
            !same(
              c,
              old?.conditions?.find(o => o.type === c.type),
            ),
        ) ?? [];
      const gone = (old?.conditions ?? []).filter(
        o => resizeConditionTypes.has(o.type) && !wanted.conditions?.some(c => c.type === o.type),
      );
      if (changed.length + gone.length > 0)
        patch[key] = [
          ...changed.map(c =>
            withCleared(
              c,
              old?.conditions?.find(o => o.type === c.type),
            ),
          ),
          ...gone.map(({ type }) => ({ type, $patch: 'delete' })),
        ];
    } else if (key === 'podIPs' && !same(value, before)) patch[key] = replaceIps(old?.podIPs, wanted.podIPs);
    else if (!same(value, before)) patch[key] = value;
  }
  for (const key of clearable) if (old?.[key] !== undefined && wanted[key] === undefined) patch[key] = null;
  return Object.keys(patch).length > 0 ? patch : undefined;
}

/** The list merges by address: those that are gone have to be named. */
function replaceIps(old: PodStatus['podIPs'], wanted: PodStatus['podIPs']): object[] {
  const gone = (old ?? []).filter(o => !wanted?.some(w => w.ip === o.ip));
  return [...(wanted ?? []), ...gone.map(({ ip }) => ({ ip, $patch: 'delete' }))];
}

/** Fields that a condition had and has no more. */
function withCleared(condition: object, old: object | undefined): object {
  const gone = Object.keys(old ?? {}).filter(k => !(k in condition) && k !== 'lastProbeTime');
  return { ...Object.fromEntries(gone.map(k => [k, null])), ...condition };
}

/** Deep equality where an absent field equals undefined, null and an empty object. */
function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || !a || !b) return isEmpty(a) && isEmpty(b);
  if (Array.isArray(a) || Array.isArray(b))
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((v, i) => same(v, b[i]));
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  for (const key of keys) if (!same((a as never)[key], (b as never)[key])) return false;
  return true;
}
const isEmpty = (v: unknown) =>
  v === undefined || v === null || (typeof v === 'object' && !Array.isArray(v) && Object.keys(v).length === 0);

export function createStatusWriter(options: StatusWriterOptions): StatusWriter {
  const { client, clock, log, meters, target } = options;
  const stopped = new AbortController();
  const waiters: (() => void)[] = [];
  let wanted: PodStatus | undefined;
  let last: PodStatus | undefined;
  let writing = false;

  async function write(status: PodStatus): Promise<void> {
    const pod = target();
    if (!pod) return;
    const patch = statusPatch(pod.status, status);
    if (!patch) return;
    const { name = '', namespace, uid } = pod.metadata;
    const body = { metadata: { uid }, status: patch };
    const pods = client.resource('v1/pods', namespace);
    const begun = clock.monotonic();
    const written = await pods.patch(name, 'strategic', body, { subresource: 'status', signal: stopped.signal });
    meters.statusWritten((clock.monotonic() - begun) / 1000);
    options.onWritten?.(written);
  }
  async function run(): Promise<void> {
    let delay = retryMs;
    while (wanted && !stopped.signal.aborted) {
      const status = wanted;
      try {
        await write(status);
        if (wanted === status) wanted = undefined;
        delay = retryMs;
      } catch (e) {
        if (isNotFound(e) || isConflict(e) || isInvalid(e) || isForbidden(e)) {
          if (!isNotFound(e)) log.warn('pod status was refused', { error: messageOf(e) });
          if (wanted === status) wanted = undefined;
        } else {
          await sleep(clock, delay, stopped.signal).catch(() => undefined);
          delay = Math.min(delay * 2, maxRetryMs);
        }
      }
    }
    writing = false;
    for (const resolve of waiters.splice(0)) resolve();
  }
  return {
    set(status) {
      wanted = last = status;
      if (writing || stopped.signal.aborted) return;
      writing = true;
      void run();
    },
    get last() {
      return last;
    },
    flushed: () => (writing ? new Promise(resolve => waiters.push(resolve)) : Promise.resolve()),
    stop: () => stopped.abort(new Error('stopped')),
  };
}
