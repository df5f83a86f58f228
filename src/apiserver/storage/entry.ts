import type { Unstructured } from '../../api/object.ts';
import { decodeObject, servedSize, slice, versionOffset, writeServed } from './encoding.ts';

/** What selectors look at, kept beside the bytes. */
export interface Selectable {
  readonly labels: Readonly<Record<string, string>>;
  readonly fields: Readonly<Record<string, string>>;
}

/** What an entry is made from: a key-value of the store, or what is known of one. */
export interface EntrySource {
  readonly value: Uint8Array;
  readonly modRevision: number;
  readonly createRevision?: number;
  readonly lease?: number;
}

/**
 * One object at one revision. Immutable but for its memos. It holds the store's own bytes, so that an object is in memory once; what is
 * served is those bytes with the resourceVersion put in, written where they are needed.
 */
export class Entry {
  /** "namespace/name" or "name". */
  readonly key: string;
  /** As stored. */
  readonly value: Uint8Array;
  /** 0 for what is not stored (dry runs). */
  readonly modRevision: number;
  readonly createRevision: number;
  readonly lease: number;
  /** Memo of the cache's `selectableOf`. */
  selectable: Selectable | undefined;
  /** Memo: the object in other encodings and versions, by encoder name. */
  variants: Map<string, Uint8Array> | undefined;
  /** Memo of `versionOffset`; -2 before it was looked for. */
  #offset = -2;

  constructor(key: string, source: EntrySource, selectable?: Selectable) {
    this.key = key;
    this.value = source.value;
    this.modRevision = source.modRevision;
    this.createRevision = source.createRevision ?? source.modRevision;
    this.lease = source.lease ?? 0;
    this.selectable = selectable;
    this.variants = undefined;
  }
  /** JSON in the storage version, with resourceVersion. Made anew on each call, to be sent and forgotten. */
  get bytes(): Uint8Array {
    if (this.modRevision === 0) return this.value;
    const out = slice(this.size);
    this.writeTo(out, 0);
    return out;
  }
  /** Length of `bytes`. */
  get size(): number {
    return this.modRevision === 0 ? this.value.length : servedSize(this.value, this.modRevision, this.#at());
  }
  /** Puts `bytes` into a buffer that has the room; gives where they end. */
  writeTo(target: Uint8Array, at: number): number {
    if (this.modRevision !== 0) return writeServed(this.value, this.modRevision, target, at, this.#at());
    target.set(this.value, at);
    return at + this.value.length;
  }
  #at(): number {
    if (this.#offset === -2) this.#offset = versionOffset(this.value);
    return this.#offset;
  }
  /** Decoded. A fresh value on each call. */
  object(): Unstructured {
    const obj = decodeObject(this.value);
    if (this.modRevision !== 0) obj.metadata.resourceVersion = String(this.modRevision);
    return obj;
  }
  /** The same state told at another revision (a deletion's). */
  at(revision: number): Entry {
    const { value, createRevision, lease } = this;
    return new Entry(this.key, { value, modRevision: revision, createRevision, lease }, this.selectable);
  }
}
