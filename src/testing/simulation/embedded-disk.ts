/**
 * The embedded store on virtual time: its own code on both sides of the line to its worker, over a real SQLite file. What is simulated is
 * all around SQLite: how long messages and commits take, a disk that refuses (full, failing to write, failing to sync), and a machine that
 * stops in the middle of a commit, whose unsynced part of the write-ahead log is then torn. SQLite's own reads and writes are real.
 */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '../../base/log.ts';
import { createMetrics } from '../../base/metrics.ts';
import { Database } from '../../store/embedded/database.ts';
import { type EmbeddedStore, openEmbeddedStore } from '../../store/embedded/index.ts';
import type { FromWorker, Host, ToWorker } from '../../store/embedded/protocol.ts';
import { type File, serve } from '../../store/embedded/server.ts';
import { keptRevisions, type Storage, type StorageOptions } from './storage.ts';

/** SQLite's result codes: SQLITE_FULL, SQLITE_IOERR_WRITE, SQLITE_IOERR_FSYNC. */
const codes = { full: 13, write: 778, sync: 1034 } as const;

function refusal(kind: keyof typeof codes): Error {
  const what = { full: 'database or disk is full', write: 'disk I/O error', sync: 'disk I/O error while syncing' }[
    kind
  ];
  return Object.assign(new Error(`simulated: ${what}`), { errcode: codes[kind] });
}

/** The file, on a disk that refuses at times. What throws has changed nothing, as the worker expects of SQLite. */
function onBadDisk(file: File, { random, rates, isFull }: StorageOptions): File {
  const check = () => {
    if (isFull()) throw refusal('full');
    if (rates().diskError > 0 && random.next() < rates().diskError)
      throw refusal(random.int(2) === 0 ? 'write' : 'sync');
  };
  return {
    load: emit => file.load(emit),
    commit(messages) {
      check();
      file.commit(messages);
    },
    history: (from, through, limit) => file.history(from, through, limit),
    compact(revision) {
      check();
      file.compact(revision);
    },
    tidy() {
      check();
      return file.tidy();
    },
    truncateLog: () => file.truncateLog(),
    sizes: () => file.sizes(),
    close: () => file.close(),
  };
}

/** One life of the worker. */
interface Life {
  readonly host: Host;
  /** Stops it, and gives the length to which the log is certain to be on disk. */
  kill(): number;
}

function createLife(options: StorageOptions, log: string): Life {
  const { clock, random } = options;
  const inbox: ToWorker[] = [];
  const outbox: FromWorker[] = [];
  const lengthOf = () => statSync(log, { throwIfNoEntry: false })?.size ?? 0;
  let file: File | undefined;
  let dead = false;
  let busyUntil = 0;
  let synced = 0;
  let end: (why: string) => void = () => undefined;
  const later = (fn: () => void, ms: number) => {
    const run = () => {
      if (!dead) fn();
    };
    clock.setTimer(run, ms);
  };
  const soon = (fn: () => void) => later(fn, 0);
  const diskMs = () => (random.next() < options.rates().slowRequest ? random.int(2_000) : random.next() * 3);

  function start(directory: string) {
    let toWorker: (message: ToWorker) => void = () => undefined;
    let toStore: (message: FromWorker) => void = () => undefined;
    const deliver = () => {
      if (inbox.length === 0) return;
      if (clock.monotonic() < busyUntil) return later(deliver, busyUntil - clock.monotonic());
      // The work before this took its time: it is on disk, even if the word of it is still on its way.
      synced = lengthOf();
      busyUntil = clock.monotonic() + diskMs();
      const first = inbox.shift();
      if (first) toWorker(first);
    };
    const port = {
      post(message: FromWorker) {
        outbox.push(message);
        // Whichever timer runs first takes the first message.
        const arrive = () => {
          const first = outbox.shift();
          if (first) toStore(first);
        };
        later(arrive, Math.max(0, busyUntil - clock.monotonic()));
      },
      take: () => inbox.shift(),
      listen(onMessage: (message: ToWorker) => void) {
        toWorker = onMessage;
      },
      close: () => later(() => end('closed'), Math.max(0, busyUntil - clock.monotonic())),
    };
    const open = () => {
      const opened = onBadDisk(new Database(directory), options);
      file = opened;
      const close = () => {
        file = undefined;
        opened.close();
      };
      return { ...opened, close };
    };
    soon(() => serve({ port, open, clock, soon }));
    return {
      post(message: ToWorker) {
        inbox.push(message);
        later(deliver, random.next() * 0.2);
      },
      listen(onMessage: (message: FromWorker) => void, onEnd: (why: string) => void) {
        toStore = onMessage;
        end = onEnd;
      },
    };
  }
  return {
    host: { start, soon },
    kill() {
      const length = lengthOf();
      const certain = outbox.length === 0 ? length : Math.min(synced, length);
      dead = true;
      end('simulated: the server crashed');
      file?.close();
      return certain;
    },
  };
}

/** Frames of the log after which SQLite copies it into the file by itself: then nothing of it is torn. */
const checkpointBytes = 4_096 * 8_216;

export function embeddedStorage(options: StorageOptions): Storage {
  const { clock, random } = options;
  const base = mkdtempSync(join(tmpdir(), 'tsukube-simulation-'));
  const names = ['state.db', 'state.db-wal'] as const;
  let generation = 0;
  let directory = join(base, '0');
  let open: { life: Life; store: Promise<EmbeddedStore> } | undefined;

  /** What a disk holds after its machine stopped: a copy of the file, and of the log what was synced and perhaps a part of the rest. */
  function stop(life: Life): void {
    const next = join(base, String(++generation));
    mkdirSync(next, { mode: 0o700 });
    for (const name of names)
      if (existsSync(join(directory, name))) copyFileSync(join(directory, name), join(next, name));
    const certain = life.kill();
    const log = join(next, names[1]);
    const length = existsSync(log) ? statSync(log).size : 0;
    const torn = certain + random.int(length - certain + 1);
    if (torn < length && length < checkpointBytes && random.int(3) > 0) truncateSync(log, torn);
    rmSync(directory, { recursive: true, force: true });
    directory = next;
  }
  async function crash(): Promise<void> {
    const old = open;
    open = undefined;
    if (!old) return;
    stop(old.life);
    await old.store.then(
      store => store.close(),
      () => undefined,
    );
  }
  return {
    async open() {
      const life = createLife(options, join(directory, names[1]));
      const compaction = { maxRevisions: keptRevisions };
      const store = openEmbeddedStore({
        ...{ directory, clock, compaction, log: silentLogger, metrics: createMetrics(), host: life.host },
      });
      open = { life, store };
      return store;
    },
    crash,
    async close() {
      await crash();
      rmSync(base, { recursive: true, force: true });
    },
  };
}
