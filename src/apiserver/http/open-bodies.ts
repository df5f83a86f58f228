import { Chunks } from './chunks.ts';
import type { HttpLimits } from './limits.ts';
import { createTurns } from './turns.ts';

/** Bodies handed on in one turn of the event loop: some two milliseconds' work of usual writes. */
const perTurn = 16;

/** A body that is still coming. */
export class OpenBody extends Chunks {
  readonly since = performance.now();
  readonly done: (whole: Uint8Array | undefined) => void;
  readonly drop: () => void;

  constructor(done: (whole: Uint8Array | undefined) => void, drop: () => void) {
    super();
    this.done = done;
    this.drop = drop;
  }
}

/**
 * All bodies that are still coming, the oldest first. They are read before anybody knows who sends them, so slow ones are dropped, and
 * when all are too much together the oldest, because whoever means it is done sooner.
 */
export class OpenBodies {
  readonly limits: HttpLimits;
  readonly #open = new Set<OpenBody>();
  readonly #inTurn = createTurns(perTurn);
  /** Bytes of all. */
  #held = 0;

  constructor(limits: HttpLimits) {
    this.limits = limits;
  }

  /** `done` gets the whole body, or undefined as soon as it is over the limit; `drop` is called instead when it is given up. */
  begin(done: OpenBody['done'], drop: OpenBody['drop']): OpenBody {
    const body = new OpenBody(done, drop);
    this.#open.add(body);
    return body;
  }

  take(body: OpenBody, chunk: Buffer): void {
    if (!this.#open.has(body)) return;
    if (body.size + chunk.length > this.limits.body) {
      this.leave(body);
      body.clear();
      body.done(undefined);
      return;
    }
    body.add(chunk);
    this.#held += chunk.length;
    if (this.#held > this.limits.openBodies) this.#dropOldest();
  }

  /** That was all of it. It is handed on in its turn, if it is still wanted then. */
  finish(body: OpenBody): void {
    this.#inTurn(() => {
      if (this.leave(body)) body.done(body.whole());
    });
  }

  /** Nobody waits for it any longer. Tells whether anybody did. */
  leave(body: OpenBody): boolean {
    if (!this.#open.delete(body)) return false;
    this.#held -= body.size;
    return true;
  }

  /** One look at all bodies instead of a timer for each. */
  dropSlow(): void {
    const now = performance.now();
    for (const body of this.#open) {
      if (now - body.since < this.limits.bodyMs) return;
      this.#drop(body);
    }
  }

  #dropOldest(): void {
    for (const body of this.#open) {
      if (this.#held <= this.limits.openBodies) return;
      this.#drop(body);
    }
  }

  #drop(body: OpenBody): void {
    this.leave(body);
    body.drop();
  }
}
