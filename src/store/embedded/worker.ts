import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { systemClock, type Timer } from '../../base/clock.ts';
import { transfers } from './codec.ts';
import { Database } from './database.ts';
import { storeError } from './file.ts';
import type { Failure, FromWorker, ToWorker } from './protocol.ts';

/**
 * The worker that owns the file. Everything it does is synchronous; between two steps it looks for messages. Its clock is the host's:
 * nothing that a caller sees depends on it.
 */

/** Bytes of one commit, beyond which the rest waits for the next. */
const commitBytes = 8 * 1024 * 1024;
/** The log is cut when nothing was written for so long. */
const idleMs = 1000;

function failureOf(error: unknown, what: string): Failure {
  const { code, message } = storeError(error, what);
  return { code, message };
}

function serve(port: MessagePort, directory: string): void {
  const send = (message: FromWorker, transfer: ArrayBuffer[] = []) => port.postMessage(message, transfer);
  let db: Database;
  try {
    db = new Database(directory);
  } catch (error) {
    send({ type: 'refused', failure: failureOf(error, 'cannot open the store') });
    port.close();
    return;
  }
  try {
    const loaded = db.load(packed => send({ type: 'rows', packed }, transfers(packed)));
    send({ type: 'loaded', ...loaded });
  } catch (error) {
    db.close();
    send({ type: 'refused', failure: failureOf(error, 'cannot read the store') });
    port.close();
    return;
  }
  new Server(port, db, send).start();
}

type Write = ToWorker & { type: 'write' };

class Server {
  readonly #port: MessagePort;
  readonly #db: Database;
  readonly #send: (message: FromWorker, transfer?: ArrayBuffer[]) => void;
  #failedEpoch = -1;
  #tidying = false;
  /** Who waits for the tidying to end. */
  #waiting: number[] = [];
  #idle: Timer | undefined;

  constructor(port: MessagePort, db: Database, send: (message: FromWorker, transfer?: ArrayBuffer[]) => void) {
    this.#port = port;
    this.#db = db;
    this.#send = send;
  }

  start(): void {
    this.#port.on('message', (message: ToWorker) => this.#take(message));
    this.#tidy();
  }

  /** Writes that arrived while the last commit was made go into one commit. */
  #take(first: ToWorker): void {
    let writes: Write[] = [];
    let bytes = 0;
    for (let message: ToWorker | undefined = first; message; message = receive(this.#port)) {
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
    const start = systemClock.monotonic();
    try {
      this.#db.commit(writes.map(write => write.packed));
      this.#send({ type: 'written', sequence: last.sequence, seconds: (systemClock.monotonic() - start) / 1000 });
    } catch (error) {
      this.#failedEpoch = last.epoch;
      this.#send({ type: 'failed', epoch: last.epoch, failure: failureOf(error, 'cannot write') });
    }
    this.#idleSoon();
  }

  #answer(message: Exclude<ToWorker, Write>): void {
    const { id } = message;
    try {
      switch (message.type) {
        case 'history': {
          const result = this.#db.history(message.from, message.through, message.limit);
          this.#send({ type: 'answer', id, result }, transfers(result.packed));
          return;
        }
        case 'compact':
          this.#db.compact(message.revision);
          this.#tidy();
          break;
        case 'sizes':
          this.#send({ type: 'answer', id, result: this.#db.sizes() });
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
            this.#send({ type: 'answer', id });
            this.#port.close();
          }
          return;
      }
      this.#send({ type: 'answer', id });
    } catch (error) {
      this.#send({ type: 'answer', id, failure: failureOf(error, `cannot ${message.type}`) });
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
      if (more) return void setImmediate(step); // host-clock: not time, but the next turn
      this.#tidying = false;
      for (const id of this.#waiting) this.#send({ type: 'answer', id });
      this.#waiting = [];
    };
    setImmediate(step); // host-clock: not time, but the next turn
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
    this.#idle = systemClock.setTimer(truncate, idleMs);
  }
}

function receive(port: MessagePort): ToWorker | undefined {
  return (receiveMessageOnPort(port) as { message: ToWorker } | undefined)?.message;
}

if (parentPort) serve(parentPort, String((workerData as { directory: unknown }).directory));
