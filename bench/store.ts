/** The embedded store against bare SQLite and against a real etcd member, all on the same disk in the same run. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { systemClock } from '../src/base/clock.ts';
import { silentLogger } from '../src/base/log.ts';
import { createMetrics, type Metrics } from '../src/base/metrics.ts';
import { prefixRange, type Store } from '../src/store/contract.ts';
import { openState } from '../src/store/embedded/file.ts';
import { type EmbeddedStore, openEmbeddedStore } from '../src/store/embedded/index.ts';
import { connectEtcdStore } from '../src/store/etcd/index.ts';
import { etcdMissing, startEtcd } from '../test/conformance/store/etcd-cluster.ts';
import type { BenchResult } from './result.ts';

const inFlight = 64;
const roundMs = 2000;
const rounds = 3;
const value = new Uint8Array(1024).fill(0x78);
const keyOf = (i: number) => `/registry/pods/default/pod-${String(i % 10_000).padStart(6, '0')}`;
const median = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? 0;
const target = (text: string, met: boolean) => ({ target: text, met });

async function inDirectory<T>(body: (directory: string) => Promise<T> | T): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'tsukube-bench-'));
  try {
    return await body(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const open = (directory: string, metrics: Metrics = createMetrics()) =>
  openEmbeddedStore({ directory, clock: systemClock, log: silentLogger, metrics });

async function withStore<T>(body: (store: EmbeddedStore, metrics: Metrics) => Promise<T>): Promise<T> {
  return inDirectory(async directory => {
    const metrics = createMetrics();
    const store = await open(join(directory, 'store'), metrics);
    try {
      return await body(store, metrics);
    } finally {
      await store.close();
    }
  });
}

/** Writes with `inFlight` clients, each waiting for its answer, and gives answered writes per second. */
async function putsPerSecond(store: Store, ms: number): Promise<number> {
  let done = 0;
  const start = performance.now();
  const client = async () => {
    while (performance.now() - start < ms) {
      await store.txn({ compare: [], success: [{ type: 'put', key: keyOf(done++), value }] });
    }
  };
  await Promise.all(Array.from({ length: inFlight }, client));
  return done / ((performance.now() - start) / 1000);
}

/** The same rows in the same table, `group` to a durable commit, with nothing around it. */
function barePutsPerSecond(file: string, group: number, ms: number): number {
  const db: DatabaseSync = openState(file);
  const insert = db.prepare('INSERT INTO change VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
  const keys = Array.from({ length: 10_000 }, (_, i) => Buffer.from(keyOf(i)));
  let done = 0;
  const start = performance.now();
  while (performance.now() - start < ms) {
    db.exec('BEGIN IMMEDIATE');
    for (let i = 0; i < group; i++, done++) {
      insert.run((done + 2) * 65_536, keys[done % 10_000] as Buffer, value, 2, 1, 0, 0, 0);
    }
    db.exec('COMMIT');
  }
  const perSecond = done / ((performance.now() - start) / 1000);
  db.close();
  return perSecond;
}

async function writes(): Promise<BenchResult[]> {
  const ours: number[] = [];
  const bare: number[] = [];
  const groups: number[] = [];
  for (let round = 0; round < rounds; round++) {
    await withStore(async (store, metrics) => {
      await putsPerSecond(store, 500);
      ours.push(await putsPerSecond(store, roundMs));
      const commits = metrics.histogram('tsukube_store_commit_duration_seconds', '').count();
      groups.push(metrics.counter('tsukube_store_writes_total', '').value() / commits);
    });
    const group = Math.max(1, Math.round(groups.at(-1) ?? 1));
    bare.push(await inDirectory(directory => barePutsPerSecond(join(directory, 'bare.db'), group, roundMs)));
  }
  const embedded = median(ours);
  const ratio = median(ours.map((rate, i) => rate / (bare[i] ?? rate)));
  const results: BenchResult[] = [
    {
      name: `embedded: durable puts, 1 KiB, 64 in flight, against bare SQLite`,
      value: embedded,
      unit: 'puts/s',
      floor: median(bare),
      ratio,
      ...target('≥ 0.7', ratio >= 0.7),
    },
    { name: 'embedded: writes per commit in that run', value: median(groups), unit: 'writes' },
  ];
  return [...results, ...(await againstEtcd(embedded))];
}

async function againstEtcd(embedded: number): Promise<BenchResult[]> {
  if (await etcdMissing()) return [];
  const cluster = await startEtcd();
  const store = connectEtcdStore({ endpoints: cluster.endpoints, clock: systemClock });
  try {
    await putsPerSecond(store, 500);
    const etcd = await putsPerSecond(store, roundMs * 2);
    const ratio = embedded / etcd;
    const name = 'embedded: durable puts against a real etcd member';
    return [{ name, value: embedded, unit: 'puts/s', floor: etcd, ratio, ...target('≥ 5', ratio >= 5) }];
  } finally {
    await store.close();
    await cluster.close();
  }
}

async function fill(store: Store, count: number, size: number): Promise<void> {
  const data = new Uint8Array(size).fill(0x79);
  for (let i = 0; i < count; ) {
    const group: Promise<unknown>[] = [];
    for (let j = 0; j < 1000 && i < count; j++, i++) {
      const key = `/registry/pods/ns-${i % 100}/pod-${i}`;
      group.push(store.txn({ compare: [], success: [{ type: 'put', key, value: data }] }));
    }
    await Promise.all(group);
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < 7; i++) {
    const start = performance.now();
    await work();
    times.push(performance.now() - start);
  }
  return median(times);
}

/** A range answers with pointers; the floor copies the same values once. */
async function ranges(): Promise<BenchResult[]> {
  return withStore(async store => {
    await fill(store, 10_000, 1024);
    const all = prefixRange('/registry/');
    const ms = await timed(() => store.range(all));
    const { kvs, revision } = await store.range(all);
    const copied = await timed(async () => Buffer.concat(kvs.map(kv => kv.value)));
    await fill(store, 1000, 1024);
    const old = await timed(() => store.range(all, { revision }));
    return [
      {
        name: 'embedded: range of 10,000 values of 1 KiB, against memcpy',
        value: ms,
        unit: 'ms',
        floor: copied,
        ratio: ms / copied,
      },
      { name: 'embedded: the same 1,000 revisions ago', value: old, unit: 'ms', floor: copied, ratio: old / copied },
    ];
  });
}

async function watchers(): Promise<BenchResult[]> {
  return withStore(async store => {
    const alone = await putsPerSecond(store, roundMs);
    let told = 0;
    let last = 0;
    const count = 1000;
    const watches = Array.from({ length: count }, (_, i) =>
      store.watch(prefixRange(i === 0 ? '/registry/pods/' : `/registry/kind-${i}/`)),
    );
    const reading = watches.map(async watch => {
      for await (const batch of watch) {
        told += batch.events.length;
        last = performance.now();
      }
    });
    const spread = await putsPerSecond(store, roundMs);
    for (const watch of watches) watch.cancel();
    await Promise.all(reading);
    told = 0;
    const same = Array.from({ length: count }, () => store.watch(prefixRange('/registry/')));
    const readingSame = same.map(async watch => {
      for await (const batch of watch) {
        told += batch.events.length;
        last = performance.now();
      }
    });
    const start = performance.now();
    const puts = 1000;
    await fill(store, puts, 1024);
    while (told < puts * count) await new Promise(resolve => setImmediate(resolve));
    const perSecond = told / ((last - start) / 1000);
    for (const watch of same) watch.cancel();
    await Promise.all(readingSame);
    return [
      {
        name: 'embedded: puts with 1,000 watchers, one of them concerned, against none',
        value: spread,
        unit: 'puts/s',
        floor: alone,
        ratio: spread / alone,
      },
      { name: 'embedded: events to 1,000 watchers of everything', value: perSecond, unit: 'events/s' },
    ];
  });
}

/** Reads every row with bare SQLite, as the floor of a restart. */
function bareRead(file: string): number {
  const start = performance.now();
  const db = new DatabaseSync(file, { readOnly: true });
  let bytes = 0;
  for (const row of db.prepare('SELECT * FROM change ORDER BY id').iterate())
    bytes += (row['value'] as Uint8Array).length;
  db.close();
  if (bytes === 0) throw new Error('the store is empty');
  return (performance.now() - start) / 1000;
}

interface Restarted {
  seconds: number;
  keys: number;
  bytesPerKey: number;
}

async function restart(): Promise<BenchResult[]> {
  const size = 512;
  return inDirectory(async directory => {
    const store = await open(directory);
    await fill(store, 500_000, size);
    await store.close();
    const child = fileURLToPath(new URL('./store-support/restart.ts', import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', child, directory]);
    const { seconds, keys, bytesPerKey } = JSON.parse(stdout) as Restarted;
    const floor = bareRead(join(directory, 'state.db'));
    const name = `restart with ${keys} keys of ${size} bytes, against reading the rows`;
    const overhead = bytesPerKey - size;
    return [
      { name, value: seconds, unit: 's', floor, ratio: seconds / floor },
      { name: 'memory per key, without its value', value: overhead, unit: 'bytes' },
      {
        name: 'memory per key, with a value of 512 bytes, against the value',
        value: bytesPerKey,
        unit: 'bytes',
        floor: size,
        ratio: bytesPerKey / size,
      },
    ];
  });
}

export async function run(): Promise<BenchResult[]> {
  return [...(await writes()), ...(await ranges()), ...(await watchers()), ...(await restart())];
}
