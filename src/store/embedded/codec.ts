import type { KeyValue, WatchEvent } from '../contract.ts';
import type { LeaseRecord } from '../mvcc/state.ts';

/**
 * Rows as they travel between the store and its worker: the numbers of all rows in one array and their bytes in another, so that a
 * message is two transfers however many rows it carries.
 */
export interface Packed {
  readonly rows: number;
  readonly numbers: Float64Array<ArrayBuffer>;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * `put`: one key. `delete`: one deleted key. `previous`: the value that the next row replaces. `grant` and `revoke`: a lease, whose id
 * stands in `revision` and TTL in `version`.
 */
export type RowKind = 'put' | 'delete' | 'grant' | 'revoke' | 'previous';
const kinds: readonly RowKind[] = ['put', 'delete', 'grant', 'revoke', 'previous'];
const numbersPerRow = 9;

/** Room for the changes of one revision in the numbering of rows. */
export const rowsPerRevision = 65_536;

export interface Row {
  readonly kind: RowKind;
  readonly revision: number;
  /** Position among the operations of its revision. */
  readonly index: number;
  readonly createRevision: number;
  readonly version: number;
  readonly lease: number;
  /** Revision of the key's previous value; 0 for none. */
  readonly prevRevision: number;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

const noBytes = new Uint8Array(0);
const decoder = new TextDecoder();

/** Collects rows into one message. */
export class Packer {
  #numbers: Float64Array<ArrayBuffer>;
  #bytes: Buffer<ArrayBuffer>;
  #rows = 0;
  #used = 0;

  constructor(rows = 64, bytes = 65_536) {
    this.#numbers = new Float64Array(rows * numbersPerRow);
    this.#bytes = Buffer.allocUnsafeSlow(bytes);
  }

  get rows(): number {
    return this.#rows;
  }
  get size(): number {
    return this.#used;
  }

  event(event: WatchEvent, index: number): void {
    const { type, kv, prevKv } = event;
    const at = this.#row(type, kv.modRevision, index, kv.key.length * 3 + kv.value.length);
    const numbers = this.#numbers;
    numbers[at + 3] = kv.createRevision;
    numbers[at + 4] = kv.version;
    numbers[at + 5] = kv.lease;
    numbers[at + 6] = prevKv?.modRevision ?? 0;
    const keyLength = this.#bytes.write(kv.key, this.#used);
    this.#bytes.set(kv.value, this.#used + keyLength);
    numbers[at + 7] = keyLength;
    numbers[at + 8] = kv.value.length;
    this.#used += keyLength + kv.value.length;
  }

  lease(kind: 'grant' | 'revoke', id: number, ttl: number): void {
    const at = this.#row(kind, id, 0, 0);
    this.#numbers[at + 4] = ttl;
  }

  row(row: Row): void {
    const at = this.#row(row.kind, row.revision, row.index, row.key.length + row.value.length);
    this.#numbers.set(
      [row.createRevision, row.version, row.lease, row.prevRevision, row.key.length, row.value.length],
      at + 3,
    );
    this.#bytes.set(row.key, this.#used);
    this.#bytes.set(row.value, this.#used + row.key.length);
    this.#used += row.key.length + row.value.length;
  }

  finish(): Packed {
    return { rows: this.#rows, numbers: this.#numbers, bytes: this.#bytes };
  }

  /** Makes room and writes what every row has. The numbers not written later are 0. */
  #row(kind: RowKind, revision: number, index: number, bytes: number): number {
    const at = this.#rows * numbersPerRow;
    if (at + numbersPerRow > this.#numbers.length) {
      const grown = new Float64Array(this.#numbers.length * 2);
      grown.set(this.#numbers);
      this.#numbers = grown;
    }
    if (this.#used + bytes > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#used + bytes));
      this.#bytes.copy(grown, 0, 0, this.#used);
      this.#bytes = grown;
    }
    this.#rows += 1;
    this.#numbers[at] = kinds.indexOf(kind);
    this.#numbers[at + 1] = revision;
    this.#numbers[at + 2] = index;
    return at;
  }
}

/** The rows of a message. Their bytes are views of the message's. */
export function* unpack({ rows, numbers, bytes }: Packed): Generator<Row> {
  let used = 0;
  for (let at = 0; at < rows * numbersPerRow; at += numbersPerRow) {
    const keyEnd = used + (numbers[at + 7] as number);
    const end = keyEnd + (numbers[at + 8] as number);
    yield {
      kind: kinds[numbers[at] as number] as RowKind,
      revision: numbers[at + 1] as number,
      index: numbers[at + 2] as number,
      createRevision: numbers[at + 3] as number,
      version: numbers[at + 4] as number,
      lease: numbers[at + 5] as number,
      prevRevision: numbers[at + 6] as number,
      key: keyEnd === used ? noBytes : bytes.subarray(used, keyEnd),
      value: end === keyEnd ? noBytes : bytes.subarray(keyEnd, end),
    };
    used = end;
  }
}

export function keyValueOf(row: Row): KeyValue {
  return {
    key: decoder.decode(row.key),
    value: row.value,
    createRevision: row.createRevision,
    modRevision: row.revision,
    version: row.version,
    lease: row.lease,
  };
}

export function transfers(packed: Packed): ArrayBuffer[] {
  return [packed.numbers.buffer, packed.bytes.buffer];
}

/** What one transaction, or one lease, asks the disk to keep. */
export interface Change {
  readonly events: readonly WatchEvent[];
  readonly granted?: Pick<LeaseRecord, 'id' | 'ttl'>;
  readonly revoked?: number;
}

export function packChanges(changes: readonly Change[]): Packed {
  let bytes = 0;
  for (const { events } of changes) {
    for (const { kv } of events) bytes += kv.key.length * 3 + kv.value.length;
  }
  const packer = new Packer(Math.max(16, changes.length), Math.max(1024, bytes));
  for (const { events, granted, revoked } of changes) {
    for (const [index, event] of events.entries()) packer.event(event, index);
    if (granted) packer.lease('grant', granted.id, granted.ttl);
    if (revoked !== undefined) packer.lease('revoke', revoked, 0);
  }
  return packer.finish();
}
