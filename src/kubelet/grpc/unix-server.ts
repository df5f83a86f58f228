/** A small gRPC server for unary calls on a unix socket: what plugins of the node call. */
import { rm } from 'node:fs/promises';
import { createServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { messageOf } from '../../base/errors.ts';
import type { Codec } from './codec.ts';
import { GrpcError } from './unix-client.ts';

export interface Method {
  request: string;
  response: string;
  /** A `GrpcError` gives its own code; anything else is UNKNOWN. */
  handle(request: never): Promise<object>;
}
export interface UnixServer {
  /** Ends all connections and removes the socket. */
  close(): Promise<void>;
}

const unknown = 2;
const unimplemented = 12;
const largest = 4 * 2 ** 20;

/** `methods` by `package.Service/Method`. A socket that is there already is replaced. */
export async function serveUnix(
  path: string,
  codec: Codec,
  methods: Readonly<Record<string, Method>>,
): Promise<UnixServer> {
  const sessions = new Set<ServerHttp2Session>();
  const server = createServer();
  server.on('session', session => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
    session.on('error', () => session.destroy());
  });
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    stream.on('error', () => undefined);
    const name = String(headers[':path'] ?? '').slice(1);
    const method = Object.hasOwn(methods, name) ? methods[name] : undefined;
    void answer(stream, codec, method);
  });
  await rm(path, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  return {
    async close() {
      for (const session of sessions) session.destroy();
      await new Promise<void>(resolve => server.close(() => resolve()));
      await rm(path, { force: true });
    },
  };
}

async function answer(stream: ServerHttp2Stream, codec: Codec, method: Method | undefined): Promise<void> {
  let status: [code: number, message: string] = [0, ''];
  let reply: Uint8Array | undefined;
  try {
    if (!method) throw new GrpcError(unimplemented, 'unknown method');
    const message = await readMessage(stream);
    reply = codec.encode(method.response, await method.handle(codec.decode<never>(method.request, message)));
  } catch (e) {
    status = e instanceof GrpcError ? [e.code, e.details] : [unknown, messageOf(e)];
  }
  if (stream.destroyed) return;
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => {
    stream.sendTrailers({
      'grpc-status': String(status[0]),
      ...(status[1] && { 'grpc-message': encodeURI(status[1]) }),
    });
  });
  if (!reply) return void stream.end();
  const head = Buffer.alloc(5);
  head.writeUInt32BE(reply.length, 1);
  stream.end(Buffer.concat([head, reply]));
}

async function readMessage(stream: ServerHttp2Stream): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += (chunk as Buffer).length;
    if (size > largest) throw new Error('the message is too large');
    chunks.push(chunk as Buffer);
  }
  const all = Buffer.concat(chunks);
  if (all.length < 5 || all.length < 5 + all.readUInt32BE(1)) throw new Error('the message is cut short');
  return all.subarray(5, 5 + all.readUInt32BE(1));
}
