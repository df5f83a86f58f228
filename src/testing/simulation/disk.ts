/** A server's grip on the store: ends when the server crashes, may be refused writes, and every watch through it is checked. */
import type { KeyRange, Store, Watch, WatchOptions } from '../../store/contract.ts';
import { StoreError } from '../../store/contract.ts';

export interface Disk {
  readonly store: Store;
  /** From now on nothing that this server still does reaches the store. */
  detach(): void;
}

export interface DiskOptions {
  /** The error with which a write is refused. */
  refusal?(): StoreError | undefined;
  /** The way of a write to the store, when it takes long: later ones overtake it. */
  delay(): Promise<void> | undefined;
  watched(watch: Watch, range: KeyRange, options: WatchOptions): Watch;
}

export function attachDisk(inner: Store, { refusal, delay, watched }: DiskOptions): Disk {
  const watches = new Set<Watch>();
  let detached = false;
  const check = () => {
    if (detached) throw new StoreError('closed', 'simulated: the server crashed');
  };
  const checked =
    <A extends readonly unknown[], R>(fn: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      check();
      const result = await fn(...args);
      check();
      return result;
    };
  const store: Store = {
    get: checked((key, options) => inner.get(key, options)),
    range: checked((range, options) => inner.range(range, options)),
    txn: checked(async txn => {
      const writes = [...txn.success, ...(txn.failure ?? [])].some(op => op.type !== 'range');
      const refused = writes ? refusal?.() : undefined;
      if (refused) throw refused;
      const late = writes ? delay() : undefined;
      if (late) {
        await late;
        check();
      }
      return inner.txn(txn);
    }),
    watch(range, options = {}) {
      check();
      const watch = watched(inner.watch(range, options), range, options);
      watches.add(watch);
      return watch;
    },
    compact: checked(revision => inner.compact(revision)),
    revision: checked(async () => inner.revision()),
    grantLease: checked((ttl, id) => inner.grantLease(ttl, id)),
    keepAlive: checked(id => inner.keepAlive(id)),
    revokeLease: checked(id => inner.revokeLease(id)),
    timeToLive: checked(id => inner.timeToLive(id)),
    health: checked(() => inner.health()),
    // The store outlives its servers.
    close: async () => undefined,
  };
  return {
    store,
    detach() {
      detached = true;
      for (const watch of watches) watch.cancel();
    },
  };
}
