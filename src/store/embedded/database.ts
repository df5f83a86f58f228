import { statSync } from 'node:fs';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';
import { StoreError } from '../contract.ts';
import { type Packed, Packer, type Row, rowsPerRevision, unpack } from './codec.ts';
import { lockDirectory, openState, pragma, readMeta, stateFile, writeMeta } from './file.ts';

const chunkBytes = 256 * 1024;
/** Rows whose predecessors are removed in one step of a compaction, so that writers wait little. */
const scrubRows = 2000;
/** Pages given back to the file system in one step. */
const vacuumPages = 2000;

/** Over everything the row holds: the numbers seed the sum over the bytes. */
export function checksum(id: number, row: Row): number {
  let seed = mix(0, id);
  seed = mix(seed, row.createRevision);
  seed = mix(seed, row.version);
  seed = mix(seed, row.lease);
  seed = mix(seed, row.prevRevision);
  seed = mix(seed, row.key.length);
  return crc32(row.value, crc32(row.key, seed >>> 0));
}

function mix(seed: number, value: number): number {
  const high = Math.floor(value / 2 ** 32);
  return Math.imul(Math.imul(seed ^ (value | 0), 0x85ebca6b) ^ high ^ (seed >>> 15), 0xc2b2ae35);
}

const columns = 'id, key, value, created, version, lease, prev, crc';

/** Rebuilds a row read with `columns`. Throws "corrupt" when its checksum does not match. */
export function rowOf(raw: Record<string, unknown>): Row {
  const id = Number(raw['id']);
  const revision = Math.floor(id / rowsPerRevision);
  const version = Number(raw['version']);
  const row: Row = {
    kind: version === 0 ? 'delete' : 'put',
    revision,
    index: id - revision * rowsPerRevision,
    createRevision: Number(raw['created']),
    version,
    lease: Number(raw['lease']),
    prevRevision: Number(raw['prev']),
    key: raw['key'] as Uint8Array,
    value: raw['value'] as Uint8Array,
  };
  if (checksum(id, row) !== raw['crc']) {
    throw new StoreError('corrupt', `the row of revision ${revision} does not match its checksum`);
  }
  return row;
}

export interface Loaded {
  revision: number;
  compacted: number;
}

/** The store's file, as the worker drives it. Every call is synchronous; a call that throws has changed nothing. */
export class Database {
  readonly #lock: { release(): void };
  readonly #db: DatabaseSync;
  readonly #file: string;
  readonly #insert: StatementSync;
  readonly #removeKey: StatementSync;
  readonly #grant: StatementSync;
  readonly #revoke: StatementSync;
  readonly #begin: StatementSync;
  readonly #commitSql: StatementSync;
  #compacted = 0;
  #scrubbed = 0;
  #vacuum = false;

  constructor(directory: string) {
    this.#lock = lockDirectory(directory);
    this.#file = stateFile(directory);
    try {
      this.#db = openState(this.#file);
    } catch (error) {
      this.#lock.release();
      throw error;
    }
    const prepare = (sql: string) => this.#db.prepare(sql);
    this.#insert = prepare(`INSERT INTO change (${columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`);
    this.#removeKey = prepare('DELETE FROM change WHERE id >= ? AND id < ? AND key = ?');
    this.#grant = prepare('INSERT OR REPLACE INTO lease VALUES (?, ?)');
    this.#revoke = prepare('DELETE FROM lease WHERE id = ?');
    this.#begin = prepare('BEGIN IMMEDIATE');
    this.#commitSql = prepare('COMMIT');
  }

  /** Reads everything, newest last, in chunks to `emit`. Throws "corrupt" when something does not match. */
  load(emit: (packed: Packed) => void): Loaded {
    const meta = readMeta(this.#db);
    this.#compacted = meta.compacted;
    this.#scrubbed = meta.scrubbed;
    let packer = new Packer(256, chunkBytes);
    let revision = Math.max(meta.revision, meta.compacted);
    for (const raw of this.#db.prepare(`SELECT ${columns} FROM change ORDER BY id`).iterate()) {
      const row = rowOf(raw);
      revision = Math.max(revision, row.revision);
      packer.row(row);
      if (packer.size < chunkBytes * 0.9) continue;
      emit(packer.finish());
      packer = new Packer(256, chunkBytes);
    }
    for (const raw of this.#db.prepare('SELECT id, ttl FROM lease').all()) {
      packer.lease('grant', Number(raw['id']), Number(raw['ttl']));
    }
    emit(packer.finish());
    return { revision, compacted: meta.compacted };
  }

  /** Writes all messages in one durable transaction. */
  commit(messages: readonly Packed[]): void {
    this.#transaction(() => {
      for (const message of messages) for (const row of unpack(message)) this.#write(row);
    });
  }

  #write(row: Row): void {
    if (row.kind === 'grant') this.#grant.run(row.revision, row.version);
    else if (row.kind === 'revoke') this.#revoke.run(row.revision);
    else {
      const id = row.revision * rowsPerRevision + row.index;
      const { key, value, createRevision, version, lease, prevRevision } = row;
      this.#insert.run(id, key, value, createRevision, version, lease, prevRevision, checksum(id, row));
    }
  }

  #transaction(body: () => void): void {
    this.#begin.run();
    try {
      body();
      this.#commitSql.run();
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  /**
   * Whole revisions from `from` to `through`, at most about `limit` rows, with each row's previous value right before
   * it when that is kept. `through` of the answer tells how far it goes.
   */
  history(from: number, through: number, limit: number): { packed: Packed; through: number } {
    const packer = new Packer();
    const select = this.#db.prepare(`SELECT ${columns} FROM change WHERE id >= ? AND id < ? ORDER BY id LIMIT ?`);
    const end = (through + 1) * rowsPerRevision;
    const rows = select.all(from * rowsPerRevision, end, limit + 1).map(rowOf);
    let last = through;
    if (rows.length > limit) {
      last = (rows.at(-1)?.revision ?? through) - 1;
      // One revision alone may be more than the limit: then it is read whole.
      if (last < from) return this.history(from, through, limit * 4);
    }
    const previous = this.#db.prepare(`SELECT ${columns} FROM change WHERE id >= ? AND id < ? AND key = ?`);
    for (const row of rows) {
      if (row.revision > last) break;
      const start = row.prevRevision * rowsPerRevision;
      const raw = row.prevRevision > 0 ? previous.get(start, start + rowsPerRevision, row.key) : undefined;
      if (raw) packer.row({ ...rowOf(raw), kind: 'previous' });
      packer.row(row);
    }
    return { packed: packer.finish(), through: last };
  }

  /** Takes note of a compaction; `tidy` then removes the rows. */
  compact(revision: number): void {
    if (revision <= this.#compacted) return;
    this.#transaction(() => writeMeta(this.#db, { compacted: revision, revision }));
    this.#compacted = revision;
  }

  /** One short step of removing what is not needed and of giving the space back. False when nothing is left to do. */
  tidy(): boolean {
    if (this.#scrubbed !== this.#compacted * rowsPerRevision) {
      this.#scrub();
      return true;
    }
    if (!this.#vacuum) return false;
    const free = pragma(this.#db, 'freelist_count');
    // Some free pages are kept: the next writes use them.
    this.#vacuum = free > 256 + pragma(this.#db, 'page_count') * 0.05;
    if (this.#vacuum) this.#db.prepare(`PRAGMA incremental_vacuum(${vacuumPages})`).all();
    else this.truncateLog();
    return this.#vacuum;
  }

  /**
   * For each row of the compacted history: removes its predecessor, and, of a deletion, the row itself. Deletions of the compacted
   * revision stay until the next compaction, because a watch may still start there.
   */
  #scrub(): void {
    const select = this.#db.prepare(
      'SELECT id, key, version, prev FROM change WHERE id >= ? AND id < ? ORDER BY id LIMIT ?',
    );
    const end = (this.#compacted + 1) * rowsPerRevision;
    const rows = select.all(this.#scrubbed, end, scrubRows);
    const removeRow = this.#db.prepare('DELETE FROM change WHERE id = ?');
    const done = rows.length < scrubRows;
    const next = done ? this.#compacted * rowsPerRevision : Number(rows.at(-1)?.['id']) + 1;
    this.#transaction(() => {
      for (const raw of rows) {
        const [id, prev] = [Number(raw['id']), Number(raw['prev'])];
        const start = prev * rowsPerRevision;
        if (prev > 0) this.#removeKey.run(start, start + rowsPerRevision, raw['key'] as Uint8Array);
        if (raw['version'] === 0 && id < this.#compacted * rowsPerRevision) removeRow.run(id);
      }
      writeMeta(this.#db, { scrubbed: next });
    });
    this.#scrubbed = next;
    this.#vacuum = true;
  }

  /** Copies the log into the file and cuts it to nothing. */
  truncateLog(): void {
    this.#db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get();
  }

  sizes(): { file: number; log: number; free: number } {
    const log = statSync(`${this.#file}-wal`, { throwIfNoEntry: false })?.size ?? 0;
    return {
      file: statSync(this.#file).size,
      log,
      free: pragma(this.#db, 'freelist_count') * pragma(this.#db, 'page_size'),
    };
  }

  close(): void {
    try {
      this.#db.close();
    } finally {
      this.#lock.release();
    }
  }
}
