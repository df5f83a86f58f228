/** Which slot of a CronJob is due: pure. Rules of pkg/controller/cronjob/utils.go of v1.35. */
import { parseSchedule, type Schedule, zoneOffsets } from '../../api/cron.ts';
import type { CronJob } from '../../api/types/batch-v1.ts';

/** Missed slots above this are reported. */
const manyMissed = 100;

export interface Due {
  /** The latest slot that is not in the future and not older than the last one that ran; undefined when there is none. */
  readonly slot: number | undefined;
  /** The next slot in the future. */
  readonly next: number | undefined;
  readonly tooManyMissed: boolean;
  /** The schedule can be read, but no calendar has such a day. */
  readonly never?: boolean;
}

/** A slot in the CronJob's time zone, in RFC 3339. */
export function slotText({ spec }: CronJob, slot: number): string {
  const offset = zoneOffsets(spec.timeZone || 'UTC')(slot);
  const wall = new Date(slot + offset).toISOString().slice(0, 19);
  const minutes = Math.abs(offset) / 60_000;
  const two = (n: number) => String(Math.floor(n)).padStart(2, '0');
  return offset === 0 ? `${wall}Z` : `${wall}${offset < 0 ? '-' : '+'}${two(minutes / 60)}:${two(minutes % 60)}`;
}

export const scheduleOf = (cj: CronJob): Schedule => parseSchedule(cj.spec.schedule, cj.spec.timeZone || 'UTC');

export function dueSlot(cj: CronJob, schedule: Schedule, now: number): Due {
  const { startingDeadlineSeconds } = cj.spec;
  const { lastScheduleTime } = cj.status ?? {};
  let earliest = Date.parse(lastScheduleTime ?? cj.metadata.creationTimestamp ?? '');
  if (Number.isNaN(earliest)) earliest = now;
  const anchor = earliest;
  if (startingDeadlineSeconds !== undefined) earliest = Math.max(earliest, now - startingDeadlineSeconds * 1000);
  if (schedule.everyMs !== undefined) return dueEvery(anchor, earliest, schedule.everyMs, now);
  const first = schedule.next(earliest);
  const next = schedule.next(now);
  if (first === undefined || first > now)
    return { slot: undefined, next, tooManyMissed: false, never: first === undefined };
  return {
    slot: latestSlot(schedule, first, now),
    next,
    tooManyMissed: missedAbout(schedule, first, now) > manyMissed,
  };
}

/** Slots of `@every` are counted from the last run, so that they do not drift with the deadline. */
function dueEvery(anchor: number, earliest: number, everyMs: number, now: number): Due {
  const start = Math.floor(anchor / 1000) * 1000;
  const steps = Math.floor((now - start) / everyMs);
  const slot = start + steps * everyMs;
  const due = steps > 0 && slot > earliest;
  const missed = Math.floor((now - Math.max(start, earliest)) / everyMs);
  return {
    slot: due ? slot : undefined,
    next: start + (steps + 1) * everyMs,
    tooManyMissed: due && missed > manyMissed,
  };
}

/** Looks back further and further, so that years of missed minutes need not be walked. */
function latestSlot(schedule: Schedule, first: number, now: number): number {
  for (const back of [3_600_000, 86_400_000, 32 * 86_400_000, 370 * 86_400_000]) {
    if (now - back <= first) break;
    const found = schedule.next(now - back);
    if (found !== undefined && found <= now) return walk(schedule, found, now);
  }
  return walk(schedule, first, now);
}
function walk(schedule: Schedule, from: number, now: number): number {
  let at = from;
  for (let next = schedule.next(at); next !== undefined && next <= now; next = schedule.next(at)) at = next;
  return at;
}
/** Upstream's estimate: as if all slots were as far apart as the first two. */
function missedAbout(schedule: Schedule, first: number, now: number): number {
  const second = schedule.next(first);
  return second === undefined || second > now ? 1 : Math.floor((now - first) / (second - first)) + 1;
}
