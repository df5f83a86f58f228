/** Ages as `kubectl get` prints them (k8s.io/apimachinery/pkg/util/duration), and durations as Go reads them. */

const minute = 60;
const hour = 60 * minute;
const day = 24 * hour;
const year = 365 * day;

const pair = (big: number, bigUnit: string, small: number, smallUnit: string) =>
  small === 0 ? `${big}${bigUnit}` : `${big}${bigUnit}${small}${smallUnit}`;

/** A duration in milliseconds with two or three significant digits: "119s", "5m10s", "3h", "2d3h", "3y40d". */
export function humanDuration(ms: number): string {
  const seconds = Math.trunc(ms / 1000);
  if (seconds < -1) return '<invalid>';
  if (seconds < 0) return '0s';
  if (seconds < 2 * minute) return `${seconds}s`;
  const minutes = Math.trunc(seconds / minute);
  if (minutes < 10) return pair(minutes, 'm', seconds % minute, 's');
  if (minutes < 3 * 60) return `${minutes}m`;
  const hours = Math.trunc(seconds / hour);
  if (hours < 8) return pair(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  const days = Math.trunc(seconds / day);
  if (hours < 24 * 8) return pair(days, 'd', hours % 24, 'h');
  if (seconds < 2 * year) return `${days}d`;
  const years = Math.trunc(seconds / year);
  return seconds < 8 * year ? pair(years, 'y', days % 365, 'd') : `${years}y`;
}

/** Time since an RFC 3339 timestamp, or `<unknown>` when it is unset. */
export function ageOf(timestamp: string | undefined | null, now: number): string {
  const at = timestamp ? Date.parse(timestamp) : Number.NaN;
  return Number.isNaN(at) ? '<unknown>' : humanDuration(now - at);
}

const unitsInMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

/** Milliseconds of a duration like "1m30s" or "-1.5h". Throws a RangeError with the text of Go's time.ParseDuration. */
export function parseGoDuration(text: string): number {
  const [, sign = '', body = ''] = /^([-+]?)(.*)$/s.exec(text) ?? [];
  if (body === '0') return 0;
  const shown = JSON.stringify(text);
  let ms = 0;
  let rest = body;
  do {
    const [part = '', number = '', unit = ''] = /^(\d+\.?\d*|\.\d+)([^\d.]*)/.exec(rest) ?? [];
    if (part === '') throw new RangeError(`time: invalid duration ${shown}`);
    if (unit === '') throw new RangeError(`time: missing unit in duration ${shown}`);
    const factor = unitsInMs[unit];
    if (factor === undefined) throw new RangeError(`time: unknown unit ${JSON.stringify(unit)} in duration ${shown}`);
    ms += Number(number) * factor;
    rest = rest.slice(part.length);
  } while (rest !== '');
  return sign === '-' ? -ms : ms;
}
