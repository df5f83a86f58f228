/** Keeps container logs small: rotates at 10 MiB, keeps 5 files, all but the newest compressed. Upstream: logs/container_log_manager.go. */
import { createReadStream, createWriteStream } from 'node:fs';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { type Clock, sleep } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { Kubelet } from '../kubelet.ts';
import type { ContainerRuntime } from '../runtime/contract.ts';

export interface LogRotationOptions {
  kubelet: Kubelet;
  runtime: ContainerRuntime;
  clock: Clock;
  log: Logger;
  signal: AbortSignal;
  maxBytes?: number;
  maxFiles?: number;
  intervalMs?: number;
}

const defaultMaxBytes = 10 * 2 ** 20;
const defaultMaxFiles = 5;
const defaultIntervalMs = 10_000;

/** Rotates one log when it is too large. `reopen` makes the runtime write to a new file. True when it rotated. */
export async function rotateLog(
  path: string,
  limits: { maxBytes: number; maxFiles: number },
  nowMs: number,
  reopen: () => Promise<void>,
): Promise<boolean> {
  const { size } = await stat(path).catch(() => ({ size: 0 }));
  if (size < limits.maxBytes) return false;
  const old = await rotatedFiles(path);
  for (const file of old.slice(0, Math.max(0, old.length - (limits.maxFiles - 2)))) await rm(file, { force: true });
  for (const file of old.slice(Math.max(0, old.length - (limits.maxFiles - 2))))
    if (!file.endsWith('.gz')) await compress(file);
  const stamp = new Date(nowMs).toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15);
  const rotated = `${path}.${stamp}`;
  await rename(path, rotated);
  try {
    await reopen();
  } catch (e) {
    await rename(rotated, path);
    throw e;
  }
  return true;
}

/** Oldest first. */
export async function rotatedFiles(path: string): Promise<string[]> {
  const directory = dirname(path);
  const prefix = `${basename(path)}.`;
  const names = (await readdir(directory).catch(() => [])).filter(n => n.startsWith(prefix) && !n.endsWith('.tmp'));
  return names.sort().map(n => `${directory}/${n}`);
}

async function compress(path: string): Promise<void> {
  const temporary = `${path}.tmp`;
  await pipeline(createReadStream(path), createGzip(), createWriteStream(temporary));
  await rename(temporary, `${path}.gz`);
  await rm(path);
}

export async function startLogRotation(options: LogRotationOptions): Promise<void> {
  const { kubelet, runtime, clock, log, signal } = options;
  const limits = { maxBytes: options.maxBytes ?? defaultMaxBytes, maxFiles: options.maxFiles ?? defaultMaxFiles };
  while (!signal.aborted) {
    for (const worker of kubelet.pods()) {
      for (const [current] of worker.view.containers.values()) {
        if (current?.status.state !== 'CONTAINER_RUNNING' || !current.status.logPath) continue;
        const { id, logPath } = current.status;
        await rotateLog(logPath, limits, clock.now(), () => runtime.reopenContainerLog(id)).catch((e: unknown) =>
          log.debug('log could not be rotated', { error: messageOf(e) }),
        );
      }
    }
    await sleep(clock, options.intervalMs ?? defaultIntervalMs, signal).catch(() => undefined);
  }
}
