import type { EventEmitter } from 'node:events';

/** Settles when `emitter` has closed, also if an error came first: `once(emitter, 'close')` rejects then, and a reset is a close. */
export function closed(emitter: EventEmitter): Promise<void> {
  return new Promise(resolve => emitter.once('close', () => resolve()));
}
