/**
 * `subPath` of a volume without trusting the volume's contents: the path is walked from the volume's root one component at a time
 * without following symlinks, and the file that was opened, not its name, is bind-mounted. A container that swaps a directory for a
 * symlink meanwhile gains nothing. Upstream: pkg/volume/util/subpath.
 */
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, relative } from 'node:path';
import { bindMount, isMounted } from './mount.ts';

/** Linux's O_PATH: a handle on the place, whatever it is. */
const oPath = 0o10000000;
const handlePath = (handle: FileHandle) => `/proc/${process.pid}/fd/${handle.fd}`;

/** The path inside the volume, after its symlinks, as long as it stays inside. */
async function resolveInside(volume: string, subPath: string): Promise<string> {
  const root = await realpath(volume);
  const target = await realpath(`${volume}/${subPath}`);
  const inside = relative(root, target);
  if (inside === '..' || inside.startsWith('../'))
    throw new Error(`subpath "${subPath}" not within volume path "${volume}"`);
  return inside;
}

async function openStep(handle: FileHandle, part: string): Promise<FileHandle> {
  const next = await open(`${handlePath(handle)}/${part}`, oPath | constants.O_NOFOLLOW);
  const stats = await next.stat();
  if (!stats.isSymbolicLink()) return next;
  await next.close();
  throw new Error(`unexpected symlink at "${part}"`);
}

async function walk(volume: string, parts: readonly string[], create: boolean): Promise<FileHandle> {
  let handle = await open(volume, oPath | constants.O_DIRECTORY);
  for (const part of parts) {
    try {
      const next = await openStep(handle, part).catch(async (e: NodeJS.ErrnoException) => {
        if (e.code !== 'ENOENT' || !create) throw e;
        await mkdir(`${handlePath(handle)}/${part}`, { mode: 0o750 });
        return openStep(handle, part);
      });
      await handle.close();
      handle = next;
    } catch (e) {
      await handle.close();
      throw e;
    }
  }
  return handle;
}

const split = (path: string) => path.split('/').filter(p => p !== '' && p !== '.');

/** Bind-mounts `<volume>/<subPath>` at `target`, making directories that are missing. Does nothing when it is mounted already. */
export async function prepareSubPath(volume: string, subPath: string, target: string): Promise<void> {
  if (subPath.startsWith('/') || split(subPath).includes('..')) throw new Error(`invalid subPath "${subPath}"`);
  if (await isMounted(target)) return;
  const there = await stat(`${volume}/${subPath}`).catch(() => undefined);
  if (!there) await (await walk(volume, split(subPath), true)).close();
  const handle = await walk(volume, split(await resolveInside(volume, subPath)), false);
  try {
    await rm(target, { recursive: true, force: true });
    if ((await handle.stat()).isDirectory()) await mkdir(target, { recursive: true });
    else {
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, '');
    }
    await bindMount(handlePath(handle), target);
  } finally {
    await handle.close();
  }
}
