/** Long-running processes of a test inside a namespace. */
import { spawn } from 'node:child_process';
import { enter, type Namespace } from './netns.ts';

export interface Part {
  /** What of the output told that it is ready. */
  readonly match: RegExpExecArray;
  readonly pid: number;
  output(): string;
  /** SIGTERM, and SIGKILL after a while. Resolves when it is gone. */
  stop(): Promise<void>;
  kill(): Promise<void>;
}

/** Starts `sh command…` in the namespace; resolves when its output matches; rejects with the output when it ends before. */
export function startPart(
  namespace: Namespace,
  command: readonly string[],
  ready: RegExp,
  timeoutMs = 90_000,
): Promise<Part> {
  return new Promise((resolve, reject) => {
    const child = spawn('nsenter', [...enter(namespace.name), 'sh', ...command], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    let started = false;
    const gone = new Promise<void>(ended => child.once('exit', () => ended()));
    const end = async (signal: NodeJS.Signals) => {
      child.kill(signal);
      const killer = setTimeout(() => child.kill('SIGKILL'), 50_000);
      await gone;
      clearTimeout(killer);
    };
    const timer = setTimeout(() => {
      child.kill('SIGTERM');
      reject(new Error(`not ready in time: ${command.join(' ')}\n${output}`));
    }, timeoutMs);
    const read = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-5_000_000);
      const match = started ? null : ready.exec(output);
      if (!match) return;
      started = true;
      clearTimeout(timer);
      resolve({
        match,
        pid: child.pid ?? 0,
        output: () => output,
        stop: () => end('SIGTERM'),
        kill: () => end('SIGKILL'),
      });
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.once('exit', code => {
      clearTimeout(timer);
      if (!started) reject(new Error(`ended with ${code}: ${command.join(' ')}\n${output}`));
    });
  });
}
