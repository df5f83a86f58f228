import { chmodSync, closeSync, existsSync, mkdirSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { StoreError } from '../contract.ts';

/** The file format: which file it is, how it is laid out, and how it is opened. Used by the worker and by snapshots. */

export const stateFile = (directory: string) => join(directory, 'state.db');
const lockFile = (directory: string) => join(directory, 'lock');

/** "Tsuk" as SQLite's application id. */
const applicationId = 0x5473756b;
const formatVersion = 1;

/**
 * `change` holds one row per changed key: `id` is revision × 65,536 + position. A deletion has version 0. `prev` is the revision of the
 * key's previous value, so that compaction and previous values need no index. `crc` covers everything else of the row.
 */
const schema = `
  CREATE TABLE change (
    id INTEGER PRIMARY KEY, key BLOB NOT NULL, value BLOB NOT NULL, created INTEGER NOT NULL, version INTEGER NOT NULL,
    lease INTEGER NOT NULL, prev INTEGER NOT NULL, crc INTEGER NOT NULL
  );
  CREATE TABLE lease (id INTEGER PRIMARY KEY, ttl INTEGER NOT NULL);
  CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
  INSERT INTO meta VALUES ('revision', 1), ('compacted', 0), ('scrubbed', 0);
`;

/** SQLite's result code of a failure, or 0. */
export function sqliteCode(error: unknown): number {
  const code = (error as { errcode?: unknown })?.errcode;
  return typeof code === 'number' ? code : 0;
}

const ioFsync = new Set([1034, 1290, 1546]);

/** Maps what SQLite and the file system throw to the contract's errors. */
export function storeError(error: unknown, what: string): StoreError {
  if (error instanceof StoreError) return error;
  const code = sqliteCode(error);
  const message = `${what}: ${error instanceof Error ? error.message : String(error)}`;
  // After a failed fsync nobody knows whether the pages reached the disk.
  if (ioFsync.has(code)) return new StoreError('unavailable', message);
  switch (code & 0xff) {
    case 13:
      return new StoreError('no-space', message);
    case 11:
    case 26:
      return new StoreError('corrupt', message);
    case 5:
    case 6:
      return new StoreError('locked', message);
    default:
      break;
  }
  const errno = (error as { code?: unknown })?.code;
  return new StoreError(errno === 'ENOSPC' || errno === 'EDQUOT' ? 'no-space' : 'io', message);
}

/** Makes the file, readable by its owner only, before SQLite does. */
export function createPrivate(file: string): void {
  if (existsSync(file)) {
    if ((statSync(file).mode & 0o077) !== 0) chmodSync(file, 0o600);
    return;
  }
  closeSync(openSync(file, 'wx', 0o600));
}

/**
 * Keeps every other process (and every other store of this one) out of the directory for as long as it is held; the kernel lets go of it
 * when the process dies, however it dies. Throws "locked".
 */
export function lockDirectory(directory: string): { release(): void } {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const file = lockFile(directory);
  createPrivate(file);
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(file, { timeout: 0 });
    lock.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    lock?.close();
    if (sqliteCode(error) === 5) throw new StoreError('locked', `${directory} is in use by another process`);
    throw storeError(error, `cannot lock ${directory}`);
  }
  const held = lock;
  return { release: () => held.close() };
}

/** Opens the state, making it when the file is new or empty. Throws "corrupt" for a file that is not a store, and leaves it as it is. */
export function openState(file: string): DatabaseSync {
  createPrivate(file);
  const fresh = statSync(file).size === 0;
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(file, { timeout: 5000 });
    if (!fresh) checkFormat(db, file);
    if (fresh) db.exec('PRAGMA page_size = 8192; PRAGMA auto_vacuum = INCREMENTAL');
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16384');
    db.exec('PRAGMA wal_autocheckpoint = 4096; PRAGMA temp_store = MEMORY');
    if (fresh) {
      db.exec(
        `BEGIN; ${schema} PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${formatVersion}; COMMIT`,
      );
    }
    return db;
  } catch (error) {
    db?.close();
    throw storeError(error, `cannot open ${file}`);
  }
}

/** Throws "corrupt" unless the open database is a store of a format that this version reads. */
export function checkFormat(db: DatabaseSync, file: string): void {
  const id = pragma(db, 'application_id');
  const version = pragma(db, 'user_version');
  const tables = db.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.['n'];
  // A crash while the file was being made leaves an empty database: nothing was acknowledged yet.
  if (id === 0 && tables === 0) {
    db.exec('PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL');
    db.exec(
      `BEGIN; ${schema} PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${formatVersion}; COMMIT`,
    );
    return;
  }
  if (id !== applicationId)
    throw new StoreError('corrupt', `${file} is an SQLite database, but not a store of Tsukube`);
  if (version !== formatVersion) {
    throw new StoreError(
      'corrupt',
      `${file} has format ${version}, and this version of Tsukube reads ${formatVersion}`,
    );
  }
}

export function pragma(db: DatabaseSync, name: string): number {
  return Number(Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0] ?? 0);
}

export interface Meta {
  revision: number;
  compacted: number;
  /** The first row that the compaction has not visited; that of the compacted revision when it is done. */
  scrubbed: number;
}
export function readMeta(db: DatabaseSync): Meta {
  const meta: Meta = { revision: 1, compacted: 0, scrubbed: 0 };
  for (const row of db.prepare('SELECT name, value FROM meta').all()) {
    const name = row['name'];
    if (name === 'revision' || name === 'compacted' || name === 'scrubbed') meta[name] = Number(row['value']);
  }
  return meta;
}
export function writeMeta(db: DatabaseSync, meta: Partial<Meta>): void {
  const statement = db.prepare('UPDATE meta SET value = ? WHERE name = ?');
  for (const [name, value] of Object.entries(meta)) statement.run(value, name);
}
