import { compareKeys } from '../../base/persistent-map.ts';
import { type KeyRange, type Op, StoreError, type Txn } from '../contract.ts';

/** What a store accepts. The defaults are etcd's. */
export interface Limits {
  /** Bytes of keys and values in one transaction. */
  readonly requestBytes: number;
  /** Operations in one branch of a transaction. */
  readonly txnOps: number;
}
export const defaultLimits: Limits = { requestBytes: 1.5 * 1024 * 1024, txnOps: 128 };

/** Throws "invalid" or "too-large" for a transaction that no store may run. */
export function checkTxn(txn: Txn, limits: Limits): void {
  const failure = txn.failure ?? [];
  if (Math.max(txn.compare.length, txn.success.length, failure.length) > limits.txnOps) {
    throw new StoreError('invalid', 'too many operations in txn request');
  }
  for (const { key } of txn.compare) checkKey(key);
  let bytes = checkOps(txn.success) + checkOps(failure);
  for (const compare of txn.compare) {
    bytes += compare.key.length + (compare.target === 'value' ? compare.value.length : 0);
  }
  if (bytes > limits.requestBytes) throw new StoreError('too-large', 'request is too large');
}

function checkKey(key: string): void {
  if (key === '') throw new StoreError('invalid', 'key is not provided');
  if (!key.isWellFormed()) throw new StoreError('invalid', 'key is not valid Unicode');
}

/** A range may start at the empty key when it has an end. */
export function checkRange(range: KeyRange): void {
  if (range.end === undefined) checkKey(range.start);
}

function checkOps(ops: readonly Op[]): number {
  let bytes = 0;
  for (const op of ops) {
    if (op.type !== 'put') {
      checkRange(op.range);
      bytes += op.range.start.length;
      continue;
    }
    checkKey(op.key);
    bytes += op.key.length + op.value.length;
  }
  if (ops.length > 1) checkOverlaps(ops);
  return bytes;
}

/** One key may change at most once in a transaction: a put meets no other put and no delete of its key. */
function checkOverlaps(ops: readonly Op[]): void {
  const puts = new Set<string>();
  for (const op of ops) {
    if (op.type !== 'put') continue;
    if (puts.has(op.key)) throw duplicateKey();
    puts.add(op.key);
  }
  for (const op of ops) {
    if (op.type !== 'delete') continue;
    for (const key of puts) if (inRange(op.range, key)) throw duplicateKey();
  }
}

const duplicateKey = () => new StoreError('invalid', 'duplicate key given in txn request');

export function inRange(range: KeyRange, key: string): boolean {
  if (range.end === undefined) return key === range.start;
  return compareKeys(key, range.start) >= 0 && (range.end === '' || compareKeys(key, range.end) < 0);
}
