import { type Random, systemRandom } from '../../base/random.ts';
import {
  type KeyRange,
  type KeyValue,
  type Lease,
  type RangeOptions,
  type RangeResult,
  type Store,
  StoreError,
  type Txn,
  type TxnResult,
  type Watch,
  type WatchOptions,
} from '../contract.ts';
import { checkRange, checkTxn, defaultLimits, type Limits } from '../mvcc/check.ts';
import { Connection, type EtcdConnectionOptions } from './connection.ts';
import { isTransient, storeError } from './errors.ts';
import { headerRevision, number, rangeRequest, rangeResult, txnRequest, txnResult } from './messages.ts';
import type { Message } from './protobuf.ts';
import { EtcdWatch } from './watch.ts';

export type { EtcdTls } from './connection.ts';

export interface EtcdStoreOptions extends EtcdConnectionOptions {
  /** Only when the cluster was started with other limits than etcd's own. */
  limits?: Partial<Limits>;
  /** For the ids of leases. */
  random?: Random;
}

/**
 * A store in an etcd v3 cluster. Members are tried in order, and again; nothing is sent before the first call. Reads are linearizable. A
 * write whose member fails while it runs rejects with "unavailable": it may or may not have happened.
 */
export function connectEtcdStore(options: EtcdStoreOptions): Store {
  return new Etcd(options);
}

class Etcd implements Store {
  readonly #connection: Connection;
  readonly #limits: Limits;
  readonly #random: Random;
  readonly #watches = new Set<EtcdWatch>();
  #closed = false;

  constructor(options: EtcdStoreOptions) {
    this.#connection = new Connection(options);
    this.#limits = { ...defaultLimits, ...options.limits };
    this.#random = options.random ?? systemRandom;
  }

  async get(key: string, options: { revision?: number } = {}): Promise<{ kv: KeyValue | undefined; revision: number }> {
    const { kvs, revision } = await this.range({ start: key }, options);
    return { kv: kvs[0], revision };
  }

  async range(range: KeyRange, options: RangeOptions = {}): Promise<RangeResult> {
    checkRange(range);
    const request = rangeRequest(range, options);
    return rangeResult(await this.#connection.call('KV/Range', 'RangeRequest', 'RangeResponse', request, true), 0);
  }

  async txn(txn: Txn): Promise<TxnResult> {
    checkTxn(txn, this.#limits);
    const readOnly = [...txn.success, ...(txn.failure ?? [])].every(op => op.type === 'range');
    return txnResult(await this.#connection.call('KV/Txn', 'TxnRequest', 'TxnResponse', txnRequest(txn), readOnly));
  }

  watch(range: KeyRange, options: WatchOptions = {}): Watch {
    this.#check();
    checkRange(range);
    const watch = new EtcdWatch(
      this.#connection,
      range,
      options,
      () => this.revision(),
      ended => this.#watches.delete(ended),
    );
    this.#watches.add(watch);
    return watch;
  }

  async compact(revision: number): Promise<void> {
    await this.#connection.call('KV/Compact', 'CompactionRequest', 'CompactionResponse', { revision }, false);
  }

  async revision(): Promise<number> {
    // Any key will do: the answer's header has the revision.
    const request = { key: new Uint8Array([0]), count_only: true };
    return headerRevision(await this.#connection.call('KV/Range', 'RangeRequest', 'RangeResponse', request, true));
  }

  async grantLease(ttlSeconds: number, id = 0): Promise<Lease> {
    if (!(ttlSeconds > 0)) throw new StoreError('invalid', 'lease TTL must be positive');
    // etcd's own ids do not fit into a number.
    const chosen = id === 0 ? 1 + Math.floor(this.#random.next() * (Number.MAX_SAFE_INTEGER - 1)) : id;
    const request = { ttl: Math.ceil(ttlSeconds), id: chosen };
    const granted = await this.#lease('LeaseGrant', 'LeaseGrantRequest', 'LeaseGrantResponse', request, false);
    return { id: number(granted, 'id'), ttl: number(granted, 'ttl') };
  }

  /** Over a stream of its own: one request, one answer. */
  async keepAlive(id: number): Promise<Lease> {
    for (let tried = 0; ; tried++) {
      try {
        const answer = await this.#keepAliveOnce(id);
        if (number(answer, 'ttl') <= 0) throw new StoreError('lease-not-found', 'requested lease not found');
        return { id, ttl: number(answer, 'ttl') };
      } catch (error) {
        const again = isTransient(error) || (error instanceof StoreError && error.code === 'unavailable');
        if (!again || tried >= this.#connection.members * 2) throw storeError(error);
        await this.#connection.pause(50);
      }
    }
  }

  async #keepAliveOnce(id: number): Promise<Message> {
    const opened = await this.#connection.stream(
      'Lease/LeaseKeepAlive',
      'LeaseKeepAliveRequest',
      'LeaseKeepAliveResponse',
    );
    if (!opened) throw new StoreError('unavailable', 'no member of the etcd cluster answers');
    const { call, member } = opened;
    return new Promise<Message>((resolve, reject) => {
      call.on('data', (message: Message) => {
        resolve(message);
        call.end();
      });
      call.on('error', error => {
        this.#connection.leave(member);
        reject(error);
      });
      call.on('end', () => reject(new StoreError('unavailable', 'the member ended the stream')));
      call.write({ id });
    });
  }

  async revokeLease(id: number): Promise<void> {
    await this.#lease('LeaseRevoke', 'LeaseRevokeRequest', 'LeaseRevokeResponse', { id }, false);
  }

  async timeToLive(id: number): Promise<{ ttl: number; grantedTtl: number; keys: readonly string[] }> {
    const request = { id, keys: true };
    const message = await this.#lease(
      'LeaseTimeToLive',
      'LeaseTimeToLiveRequest',
      'LeaseTimeToLiveResponse',
      request,
      true,
    );
    if (number(message, 'ttl') < 0) throw new StoreError('lease-not-found', 'requested lease not found');
    const decoder = new TextDecoder();
    const keys = ((message['keys'] as Uint8Array[] | undefined) ?? []).map(key => decoder.decode(key));
    return { ttl: number(message, 'ttl'), grantedTtl: number(message, 'granted'), keys };
  }

  #lease(method: string, request: string, response: string, message: Message, again: boolean): Promise<Message> {
    return this.#connection.call(`Lease/${method}`, request, response, message, again);
  }

  async health(): Promise<void> {
    this.#check();
    await this.revision();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const watch of [...this.#watches]) watch.end(new StoreError('closed', 'the store is closed'));
    this.#connection.close();
  }

  #check(): void {
    if (this.#closed) throw new StoreError('closed', 'the store is closed');
  }
}
