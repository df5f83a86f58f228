import type { ApiResponse, ByteStream, Handler, Transport, UserInfo } from '../api/transport.ts';
import { settle } from '../base/awaitable.ts';

/**
 * Calls a handler of this process as if over the wire: only bytes cross. With `user` the caller needs no credentials
 * (a loopback client); without, the handler sees an anonymous peer and looks at the headers.
 */
export function inProcessTransport(handler: Handler, user?: UserInfo): Transport {
  const closing = new AbortController();
  return {
    request(request) {
      return new Promise<ApiResponse>((resolve, reject) => {
        const peer = request.peer ?? (user ? { user } : {});
        const wantsUpgrade = request.headers['upgrade'] !== undefined;
        // Only what lasts has to hear of the transport's end; combining signals costs more than a small request.
        const lasts = wantsUpgrade || request.query.has('watch') || request.query.has('follow');
        const signal = lasts ? AbortSignal.any([request.signal, closing.signal]) : request.signal;
        const upgrade = async (status: number, headers: Record<string, string>): Promise<ByteStream> => {
          const [client, server] = streamPair();
          resolve({ status, headers, stream: client });
          return server;
        };
        // An upgrade may have given the answer before the handler returns.
        settle(() => handler({ ...request, peer, signal, ...(wantsUpgrade && { upgrade }) }), resolve, reject);
      });
    },
    async close() {
      closing.abort(new Error('transport closed'));
    },
  };
}

/** Two connected byte streams: what one writes, the other reads. A write resolves when it fits the peer's window. */
export function streamPair(): [ByteStream, ByteStream] {
  const toServer = pipe();
  const toClient = pipe();
  const side = (input: Pipe, output: Pipe): ByteStream => ({
    readable: input.readable,
    write: chunk => output.write(chunk),
    end: () => output.end(),
    destroy(error) {
      output.destroy(error);
      input.destroy(error);
    },
  });
  return [side(toClient, toServer), side(toServer, toClient)];
}

interface Pipe {
  readable: AsyncIterable<Uint8Array>;
  write(chunk: Uint8Array): Promise<void>;
  end(): void;
  destroy(error?: Error): void;
}

/** Bytes on their way before a writer has to wait, as a socket's buffers would hold them. */
const windowBytes = 256 * 1024;

function pipe(): Pipe {
  let buffered = 0;
  const waiting: { chunk: Uint8Array; taken: () => void; failed: (e: Error) => void }[] = [];
  let wake: (() => void) | undefined;
  let ended = false;
  let failure: Error | undefined;
  const signalReader = () => {
    wake?.();
    wake = undefined;
  };
  async function* read(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const next = waiting.shift();
      if (next) {
        buffered -= next.chunk.length;
        next.taken();
        yield next.chunk;
        continue;
      }
      if (failure) throw failure;
      if (ended) return;
      await new Promise<void>(resolve => {
        wake = resolve;
      });
    }
  }
  return {
    readable: read(),
    write(chunk) {
      if (failure || ended) return Promise.reject(failure ?? new Error('write after end'));
      return new Promise((taken, failed) => {
        waiting.push({ chunk, taken, failed });
        buffered += chunk.length;
        if (buffered <= windowBytes) taken();
        signalReader();
      });
    },
    end() {
      ended = true;
      signalReader();
    },
    destroy(error = new Error('connection destroyed')) {
      if (failure || (ended && waiting.length === 0)) return;
      failure = error;
      for (const { failed } of waiting.splice(0)) failed(error);
      signalReader();
    },
  };
}
