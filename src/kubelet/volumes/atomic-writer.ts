/**
 * Puts a set of files into a directory so that readers see the old set or the new one, never a mixture: each set is a hidden
 * directory, `..data` is a symlink that is swapped by rename, and the visible names are symlinks through `..data`.
 */
import {
  chmod,
  chown,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { dirname } from 'node:path';

export interface FileProjection {
  content: Uint8Array;
  mode: number;
  /** Owner, when it is not root. */
  uid?: number;
}
/** Relative paths, with `/` for subdirectories. */
export type Payload = ReadonlyMap<string, FileProjection>;

const dataName = '..data';
const maxPathLength = 255;

function validate(path: string): void {
  const parts = path.split('/');
  const bad =
    path === '' || path.startsWith('/') || parts.some(p => p === '..' || p === '' || p.length > maxPathLength);
  if (bad || parts[0]?.startsWith('..')) throw new Error(`invalid path: ${path}`);
}

/** True when the directory changed. */
export async function writeAtomically(directory: string, payload: Payload, gid?: number): Promise<boolean> {
  for (const path of payload.keys()) validate(path);
  const current = await readlink(`${directory}/${dataName}`).catch(() => undefined);
  if (current !== undefined && (await isSame(`${directory}/${current}`, payload))) return false;
  const fresh = await mkdtemp(`${directory}/..${stamp(current)}`);
  await chmod(fresh, 0o755);
  for (const [path, file] of payload) await writeOne(`${fresh}/${path}`, fresh, file, gid);
  await swap(directory, fresh.slice(directory.length + 1));
  await showNames(directory, payload);
  if (current !== undefined) await rm(`${directory}/${current}`, { recursive: true, force: true });
  return true;
}

/** The names need only differ. */
const stamp = (current: string | undefined) =>
  `data-${current ? Number(/data-(\d+)/.exec(current)?.[1] ?? 0) + 1 : 1}.`;

async function writeOne(path: string, root: string, file: FileProjection, gid?: number): Promise<void> {
  const parent = dirname(path);
  if (parent !== root) await mkdir(parent, { recursive: true, mode: 0o755 });
  await writeFile(path, file.content);
  if (file.uid !== undefined || gid !== undefined) await chown(path, file.uid ?? 0, gid ?? 0);
  await chmod(path, file.mode);
}

async function swap(directory: string, name: string): Promise<void> {
  const temporary = `${directory}/..data_tmp`;
  await rm(temporary, { force: true });
  await symlink(name, temporary);
  await rename(temporary, `${directory}/${dataName}`);
}

async function showNames(directory: string, payload: Payload): Promise<void> {
  const names = new Set([...payload.keys()].map(p => p.split('/')[0] ?? ''));
  for (const entry of await readdir(directory))
    if (!entry.startsWith('..') && !names.has(entry)) await rm(`${directory}/${entry}`, { force: true });
  for (const name of names) {
    const path = `${directory}/${name}`;
    if (!(await lstat(path).catch(() => undefined))) await symlink(`${dataName}/${name}`, path);
  }
}

async function isSame(directory: string, payload: Payload): Promise<boolean> {
  const present = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => undefined);
  if (!present) return false;
  const files = present.filter(e => e.isFile());
  if (files.length !== payload.size) return false;
  for (const [path, { content }] of payload) {
    const now = await readFile(`${directory}/${path}`).catch(() => undefined);
    if (!now?.equals(content)) return false;
  }
  return true;
}
