/** The thread that owns the file. */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../base/clock.ts';
import { Database } from './database.ts';
import type { ToWorker } from './protocol.ts';
import { serve } from './server.ts';

if (parentPort) {
  const port = parentPort;
  const { directory } = workerData as { directory: string };
  serve({
    port: {
      post: (message, transfer = []) => port.postMessage(message, transfer),
      take: () => (receiveMessageOnPort(port) as { message: ToWorker } | undefined)?.message,
      listen: onMessage => void port.on('message', onMessage),
      close: () => port.close(),
    },
    open: () => new Database(directory),
    clock: systemClock,
    soon: fn => void setImmediate(fn), // host-clock: not time, but the next turn
  });
}
