import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createAuthority, issueCertificate } from '../../pki/index.ts';
import { createClient } from '../client.ts';
import { clientFromKubeconfig, http2Transport, loadKubeconfig, resolveContext } from './index.ts';

const year = 365 * 24 * 3600 * 1000;
const validity = { notBefore: Date.now() - 1000, notAfter: Date.now() + year };
const authority = createAuthority({ commonName: 'test-ca', ...validity });
const serving = issueCertificate(authority, {
  commonName: 'localhost',
  usages: ['server auth'],
  dnsNames: ['localhost'],
  addresses: ['127.0.0.1'],
  ...validity,
});
const sessions = new Set<http2.ServerHttp2Session>();
const folder = mkdtempSync(join(tmpdir(), 'kubeconfig-'));
let server: http2.Http2SecureServer;
let url = '';
let lastAuthorization: string | undefined;

before(async () => {
  server = http2.createSecureServer({ cert: serving.certificate, key: serving.key, allowHTTP1: true });
  server.on('session', session => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
    session.on('error', () => undefined);
  });
  server.on('request', (request, response) => {
    lastAuthorization = request.headers['authorization'];
    if (lastAuthorization === 'Bearer stale') {
      response.statusCode = 401;
      return response.end('no');
    }
    if (request.url?.includes('watch=true')) {
      const event = (n: number) => JSON.stringify({ type: 'ADDED', object: { metadata: { name: `n${n}é` } } });
      // Cut in the middle of a line and of a character.
      const bytes = Buffer.from(`${event(1)}\n${event(2)}\n`);
      const cut = bytes.indexOf(0xc3) + 1;
      response.write(bytes.subarray(0, cut));
      setImmediate(() => response.end(bytes.subarray(cut)));
      return undefined;
    }
    return response.end(JSON.stringify({ metadata: { name: request.url }, items: [] }));
  });
  server.on('upgrade', (_request, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
    socket.pipe(socket);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(() => {
  for (const session of sessions) session.destroy();
  server.close();
  rmSync(folder, { recursive: true });
});

test('many requests share a connection, and a new one is made when it broke', async () => {
  const transport = http2Transport({ server: url, ca: authority.certificate, token: 't' });
  const client = createClient(transport);
  const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => client.pods('a').get(`p${i}`)));
  assert.equal(answers[7]?.metadata.name, '/api/v1/namespaces/a/pods/p7');
  assert.equal(sessions.size, 1);
  assert.equal(lastAuthorization, 'Bearer t');
  for (const session of sessions) session.destroy();
  let ok = false;
  for (let i = 0; i < 5 && !ok; i++)
    ok = await client
      .pods('a')
      .get('again')
      .then(
        () => true,
        () => false,
      );
  assert.ok(ok);
  await transport.close();
});

test('a watch is decoded across chunk borders', async () => {
  const transport = http2Transport({ server: url, ca: authority.certificate });
  const names: string[] = [];
  for await (const event of createClient(transport).pods().watch()) names.push(event.object.metadata.name);
  assert.deepEqual(names, ['n1é', 'n2é']);
  await transport.close();
});

test('an aborted watch ends with the reason', async () => {
  const transport = http2Transport({ server: url, ca: authority.certificate });
  const abort = new AbortController();
  abort.abort(new Error('enough'));
  await assert.rejects(createClient(transport).pods().get('x', { signal: abort.signal }), /enough/);
  await transport.close();
});

test('an unknown authority is refused', async () => {
  const transport = http2Transport({ server: url });
  await assert.rejects(createClient(transport).pods().list());
  await transport.close();
});

test('an upgrade gives the raw connection', async () => {
  const transport = http2Transport({ server: url, ca: authority.certificate });
  const { status, stream } = await transport.request({
    method: 'GET',
    path: '/x',
    query: new URLSearchParams(),
    headers: { upgrade: 'echo', connection: 'Upgrade' },
    signal: new AbortController().signal,
  });
  assert.equal(status, 101);
  assert.ok(stream);
  await stream.write(new TextEncoder().encode('hello'));
  for await (const chunk of stream.readable) {
    assert.equal(new TextDecoder().decode(chunk), 'hello');
    break;
  }
  stream.destroy();
  await transport.close();
});

test('kubeconfigs merge, and an exec plugin is run again after 401', async () => {
  const counter = join(folder, 'count');
  const plugin = join(folder, 'plugin.sh');
  const credential = (token: string) =>
    JSON.stringify({ kind: 'ExecCredential', apiVersion: 'client.authentication.k8s.io/v1', status: { token } });
  writeFileSync(
    plugin,
    `if [ -e ${counter} ]; then echo '${credential('fresh')}'; else touch ${counter}; echo '${credential('stale')}'; fi\n`,
  );
  writeFileSync(join(folder, 'ca.crt'), authority.certificate);
  const cluster = { name: 'c', cluster: { server: url, 'certificate-authority': 'ca.crt' } };
  const user = {
    name: 'u',
    user: { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: 'sh', args: [plugin] } },
  };
  const context = { name: 'one', context: { cluster: 'c', user: 'u', namespace: 'team' } };
  const first = join(folder, 'first');
  const second = join(folder, 'second');
  writeFileSync(first, JSON.stringify({ clusters: [cluster], contexts: [context], 'current-context': 'one' }));
  writeFileSync(
    second,
    JSON.stringify({
      clusters: [{ name: 'c', cluster: { server: 'https://ignored' } }],
      users: [user],
      'current-context': 'two',
    }),
  );
  const config = loadKubeconfig([first, join(folder, 'missing'), second]);
  assert.equal(resolveContext(config).namespace, 'team');
  assert.throws(() => resolveContext(config, 'two'), /context "two" does not exist/);
  const client = clientFromKubeconfig(config);
  await client.pods('a').get('x');
  assert.equal(lastAuthorization, 'Bearer fresh');
  await client.transport.close();
});

test('connections go through the proxy that is asked for', async () => {
  const asked: string[] = [];
  const proxy = http.createServer().on('connect', (request, socket) => {
    asked.push(`${request.url} ${request.headers['proxy-authorization']}`);
    const [host = '', port = ''] = (request.url ?? '').split(':');
    const onward = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
    for (const end of [onward, socket]) end.on('error', () => undefined);
  });
  await new Promise<void>(resolve => proxy.listen(0, '127.0.0.1', resolve));
  const { port } = proxy.address() as AddressInfo;
  const transport = http2Transport({
    server: url,
    ca: authority.certificate,
    proxy: `http://me:pass@127.0.0.1:${port}`,
  });
  try {
    const pod = await createClient(transport).pods('n').get('p');
    assert.equal(pod.metadata.name, '/api/v1/namespaces/n/pods/p');
    assert.deepEqual(asked, [`${new URL(url).host} Basic ${btoa('me:pass')}`]);
  } finally {
    await transport.close();
    proxy.closeAllConnections();
    await new Promise(closed => proxy.close(closed));
  }
});
