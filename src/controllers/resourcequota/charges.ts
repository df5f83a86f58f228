/** What admission charged to quotas lately, for objects that no cache shows yet. */

import { compareQuantity, signOfQuantity } from '../../api/quantity.ts';
import { addLists, maskList, type ResourceList, subtractLists, subtractToZero } from '../../api/quota/index.ts';
import type { ResourceQuota } from '../../api/types/core-v1.ts';
import type { Clock } from '../../base/clock.ts';

/** A charge without an object is believed for so long: the request may be on its way, or our cache behind. */
const believedMs = 10_000;

/**
 * Admission charges first and stores the object then, and the caches of quotas and of objects are not equally fast. A count that misses
 * such an object must not give its charge back, or the next request goes beyond the quota. Upstream's recount does give it back
 * (kubernetes issues 24494 and 39599; pull request 20113 proposed to wait after each increment).
 */
export interface Charges {
  /** As the cache of quotas tells it. */
  changed(quota: ResourceQuota, old: ResourceQuota): void;
  removed(quota: ResourceQuota): void;
  /** The cache of objects shows a new one, which uses so much. */
  shown(quota: ResourceQuota, usage: ResourceList): void;
  /** What to tell as used when `counted` was found, and in how many milliseconds to count again, if at all. */
  settle(quota: ResourceQuota, counted: ResourceList): { used: Record<string, string>; againMs?: number };
}

export function createCharges(clock: Clock): Charges {
  const recent = new Map<string, { at: number; amount: ResourceList }[]>();

  function note({ metadata: { uid = '' } }: ResourceQuota, amount: ResourceList): void {
    const known = recent.get(uid);
    const entry = { at: clock.monotonic(), amount };
    if (known) known.push(entry);
    else recent.set(uid, [entry]);
  }
  function lately({ metadata: { uid = '' } }: ResourceQuota) {
    const left = (recent.get(uid) ?? []).filter(entry => entry.at > clock.monotonic() - believedMs);
    if (left.length > 0) recent.set(uid, left);
    else recent.delete(uid);
    return left;
  }
  return {
    changed(quota, old) {
      const before = old.status?.used ?? {};
      const grown = subtractToZero(maskList(quota.status?.used ?? {}, Object.keys(before)), before);
      if (Object.values(grown).some(amount => signOfQuantity(amount) > 0)) note(quota, grown);
    },
    removed: ({ metadata }) => void recent.delete(metadata.uid ?? ''),
    shown: (quota, usage) => note(quota, subtractLists({}, usage)),
    settle(quota, counted) {
      const entries = lately(quota);
      const open = entries.reduce<ResourceList>((sum, { amount }) => addLists(sum, amount), {});
      const lower = subtractToZero(maskList(quota.status?.used ?? {}, Object.keys(counted)), counted);
      const kept = Object.entries(lower).flatMap(([name, less]) => {
        const charged = open[name] ?? '0';
        const keep = compareQuantity(less, charged) < 0 ? less : charged;
        return signOfQuantity(keep) > 0 ? [[name, keep] as const] : [];
      });
      const used = addLists(counted, Object.fromEntries(kept));
      const [oldest] = entries;
      if (kept.length > 0 && oldest) return { used, againMs: oldest.at + believedMs - clock.monotonic() };
      // Until a quota tells what is used, nothing is charged to it: the first count may miss what is made meanwhile.
      const isFirst = Object.keys(counted).some(name => quota.status?.used?.[name] === undefined);
      return isFirst ? { used, againMs: believedMs } : { used };
    },
  };
}
