import { controllerOf, type KubeObject } from '../../api/object.ts';
import type { Selector } from '../../api/selectors/index.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import { isApiError } from '../../base/errors.ts';
import type { Client } from '../../client/contract.ts';
import type { WriteLedger } from '../../controller/ledger.ts';

/**
 * Creations that may have taken effect though their answer was lost. A pod made so is in no ledger, and while the cache does not show it yet it
 * would be made again: upstream corrects that afterwards, here the server is asked first.
 */
export interface Doubts {
  /** Call with what a creation for this owner threw. */
  note(key: string, error: unknown): void;
  /** Call before the ledger is asked: enters the owner's pods that the server has. Does nothing when there is no doubt. */
  resolve(key: string, owner: KubeObject, selector: Selector): Promise<void>;
  forget(key: string): void;
}

export function createDoubts(client: Client, ledger: WriteLedger<Pod>): Doubts {
  const doubtful = new Set<string>();
  return {
    note(key, error) {
      if (!isApiError(error) || error.code >= 500) doubtful.add(key);
    },
    async resolve(key, owner, selector) {
      if (!doubtful.has(key)) return;
      const { items } = await client.pods(owner.metadata.namespace).list({ labelSelector: selector.toString() });
      for (const pod of items) if (controllerOf(pod)?.uid === owner.metadata.uid) ledger.created(key, pod);
      doubtful.delete(key);
    },
    forget: key => void doubtful.delete(key),
  };
}
