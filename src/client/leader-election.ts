import type { Lease, LeaseSpec } from '../api/types/coordination-v1.ts';
import { type Clock, rfc3339Micro, sleep } from '../base/clock.ts';
import { isNotFound, messageOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import type { Client } from './contract.ts';

export interface LeaderElectionOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly namespace: string;
  readonly name: string;
  /** Unique per candidate. */
  readonly identity: string;
  /** How long others wait for a silent leader. Default 15 s. */
  readonly leaseMs?: number;
  /** How long the leader tries to renew before it gives up. Default 10 s. */
  readonly renewDeadlineMs?: number;
  /** Between attempts. Default 2 s. */
  readonly retryMs?: number;
  readonly signal: AbortSignal;
  /** Runs while leading; its signal is aborted when leadership is lost or the outer signal is. */
  lead(signal: AbortSignal): Promise<void>;
  /** Told of each new leader. */
  onLeader?(identity: string): void;
}

/** What a candidate saw last: the holder's record, and when on its own clock (clocks of machines are not compared). */
interface Observation {
  lease?: Lease;
  at: number;
}

/**
 * Leader election over a Lease, as client-go does it: time is measured from when a candidate saw the record change, never by the record's
 * own time stamps. Takes part again after leadership is lost; returns when the signal is aborted, having released the lease.
 */
export async function runLeaderElection(options: LeaderElectionOptions): Promise<void> {
  const { clock, random, signal, retryMs = 2_000 } = options;
  const seen: Observation = { at: clock.monotonic() };
  while (!signal.aborted) {
    if (await tryAcquire(options, seen)) await leadUntilLost(options, seen);
    // client-go's JitterFactor of 1.2 keeps candidates apart.
    await sleep(clock, retryMs * (1 + 1.2 * random.next()), signal).catch(() => undefined);
  }
}

async function leadUntilLost(options: LeaderElectionOptions, seen: Observation): Promise<void> {
  const { clock, signal, log, retryMs = 2_000, renewDeadlineMs = 10_000 } = options;
  const leading = new AbortController();
  const stop = () => leading.abort(signal.reason ?? new Error('stopped'));
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  const work = options.lead(leading.signal).catch(e => {
    if (!leading.signal.aborted) log.error('The leader failed', { error: messageOf(e) });
  });
  let renewed = clock.monotonic();
  while (!leading.signal.aborted) {
    await sleep(clock, retryMs, leading.signal).catch(() => undefined);
    if (leading.signal.aborted) break;
    const deadline = clock.setTimer(
      () => leading.abort(new Error('leadership lost')),
      Math.max(0, renewed + renewDeadlineMs - clock.monotonic()),
    );
    const started = clock.monotonic();
    if (await tryAcquire(options, seen, leading.signal)) renewed = started;
    else if (seen.lease && seen.lease.spec.holderIdentity !== options.identity)
      leading.abort(new Error('leadership lost'));
    deadline.cancel();
    if (clock.monotonic() - renewed >= renewDeadlineMs) leading.abort(new Error('leadership lost'));
  }
  signal.removeEventListener('abort', stop);
  await work;
  if (signal.aborted) await release(options, seen);
}

/** One attempt to become or stay leader. Failures of the API are a "no". */
async function tryAcquire(
  options: LeaderElectionOptions,
  seen: Observation,
  signal = options.signal,
): Promise<boolean> {
  const leases = options.client.leases(options.namespace);
  try {
    const lease = await leases.get(options.name, { signal }).catch(e => {
      if (isNotFound(e)) return undefined;
      throw e;
    });
    if (!lease) {
      observe(options, seen, await leases.create(draft(options), { signal }));
      return true;
    }
    observe(options, seen, lease);
    if (!mayTake(options, lease, seen)) return false;
    observe(options, seen, await leases.update({ ...lease, spec: nextSpec(options, lease) }, { signal }));
    return true;
  } catch (e) {
    options.log.debug('Leader election attempt failed', { error: messageOf(e) });
    return false;
  }
}

function mayTake({ identity, clock }: LeaderElectionOptions, lease: Lease, seen: Observation): boolean {
  const { holderIdentity, leaseDurationSeconds = 0 } = lease.spec;
  if (!holderIdentity || holderIdentity === identity) return true;
  return clock.monotonic() >= seen.at + leaseDurationSeconds * 1000;
}

function observe(options: LeaderElectionOptions, seen: Observation, lease: Lease): void {
  const before = seen.lease?.spec;
  const { holderIdentity, renewTime } = lease.spec;
  if (before && before.holderIdentity === holderIdentity && before.renewTime === renewTime) return;
  seen.at = options.clock.monotonic();
  seen.lease = lease;
  if (holderIdentity && before?.holderIdentity !== holderIdentity) options.onLeader?.(holderIdentity);
}

function draft(options: LeaderElectionOptions) {
  const now = rfc3339Micro(options.clock.now());
  return {
    metadata: { name: options.name, namespace: options.namespace },
    spec: { ...holding(options), acquireTime: now, renewTime: now, leaseTransitions: 0 },
  };
}
const holding = ({ identity, leaseMs = 15_000 }: LeaderElectionOptions) => ({
  holderIdentity: identity,
  leaseDurationSeconds: Math.ceil(leaseMs / 1000),
});

function nextSpec(options: LeaderElectionOptions, lease: Lease): LeaseSpec {
  const now = rfc3339Micro(options.clock.now());
  const same = lease.spec.holderIdentity === options.identity;
  const transitions = (lease.spec.leaseTransitions ?? 0) + (same ? 0 : 1);
  return {
    ...lease.spec,
    ...holding(options),
    renewTime: now,
    leaseTransitions: transitions,
    ...(!same && { acquireTime: now }),
  };
}

/** Lets the next candidate take over at once instead of after the lease. */
async function release(options: LeaderElectionOptions, seen: Observation): Promise<void> {
  const { client, namespace, name, identity, clock, log } = options;
  const lease = seen.lease;
  if (lease?.spec.holderIdentity !== identity) return;
  const now = rfc3339Micro(clock.now());
  const spec: LeaseSpec = {
    holderIdentity: '',
    leaseDurationSeconds: 1,
    acquireTime: now,
    renewTime: now,
    ...(lease.spec.leaseTransitions !== undefined && { leaseTransitions: lease.spec.leaseTransitions }),
  };
  await client
    .leases(namespace)
    .update({ ...lease, metadata: { ...lease.metadata, name }, spec })
    .catch(e => log.debug('The lease could not be released', { error: messageOf(e) }));
}
