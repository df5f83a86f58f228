import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type Agent, Agent as HttpsAgent, request } from 'node:https';
import { after, before, test } from 'node:test';
import { WebSocket } from 'ws';
import { systemClock } from '../../../src/base/clock.ts';
import { byteStreamOf } from '../../../src/kubelet/streaming/bytes.ts';
import { webSocketBytes } from '../../../src/kubelet/streaming/port-forward.ts';
import { createSpdyConnection, type SpdyConnection } from '../../../src/kubelet/streaming/spdy.ts';
import { createMessageSocket } from '../../../src/kubelet/streaming/websocket.ts';
import { type ClusterPki, ensureClusterPki, issueNodeCredentials } from '../../../src/pki/index.ts';
import { busyboxImage } from '../../support/images.ts';
import { createLinuxNodeFixture, type LinuxNodeFixture, ready } from '../../support/linux-node.ts';
import { whyNoContainers } from '../../support/node.ts';

const skip = whyNoContainers();
let f: LinuxNodeFixture;
let pki: ClusterPki;
let pkiDir = '';
let agent: Agent;
let base = '';
let tls: { ca: string; cert: string; key: string };

before(async () => {
  if (skip) return;
  pkiDir = await mkdtemp('/tmp/tn-pki-');
  pki = ensureClusterPki(pkiDir, { clock: systemClock, names: [], addresses: [] } as never);
  const { serving } = issueNodeCredentials(pki.ca, { name: 'n1', addresses: ['127.0.0.1'] }, systemClock);
  const server = {
    host: '127.0.0.1',
    port: 0,
    tls: { cert: serving.certificate, key: serving.key, clientCa: pki.ca.certificate },
  };
  f = await createLinuxNodeFixture({ server }, '10.199.3.0/24');
  const api = pki.clients['apiserver-kubelet-client'];
  tls = { ca: pki.ca.certificate, cert: api.certificate, key: api.key };
  agent = new HttpsAgent(tls);
  base = `https://127.0.0.1:${f.node.server?.port}`;
  const script =
    'echo one; sleep 0.1; echo two >&2; sleep 0.1; echo three; trap "exit 0" TERM; while true; do sleep 0.1; done';
  const busybox = (name: string, command: string) => ({ name, image: busyboxImage, command: ['sh', '-c', command] });
  await f.create('p', {
    containers: [
      busybox('app', script),
      busybox('web', `mkdir /w; echo hello > /w/index.html; httpd -f -p 8080 -h /w`),
    ],
  });
  await f.create('crash', { containers: [busybox('app', 'echo run; sleep 0.2; exit 1')] });
  await f.until('p', ready);
  for (let seen = ''; !seen.includes('three'); ) seen = (await get('/containerLogs/default/p/app')).body;
});
after(async () => {
  agent?.destroy();
  await f?.destroy();
  if (pkiDir) await rm(pkiDir, { recursive: true });
});

interface Reply {
  status: number;
  body: string;
}
async function get(path: string, headers: Record<string, string> = {}, by: Agent | false = agent): Promise<Reply> {
  const options = by === false ? { ca: tls.ca, agent: false as const, headers } : { agent: by, headers };
  const req = request(`${base}${path}`, options);
  req.end();
  const [response] = await once(req, 'response');
  let body = '';
  for await (const chunk of response) body += chunk;
  return { status: response.statusCode, body };
}
async function text(readable: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of readable) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

test('only known and allowed callers get an answer', { skip }, async () => {
  assert.deepEqual(await get('/healthz'), { status: 200, body: 'ok' });
  assert.equal((await get('/pods', {}, false)).status, 401);
  assert.equal((await get('/pods', { authorization: 'Bearer bad' }, false)).status, 401);
  assert.equal((await get('/pods', { authorization: 'Bearer good' }, false)).status, 200);
  const scheduler = pki.clients.scheduler;
  const other = new HttpsAgent({ ...tls, cert: scheduler.certificate, key: scheduler.key });
  const refused = await get('/exec/default/p/app?command=id', {}, other);
  other.destroy();
  assert.deepEqual(refused, {
    status: 403,
    body: 'Forbidden (user=system:kube-scheduler, verb=get, resource=nodes, subresource(s)=[proxy])',
  });
  const ws = new WebSocket(
    `${base.replace('https', 'wss')}/exec/default/p/app?command=id&output=1`,
    'v5.channel.k8s.io',
    { ca: tls.ca },
  );
  const [error] = await once(ws, 'error');
  assert.match(String(error), /401/);
});

test('logs: all, tail, timestamps, limit, since, previous, errors', { skip }, async () => {
  const logs = async (query: string) => (await get(`/containerLogs/default/p/app?${query}`)).body;
  assert.deepEqual((await logs('')).trim().split('\n'), ['one', 'two', 'three']);
  assert.equal(await logs('tailLines=1'), 'three\n');
  assert.equal(await logs('tailLines=0'), '');
  assert.equal(await logs('stream=stderr'), 'two\n');
  assert.match(await logs('tailLines=1&timestamps=true'), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+\S+ three\n$/);
  assert.equal(await logs('limitBytes=2&tailLines=1'), 'th');
  assert.equal(await logs(`sinceTime=${new Date(systemClock.now() + 60_000).toISOString()}`), '');
  assert.deepEqual(await get('/containerLogs/default/none/app'), { status: 404, body: 'pod "none" does not exist' });
  assert.equal((await get('/containerLogs/default/p/none')).body, 'container none is not valid for pod p');
  assert.equal(
    (await get('/containerLogs/default/p/app?previous=true')).body,
    'previous terminated container "app" in pod "p" not found',
  );
  await f.until('crash', p => (p.status?.containerStatuses?.[0]?.restartCount ?? 0) >= 1);
  assert.equal((await get('/containerLogs/default/crash/app?previous=true')).body, 'run\n');
});

test('logs -f gives lines as they come, and ends with the container', { skip }, async () => {
  const script = 'until test -e /tmp/go; do sleep 0.05; done; echo second; exit 0';
  await f.create('follow', {
    restartPolicy: 'Never',
    containers: [{ name: 'app', image: busyboxImage, command: ['sh', '-c', `echo first; ${script}`] }],
  });
  await f.until('follow', ready);
  const req = request(`${base}/containerLogs/default/follow/app?follow=true`, { agent });
  req.end();
  const [response] = await once(req, 'response');
  const chunks = response[Symbol.asyncIterator]();
  assert.equal(String((await chunks.next()).value), 'first\n');
  await f.exec('follow', 'touch', '/tmp/go');
  assert.equal(String((await chunks.next()).value), 'second\n');
  assert.equal((await chunks.next()).done, true);
});

interface Session {
  output: Record<number, string>;
  send(channel: number, text: string | Uint8Array): void;
  closed: Promise<unknown>;
  protocol: string;
}
async function openWs(path: string, protocol: string): Promise<Session> {
  const ws = new WebSocket(`${base.replace('https', 'wss')}${path}`, protocol, tls);
  const output: Record<number, string> = {};
  ws.on('message', (data: Buffer) => {
    const channel = data[0] ?? 0;
    output[channel] = (output[channel] ?? '') + data.subarray(1).toString();
  });
  const closed = once(ws, 'close');
  await once(ws, 'open');
  const send = (channel: number, payload: string | Uint8Array) =>
    ws.send(Buffer.concat([Buffer.from([channel]), Buffer.from(payload)]));
  return { output, send, closed, protocol: ws.protocol };
}
const command = (...words: string[]) => words.map(w => `command=${encodeURIComponent(w)}`).join('&');

test('exec over WebSocket v5: input, half-close, output, errors and exit code', { skip }, async () => {
  const path = `/exec/default/p/app?${command('sh', '-c', 'cat; echo err >&2; exit 7')}&input=1&output=1&error=1`;
  const s = await openWs(path, 'v5.channel.k8s.io');
  assert.equal(s.protocol, 'v5.channel.k8s.io');
  s.send(0, 'in');
  s.send(255, Uint8Array.of(0));
  await s.closed;
  assert.equal(s.output[1], 'in');
  assert.equal(s.output[2], 'err\n');
  const status = JSON.parse(s.output[3] ?? '');
  assert.equal(status.reason, 'NonZeroExitCode');
  assert.deepEqual(status.details.causes, [{ reason: 'ExitCode', message: '7' }]);
});

test('exec over WebSocket v4 with a terminal that is resized', { skip }, async () => {
  const wait = 'until stty size | grep -q 77; do :; done; stty size';
  const s = await openWs(
    `/exec/default/p/app?${command('sh', '-c', wait)}&input=1&output=1&tty=1`,
    'v4.channel.k8s.io',
  );
  s.send(4, JSON.stringify({ Width: 77, Height: 22 }));
  await s.closed;
  assert.match(s.output[1] ?? '', /22 77/);
  assert.deepEqual(JSON.parse(s.output[3] ?? ''), { metadata: {}, status: 'Success' });
});

async function openSpdy(path: string, protocol: string): Promise<SpdyConnection> {
  const headers = { connection: 'Upgrade', upgrade: 'SPDY/3.1', 'x-stream-protocol-version': protocol };
  const req = request(`${base}${path}`, { ...tls, agent: false, method: 'POST', headers });
  req.end();
  const [response, socket, head] = await once(req, 'upgrade');
  assert.equal(response.headers['x-stream-protocol-version'], protocol);
  return createSpdyConnection(byteStreamOf(socket, head), { role: 'client' });
}

test('exec over SPDY/3.1', { skip }, async () => {
  const path = `/exec/default/p/app?${command('sh', '-c', 'cat; exit 3')}&input=1&output=1&error=1`;
  const c = await openSpdy(path, 'v4.channel.k8s.io');
  const error = await c.open({ streamtype: 'error' });
  const stdin = await c.open({ streamtype: 'stdin' });
  const stdout = await c.open({ streamtype: 'stdout' });
  await c.open({ streamtype: 'stderr' });
  const large = 'x'.repeat(200_000);
  await stdin.write(Buffer.from(large));
  stdin.end();
  assert.equal(await text(stdout.readable), large);
  assert.match(await text(error.readable), /"ExitCode","message":"3"/);
  await c.closed;
});

test('attach sees what the process prints', { skip }, async () => {
  const ps = 'while true; do echo tick; sleep 0.05; done';
  await f.create('talk', { containers: [{ name: 'app', image: busyboxImage, command: ['sh', '-c', ps] }] });
  await f.until('talk', ready);
  const ws = new WebSocket(
    `${base.replace('https', 'wss')}/attach/default/talk/app?output=1`,
    'v5.channel.k8s.io',
    tls,
  );
  const [data] = await once(ws, 'message');
  assert.equal((data as Buffer)[0], 1);
  assert.match((data as Buffer).toString(), /tick/);
  ws.close();
  await once(ws, 'close');
});

async function fetchThrough(c: SpdyConnection, port: number, requestid: string): Promise<[string, string]> {
  const error = await c.open({ streamtype: 'error', port: String(port), requestid });
  error.end();
  const data = await c.open({ streamtype: 'data', port: String(port), requestid });
  await data.write(Buffer.from('GET / HTTP/1.0\r\n\r\n')).catch(() => undefined);
  return Promise.all([text(data.readable), text(error.readable)]);
}

test('port-forward over SPDY/3.1, and tunnelled in a WebSocket', { skip }, async () => {
  const bare = await openSpdy('/portForward/default/p', 'portforward.k8s.io');
  assert.match((await fetchThrough(bare, 8080, '0'))[0], /hello/);
  assert.match((await fetchThrough(bare, 8080, '1'))[0], /hello/);
  assert.match((await fetchThrough(bare, 9, '2'))[1], /error forwarding port 9 to pod p_default/);
  bare.close();
  const protocol = 'SPDY/3.1+portforward.k8s.io';
  const headers = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'sec-websocket-protocol': protocol,
  };
  const req = request(`${base}/portForward/default/p`, { ...tls, agent: false, headers });
  req.end();
  const [response, socket, head] = await once(req, 'upgrade');
  assert.equal(response.headers['sec-websocket-protocol'], protocol);
  assert.equal(response.headers['sec-websocket-accept'], 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
  const messages = createMessageSocket(byteStreamOf(socket, head), protocol, () => Uint8Array.of(1, 2, 3, 4));
  const tunnel = createSpdyConnection(webSocketBytes(messages), { role: 'client' });
  assert.match((await fetchThrough(tunnel, 8080, '0'))[0], /hello/);
  tunnel.close();
  await messages.closed;
});

test('each path asks for its own subresource, then for proxy', { skip }, async () => {
  const { subresourcesOf } = await import('../../../src/kubelet/server/auth.ts');
  const asked = (path: string) => subresourcesOf(path).join(' ');
  assert.deepEqual(
    [
      '/metrics/cadvisor',
      '/stats/summary',
      '/logs/x',
      '/healthz/ping',
      '/pods',
      '/runningpods/',
      '/configz',
      '/exec/a/b/c',
    ].map(asked),
    ['metrics', 'stats', 'log', 'healthz proxy', 'pods proxy', 'pods proxy', 'configz proxy', 'proxy'],
  );
});

test('pods, running pods, configuration and log files', { skip }, async () => {
  const names = async (path: string) =>
    JSON.parse((await get(path)).body).items.map((p: { metadata: { name: string } }) => p.metadata.name);
  assert.ok((await names('/pods')).includes('crash'));
  assert.ok((await names('/runningpods/')).includes('p'));
  assert.equal(JSON.parse((await get('/configz')).body).kubeletconfig.maxPods, 110);
  const folder = /href="(default_p_[^"]+)"/.exec((await get('/logs/')).body)?.[1];
  assert.match((await get(`/logs/${folder}app/0.log`)).body, /stdout F one\n/);
  assert.equal((await get('/logs/%2e%2e/%2e%2e/etc/passwd')).status, 404);
});

test('stats, metrics and run', { skip }, async () => {
  const summary = JSON.parse((await get('/stats/summary')).body);
  const pod = summary.pods.find((p: { podRef: { name: string } }) => p.podRef.name === 'p');
  assert.deepEqual(pod.containers.map((c: { name: string }) => c.name).sort(), ['app', 'web']);
  assert.ok(pod.memory.workingSetBytes > 0 && pod.cpu.usageCoreNanoSeconds > 0);
  assert.ok(summary.node.memory.availableBytes > 0);
  assert.match(
    (await get('/metrics/resource')).body,
    /^pod_memory_working_set_bytes\{namespace="default",pod="p"\} \d+$/m,
  );
  const cadvisor = (await get('/metrics/cadvisor')).body;
  for (const name of [
    'cpu_usage_seconds_total',
    'memory_working_set_bytes',
    'memory_rss',
    'fs_usage_bytes',
    'start_time_seconds',
  ])
    assert.match(
      cadvisor,
      new RegExp(`^container_${name}\\{container="app",namespace="default",pod="p"\\} [0-9.]+$`, 'm'),
    );
  const own = (await get('/metrics')).body;
  const counted = [
    'node_name\\{node="n1"\\}',
    'running_pods',
    'running_containers\\{container_state="running"\\}',
    'desired_pods\\{static=""\\}',
    'started_containers_total\\{container_type="container"\\}',
    'pod_start_duration_seconds_count',
    'pod_worker_duration_seconds_count\\{operation_type="sync"\\}',
    'runtime_operations_total\\{operation_type="create_container"\\}',
    'run_podsandbox_duration_seconds_count\\{runtime_handler=""\\}',
    'pleg_relist_duration_seconds_count',
    'http_requests_total\\{[^}]*path="stats"[^}]*\\}',
  ];
  for (const name of counted) assert.match(own, new RegExp(`^kubelet_${name} [1-9][0-9.]*$`, 'm'));
  assert.equal((await get('/metrics/probes')).status, 200);
  assert.ok(
    pod['ephemeral-storage'].usedBytes > 0 &&
      pod.containers[0].logs.usedBytes > 0 &&
      pod.process_stats.process_count >= 2,
  );
  assert.ok(summary.node.rlimit.curproc > 0 && summary.node.runtime.imageFs.capacityBytes > 0);
  assert.equal((await get('/run/default/p/app?cmd=hostname')).body, 'p\n');
});
