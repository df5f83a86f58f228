/** A controller is `reconcile(key)` over informers. Retries, back-off, metrics, logging, panics and stopping live in the manager. */
import type { KubeObject } from '../api/object.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Metrics } from '../base/metrics.ts';
import type { Random } from '../base/random.ts';
import type {
  Client,
  EventRecorder,
  Informer,
  InformerFactory,
  ResourceDescriptor,
  ResourceName,
  TypeOf,
} from '../client/contract.ts';

/** What every component is built from. */
export interface Environment {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export interface ControllerContext extends Environment {
  /** Acts as the controller. */
  readonly client: Client;
  /** Lists live what `informers` cache, with their rights. */
  readonly reader: Client;
  readonly informers: InformerFactory;
  readonly recorder: EventRecorder;
  /** Aborted when the manager stops. */
  readonly signal: AbortSignal;
}

/** `requeueAfter`: run again after so many milliseconds, also without events. */
// biome-ignore lint/suspicious/noConfusingVoidType: a reconcile that returns nothing is the common case
export type ReconcileResult = { requeueAfter?: number } | void;

export interface Source {
  readonly informer: Informer<KubeObject>;
  /** Keys to reconcile for a change. `old` is given for updates. */
  keys(obj: KubeObject, old: KubeObject | undefined, kind: 'add' | 'update' | 'delete'): Iterable<string>;
}

/** What `setUp` returns: one loop. */
export interface Loop {
  readonly sources: readonly Source[];
  /** Called once, before the loop begins: for loops that learn of work by other means than the factory's informers. */
  readonly attach?: (enqueue: (key: string, afterMs?: number) => void) => void;
  /** Must be idempotent; throwing means retry with back-off. */
  reconcile(key: string): Promise<ReconcileResult>;
  /** Keys in work at once; default 5. */
  readonly concurrency?: number;
  /** Loops that also want a tick: reconcile these keys every so often (jittered by 10 %). */
  readonly resync?: { readonly everyMs: number; keys(): Iterable<string> };
}

export interface Controller {
  /** As upstream's `--controllers` names it, e.g. "deployment-controller". */
  readonly name: string;
  /**
   * The service account in kube-system that it acts as, where upstream's name for that differs from the controller's. `null`: the
   * manager's own identity, for the controller that makes the accounts' tokens.
   */
  readonly account?: string | null;
  /** Who its events come from, where upstream's name for that differs from the controller's. */
  readonly component?: string;
  /** Older names that `--controllers` also takes. */
  readonly aliases?: readonly string[];
  /** Not started by `*`. */
  readonly disabledByDefault?: boolean;
  /** Asks the context for informers and returns its loops. Called once, before informers start. */
  setUp(context: ControllerContext): Loop | readonly Loop[];
}

/**
 * Keeps a source typed where it is declared:
 * `watch(informer, pod => [keyOf(pod)])`.
 */
export function watch<R extends ResourceName | ResourceDescriptor>(
  informer: Informer<TypeOf<R>>,
  keys: (obj: TypeOf<R>, old: TypeOf<R> | undefined, kind: 'add' | 'update' | 'delete') => Iterable<string>,
): Source {
  return { informer, keys } as unknown as Source;
}
