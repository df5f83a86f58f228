import { Client, credentials, type ServiceError, status } from '@grpc/grpc-js';
import type { Codec } from './codec.ts';

/** Calls to one gRPC server behind a unix socket. Connects on the first call and reconnects by itself. */
export interface UnixClient {
  /** `method` is `package.Service/Method`. Rejects with `GrpcError`. */
  call<R>(method: string, request: [type: string, value: object], response: string, options?: CallOptions): Promise<R>;
  /** A server stream; ends with the stream, throws `GrpcError`. */
  stream<R>(
    method: string,
    request: [type: string, value: object],
    response: string,
    signal: AbortSignal,
  ): AsyncIterable<R>;
  close(): void;
}
export interface CallOptions {
  /** Milliseconds until the call fails with DEADLINE_EXCEEDED; default 2 minutes, the kubelet's runtime-request-timeout. */
  timeoutMs?: number;
}

export class GrpcError extends Error {
  readonly code: number;
  readonly codeName: string;
  /** The server's own words. */
  readonly details: string;
  constructor(code: number, details: string) {
    super(`rpc error: code = ${goCodeName(code)} desc = ${details}`);
    this.name = 'GrpcError';
    this.code = code;
    this.codeName = status[code] ?? 'UNKNOWN';
    this.details = details;
  }
}

/** Go's names, which stand in messages that users know: `DeadlineExceeded`, `NotFound`. */
function goCodeName(code: number): string {
  return (status[code] ?? 'UNKNOWN')
    .toLowerCase()
    .replace(/(^|_)([a-z])/g, (_m, _s, c: string) => c.toUpperCase())
    .replace('Cancelled', 'Canceled');
}

export const isGrpcNotFound = (e: unknown): boolean => e instanceof GrpcError && e.code === status.NOT_FOUND;
export const isGrpcUnimplemented = (e: unknown): boolean => e instanceof GrpcError && e.code === status.UNIMPLEMENTED;
export const isGrpcUnavailable = (e: unknown): boolean => e instanceof GrpcError && e.code === status.UNAVAILABLE;

const wrap = (e: ServiceError) => new GrpcError(e.code, e.details || e.message);

export function createUnixClient(socketPath: string, codec: Codec): UnixClient {
  const client = new Client(`unix:${socketPath}`, credentials.createInsecure(), {
    'grpc.max_receive_message_length': 16 * 1024 * 1024,
    'grpc.max_send_message_length': 16 * 1024 * 1024,
    'grpc.default_authority': 'localhost',
    'grpc.initial_reconnect_backoff_ms': 200,
    'grpc.min_reconnect_backoff_ms': 200,
    'grpc.max_reconnect_backoff_ms': 3000,
    'grpc.use_local_subchannel_pool': 1,
  });
  const encoder = (type: string) => (value: object) => Buffer.from(codec.encode(type, value));
  const decoder =
    <R>(type: string) =>
    (bytes: Buffer) =>
      codec.decode<R>(type, bytes);
  return {
    call<R>(method: string, [type, value]: [string, object], response: string, options: CallOptions = {}) {
      return new Promise<R>((resolve, reject) => {
        const deadline = performance.timeOrigin + performance.now() + (options.timeoutMs ?? 120_000);
        client.makeUnaryRequest<object, R>(
          `/${method}`,
          encoder(type),
          decoder<R>(response),
          value,
          { deadline },
          (error, result) => {
            if (error) reject(wrap(error));
            else resolve(result as R);
          },
        );
      });
    },
    async *stream<R>(method: string, [type, value]: [string, object], response: string, signal: AbortSignal) {
      const call = client.makeServerStreamRequest<object, R>(`/${method}`, encoder(type), decoder<R>(response), value);
      const cancel = () => call.cancel();
      signal.addEventListener('abort', cancel, { once: true });
      try {
        yield* call as AsyncIterable<R>;
      } catch (e) {
        if (signal.aborted) return;
        throw wrap(e as ServiceError);
      } finally {
        signal.removeEventListener('abort', cancel);
        call.cancel();
      }
    },
    close: () => client.close(),
  };
}
