import type { StoreErrorCode } from '../contract.ts';
import type { Packed } from './codec.ts';

/** What the store and its worker say to each other. */

export type ToWorker =
  /** Writes are numbered; after a failure the worker drops every write of the failed epoch, because it builds on what is not there. */
  | { readonly type: 'write'; readonly sequence: number; readonly epoch: number; readonly packed: Packed }
  | {
      readonly type: 'history';
      readonly id: number;
      readonly from: number;
      readonly through: number;
      readonly limit: number;
    }
  | { readonly type: 'compact'; readonly id: number; readonly revision: number }
  | { readonly type: 'sizes'; readonly id: number }
  /** Answered when all tidying is done. */
  | { readonly type: 'tidy'; readonly id: number }
  | { readonly type: 'close'; readonly id: number };

export interface Failure {
  readonly code: StoreErrorCode;
  readonly message: string;
}
export type FromWorker =
  | { readonly type: 'rows'; readonly packed: Packed }
  | { readonly type: 'loaded'; readonly revision: number; readonly compacted: number }
  | { readonly type: 'refused'; readonly failure: Failure }
  /** Every write up to `sequence` is on disk. */
  | { readonly type: 'written'; readonly sequence: number; readonly seconds: number }
  /** No write of the epoch beyond those confirmed is on disk. */
  | { readonly type: 'failed'; readonly epoch: number; readonly failure: Failure }
  | { readonly type: 'answer'; readonly id: number; readonly result?: unknown; readonly failure?: Failure };

export interface HistoryAnswer {
  readonly packed: Packed;
  readonly through: number;
}
export interface Sizes {
  /** Bytes of the file, of its write-ahead log, and of the file's unused pages. */
  readonly file: number;
  readonly log: number;
  readonly free: number;
}

/** The worker's end of the line. Messages arrive whole and in order. */
export interface WorkerPort {
  post(message: FromWorker, transfer?: ArrayBuffer[]): void;
  /** The next of the messages that have arrived already; undefined when there are no more. */
  take(): ToWorker | undefined;
  /** Called with a message that arrives; those behind it can be taken. */
  listen(onMessage: (message: ToWorker) => void): void;
  close(): void;
}

/** The store's end of the line. */
export interface StorePort {
  post(message: ToWorker, transfer?: ArrayBuffer[]): void;
  /** `onEnd` is called when the worker has ended, told to or not, with the reason. */
  listen(onMessage: (message: FromWorker) => void, onEnd: (why: string) => void): void;
}

/** When all that happens now is done. Not time, but the end of a turn. */
export type Soon = (fn: () => void) => void;

/** Where the worker runs. */
export interface Host {
  start(directory: string): StorePort;
  readonly soon: Soon;
}
