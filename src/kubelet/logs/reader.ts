/** Reads container logs in CRI's format: `<RFC 3339 with nanoseconds> <stdout|stderr> <P|F> <text>`. Upstream: kuberuntime/logs. */
import { type FSWatcher, watch } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { type Clock, sleep } from '../../base/clock.ts';

export interface LogOptions {
  follow: boolean;
  timestamps: boolean;
  /** Milliseconds since the epoch. */
  sinceMs?: number;
  tailLines?: number;
  limitBytes?: number;
  /** Only this stream. */
  stream?: 'stdout' | 'stderr';
}

const chunkSize = 64 * 1024;
const pollMs = 1000;

/** Where the last `lines` lines begin. */
async function tailOffset(file: FileHandle, size: number, lines: number): Promise<number> {
  if (lines <= 0) return size;
  const buffer = Buffer.alloc(chunkSize);
  let left = lines + 1;
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - chunkSize);
    const { bytesRead } = await file.read(buffer, 0, end - start, start);
    for (let i = bytesRead - 1; i >= 0; i--) {
      if (buffer[i] !== 10) continue;
      if (start + i === size - 1) {
        left--;
        continue;
      }
      if (--left === 0) return start + i + 1;
    }
    if (left === lines + 1) left--;
    end = start;
  }
  return 0;
}

export interface LogLine {
  time: string;
  stream: string;
  partial: boolean;
  text: Buffer;
}

/** Undefined: not a log line. */
export function parseLine(line: Buffer): LogLine | undefined {
  const first = line.indexOf(32);
  const second = line.indexOf(32, first + 1);
  const third = line.indexOf(32, second + 1);
  if (first < 0 || second < 0 || third < 0) return undefined;
  return {
    time: line.toString('latin1', 0, first),
    stream: line.toString('latin1', first + 1, second),
    partial: line[second + 1] === 80,
    text: line.subarray(third + 1),
  };
}

function render({ time, stream, partial, text }: LogLine, options: LogOptions): Buffer | undefined {
  if (options.stream && options.stream !== stream) return undefined;
  if (options.sinceMs !== undefined && Date.parse(time) < options.sinceMs) return undefined;
  const parts = [text];
  if (options.timestamps) parts.unshift(Buffer.from(`${time} `));
  if (!partial) parts.push(Buffer.from('\n'));
  return Buffer.concat(parts);
}

interface Follower {
  /** Resolves when the file may have grown, or after a second. */
  changed(): Promise<void>;
  close(): void;
}

function followFile(path: string, clock: Clock, signal: AbortSignal): Follower {
  let wake: (() => void) | undefined;
  let watcher: FSWatcher | undefined;
  let pending = false;
  try {
    watcher = watch(dirname(path), (_event, name) => {
      if (name !== null && !name.startsWith(basename(path))) return;
      pending = true;
      wake?.();
    });
    watcher.on('error', () => undefined);
  } catch {
    // No watches left on this machine: the poll below does.
  }
  return {
    async changed() {
      if (!pending) {
        const woken = new Promise<void>(resolve => {
          wake = resolve;
        });
        const limit = new AbortController();
        const stop = AbortSignal.any([signal, limit.signal]);
        await Promise.race([woken, sleep(clock, pollMs, stop).catch(() => undefined)]);
        limit.abort();
      }
      pending = false;
    },
    close: () => watcher?.close(),
  };
}

/**
 * The log's bytes as the client gets them. With `follow` it goes on until `running` is false and all is read, over rotations.
 */
export async function* readLog(
  path: string,
  options: LogOptions,
  environment: { clock: Clock; signal: AbortSignal; running(): boolean },
): AsyncGenerator<Uint8Array, void, undefined> {
  const { clock, signal, running } = environment;
  let left = options.limitBytes ?? Number.POSITIVE_INFINITY;
  let file = await open(path);
  const follower = options.follow ? followFile(path, clock, signal) : undefined;
  let offset =
    options.tailLines === undefined ? 0 : await tailOffset(file, (await file.stat()).size, options.tailLines);
  let rest = Buffer.alloc(0);
  const buffer = Buffer.alloc(chunkSize);
  try {
    while (!signal.aborted && left > 0) {
      const active = running();
      const { bytesRead } = await file.read(buffer, 0, chunkSize, offset);
      offset += bytesRead;
      if (bytesRead > 0) {
        const [lines, remainder] = splitLines(Buffer.concat([rest, buffer.subarray(0, bytesRead)]));
        rest = remainder;
        const out = Buffer.concat(lines.flatMap(l => renderLine(l, options)));
        if (out.length > 0) yield out.subarray(0, left);
        left -= out.length;
        continue;
      }
      if (!follower) return;
      const now = await stat(path).catch(() => undefined);
      if (now && now.ino !== (await file.stat()).ino) {
        await file.close();
        file = await open(path);
        offset = 0;
        rest = Buffer.alloc(0);
        continue;
      }
      if (!active) return;
      await follower.changed();
    }
  } finally {
    follower?.close();
    await file.close();
  }
}

function renderLine(line: Buffer, options: LogOptions): Buffer[] {
  const parsed = parseLine(line);
  const out = parsed && render(parsed, options);
  return out ? [out] : [];
}

function splitLines(bytes: Buffer): [Buffer[], Buffer<ArrayBuffer>] {
  const lines: Buffer[] = [];
  let start = 0;
  for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
    lines.push(bytes.subarray(start, end));
    start = end + 1;
  }
  return [lines, Buffer.from(bytes.subarray(start))];
}
