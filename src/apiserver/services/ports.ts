/** Node ports. A record in the store is the lock on its port. */
import type { Unstructured } from '../../api/object.ts';
import { errors, isAlreadyExists } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { type ServiceName, staticBand } from './addresses.ts';

export interface PortRange {
  readonly from: number;
  /** Inclusive. */
  readonly to: number;
}
export const defaultNodePorts: PortRange = { from: 30_000, to: 32_767 };

export interface PortAllocator {
  any(owner: ServiceName, dryRun: boolean): Promise<number>;
  /** Throws with upstream's message when it is out of range or taken. */
  exactly(port: number, owner: ServiceName, dryRun: boolean): Promise<void>;
  release(port: number): Promise<void>;
}

export interface PortRecord extends Unstructured {
  service: string;
}

export function createPortAllocator(store: ObjectStore, range: PortRange, random: Random): PortAllocator {
  const total = range.to - range.from + 1;
  const band = staticBand(total, 16, 128, 32);

  async function take(port: number, owner: ServiceName, dryRun: boolean): Promise<boolean> {
    const name = String(port);
    if (store.cache.get(name)) return false;
    if (dryRun) return true;
    const record: PortRecord = {
      kind: 'NodePort',
      apiVersion: 'v1',
      metadata: { name },
      service: `${owner.namespace}/${owner.name}`,
    };
    try {
      await store.create(record);
      return true;
    } catch (e) {
      if (isAlreadyExists(e)) return false;
      throw e;
    }
  }
  return {
    async any(owner, dryRun) {
      const span = total - band;
      const start = random.int(span);
      for (let i = 0; i < span; i++) {
        const port = range.from + band + ((start + i) % span);
        if (await take(port, owner, dryRun)) return port;
      }
      for (let i = 0; i < band; i++) if (await take(range.from + i, owner, dryRun)) return range.from + i;
      throw errors.internal('failed to allocate a nodePort: range is full');
    },
    async exactly(port, owner, dryRun) {
      if (port < range.from || port > range.to)
        throw new Error(
          `provided port is not in the valid range. The range of valid ports is ${range.from}-${range.to}`,
        );
      if (!(await take(port, owner, dryRun))) throw new Error('provided port is already allocated');
    },
    async release(port) {
      if (!store.cache.get(String(port))) return;
      await store.update('', String(port), async () => ({ type: 'delete' })).catch(() => {});
    },
  };
}
