/**
 * Starts the processes of a cluster, restarts those that die, and stops them in reverse order. Children are this same program with another
 * command; a child says over its IPC channel when it is ready.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';

export interface ProcessSpec {
  readonly name: string;
  /** The command and its flags. */
  readonly args: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Flags of the JavaScript engine, besides those that do not concern memory. */
  readonly engineFlags?: readonly string[];
  /** Milliseconds to wait between SIGTERM and SIGKILL. */
  readonly graceMs?: number;
}

export interface SupervisedProcess {
  readonly name: string;
  /** Resolves at the first "ready"; rejects when the process gives up before that, or has died too often. */
  readonly ready: Promise<void>;
  readonly pid: number | undefined;
  stop(): Promise<void>;
}

/** What a child sends over IPC. */
export type ChildMessage = { type: 'ready' } | { type: 'fatal'; message: string };

/** Called by a child when it serves. No-op when it was started by hand. */
export function reportReady(): void {
  process.send?.({ type: 'ready' } satisfies ChildMessage);
}
/** Called by a child before it gives up at start: the supervisor does not try again. */
export function reportFatal(message: string): void {
  process.send?.({ type: 'fatal', message } satisfies ChildMessage);
}

const minBackOffMs = 200;
const maxBackOffMs = 10_000;
/** A process that lived this long starts its back-off anew. */
const healthyMs = 30_000;
/** A process that has died so often and never was ready is not started again. */
const maxFalseStarts = 5;

export function supervise(
  spec: ProcessSpec,
  options: { clock: Clock; log: Logger; logDirectory: string },
): SupervisedProcess {
  const { clock, log } = options;
  mkdirSync(options.logDirectory, { recursive: true, mode: 0o700 });
  let child: ChildProcess | undefined;
  let stopping = false;
  let backOff = minBackOffMs;
  let falseStarts = 0;
  let wasReady = false;
  let exited = Promise.resolve();
  const { promise: ready, resolve: markReady, reject: failReady } = Promise.withResolvers<void>();
  ready.catch(() => {});
  const logPath = join(options.logDirectory, `${spec.name}.log`);

  function giveUp(reason: string): void {
    failReady(new Error(`${spec.name}: ${reason}`));
    log.error('process gave up', { name: spec.name, reason });
  }
  function start(): void {
    const output = openSync(logPath, 'a', 0o600);
    const startedAt = clock.monotonic();
    const self = process.argv[1] ?? '';
    const process_ = spawn(
      process.execPath,
      [
        ...process.execArgv.filter(flag => !flag.startsWith('--max-semi-space-size')),
        ...(spec.engineFlags ?? []),
        self,
        ...spec.args,
      ],
      {
        stdio: ['ignore', output, output, 'ipc'],
        env: { ...process.env, ...spec.environment },
      },
    );
    closeSync(output);
    child = process_;
    let fatal: string | undefined;
    process_.on('message', (message: ChildMessage) => {
      if (message.type === 'fatal') fatal = message.message;
      else {
        wasReady = true;
        markReady();
      }
    });
    exited = new Promise(resolve => {
      process_.once('exit', (code, signal) => {
        child = undefined;
        resolve();
        if (stopping) return;
        if (fatal !== undefined) return giveUp(fatal);
        if (!wasReady && ++falseStarts === maxFalseStarts)
          return giveUp(`ended ${falseStarts} times before it was ready, the last time with: ${lastLine(logPath)}`);
        backOff = clock.monotonic() - startedAt > healthyMs ? minBackOffMs : Math.min(backOff * 2, maxBackOffMs);
        log.warn('process ended, starting it again', { name: spec.name, code, signal, inMs: backOff });
        clock.setTimer(() => {
          if (!stopping) start();
        }, backOff);
      });
      process_.once('error', error => {
        log.error('process cannot be started', { name: spec.name, error });
        failReady(error);
      });
    });
  }

  start();
  return {
    name: spec.name,
    ready,
    get pid() {
      return child?.pid;
    },
    async stop() {
      stopping = true;
      if (!child) return;
      child.kill('SIGTERM');
      const killer = clock.setTimer(() => child?.kill('SIGKILL'), spec.graceMs ?? 15_000);
      await exited;
      killer.cancel();
    },
  };
}

function lastLine(path: string): string {
  return readFileSync(path, 'utf8').trimEnd().split('\n').at(-1) ?? '';
}
