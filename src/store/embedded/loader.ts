import { compareKeys, PersistentMap } from '../../base/persistent-map.ts';
import type { KeyValue } from '../contract.ts';
import { emptyState, type LeaseRecord, leaseKey, type State } from '../mvcc/state.ts';
import { keyValueOf, type Packed, unpack } from './codec.ts';

const decoder = new TextDecoder();

/** Builds the newest state from the rows of the file, oldest first. */
export class Loader {
  readonly #keys = new Map<string, KeyValue>();
  readonly #leases: LeaseRecord[] = [];

  take(packed: Packed): void {
    for (const row of unpack(packed)) {
      if (row.kind === 'grant') this.#leases.push({ id: row.revision, ttl: row.version, deadline: 0 });
      else if (row.kind === 'delete') this.#keys.delete(decoder.decode(row.key));
      else {
        const kv = keyValueOf(row);
        this.#keys.set(kv.key, kv);
      }
    }
  }

  finish(revision: number): State {
    const names = [...this.#keys.keys()];
    // The engine's own order is much faster and differs only where surrogates are.
    if (names.some(name => /[\ud800-\uffff]/.test(name))) names.sort(compareKeys);
    else names.sort();
    const keys = names.map(name => [name, this.#keys.get(name) as KeyValue] as const);
    const held = keys.filter(([, kv]) => kv.lease !== 0);
    let leaseKeys = PersistentMap.empty<string>();
    for (const [name, kv] of held) leaseKeys = leaseKeys.set(leaseKey(kv.lease) + name, name);
    let { leases } = emptyState;
    for (const lease of this.#leases) leases = leases.set(leaseKey(lease.id), lease);
    return { revision, keys: PersistentMap.fromSorted(keys), leases, leaseKeys };
  }
}
