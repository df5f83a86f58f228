import { Worker } from 'node:worker_threads';
import type { FromWorker, Host } from './protocol.ts';

/** The worker in a thread of its own. */
export function threadHost(workerUrl: URL | string): Host {
  return {
    start(directory) {
      // Flags meant for the main program, such as one to read code from the command line, would keep the worker from starting.
      const worker = new Worker(workerUrl, { workerData: { directory }, execArgv: [] });
      return {
        post: (message, transfer = []) => worker.postMessage(message, transfer),
        listen(onMessage, onEnd) {
          worker.on('message', (message: FromWorker) => onMessage(message));
          worker.on('error', error => onEnd(error instanceof Error ? error.message : String(error)));
          worker.on('exit', code => onEnd(`exit code ${code}`));
        },
      };
    },
    soon: fn => void setImmediate(fn), // host-clock: not time, but the end of this turn
  };
}
