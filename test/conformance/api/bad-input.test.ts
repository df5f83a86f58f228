/** Hostile clients over TLS, down to raw sockets: each gets a Status or is dropped, and the server lives. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2, { type ClientHttp2Session, type IncomingHttpHeaders } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { after, afterEach, before, describe, it } from 'node:test';
import tls, { type TLSSocket } from 'node:tls';
import { type ApiProcess, freePort, startApiProcess, testFolder } from '../../support/api-process.ts';
import { closed } from '../../support/closed.ts';

interface Answer {
  readonly status: number;
  readonly text: string;
}
const maps = '/api/v1/namespaces/default/configmaps';
const json = 'application/json';
const member = (name: string, rest: string) =>
  `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"${name}"},${rest}}`;

describe('bad input', () => {
  const folder = testFolder('bad-input');
  let server: ApiProcess;
  let session: ClientHttp2Session;

  function credentials() {
    const { certificate, key } = server.pki.clients.admin;
    return { ca: server.pki.ca.certificate, cert: certificate, key };
  }
  function connect(): ClientHttp2Session {
    const made = http2.connect(`https://127.0.0.1:${server.port}`, credentials());
    made.on('error', () => {});
    return made;
  }
  async function raw(): Promise<TLSSocket> {
    const socket = tls.connect({ host: '127.0.0.1', port: server.port, ...credentials(), ALPNProtocols: ['http/1.1'] });
    socket.on('error', () => {});
    await once(socket, 'secureConnect');
    return socket;
  }
  function ask(method: string, path: string, body?: string | Buffer, type = json, over = session): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const headers = { ':method': method, ':path': path, ...(body !== undefined && { 'content-type': type }) };
      const stream = over.request(headers, { endStream: body === undefined });
      let status = 0;
      let text = '';
      stream.on('response', (got: IncomingHttpHeaders) => {
        status = Number(got[':status']);
      });
      stream.on('data', chunk => {
        text += String(chunk);
      });
      stream.on('error', e => (status ? resolve({ status, text }) : reject(e)));
      stream.on('close', () => resolve({ status, text }));
      if (body !== undefined) stream.end(body);
    });
  }
  function refused({ status, text }: Answer, ...expected: number[]): void {
    assert.ok(expected.includes(status), `${status} ${text.slice(0, 300)}`);
    const told = JSON.parse(text) as { kind: string; status: string; code: number; message: string };
    assert.deepEqual([told.kind, told.status, told.code], ['Status', 'Failure', status]);
    assert.ok(told.message.length > 0);
  }

  before(async () => {
    server = await startApiProcess({ folder: folder.path, port: await freePort() });
    session = connect();
    assert.equal((await ask('POST', maps, member('here', '"data":{"a":"1"}'))).status, 201);
  });
  after(async () => {
    session?.destroy();
    await server?.stop();
    folder.remove();
  });
  afterEach(async () => {
    const fresh = connect();
    const { status, text } = await ask('GET', '/readyz', undefined, json, fresh);
    assert.deepEqual([status, text], [200, 'ok']);
    fresh.destroy();
  });

  const bodies: readonly [name: string, body: string | Buffer, type: string, ...statuses: number[]][] = [
    ['over 3 MiB', member('big', `"data":{"a":"${'x'.repeat(4 << 20)}"}`), json, 413],
    ['larger than the store takes', member('big', `"data":{"a":"${'x'.repeat(2 << 20)}"}`), json, 413, 422],
    ['10,000 deep', `{"a":${'['.repeat(10_000)}${']'.repeat(10_000)}}`, json, 400],
    ['10,000 objects deep', `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`, json, 400],
    [
      'invalid UTF-8',
      Buffer.concat([
        Buffer.from('{"kind":"ConfigMap","metadata":{"name":"'),
        Buffer.of(0xff, 0xc0),
        Buffer.from('"}}'),
      ]),
      json,
      400,
    ],
    ['an integer over 2^53', member('int', '"immutable":9007199254740993'), json, 400, 422],
    [
      'random protobuf',
      Buffer.from('k8s\0\xff\xff\xff\xff\xff\x01', 'latin1'),
      'application/vnd.kubernetes.protobuf',
      400,
    ],
    ['YAML bomb', bomb(), 'application/yaml', 400],
    ['an unknown media type', 'x', 'text/plain', 415],
  ];
  for (const [name, body, type, ...statuses] of bodies)
    it(`body: ${name}`, async () => refused(await ask('POST', maps, body, type), ...statuses));

  it('body: repeated keys under strict validation', async () => {
    const twice = member('twice', '"data":{"a":"1","a":"2"}');
    refused(await ask('POST', `${maps}?fieldValidation=Strict`, twice), 400);
  });
  it('__proto__ in bodies and patches pollutes nothing', async () => {
    const made = await ask(
      'POST',
      maps,
      member('proto', '"__proto__":{"data":{"polluted":"yes"}},"data":{"__proto__":"x"}'),
    );
    assert.ok(made.status < 500, made.text);
    const patches: [string, string][] = [
      [
        'application/merge-patch+json',
        '{"__proto__":{"data":{"polluted":"yes"}},"metadata":{"__proto__":{"labels":{"p":"q"}}}}',
      ],
      ['application/strategic-merge-patch+json', '{"data":{"__proto__":"x"},"__proto__":{"data":{"polluted":"yes"}}}'],
      ['application/json-patch+json', '[{"op":"add","path":"/__proto__/data","value":{"polluted":"yes"}}]'],
    ];
    for (const [type, patch] of patches) {
      const got = await ask('PATCH', `${maps}/here?fieldManager=x`, patch, type);
      assert.ok(got.status < 500, `${type}: ${got.text}`);
    }
    const apply = 'apiVersion: v1\nkind: ConfigMap\n__proto__: {data: {polluted: "yes"}}\n';
    const applied = await ask('PATCH', `${maps}/here?fieldManager=x`, apply, 'application/apply-patch+yaml');
    assert.match(applied.text, /\.__proto__: field not declared in schema/);
    const { text } = await ask('GET', `${maps}/here`);
    assert.ok(!('polluted' in ((JSON.parse(text) as { data?: object }).data ?? {})), text);
    const fresh = await ask('POST', maps, member('clean', '"binaryData":{}'));
    assert.ok(!/polluted/.test(fresh.text));
  });
  it('a patch of 10,001 operations', async () => {
    const patch = JSON.stringify(
      Array.from({ length: 10_001 }, () => ({ op: 'test', path: '/kind', value: 'ConfigMap' })),
    );
    refused(await ask('PATCH', `${maps}/here`, patch, 'application/json-patch+json'), 413);
  });
  it('a patch that copies itself larger and larger', async () => {
    const copies = Array.from({ length: 60 }, (_, i) => ({ op: 'copy', from: '/data', path: `/data/k${i}` }));
    refused(await ask('PATCH', `${maps}/here`, JSON.stringify(copies), 'application/json-patch+json'), 400, 413, 422);
  });
  it('bodies that break rules half a million times', async () => {
    const owners = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"o","ownerReferences":[${'{},'.repeat(500_000)}{}]}}`;
    const volumes = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"v"},"spec":{"containers":[],"volumes":[${'{},'.repeat(500_000)}{}]}}`;
    for (const [path, body] of [
      [maps, owners],
      ['/api/v1/namespaces/default/pods', volumes],
    ] as const) {
      const got = await ask('POST', path, body);
      refused(got, 422, 403);
      assert.ok(got.text.length < 8 << 20, String(got.text.length));
    }
  });
  it('patches that make maps of 60,000 entries', async () => {
    const data = Object.fromEntries(Array.from({ length: 60_000 }, (_, i) => [`k${i}`, '']));
    const types = ['merge-patch+json', 'strategic-merge-patch+json', 'apply-patch+yaml'];
    for (const type of types) {
      const patch = JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', data });
      const got = await ask('PATCH', `${maps}/here?fieldManager=x&dryRun=All`, patch, `application/${type}`);
      assert.ok(got.status === 200 || got.status === 413, `${type}: ${got.status} ${got.text.slice(0, 200)}`);
    }
  });
  it('selectors of 100,000 terms', async () => {
    const selector = Array.from({ length: 100_000 }, (_, i) => `k${i}=v`).join(',');
    const over = connect();
    const answer = await ask('GET', `${maps}?labelSelector=${selector}`, undefined, json, over).catch(() => undefined);
    // Headers of that size end the stream or the connection; a body may hold them.
    if (answer?.status) assert.ok(answer.status >= 400, String(answer.status));
    over.destroy();
    const set = `{"apiVersion":"v1","kind":"DeleteOptions","preconditions":{"uid":"${'x'.repeat(1 << 20)}"}}`;
    refused(await ask('DELETE', `${maps}/here`, set), 400, 409, 422);
  });
  it('dots in any segment of a path', async () => {
    const paths = [
      '/api/v1/namespaces/../configmaps',
      '/api/v1/namespaces/default/configmaps/..',
      '/apis/../api/v1/pods',
    ];
    for (const path of [...paths, ...paths.map(p => p.replace('..', '%2e%2e')), `${maps}/%2e`, `${maps}/a%2f..%2fb`]) {
      const got = await ask('GET', path);
      assert.ok(got.status === 400 || got.status === 404, `${path}: ${got.status} ${got.text.slice(0, 200)}`);
      const socket = await raw();
      socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      let text = '';
      for await (const chunk of socket) text += String(chunk);
      assert.match(text, /^HTTP\/1\.1 40[04] /, path);
    }
  });
  it('nonsense instead of HTTP is dropped', async () => {
    const socket = await raw();
    socket.end('\x00\x01nonsense\r\n\r\n');
    socket.resume();
    await closed(socket);
    const plain = connectTcp(server.port, '127.0.0.1');
    plain.on('error', () => {});
    plain.write('GET / HTTP/1.1\r\n\r\n');
    plain.resume();
    await closed(plain);
  });
  it('what is no request gets a Status, and then the connection ends', async () => {
    const both = `Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /version HTTP/1.1\r\nHost: x\r\n\r\n`;
    const cases: [string, number][] = [
      [`POST ${maps} HTTP/1.1\r\nHost: x\r\n${both}`, 400],
      [`POST ${maps} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!`, 400],
      ['GET /version HTTP/1.1\r\nHost : x\r\n\r\n', 400],
      [`GET /version HTTP/1.1\r\nHost: x\r\nA: ${'x'.repeat(70_000)}\r\n\r\n`, 431],
    ];
    for (const [request, status] of cases) {
      const socket = await raw();
      socket.write(request);
      let text = '';
      for await (const chunk of socket) text += String(chunk);
      assert.match(text, new RegExp(`^HTTP/1\\.1 ${status} `));
      assert.equal(text.split('HTTP/1.1 ').length, 2, 'one answer');
      refused({ status, text: text.slice(text.indexOf('\r\n\r\n') + 4) }, status);
    }
  });
  it('half-open and slow connections hold nobody up', async () => {
    const silent = Array.from({ length: 100 }, () => connectTcp(server.port, '127.0.0.1').on('error', () => {}));
    const slow = await Promise.all(Array.from({ length: 20 }, raw));
    for (const socket of slow) socket.write('POST /api/v1/namespaces HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n');
    assert.equal((await ask('GET', `${maps}/here`)).status, 200);
    for (const socket of [...silent, ...slow]) socket.destroy();
  });
  it('a flood of HTTP/2 resets', async () => {
    const flood = connect();
    for (let i = 0; i < 5_000 && !flood.destroyed; i++) {
      const stream = flood.request({ ':path': maps });
      stream.on('error', () => {});
      stream.close(http2.constants.NGHTTP2_CANCEL);
    }
    assert.equal((await ask('GET', `${maps}/here`)).status, 200);
    flood.destroy();
  });
  it('a watcher that never reads', async () => {
    const lazy = http2.connect(`https://127.0.0.1:${server.port}`, {
      ...credentials(),
      settings: { initialWindowSize: 0 },
    });
    lazy.on('error', () => {});
    const stream = lazy.request({ ':path': `${maps}?watch=1` });
    stream.on('error', () => {});
    await once(stream, 'response');
    for (let i = 0; i < 40; i++) {
      const body = member('here', `"data":{"a":"${String(i).padStart(500_000, 'x')}"}`);
      assert.equal((await ask('PUT', `${maps}/here`, body)).status, 200);
    }
    lazy.destroy();
  });
});

/** Nine aliases of nine aliases, nine levels up. */
function bomb(): string {
  let text = 'a: &a ["x","x","x","x","x","x","x","x","x"]\n';
  for (const [from, to] of ['ab', 'bc', 'cd', 'de', 'ef', 'fg', 'gh', 'hi', 'ij'].map(pair => [...pair]))
    text += `${to}: &${to} [${Array(9).fill(`*${from}`).join(',')}]\n`;
  return text;
}
