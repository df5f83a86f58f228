/** The processes under measure: the bundled program as it is started for real, and the floor. */
import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { systemClock } from '../../src/base/clock.ts';
import { ensureClusterPki } from '../../src/pki/index.ts';
import type { Endpoint } from './load.ts';

const root = join(import.meta.dirname, '../..');
const bundle = join(root, '.cache/bench-dist');

export interface Child {
  readonly process: ChildProcess;
  ask<T>(message: object): Promise<T>;
  stop(): Promise<void>;
}

function childOf(child: ChildProcess): Child {
  return {
    process: child,
    async ask<T>(message: object) {
      const answered = once(child, 'message');
      child.send(message);
      const [answer] = await answered;
      return answer as T;
    },
    async stop() {
      if (child.exitCode !== null) return;
      const gone = once(child, 'exit');
      if (child.connected) child.disconnect();
      await gone;
    },
  };
}

export const startFloor = () => childOf(fork(join(import.meta.dirname, 'floor.ts')));

export function buildProgram(): void {
  execFileSync(process.execPath, ['scripts/build.ts', '--outdir', bundle], { cwd: root, stdio: 'inherit' });
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  await new Promise(done => probe.close(done));
  return port;
}

export interface Started {
  readonly child: Child;
  readonly endpoint: Endpoint;
  readonly readyMs: number;
}

/** `tsukube apiserver` on the embedded store, with compiled code kept from earlier starts as bin/tsukube has it. */
export async function startServer(folder: string, execArgv: readonly string[] = []): Promise<Started> {
  const port = await freePort();
  const args = ['apiserver', '--data-dir', join(folder, 'store'), '--cert-dir', join(folder, 'pki')];
  args.push('--secure-port', String(port), '--bind-address', '127.0.0.1', '--advertise-address', '192.0.2.1');
  const started = performance.now();
  const process_ = fork(join(bundle, 'tsukube.js'), args, {
    execArgv: [...execArgv],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    env: { ...process.env, NODE_COMPILE_CACHE: join(root, '.cache/bench-compile') },
  });
  const [message] = (await once(process_, 'message')) as [{ type: string; message?: string }];
  const readyMs = performance.now() - started;
  if (message.type !== 'ready') throw new Error(message.message);
  const pki = ensureClusterPki(join(folder, 'pki'), { clock: systemClock });
  const { certificate, key } = pki.clients.admin;
  return { child: childOf(process_), readyMs, endpoint: { port, ca: pki.ca.certificate, cert: certificate, key } };
}

function statusOf(child: Child, name: string): number {
  const text = readFileSync(`/proc/${child.process.pid}/status`, 'utf8');
  return Number(new RegExp(`${name}:\\s+(\\d+)`).exec(text)?.[1] ?? 0) * 1_024;
}
/** Resident bytes. */
export const memoryOf = (child: Child) => statusOf(child, 'VmRSS');
/** The most bytes that were resident since `forgetPeak`. */
export const peakOf = (child: Child) => statusOf(child, 'VmHWM');
export const forgetPeak = (child: Child) => writeFileSync(`/proc/${child.process.pid}/clear_refs`, '5');
