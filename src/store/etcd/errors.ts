import { type ServiceError, status } from '@grpc/grpc-js';
import { StoreError, type StoreErrorCode } from '../contract.ts';

/** Parts of etcd's error texts, which are stable, and what they mean. */
const texts: readonly (readonly [string, StoreErrorCode])[] = [
  ['required revision has been compacted', 'compacted'],
  ['required revision is a future revision', 'future-revision'],
  ['requested lease not found', 'lease-not-found'],
  ['lease already exists', 'lease-exists'],
  ['request is too large', 'too-large'],
  ['message larger than max', 'too-large'],
  ['database space exceeded', 'no-space'],
  ['duplicate key given', 'invalid'],
  ['key is not provided', 'invalid'],
  ['too many operations', 'invalid'],
  ['corrupt', 'corrupt'],
];

export function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && typeof (error as Partial<ServiceError>).code === 'number';
}

/** etcd refused before it proposed anything, because it has no leader: the request can be sent again. */
export function wasNotProposed(error: unknown): boolean {
  return isServiceError(error) && /etcdserver: (no leader|not capable|too many requests)/.test(error.details);
}

/** The connection, the member or its leader failed; another member may answer. */
export function isTransient(error: unknown): boolean {
  if (!isServiceError(error)) return false;
  const code = codeOf(error.details);
  if (code) return false;
  return (
    error.code === status.UNAVAILABLE || error.code === status.DEADLINE_EXCEEDED || error.code === status.CANCELLED
  );
}

const codeOf = (details: string): StoreErrorCode | undefined => texts.find(([part]) => details.includes(part))?.[1];

export function storeError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  if (!isServiceError(error)) return new StoreError('io', error instanceof Error ? error.message : String(error));
  const message = error.details || error.message;
  const code = codeOf(message);
  if (code) return new StoreError(code, message.replace(/^etcdserver: (mvcc: )?/, ''));
  if (error.code === status.INVALID_ARGUMENT) return new StoreError('invalid', message);
  if (error.code === status.RESOURCE_EXHAUSTED) return new StoreError('too-large', message);
  if (error.code === status.UNAUTHENTICATED || error.code === status.PERMISSION_DENIED)
    return new StoreError('invalid', message);
  return new StoreError('unavailable', message);
}
