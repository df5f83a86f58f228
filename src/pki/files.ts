/** Small files that must never be half written or readable by others. */
import { randomBytes } from 'node:crypto';
import { chmodSync, linkSync, mkdirSync, readFileSync, renameSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** Undefined when there is no such file. */
export function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (e) {
    if (e instanceof Error && 'code' in e && e.code === 'ENOENT') return undefined;
    throw e;
  }
}

function writeTemporary(path: string, content: string, mode: number): string {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  writeFileSync(temporary, content, { mode, flag: 'wx' });
  return temporary;
}

function ensureMode(path: string, mode: number): void {
  if ((statSync(path).mode & 0o777) !== mode) chmodSync(path, mode);
}

/** Replaces the file in one step. Does not touch a file that holds the content already, but tightens its mode. */
export function writeFileSecurely(path: string, content: string, mode: number): void {
  if (readIfPresent(path) === content) {
    ensureMode(path, mode);
    return;
  }
  renameSync(writeTemporary(path, content, mode), path);
}

/** Writes the file unless it exists; gives what is in it then. Of several processes at once, one wins and all agree. */
export function createOnce(path: string, make: () => string, mode: number): string {
  const present = readIfPresent(path);
  if (present !== undefined) {
    ensureMode(path, mode);
    return present;
  }
  const content = make();
  const temporary = writeTemporary(path, content, mode);
  try {
    linkSync(temporary, path);
    return content;
  } catch (e) {
    if (e instanceof Error && 'code' in e && e.code === 'EEXIST') return readFileSync(path, 'utf8');
    throw e;
  } finally {
    unlinkSync(temporary);
  }
}
