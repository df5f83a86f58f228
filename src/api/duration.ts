/** Ages as `kubectl get` prints them (k8s.io/apimachinery/pkg/util/duration). */

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
