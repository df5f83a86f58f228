import type {
  Compare,
  KeyRange,
  KeyValue,
  Op,
  OpResult,
  RangeOptions,
  RangeResult,
  Txn,
  TxnResult,
} from '../contract.ts';
import { fields, type Message, type Schema } from './protobuf.ts';

/** etcd v3's messages (etcdserverpb and mvccpb), as far as they are used, and their translation from and to the contract. */
export const schema: Schema = {
  Header: fields('revision 3 int'),
  KeyValue: fields('key 1 bytes, create_revision 2 int, mod_revision 3 int, version 4 int, value 5 bytes, lease 6 int'),
  Event: fields('type 1 int, kv 2 KeyValue, prev_kv 3 KeyValue'),
  RangeRequest: fields(
    'key 1 bytes, range_end 2 bytes, limit 3 int, revision 4 int, serializable 7 bool, keys_only 8 bool, count_only 9 bool',
  ),
  RangeResponse: fields('header 1 Header, kvs 2 KeyValue*, more 3 bool, count 4 int'),
  PutRequest: fields('key 1 bytes, value 2 bytes, lease 3 int'),
  DeleteRangeRequest: fields('key 1 bytes, range_end 2 bytes, prev_kv 3 bool'),
  DeleteRangeResponse: fields('header 1 Header, deleted 2 int, prev_kvs 3 KeyValue*'),
  PutResponse: fields('header 1 Header'),
  RequestOp: fields('range 1 RangeRequest, put 2 PutRequest, delete 3 DeleteRangeRequest'),
  ResponseOp: fields('range 1 RangeResponse, put 2 PutResponse, delete 3 DeleteRangeResponse'),
  Compare: fields(
    'result 1 int, target 2 int, key 3 bytes, version 4 int, createRevision 5 int, modRevision 6 int, value 7 bytes, lease 8 int',
  ),
  TxnRequest: fields('compare 1 Compare*, success 2 RequestOp*, failure 3 RequestOp*'),
  TxnResponse: fields('header 1 Header, succeeded 2 bool, responses 3 ResponseOp*'),
  CompactionRequest: fields('revision 1 int, physical 2 bool'),
  CompactionResponse: fields('header 1 Header'),
  WatchRequest: fields('create 1 WatchCreateRequest, cancel 2 WatchCancelRequest, progress 3 WatchProgressRequest'),
  WatchCreateRequest: fields(
    'key 1 bytes, range_end 2 bytes, start_revision 3 int, progress_notify 4 bool, prev_kv 6 bool, fragment 8 bool',
  ),
  WatchCancelRequest: fields('watch_id 1 int'),
  WatchProgressRequest: [],
  WatchResponse: fields(
    'header 1 Header, watch_id 2 int, created 3 bool, canceled 4 bool, compact_revision 5 int, cancel_reason 6 string, fragment 7 bool, events 11 Event*',
  ),
  StatusRequest: [],
  StatusResponse: fields('version 2 string'),
  LeaseGrantRequest: fields('ttl 1 int, id 2 int'),
  LeaseGrantResponse: fields('header 1 Header, id 2 int, ttl 3 int, error 4 string'),
  LeaseRevokeRequest: fields('id 1 int'),
  LeaseRevokeResponse: fields('header 1 Header'),
  LeaseKeepAliveRequest: fields('id 1 int'),
  LeaseKeepAliveResponse: fields('header 1 Header, id 2 int, ttl 3 int'),
  LeaseTimeToLiveRequest: fields('id 1 int, keys 2 bool'),
  LeaseTimeToLiveResponse: fields('header 1 Header, id 2 int, ttl 3 int, granted 4 int, keys 5 bytes*'),
};

const utf8 = new TextEncoder();
const text = new TextDecoder();
const noBytes = new Uint8Array(0);
/** As a key: from the first on. As the end of a range: no upper bound. */
const zero = new Uint8Array([0]);
const results = { '=': 0, '>': 1, '<': 2, '!=': 3 } as const;
const targets = { version: 0, createRevision: 1, modRevision: 2, value: 3, lease: 4 } as const;

export const number = (message: Message | undefined, name: string): number => Number(message?.[name] ?? 0);
const bytesOf = (message: Message, name: string) => (message[name] as Uint8Array | undefined) ?? noBytes;
const child = (message: Message, name: string) => message[name] as Message | undefined;
const children = (message: Message, name: string) => (message[name] as Message[] | undefined) ?? [];
export const headerRevision = (message: Message): number => number(child(message, 'header'), 'revision');

export function rangeKeys(range: KeyRange): { key: Uint8Array; range_end?: Uint8Array } {
  const key = utf8.encode(range.start);
  if (range.end === undefined) return { key };
  return { key: key.length === 0 ? zero : key, range_end: range.end === '' ? zero : utf8.encode(range.end) };
}

export function rangeRequest(range: KeyRange, options: RangeOptions): Message {
  return {
    ...rangeKeys(range),
    limit: Math.max(0, options.limit ?? 0),
    revision: Math.max(0, options.revision ?? 0),
    keys_only: options.keysOnly ?? false,
    count_only: options.countOnly ?? false,
  };
}

export function keyValue(message: Message): KeyValue {
  return {
    key: text.decode(bytesOf(message, 'key')),
    value: bytesOf(message, 'value'),
    createRevision: number(message, 'create_revision'),
    modRevision: number(message, 'mod_revision'),
    version: number(message, 'version'),
    lease: number(message, 'lease'),
  };
}

export function rangeResult(message: Message, revision: number): RangeResult {
  return {
    kvs: children(message, 'kvs').map(keyValue),
    count: number(message, 'count'),
    more: Boolean(message['more']),
    revision: headerRevision(message) || revision,
  };
}

function compareMessage(compare: Compare): Message {
  return {
    result: results[compare.op],
    target: targets[compare.target],
    key: utf8.encode(compare.key),
    [compare.target]: compare.value,
  };
}

function opMessage(op: Op): Message {
  if (op.type === 'put') return { put: { key: utf8.encode(op.key), value: op.value, lease: op.lease ?? 0 } };
  if (op.type === 'delete') return { delete: { ...rangeKeys(op.range), prev_kv: op.prevKv ?? false } };
  return { range: rangeRequest(op.range, op.options ?? {}) };
}

export function txnRequest(txn: Txn): Message {
  return {
    compare: txn.compare.map(compareMessage),
    success: txn.success.map(opMessage),
    failure: (txn.failure ?? []).map(opMessage),
  };
}

export function txnResult(message: Message): TxnResult {
  const revision = headerRevision(message);
  const results = children(message, 'responses').map((response): OpResult => {
    const deleted = child(response, 'delete');
    if (deleted) {
      const prevKvs = children(deleted, 'prev_kvs').map(keyValue);
      return { type: 'delete', deleted: number(deleted, 'deleted'), prevKvs };
    }
    const range = child(response, 'range');
    return range ? { type: 'range', ...rangeResult(range, revision) } : { type: 'put' };
  });
  return { succeeded: Boolean(message['succeeded']), revision, results };
}
