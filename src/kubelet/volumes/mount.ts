/** Mounts of the host, through mount(8) and umount(8), which know every file system's helpers. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const commandTimeoutMs = 120_000;

async function command(program: string, args: readonly string[]): Promise<void> {
  try {
    await run(program, [...args], { timeout: commandTimeoutMs });
  } catch (e) {
    const { stderr, message } = e as { stderr?: string; message: string };
    throw new Error(`${program} ${args.join(' ')} failed: ${(stderr || message).trim()}`);
  }
}

export async function mountPoints(): Promise<string[]> {
  const table = await readFile('/proc/self/mounts', 'utf8');
  const plain = (path: string) =>
    path.replace(/\\([0-7]{3})/g, (_, o: string) => String.fromCharCode(Number.parseInt(o, 8)));
  return table
    .split('\n')
    .filter(Boolean)
    .map(line => plain(line.split(' ')[1] ?? ''));
}
export const isMounted = async (path: string): Promise<boolean> => (await mountPoints()).includes(path);

export function mount(source: string, target: string, type: string, options: readonly string[]): Promise<void> {
  const flags = options.length > 0 ? ['-o', options.join(',')] : [];
  return command('mount', ['-t', type, ...flags, source, target]);
}

/** `source` is taken as it is: a path through /proc/<pid>/fd stays bound to the open file. */
export async function bindMount(source: string, target: string, readOnly = false): Promise<void> {
  await command('mount', ['--no-canonicalize', '--bind', source, target]);
  if (readOnly) await command('mount', ['-o', 'remount,bind,ro', target]);
}

/** Unmounts everything at and below `path`, deepest first. */
export async function unmountBelow(path: string): Promise<void> {
  const points = (await mountPoints()).filter(p => p === path || p.startsWith(`${path}/`));
  for (const point of points.reverse()) {
    await command('umount', [point]).catch(() => command('umount', ['-l', point]));
  }
}
