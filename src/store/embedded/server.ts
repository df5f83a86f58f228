import type { Clock, Timer } from '../../base/clock.ts';
import { transfers } from './codec.ts';
import type { Database } from './database.ts';
import { storeError } from './file.ts';
import type { Failure, Soon, ToWorker, WorkerPort } from './protocol.ts';

/** What the worker does with its file. */
export type File = Pick<
  Database,
  'load' | 'commit' | 'history' | 'compact' | 'tidy' | 'truncateLog' | 'sizes' | 'close'
>;

export interface ServeOptions {
  readonly port: WorkerPort;
  /** Throws when the file cannot be opened. */
  readonly open: () => File;
  /** Nothing that a caller sees depends on it. */
  readonly clock: Clock;
  readonly soon: Soon;
}

/** Bytes of one commit, beyond which the rest waits for the next. */
const commitBytes = 8 * 1024 * 1024;
/** The log is cut when nothing was written for so long. */
const idleMs = 1000;

function failureOf(error: unknown, what: string): Failure {
  const { code, message } = storeError(error, what);
  return { code, message };
}

/** The worker that owns the file. Everything it does is synchronous; between two steps it looks for messages. */
export function serve(options: ServeOptions): void {
  const { port } = options;
  let db: File;
  try {
    db = options.open();
  } catch (error) {
    port.post({ type: 'refused', failure: failureOf(error, 'cannot open the store') });
    port.close();
    return;
  }
  try {
    const loaded = db.load(packed => port.post({ type: 'rows', packed }, transfers(packed)));
    port.post({ type: 'loaded', ...loaded });
  } catch (error) {
    db.close();
    port.post({ type: 'refused', failure: failureOf(error, 'cannot read the store') });
    port.close();
    return;
  }
  new Server(options, db).start();
}

type Write = ToWorker & { type: 'write' };

class Server {
  readonly #port: WorkerPort;
  readonly #clock: Clock;
  readonly #soon: Soon;
  readonly #db: File;
  #failedEpoch = -1;
  #tidying = false;
  /** Who waits for the tidying to end. */
  #waiting: number[] = [];
  #idle: Timer | undefined;

  constructor({ port, clock, soon }: ServeOptions, db: File) {
    this.#port = port;
    this.#clock = clock;
    this.#soon = soon;
    this.#db = db;
  }

  start(): void {
    this.#port.listen(message => this.#take(message));
    this.#tidy();
  }

  /** Writes that arrived while the last commit was made go into one commit. */
  #take(first: ToWorker): void {
    let writes: Write[] = [];
    let bytes = 0;
    for (let message: ToWorker | undefined = first; message; message = this.#port.take()) {
      if (message.type !== 'write') {
        this.#write(writes);
        writes = [];
        this.#answer(message);
        continue;
      }
      writes.push(message);
      bytes += message.packed.bytes.length;
      if (bytes < commitBytes) continue;
      this.#write(writes);
      writes = [];
      bytes = 0;
    }
    this.#write(writes);
  }

  #write(batch: readonly Write[]): void {
    const writes = batch.filter(write => write.epoch > this.#failedEpoch);
    const last = writes.at(-1);
    if (!last) return;
    const start = this.#clock.monotonic();
    try {
      this.#db.commit(writes.map(write => write.packed));
      this.#port.post({ type: 'written', sequence: last.sequence, seconds: (this.#clock.monotonic() - start) / 1000 });
    } catch (error) {
      this.#failedEpoch = last.epoch;
      this.#port.post({ type: 'failed', epoch: last.epoch, failure: failureOf(error, 'cannot write') });
    }
    this.#idleSoon();
  }

  #answer(message: Exclude<ToWorker, Write>): void {
    const { id } = message;
    try {
      switch (message.type) {
        case 'history': {
          const result = this.#db.history(message.from, message.through, message.limit);
          this.#port.post({ type: 'answer', id, result }, transfers(result.packed));
          return;
        }
        case 'compact':
          this.#db.compact(message.revision);
          this.#tidy();
          break;
        case 'sizes':
          this.#port.post({ type: 'answer', id, result: this.#db.sizes() });
          return;
        case 'tidy':
          this.#waiting.push(id);
          this.#tidy();
          return;
        case 'close':
          this.#idle?.cancel();
          try {
            this.#db.close();
          } finally {
            this.#port.post({ type: 'answer', id });
            this.#port.close();
          }
          return;
      }
      this.#port.post({ type: 'answer', id });
    } catch (error) {
      this.#port.post({ type: 'answer', id, failure: failureOf(error, `cannot ${message.type}`) });
    }
  }

  /** One step at a time, so that writers get their turn in between. */
  #tidy(): void {
    if (this.#tidying) return;
    this.#tidying = true;
    const step = () => {
      let more = false;
      try {
        more = this.#db.tidy();
      } catch {
        // The disk is full or failing: the next compaction tries again.
      }
      if (more) return this.#soon(step);
      this.#tidying = false;
      for (const id of this.#waiting) this.#port.post({ type: 'answer', id });
      this.#waiting = [];
    };
    this.#soon(step);
  }

  #idleSoon(): void {
    this.#idle?.cancel();
    const truncate = () => {
      try {
        this.#db.truncateLog();
      } catch {
        // A reader holds the log, or the disk is full: the next quiet moment tries again.
      }
    };
    this.#idle = this.#clock.setTimer(truncate, idleMs);
  }
}
