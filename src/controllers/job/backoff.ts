/** Pods of a job that keep failing are replaced more and more slowly: 10 s, 20 s, 40 s, up to 10 minutes, from the last failure. */

const baseMs = 10_000;
const maxMs = 600_000;

interface Record {
  failures: number;
  lastFailure: number;
  /** Uids that are in it. */
  seen: Set<string>;
}
export interface JobBackoff {
  /** Ended pods, in any order; each counts once. A success starts over. */
  note(key: string, ended: readonly End[]): void;
  /** Milliseconds to wait before the next creation. */
  remaining(key: string, now: number): number;
  forget(key: string): void;
}

/** Milliseconds to wait after so many failures in a row, the last one at `lastFailure`. */
export function backoffLeft(failures: number, lastFailure: number, now: number): number {
  if (failures === 0) return 0;
  const wait = Math.min(baseMs * 2 ** Math.min(failures - 1, 20), maxMs);
  return Math.max(0, lastFailure + wait - now);
}

interface End {
  readonly uid: string;
  readonly at: number;
  readonly success: boolean;
}
/** A failure at the moment of a success does not outlast it. */
const byEnd = (a: End, b: End) => a.at - b.at || Number(a.success) - Number(b.success);

/** Held in memory, like upstream's: after a restart of the manager a failing job gets one quick try. */
export function createJobBackoff(): JobBackoff {
  const records = new Map<string, Record>();
  return {
    note(key, ended) {
      if (ended.length === 0) return;
      const record = records.get(key) ?? { failures: 0, lastFailure: 0, seen: new Set<string>() };
      records.set(key, record);
      for (const { uid, at, success } of [...ended].sort(byEnd)) {
        if (record.seen.has(uid)) continue;
        record.seen.add(uid);
        record.failures = success ? 0 : record.failures + 1;
        if (!success) record.lastFailure = Math.max(record.lastFailure, at);
      }
    },
    remaining(key, now) {
      const record = records.get(key);
      return record ? backoffLeft(record.failures, record.lastFailure, now) : 0;
    },
    forget: key => void records.delete(key),
  };
}
