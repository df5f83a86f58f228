/** What can go wrong, and how often. */

/** Chances are per request, per watch or per chunk of a watch, as told; 0 turns a fault off. */
export interface FaultRates {
  /** A request does not reach the server. */
  readonly lostBefore: number;
  /** A write takes effect, but its answer is lost. */
  readonly lostAfter: number;
  /** An update is refused with 409 although nobody else wrote. */
  readonly conflict: number;
  /** A request is answered with 500, 503 or 429 before it is looked at. */
  readonly refused: number;
  /** A watch breaks in the middle of a chunk. */
  readonly watchCut: number;
  /** A chunk of a watch comes late, by up to three seconds; those behind it wait. */
  readonly watchDelay: number;
  /** A new watch is answered with 410. */
  readonly expired: number;
  /** A request takes up to two seconds instead of milliseconds. */
  readonly slowRequest: number;
  /** Pulling an image fails. */
  readonly imagePull: number;
  /** An operation of a container runtime takes up to twenty seconds. */
  readonly slowNode: number;
  /** The disk refuses a commit: it fails to write, or to sync. */
  readonly diskError: number;
  /** Chance per step of one of the life-cycle faults in `lifeFaults`. */
  readonly life: number;
  /** A write takes up to a second from the server to the store; others overtake it. */
  readonly slowWrite: number;
}

/** Crashes, partitions and the like: actions of the simulation, one at a time. */
export type LifeFault =
  | 'crash-manager'
  | 'crash-scheduler'
  | 'crash-server'
  | 'crash-kubelet'
  | 'node-vanishes'
  | 'cut-off-leader'
  | 'clock-jump'
  | 'disk-full'
  | 'compact';

export const defaultFaults: FaultRates = {
  lostBefore: 0.01,
  lostAfter: 0.01,
  conflict: 0.01,
  refused: 0.005,
  watchCut: 0.005,
  watchDelay: 0.02,
  expired: 0.05,
  slowRequest: 0.01,
  imagePull: 0.05,
  slowNode: 0.05,
  diskError: 0.002,
  life: 0.15,
  slowWrite: 0,
};

export const noFaults: FaultRates = {
  lostBefore: 0,
  lostAfter: 0,
  conflict: 0,
  refused: 0,
  watchCut: 0,
  watchDelay: 0,
  expired: 0,
  slowRequest: 0,
  imagePull: 0,
  slowNode: 0,
  diskError: 0,
  life: 0,
  slowWrite: 0,
};
