/**
 * Schedules of CronJobs: the five fields of cron with names, `?`, ranges and steps, `@hourly` and its siblings, and `@every`. The grammar
 * and complaints are those of robfig/cron v3 (ParseStandard), which upstream uses. Daylight saving: every slot of a schedule runs once.
 * A time that the clocks skip runs when they have skipped it, one that they repeat runs the first time; schedules of every hour follow real
 * time. (robfig/cron, like upstream, leaves out the former and doubles the latter.)
 */

export interface Schedule {
  /** The first slot after `afterMs`, in milliseconds since the epoch; undefined when there is none within five years. */
  next(afterMs: number): number | undefined;
  /** For `@every`: the distance between slots. */
  readonly everyMs?: number;
}

/** The text cannot be understood. */
export class CronError extends Error {
  override readonly name = 'CronError';
}

interface Field {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
}
const fields = [
  { name: 'minute', min: 0, max: 59 },
  { name: 'hour', min: 0, max: 23 },
  { name: 'day of month', min: 1, max: 31 },
  {
    name: 'month',
    min: 1,
    max: 12,
    names: ['', 'jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'],
  },
  { name: 'day of week', min: 0, max: 6, names: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] },
] as const satisfies readonly Field[];

const descriptors: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

interface Slots {
  readonly values: ReadonlySet<number>;
  /** Written with `*` or `?`: days then combine with "and". */
  readonly star: boolean;
}
interface Spec {
  readonly minutes: Slots;
  readonly hours: Slots;
  readonly days: Slots;
  readonly months: Slots;
  readonly weekdays: Slots;
}

/** @throws CronError for bad text, RangeError for an unknown time zone. */
export function parseSchedule(text: string, timeZone = 'UTC'): Schedule {
  const trimmed = text.trim();
  if (trimmed === '') throw new CronError('empty spec string');
  const prefix = /^(?:CRON_)?TZ=(\S+)\s+(.*)$/.exec(trimmed);
  if (prefix) return parseSchedule(prefix[2] ?? '', prefix[1] ?? 'UTC');
  if (trimmed.startsWith('@every ')) return every(trimmed.slice('@every '.length));
  const standard = trimmed.startsWith('@') ? descriptors[trimmed] : trimmed;
  if (standard === undefined) throw new CronError(`unrecognized descriptor: ${trimmed}`);
  return zoned(parseSpec(standard), zoneOffsets(timeZone));
}

const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

/** Whole seconds, at least one, from the second that the last run fell in. */
function every(text: string): Schedule {
  const parts = [...text.matchAll(/(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map(p => p[0]).join('') !== text)
    throw new CronError(`failed to parse duration @every ${text}: time: invalid duration ${JSON.stringify(text)}`);
  const total = parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (unitMs[unit ?? ''] ?? 0), 0);
  const everyMs = Math.max(1_000, Math.floor(total / 1000) * 1000);
  return { everyMs, next: after => Math.floor(after / 1000) * 1000 + everyMs };
}

function parseSpec(text: string): Spec {
  const parts = text.split(/\s+/);
  if (parts.length !== 5) throw new CronError(`expected exactly 5 fields, found ${parts.length}: [${parts.join(' ')}]`);
  const [minutes, hours, days, months, weekdays] = fields.map((field, i) => parseField(parts[i] ?? '', field));
  if (!minutes || !hours || !days || !months || !weekdays) throw new CronError('missing field');
  return { minutes, hours, days, months, weekdays };
}

function parseField(text: string, field: Field): Slots {
  const values = new Set<number>();
  let star = false;
  for (const part of text.split(',').filter(Boolean)) {
    const range = parseRange(part, field);
    star ||= range.star;
    for (let v = range.from; v <= range.to; v += range.step) values.add(v);
  }
  if (values.size === 0) throw new CronError(`failed to parse ${field.name} from ${JSON.stringify(text)}`);
  return { values, star };
}

function parseRange(text: string, field: Field): { from: number; to: number; step: number; star: boolean } {
  const [range = '', stepText, ...tooMany] = text.split('/');
  if (tooMany.length > 0) throw new CronError(`too many slashes: ${text}`);
  const [low = '', high, ...more] = range.split('-');
  if (more.length > 0) throw new CronError(`too many hyphens: ${text}`);
  const star = low === '*' || low === '?';
  const from = star ? field.min : parseValue(low, field);
  let to = star ? field.max : high === undefined ? from : parseValue(high, field);
  const step = stepText === undefined ? 1 : parseNumber(stepText);
  // "5/15" means from 5 on.
  if (stepText !== undefined && !star && high === undefined) to = field.max;
  if (from < field.min) throw new CronError(`beginning of range (${from}) below minimum (${field.min}): ${text}`);
  if (to > field.max) throw new CronError(`end of range (${to}) above maximum (${field.max}): ${text}`);
  if (from > to) throw new CronError(`beginning of range (${from}) beyond end of range (${to}): ${text}`);
  if (step === 0) throw new CronError(`step of range should be a positive number: ${text}`);
  // Upstream's star loses its meaning for days when it has a step.
  return { from, to, step, star: star && step === 1 };
}

function parseValue(text: string, { names }: Field): number {
  const named = names?.indexOf(text.toLowerCase()) ?? -1;
  return named >= 0 && text !== '' ? named : parseNumber(text);
}
function parseNumber(text: string): number {
  if (!/^\d+$/.test(text))
    throw new CronError(
      `failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`,
    );
  return Number(text);
}

/** Milliseconds to add to an instant to get the wall clock's time, as if that were UTC. */
type Offset = (instant: number) => number;

/** @throws RangeError for an unknown time zone. */
export function zoneOffsets(timeZone: string): Offset {
  if (timeZone === 'UTC' || timeZone === 'Etc/UTC') return () => 0;
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  return instant => {
    const whole = Math.floor(instant / 1000) * 1000;
    const part: Record<string, number> = {};
    for (const { type, value } of format.formatToParts(whole)) part[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
    return Date.UTC(year, month - 1, day, hour, minute, second) - whole;
  };
}

const minuteMs = 60_000;
const dayMs = 86_400_000;
const searchYears = 5;

function zoned(spec: Spec, offset: Offset): Schedule {
  const everyHour = spec.hours.values.size === 24;
  return { next: after => (everyHour ? nextInRealTime(spec, offset, after) : nextOnWallClock(spec, offset, after)) };
}

/** Slots are times of the wall clock: each happens once, whatever the clock does. */
function nextOnWallClock(spec: Spec, offset: Offset, after: number): number | undefined {
  let wall = after + offset(after);
  for (let i = 0; i < 200; i++) {
    const slot = nextMatch(spec, wall);
    if (slot === undefined) return undefined;
    const instant = instantOf(slot, offset);
    if (instant > after) return instant;
    // It ran before the clock was set back.
    wall = slot;
  }
  return undefined;
}

/** The first instant at which the wall clock has reached this time. */
function instantOf(wall: number, offset: Offset): number {
  const early = offset(wall - dayMs);
  const late = offset(wall + dayMs);
  const before = wall - early;
  if (before + offset(before) === wall) return before;
  const behind = wall - late;
  if (behind + offset(behind) === wall) return behind;
  return transitionBetween(Math.min(before, behind), Math.max(before, behind), offset);
}

/** Schedules of every hour go by real time: in the longer hour more often, in the skipped one not at all. */
function nextInRealTime(spec: Spec, offset: Offset, after: number): number | undefined {
  let from = after;
  let wall = after + offset(after);
  for (let i = 0; i < 50; i++) {
    const slot = nextMatch(spec, wall);
    if (slot === undefined) return undefined;
    const instant = slot - offset(from);
    if (offset(instant) === offset(from)) return instant;
    const change = transitionBetween(from, instant, offset);
    if (instant < change) return instant;
    from = change;
    // The slot may be the very first minute after the change.
    wall = change + offset(change) - 1;
  }
  return undefined;
}

/** The first instant in (from, to] with the offset that `to` has, to the second. */
function transitionBetween(from: number, to: number, offset: Offset): number {
  const target = offset(to);
  let low = Math.floor(from / 1000);
  let high = Math.ceil(to / 1000);
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offset(middle * 1000) === target) high = middle;
    else low = middle;
  }
  return high * 1000;
}

/** The first matching minute after a wall time, on a calendar without surprises. */
function nextMatch(spec: Spec, wall: number): number | undefined {
  let at = Math.floor(wall / minuteMs) * minuteMs + minuteMs;
  const limit = at + searchYears * 366 * dayMs;
  while (at <= limit) {
    const date = new Date(at);
    const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()];
    if (!spec.months.values.has(month + 1)) at = Date.UTC(year, month + 1, 1);
    else if (!matchesDay(spec, date)) at = Date.UTC(year, month, day + 1);
    else if (!spec.hours.values.has(date.getUTCHours())) at = Date.UTC(year, month, day, date.getUTCHours() + 1);
    else if (!spec.minutes.values.has(date.getUTCMinutes())) at += minuteMs;
    else return at;
  }
  return undefined;
}

/** Both days restricted: either suffices. */
function matchesDay({ days, weekdays }: Spec, date: Date): boolean {
  const byDay = days.values.has(date.getUTCDate());
  const byWeekday = weekdays.values.has(date.getUTCDay());
  return days.star || weekdays.star ? byDay && byWeekday : byDay || byWeekday;
}
