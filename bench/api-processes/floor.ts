/** The floor: a bare HTTP/2 stream server over TLS that answers fixed bytes, echoes parsed bodies, and writes to watchers. */
import http2, { type ServerHttp2Stream } from 'node:http2';

interface Start {
  cert: string;
  key: string;
}
let answer: Buffer = Buffer.alloc(0);
const watchers = new Set<ServerHttp2Stream>();
const json = { ':status': 200, 'content-type': 'application/json' };

function echo(stream: ServerHttp2Stream): void {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.on('end', () => {
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString());
    const out = Buffer.from(JSON.stringify(value));
    stream.respond({ ...json, 'content-length': out.length });
    stream.end(out);
  });
}

function serve({ cert, key }: Start): void {
  const server = http2.createSecureServer({ cert, key });
  server.on('stream', (opened, headers) => {
    const stream = opened as ServerHttp2Stream;
    stream.on('error', () => {});
    if (headers[':method'] === 'POST' || headers[':method'] === 'PUT') return echo(stream);
    if (headers[':path'] === '/watch') {
      stream.respond(json);
      watchers.add(stream);
      stream.once('close', () => watchers.delete(stream));
      return;
    }
    stream.respond({ ...json, 'content-length': answer.length });
    stream.end(answer);
  });
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    process.send?.({ port: typeof address === 'object' ? address?.port : 0 });
  });
}

process.on('message', (message: { start?: Start; answer?: string; write?: string }) => {
  if (message.start) serve(message.start);
  if (message.answer !== undefined) {
    answer = Buffer.from(message.answer);
    process.send?.({ ok: true });
  }
  if (message.write !== undefined) {
    const frame = Buffer.from(message.write);
    for (const stream of watchers) stream.write(frame);
    process.send?.({ ok: true });
  }
});
process.on('disconnect', () => process.exit(0));
