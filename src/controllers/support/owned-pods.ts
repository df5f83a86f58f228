/** What the controllers that own pods share: which pods are an owner's, and whether the cache shows all that was written for it. */
import { type Draft, type KubeObject, keyOf } from '../../api/object.ts';
import type { Selector } from '../../api/selectors/index.ts';
import type { Pod } from '../../api/types/core-v1.ts';
import type { Informer, ResourceClient } from '../../client/contract.ts';
import type { ControllerContext, Source } from '../../controller/contract.ts';
import { watch } from '../../controller/contract.ts';
import { createWriteLedger } from '../../controller/ledger.ts';
import { createDoubts } from './doubts.ts';
import { type ClaimOptions, claim, indexOrphans, ownerKeys } from './ownership.ts';
import { createPodControl, isNamespaceTerminating, type OwnerKind } from './pod-control.ts';

export interface OwnerOptions<O extends KubeObject> {
  readonly kind: OwnerKind;
  readonly owners: Informer<O>;
  client(namespace: string): ResourceClient<O>;
  selector(owner: O): Selector;
  /** Pods that it refuses are left alone. */
  accepts?(pod: Pod, owner: O): boolean;
  /** Put on pods that are adopted, and taken from those released. */
  readonly finalizer?: string;
  /** False for changes of a pod that its owner need not look at. Default: all matter. */
  matters?(pod: Pod, old: Pod): boolean;
}

export interface OwnedPods<O extends KubeObject> {
  readonly pods: Informer<Pod>;
  /** Owners, and the owners of pods that change. */
  readonly sources: readonly Source[];
  /**
   * The owner by the cache; undefined, and what was known of it forgotten, when it is gone. `settled`: what is read from the cache from now
   * on shows every pod that this process made or removed for it; otherwise nothing must be made or removed.
   */
  look(key: string): Promise<{ readonly owner: O; readonly settled: boolean } | undefined>;
  /** Adopts and releases, and gives those owned afterwards. */
  claim(owner: O): Promise<Pod[]>;
  /** The same for dependents of another kind, whose informer has `indexOrphans`. */
  claimOthers<T extends KubeObject>(owner: O, informer: Informer<T>, client: ResourceClient<T>): Promise<T[]>;
  /** Does nothing in a namespace that is going. */
  create(pod: Draft<Pod>, owner: O): Promise<void>;
  delete(pod: Pod, owner: O): Promise<void>;
  /** For those who write pods themselves. */
  created(pod: Pod, owner: O): void;
  deleted(pod: Pod, owner: O): void;
}

export function createOwnedPods<O extends KubeObject>(
  { informers, client, recorder }: ControllerContext,
  options: OwnerOptions<O>,
): OwnedPods<O> {
  const { kind, owners, selector, finalizer } = options;
  const pods = informers.informer('v1/pods');
  indexOrphans(pods);
  const ledger = createWriteLedger(pods);
  const doubts = createDoubts(client, ledger);
  const control = createPodControl(client, recorder);
  const keysOf = ownerKeys<O, Pod>(kind, owners, selector);
  const claimFrom = <T extends KubeObject>(
    owner: O,
    from: Pick<ClaimOptions<T>, 'informer' | 'client' | 'accepts' | 'finalizer'>,
  ) => {
    const { name, namespace = '' } = owner.metadata;
    const fresh = () => options.client(namespace).get(name);
    return claim<T>({ kind, owner, selector: selector(owner), fresh, ...from });
  };
  const own: OwnedPods<O> = {
    pods,
    sources: [
      { informer: owners as unknown as Informer<KubeObject>, keys: owner => [keyOf(owner)] },
      watch<'v1/pods'>(pods, (pod, old, event) =>
        old && options.matters?.(pod, old) === false ? [] : keysOf(pod, old, event),
      ),
    ],
    async look(key) {
      const known = owners.store.get(key);
      if (known) await doubts.resolve(key, known, selector(known));
      // Asked before the cache is read: what it shows later must not vouch for what was read earlier.
      const settled = ledger.settled(key);
      const owner = owners.store.get(key);
      if (owner) return { owner, settled };
      ledger.forget(key);
      doubts.forget(key);
      return undefined;
    },
    claim: owner =>
      claimFrom<Pod>(owner, {
        informer: pods,
        client: client.pods(owner.metadata.namespace),
        accepts: pod => options.accepts?.(pod, owner) ?? true,
        ...(finalizer && { finalizer }),
      }),
    claimOthers: (owner, informer, others) => claimFrom(owner, { informer, client: others }),
    async create(pod, owner) {
      try {
        own.created(await control.create(pod, owner), owner);
      } catch (e) {
        if (isNamespaceTerminating(e)) return;
        doubts.note(keyOf(owner), e);
        throw e;
      }
    },
    async delete(pod, owner) {
      await control.delete(pod, owner);
      own.deleted(pod, owner);
    },
    created: (pod, owner) => ledger.created(keyOf(owner), pod),
    deleted: (pod, owner) => ledger.deleted(keyOf(owner), pod.metadata.uid ?? ''),
  };
  return own;
}
