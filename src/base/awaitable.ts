/**
 * A value, or the promise of one. What mostly knows its answer at once gives it at once: a promise would cost every caller up the chain
 * an object and a turn through the queue.
 */
export type Awaitable<T> = T | Promise<T>;

/** What `next` makes of the value; at once when it is there. */
export function after<T, U>(value: Awaitable<T>, next: (value: T) => Awaitable<U>): Awaitable<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** What is made of the outcome of `run`, be it a value or a failure, thrown or rejected; at once when it is there. */
export function settle<T, U>(
  run: () => Awaitable<T>,
  done: (value: T) => Awaitable<U>,
  failed: (error: unknown) => Awaitable<U>,
): Awaitable<U> {
  let value: Awaitable<T>;
  try {
    value = run();
  } catch (e) {
    return failed(e);
  }
  return value instanceof Promise ? value.then(done, failed) : done(value);
}
