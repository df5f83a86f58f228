import { createHash } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { StoreError } from '../contract.ts';
import { rowOf } from './database.ts';
import { checkFormat, createPrivate, lockDirectory, readMeta, stateFile, storeError, writeMeta } from './file.ts';

/** What a snapshot holds. */
export interface SnapshotStatus {
  /** SHA-256 over the newest state: equal states have equal hashes. */
  readonly hash: string;
  readonly revision: number;
  readonly totalKeys: number;
  /** Bytes of the file. */
  readonly totalSize: number;
}

/**
 * How far the revision is moved on by a restore. Clients may have seen revisions that the snapshot does not have; they must not come
 * again with other contents. etcd's own guide recommends the same number.
 */
export const defaultRevisionBump = 1_000_000_000;

/**
 * Writes a consistent copy of the store in `directory` to `file`, also while a server has the store open and writes to it; the server is
 * not slowed down. The copy is on disk, and readable by its owner only, when this resolves. Rejects with "invalid" when there is no
 * store or `file` exists, "no-space" or "io" when the disk refuses; then there is no `file`.
 */
export async function saveSnapshot(options: { directory: string; file: string }): Promise<SnapshotStatus> {
  const source = stateFile(options.directory);
  if (!existsSync(source)) throw new StoreError('invalid', `${options.directory} holds no store`);
  if (existsSync(options.file)) throw new StoreError('invalid', `${options.file} exists already`);
  const part = `${options.file}.part`;
  rmSync(part, { force: true });
  try {
    createPrivate(part);
    withDatabase(source, db => db.prepare('VACUUM INTO ?').run(part));
    const status = readStatus(part);
    sync(part);
    renameSync(part, options.file);
    sync(dirname(options.file));
    return status;
  } catch (error) {
    rmSync(part, { force: true });
    throw storeError(error, `cannot save ${options.file}`);
  }
}

/** Reads a whole snapshot and checks every row. Rejects with "corrupt" for a file that is damaged or not a snapshot. */
export async function snapshotStatus(file: string): Promise<SnapshotStatus> {
  try {
    return readStatus(file);
  } catch (error) {
    throw storeError(error, `cannot read ${file}`);
  }
}

/**
 * Makes a new store in `directory` from a snapshot. All history counts as compacted, and the revision is moved on, so that every client
 * lists again instead of going on from a revision that it remembers. Rejects with "invalid" when the directory holds a store, "locked"
 * when it is in use, "corrupt" for a bad snapshot; then the directory holds no store.
 */
export async function restoreSnapshot(options: {
  file: string;
  directory: string;
  revisionBump?: number;
}): Promise<SnapshotStatus> {
  const { revision } = await snapshotStatus(options.file);
  mkdirSync(options.directory, { recursive: true, mode: 0o700 });
  const lock = lockDirectory(options.directory);
  const target = stateFile(options.directory);
  const part = `${target}.part`;
  try {
    if (existsSync(target)) throw new StoreError('invalid', `${options.directory} holds a store already`);
    rmSync(part, { force: true });
    createPrivate(part);
    await copyFile(options.file, part);
    const restored = revision + Math.max(1, options.revisionBump ?? defaultRevisionBump);
    withDatabase(part, db => writeMeta(db, { revision: restored, compacted: restored }), false);
    sync(part);
    renameSync(part, target);
    sync(options.directory);
    return readStatus(target);
  } catch (error) {
    rmSync(part, { force: true });
    throw storeError(error, `cannot restore ${options.directory}`);
  } finally {
    lock.release();
  }
}

function withDatabase<T>(file: string, body: (db: DatabaseSync) => T, readOnly = true): T {
  if (!existsSync(file)) throw new StoreError('invalid', `${file} does not exist`);
  const db = new DatabaseSync(file, { readOnly, timeout: 5000 });
  try {
    checkFormat(db, file);
    return body(db);
  } finally {
    db.close();
  }
}

function readStatus(file: string): SnapshotStatus {
  return withDatabase(file, db => {
    const meta = readMeta(db);
    const newest = new Map<string, string>();
    let revision = Math.max(meta.revision, meta.compacted);
    for (const raw of db
      .prepare('SELECT id, key, value, created, version, lease, prev, crc FROM change ORDER BY id')
      .iterate()) {
      const row = rowOf(raw);
      revision = Math.max(revision, row.revision);
      const key = Buffer.from(row.key).toString('latin1');
      if (row.kind === 'delete') newest.delete(key);
      else newest.set(key, digestOf(row.value, row.revision, row.version));
    }
    const hash = createHash('sha256');
    for (const key of [...newest.keys()].sort()) hash.update(`${key}\0${newest.get(key)}\0`, 'latin1');
    return { hash: hash.digest('hex'), revision, totalKeys: newest.size, totalSize: statSync(file).size };
  });
}

const digestOf = (value: Uint8Array, revision: number, version: number) =>
  createHash('sha256').update(value).update(` ${revision} ${version}`).digest('base64');

/** A file or directory survives a power cut only when it is told to. */
function sync(path: string): void {
  const handle = openSync(path, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
