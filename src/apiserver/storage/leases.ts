import type { Clock } from '../../base/clock.ts';
import type { Store } from '../../store/contract.ts';

/** Objects share a lease for so long, so that a thousand events do not make a thousand leases (upstream: lease manager). */
const reuseSeconds = 60;
const reuseObjects = 1_000;

/** Gives a lease that lasts at least `ttlSeconds` from now. */
export function leaseManager(store: Store, clock: Clock): (ttlSeconds: number) => Promise<number> {
  const current = new Map<number, { lease: Promise<number>; madeAt: number; objects: number }>();
  return ttlSeconds => {
    const known = current.get(ttlSeconds);
    if (known && clock.monotonic() - known.madeAt < reuseSeconds * 1_000 && known.objects < reuseObjects) {
      known.objects += 1;
      return known.lease;
    }
    const lease = store.grantLease(ttlSeconds + reuseSeconds).then(l => l.id);
    lease.catch(() => current.delete(ttlSeconds));
    current.set(ttlSeconds, { lease, madeAt: clock.monotonic(), objects: 1 });
    return lease;
  };
}
