/** The record of a running cluster: which process supervises it, and whether that process still lives. */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Clock, sleep } from '../base/clock.ts';
import { isAlive, startTicks } from '../base/node/processes.ts';
import { readIfPresent } from '../pki/files.ts';
import { clusterPaths, writeFileAtomic } from './cluster.ts';

export interface DaemonRecord {
  readonly pid: number;
  /** The process's start time in clock ticks since boot: a pid that was used again has another. */
  readonly startTicks: string;
  readonly boot: string;
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}

/** The supervisor of the cluster in this directory, when it lives. */
export function runningDaemon(dataDir: string): DaemonRecord | undefined {
  // Read at once: a supervisor that ends takes its record away.
  const text = readIfPresent(clusterPaths(dataDir).pid);
  if (text === undefined) return undefined;
  const record = JSON.parse(text) as DaemonRecord;
  if (record.boot !== bootId()) return undefined;
  if (!isAlive(record.pid)) return undefined;
  // Where there is no /proc, the pid alone must do.
  const ticks = startTicks(record.pid);
  return ticks === undefined || ticks === record.startTicks ? record : undefined;
}

/** Writes down that this process supervises the cluster. Gives a function that takes the record away. */
export function claimDaemon(dataDir: string): () => void {
  const path = clusterPaths(dataDir).pid;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileAtomic(
    path,
    JSON.stringify({
      pid: process.pid,
      startTicks: startTicks(process.pid) ?? '',
      boot: bootId(),
    } satisfies DaemonRecord),
  );
  return () => rmSync(path, { force: true });
}

/** Asks the supervisor to stop and waits until it is gone. False when it did not go in time. */
export async function stopDaemon(dataDir: string, clock: Clock, timeoutMs = 60_000): Promise<boolean> {
  const record = runningDaemon(dataDir);
  if (!record) return true;
  process.kill(record.pid, 'SIGTERM');
  const deadline = clock.monotonic() + timeoutMs;
  while (runningDaemon(dataDir)) {
    if (clock.monotonic() > deadline) return false;
    await sleep(clock, 50);
  }
  return true;
}
