/** The API server over TLS HTTP/2 from another process, against a bare Node HTTP/2 stream server answering the same bytes. */
import { mkdtempSync, rmSync } from 'node:fs';
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  buildProgram,
  type Child,
  forgetPeak,
  memoryOf,
  peakOf,
  startFloor,
  startServer,
} from './api-processes/children.ts';
import {
  byTurns,
  type Call,
  type Comparison,
  type Endpoint,
  openSession,
  request,
  throughput,
} from './api-processes/load.ts';
import type { BenchResult } from './result.ts';

const path = '/api/v1/namespaces/default/configmaps';
const rounds = 9;
const seconds = 0.5;
const listed = 10_000;

function configMap(name: string, size: number): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, labels: { app: 'bench' } },
    data: { value: 'x'.repeat(size) },
  });
}

interface Setup {
  readonly server: Child;
  readonly floor: Child;
  readonly ours: Endpoint;
  readonly bare: Endpoint;
}

function atLeast(name: string, { ours, floor, ratio }: Comparison, unit: string, target: number): BenchResult {
  return { name, value: ours, unit, floor, ratio, target: `≥ ${target}`, met: ratio >= target };
}
function atMost(name: string, value: number, unit: string, target: number): BenchResult {
  return { name, value, unit, target: `≤ ${target} ${unit}`, met: value <= target };
}

const sessionsTo = (endpoint: Endpoint, count: number) => Array.from({ length: count }, () => openSession(endpoint));
function closeAll(sessions: readonly ClientHttp2Session[]): void {
  for (const session of sessions) session.destroy();
}

async function fill(sessions: readonly ClientHttp2Session[], count: number): Promise<void> {
  let i = 0;
  const worker = async (session: ClientHttp2Session) => {
    while (i < count) {
      const name = `item-${String(i++).padStart(6, '0')}`;
      const { status, body } = await request(session, { method: 'POST', path, body: configMap(name, 600) });
      if (status !== 201) throw new Error(body.toString());
    }
  };
  await Promise.all(Array.from({ length: 64 }, (_, w) => worker(sessions[w % sessions.length] as ClientHttp2Session)));
}

async function compareReads({ server, floor, ours, bare }: Setup): Promise<BenchResult[]> {
  const a = sessionsTo(ours, 4);
  const b = sessionsTo(bare, 4);
  const [mine, theirs] = [a[0] as ClientHttp2Session, b[0] as ClientHttp2Session];
  const get: Call = { method: 'GET', path: `${path}/item-000001` };
  await floor.ask({ answer: (await request(mine, get)).body.toString() });
  const oneObject = await byTurns(
    rounds,
    () => throughput(a, 32, seconds, () => get),
    () => throughput(b, 32, seconds, () => get),
  );
  const list: Call = { method: 'GET', path };
  const answer = (await request(mine, list)).body;
  await floor.ask({ answer: answer.toString() });
  const all = await byTurns(
    rounds,
    () => throughput([mine], 1, seconds, () => list),
    () => throughput([theirs], 1, seconds, () => list),
  );
  const before = memoryOf(server);
  forgetPeak(server);
  await Promise.all(Array.from({ length: 10 }, (_, i) => request(a[i % 4] as ClientHttp2Session, list)));
  const growth = Math.max(0, peakOf(server) - before) / answer.length;
  closeAll([...a, ...b]);
  return [
    atLeast('GET of one object', oneObject, 'requests/s', 0.6),
    atLeast(`LIST of ${listed} objects of 1 KiB`, all, 'lists/s', 0.7),
    atMost('ten LISTs at once: growth of the memory peak in answers', growth, 'answers', 2),
  ];
}

async function compareWrites({ ours, bare }: Setup): Promise<BenchResult[]> {
  const a = sessionsTo(ours, 4);
  const b = sessionsTo(bare, 4);
  let made = 0;
  const create = (): Call => ({ method: 'POST', path, body: configMap(`new-${made++}`, 600) });
  const update = (i: number): Call => {
    const name = `item-${String(i % listed).padStart(6, '0')}`;
    return { method: 'PUT', path: `${path}/${name}`, body: configMap(name, 600 + (made++ % 7)) };
  };
  const both = (call: (i: number) => Call) =>
    byTurns(
      rounds,
      () => throughput(a, 64, seconds, call),
      () => throughput(b, 64, seconds, call),
    );
  const creates = await both(create);
  const updates = await both(update);
  closeAll([...a, ...b]);
  return [
    atLeast('durable CREATE, 64 in flight', creates, 'requests/s', 0.3),
    atLeast('durable UPDATE, 64 in flight', updates, 'requests/s', 0.3),
  ];
}

interface Watchers {
  readonly streams: ClientHttp2Stream[];
  /** Resolves when all watchers together have got so many bytes more. */
  received(bytes: number): Promise<void>;
}

async function openWatchers(sessions: readonly ClientHttp2Session[], count: number, to: string): Promise<Watchers> {
  let total = 0;
  let wanted = Number.POSITIVE_INFINITY;
  let resolve: (() => void) | undefined;
  const streams: ClientHttp2Stream[] = [];
  const opened: Promise<void>[] = [];
  for (let i = 0; i < count; i++) {
    const stream = (sessions[i % sessions.length] as ClientHttp2Session).request({
      ':path': to,
      accept: 'application/json',
    });
    stream.on('error', () => {});
    stream.on('data', (chunk: Buffer) => {
      total += chunk.length;
      if (total >= wanted) resolve?.();
    });
    opened.push(new Promise(done => stream.once('response', () => done())));
    streams.push(stream);
  }
  await Promise.all(opened);
  return {
    streams,
    received(bytes) {
      wanted = total + bytes;
      return new Promise(done => {
        resolve = done;
      });
    },
  };
}

const watcherCount = 1_000;

async function compareWatches({ floor, ours, bare }: Setup): Promise<BenchResult[]> {
  const a = sessionsTo(ours, 10);
  const b = sessionsTo(bare, 10);
  const writer = openSession(ours);
  const rv = JSON.parse((await request(writer, { method: 'GET', path: `${path}?limit=1` })).body.toString()) as {
    metadata: { resourceVersion: string };
  };
  const mine = await openWatchers(a, watcherCount, `${path}?watch=1&resourceVersion=${rv.metadata.resourceVersion}`);
  const theirs = await openWatchers(b, watcherCount, '/watch');
  const first = mine.received(1);
  const sample = (
    await request(writer, { method: 'PUT', path: `${path}/item-000001`, body: configMap('item-000001', 700) })
  ).body;
  await first;
  const frame = `{"type":"MODIFIED","object":${sample.toString().trim()}}\n`;
  const burst = 10;
  let written = 0;
  const perEvent = frame.length * watcherCount * 0.99;
  /** Events per second: written one after the other, a burst at a time, until all watchers have got it. */
  const timed = async (watchers: Watchers, write: (i: number) => Promise<unknown>) => {
    const started = performance.now();
    const before = written;
    while (performance.now() - started < seconds * 1_000) {
      const got = watchers.received(perEvent * burst);
      for (let i = 0; i < burst; i++) await write(written++);
      await got;
    }
    return ((written - before) * watcherCount) / ((performance.now() - started) / 1_000);
  };
  const rate = await byTurns(
    rounds,
    () =>
      timed(mine, i =>
        request(writer, { method: 'PUT', path: `${path}/item-000001`, body: configMap('item-000001', 701 + (i % 2)) }),
      ),
    () => timed(theirs, () => floor.ask({ write: frame })),
  );
  closeAll([...a, ...b, writer]);
  return [atLeast('one writer to 1,000 watchers', rate, 'events/s', 0.5)];
}

/** What a thousand more cost a server that has a thousand, and has done nothing else whose garbage could go meanwhile. */
async function measureIdleWatch(folder: string): Promise<BenchResult> {
  const { child, endpoint } = await startServer(folder);
  const sessions = sessionsTo(endpoint, 10);
  const open = () => openWatchers(sessions, watcherCount, `${path}?watch=1`);
  await open();
  const before = memoryOf(child);
  await open();
  const perWatch = (memoryOf(child) - before) / watcherCount / 1_024;
  closeAll(sessions);
  await child.stop();
  return atMost('memory of an idle watch', perWatch, 'KiB', 20);
}

async function measureStart(folder: string): Promise<BenchResult[]> {
  // Fills the cache of compiled code, which every later start finds.
  await (await startServer(join(folder, 'warm'))).child.stop();
  const firsts: number[] = [];
  const agains: number[] = [];
  let idle = 0;
  for (let i = 0; i < 5; i++) {
    const first = await startServer(join(folder, `data-${i}`));
    firsts.push(first.readyMs);
    await first.child.stop();
    const again = await startServer(join(folder, `data-${i}`));
    agains.push(again.readyMs);
    idle = memoryOf(again.child) / 1e6;
    await again.child.stop();
  }
  const middle = (times: number[]) => (times.sort((x, y) => x - y)[times.length >> 1] ?? 0) / 1_000;
  return [
    atMost('ready the first time', middle(firsts), 's', 0.9),
    atMost('ready on existing data', middle(agains), 's', 0.5),
    atMost('idle memory', idle, 'MB', 120),
  ];
}

async function measureLoaded(folder: string, count: number): Promise<BenchResult> {
  const { child, endpoint } = await startServer(folder);
  const sessions = sessionsTo(endpoint, 4);
  const pods = '/api/v1/namespaces/default/pods';
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } };
  await request(sessions[0] as ClientHttp2Session, {
    method: 'POST',
    path: '/api/v1/namespaces/default/serviceaccounts',
    body: JSON.stringify(account),
  });
  let i = 0;
  const worker = async (session: ClientHttp2Session) => {
    while (i < count) {
      const { status, body } = await request(session, { method: 'POST', path: pods, body: pod(i++) });
      if (status !== 201) throw new Error(body.toString());
    }
  };
  await Promise.all(Array.from({ length: 64 }, (_, w) => worker(sessions[w % 4] as ClientHttp2Session)));
  closeAll(sessions);
  await child.stop();
  const again = await startServer(folder);
  const loaded = memoryOf(again.child) / 1e6;
  await again.child.stop();
  return atMost(`${count} pods loaded`, loaded, 'MB', 600);
}

/** About 2 KiB once it is stored. */
function pod(i: number): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `pod-${i}`, labels: { app: `app-${i % 100}` }, annotations: { note: 'n'.repeat(250) } },
    spec: { automountServiceAccountToken: false, containers: [{ name: 'c', image: 'example.com/c:1' }] },
  });
}

export async function run(): Promise<BenchResult[]> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-api-'));
  const results: BenchResult[] = [];
  const floor = startFloor();
  buildProgram();
  try {
    results.push(...(await measureStart(join(folder, 'start'))));
    const { child: server, endpoint: ours } = await startServer(join(folder, 'main'));
    try {
      const { cert, key } = ours as Required<Endpoint>;
      const bare = await floor.ask<Endpoint>({ start: { cert, key } });
      const setup: Setup = { server, floor, ours, bare };
      const sessions = sessionsTo(ours, 4);
      await fill(sessions, listed);
      closeAll(sessions);
      results.push(...(await compareReads(setup)));
      results.push(...(await compareWatches(setup)));
      results.push(...(await compareWrites(setup)));
    } finally {
      await server.stop();
    }
    results.push(await measureIdleWatch(join(folder, 'watches')));
    results.push(await measureLoaded(join(folder, 'loaded'), 100_000));
  } finally {
    await floor.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  return results;
}
