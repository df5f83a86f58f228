import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import http2 from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import tls from 'node:tls';
import { closed } from '../../../test/support/closed.ts';
import type { ApiRequest, Handler } from '../../api/transport.ts';
import { systemClock } from '../../base/clock.ts';
import { type ClusterPki, ensureClusterPki } from '../../pki/index.ts';
import type { HttpLimits } from './limits.ts';
import { type HttpServer, listen } from './server.ts';

const encoder = new TextEncoder();

describe('the HTTP adapter', () => {
  let folder: string;
  let pki: ClusterPki;
  let server: HttpServer;
  let seen: ApiRequest[] = [];
  let ended = 0;
  let onEnded: (() => void) | undefined;

  /** Echoes the body; /endless never stops; /upgrade takes the connection over. */
  const handle: Handler = async request => {
    seen.push(request);
    if (request.path === '/endless') {
      return { status: 200, headers: {}, body: endless() };
    }
    if (request.path === '/upgrade' && request.upgrade) {
      const stream = await request.upgrade(101, { upgrade: 'echo', connection: 'Upgrade' });
      for await (const chunk of stream.readable) await stream.write(chunk);
      stream.end();
      return { status: 101, headers: {} };
    }
    const body = request.body ?? encoder.encode(request.peer.certificate?.commonName ?? 'nobody');
    return { status: 200, headers: { 'content-type': 'text/plain' }, body };
  };
  async function* endless(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) yield new Uint8Array(64 << 10);
    } finally {
      ended += 1;
      onEnded?.();
    }
  }
  const nextEnd = () =>
    new Promise<void>(resolve => {
      onEnded = resolve;
    });

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'http-test-'));
    pki = ensureClusterPki(folder, { clock: systemClock, addresses: ['127.0.0.1'] });
    server = await start({ body: 1_000, handshakeMs: 300, bodyMs: 300 });
  });
  after(async () => {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  function start(limits: Partial<HttpLimits>): Promise<HttpServer> {
    const files = { cert: pki.apiserver.certificate, key: pki.apiserver.key, clientCa: pki.ca.certificate };
    const tls = { ...files, frontProxyCa: pki.frontProxyCa.certificate };
    return listen({ handle, tls, host: '127.0.0.1', port: 0, limits });
  }
  function session(credentials: { certificate: string; key: string } | undefined = undefined, { port } = server) {
    const options = credentials ? { cert: credentials.certificate, key: credentials.key } : {};
    const made = http2.connect(`https://127.0.0.1:${port}`, { ca: pki.ca.certificate, ...options });
    made.on('error', () => {});
    return made;
  }
  function overHttp1(): tls.TLSSocket {
    const ca = pki.ca.certificate;
    const socket = tls.connect({ port: server.port, host: '127.0.0.1', ca, ALPNProtocols: ['http/1.1'] });
    socket.on('error', () => {});
    return socket;
  }
  async function ask(from: http2.ClientHttp2Session, body?: Uint8Array): Promise<{ status: number; text: string }> {
    const stream = from.request(
      { ':path': '/x?a=b', ':method': body ? 'POST' : 'GET' },
      { endStream: body === undefined },
    );
    stream.on('error', () => {});
    if (body) stream.end(body);
    const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
    let text = '';
    for await (const chunk of stream) text += String(chunk);
    return { status: Number(headers[':status']), text };
  }

  it('tells who the peer proved to be, and nothing else', async () => {
    const cases = [
      [pki.clients.admin, 'kubernetes-admin', 'client'],
      [pki.frontProxyClient, 'front-proxy-client', 'front-proxy'],
      [undefined, 'nobody', undefined],
    ] as const;
    for (const [credentials, name, authority] of cases) {
      const from = session(credentials);
      seen = [];
      assert.equal((await ask(from)).text, name);
      assert.equal(seen[0]?.peer.certificate?.authority, authority);
      assert.equal(seen[0]?.query.get('a'), 'b');
      from.destroy();
    }
  });
  it('refuses bodies over the limit with a Status', async () => {
    const from = session();
    const { status, text } = await ask(from, new Uint8Array(1_001));
    assert.equal(status, 413);
    const { reason, message } = JSON.parse(text);
    assert.equal(reason, 'RequestEntityTooLarge');
    assert.match(message, /^Request entity too large: limit is \d+$/);
    assert.equal((await ask(from, encoder.encode('ok'))).text, 'ok');
    from.destroy();
  });
  it('drops a request whose body does not come', async () => {
    const from = session();
    const stream = from.request({ ':path': '/slow', ':method': 'POST' });
    stream.on('error', () => {});
    stream.write('x');
    await closed(stream);
    assert.equal((await ask(from)).status, 200);
    from.destroy();
  });
  it('drops the oldest of unfinished bodies that are too much together', async t => {
    const narrow = await start({ openBodies: 2_000 });
    t.after(() => narrow.close());
    const from = session(undefined, narrow);
    const streams = [];
    for (let i = 0; i < 3; i++) {
      const stream = from.request({ ':path': '/x', ':method': 'POST' });
      stream.on('error', () => {});
      streams.push(stream);
      stream.write(new Uint8Array(900));
    }
    const [oldest, ...others] = streams;
    assert.ok(oldest);
    await closed(oldest);
    for (const stream of others) {
      stream.end('x');
      const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
      assert.equal(headers[':status'], 200);
    }
    from.destroy();
  });
  it('drops connections that say nothing', async () => {
    const plain = connectTcp(server.port, '127.0.0.1');
    plain.on('error', () => {});
    const secured = tls.connect({
      port: server.port,
      host: '127.0.0.1',
      ca: pki.ca.certificate,
      ALPNProtocols: ['h2'],
    });
    secured.on('error', () => {});
    const half = overHttp1();
    half.write('GET /x HTTP/1.1\r\nhost: x\r\nx-never: ');
    const all = [plain, secured, half];
    for (const socket of all) socket.resume();
    await Promise.all(all.map(socket => closed(socket)));
  });
  it('stops producing for a reader who does not read, and lets go when he goes', async () => {
    const from = session();
    const stream = from.request({ ':path': '/endless' });
    stream.on('error', () => {});
    await once(stream, 'response');
    const gone = nextEnd();
    const before = ended;
    stream.close(http2.constants.NGHTTP2_CANCEL);
    await gone;
    assert.equal(ended, before + 1);
    assert.ok(seen.at(-1)?.signal.aborted);
    from.destroy();
  });
  it('survives a flood of resets', async () => {
    const from = session();
    for (let i = 0; i < 3_000 && !from.destroyed; i++) {
      const stream = from.request({ ':path': '/endless' });
      stream.on('error', () => {});
      stream.close(http2.constants.NGHTTP2_CANCEL);
    }
    from.destroy();
    const other = session();
    assert.equal((await ask(other)).status, 200);
    other.destroy();
  });
  it('says nothing about nonsense in the midst of an answer', async () => {
    const socket = overHttp1();
    let text = '';
    socket.on('data', chunk => {
      text += String(chunk).replaceAll('\0', '');
    });
    socket.write('GET /endless HTTP/1.1\r\nhost: x\r\n\r\n');
    while (!text.includes('200 OK')) await once(socket, 'data');
    const gone = nextEnd();
    socket.write('this is no request\r\n\r\n');
    await closed(socket);
    await gone;
    assert.equal(text.split('HTTP/1.1').length, 2, text.slice(0, 2_000));
  });
  it('answers nonsense that comes instead of a request', async () => {
    const socket = overHttp1();
    socket.write('this is no request\r\n\r\n');
    assert.match(String((await once(socket, 'data'))[0]), /^HTTP\/1\.1 400 /);
    await closed(socket);
  });
  it('speaks HTTP/1.1, and hands connections over', async () => {
    const socket = overHttp1();
    await once(socket, 'secureConnect');
    socket.write('POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello');
    const read = async (until: RegExp): Promise<string> => {
      let text = '';
      while (!until.test(text)) text += String((await once(socket, 'data'))[0]);
      return text;
    };
    assert.match(await read(/hello/), /^HTTP\/1\.1 200 OK\r\n/);
    socket.write('GET /upgrade HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: echo\r\n\r\n');
    assert.match(await read(/\r\n\r\n/), /^HTTP\/1\.1 101 Switching Protocols\r\n/);
    socket.write('both ways');
    assert.equal(await read(/both ways/), 'both ways');
    socket.destroy();
  });
});
