/** Reads cron schedules as robfig/cron's standard parser does: five fields, names, ranges, steps, "@daily" and "@every". */

interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
}
const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const fields: readonly Bounds[] = [
  { min: 0, max: 59 },
  { min: 0, max: 23 },
  { min: 1, max: 31 },
  { min: 1, max: 12, names: months },
  { min: 0, max: 6, names: days },
];
const descriptors = new Set(['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly']);
const goDuration = /^[+-]?(\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h))*$/;

function numberOf(text: string, bounds: Bounds): number | string {
  const named = bounds.names?.indexOf(text.toLowerCase()) ?? -1;
  if (named >= 0) return named + bounds.min;
  return /^\d+$/.test(text)
    ? Number(text)
    : `failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`;
}

function rangeComplaint(expression: string, bounds: Bounds): string | undefined {
  const [range = '', step, ...more] = expression.split('/');
  const ends = range.split('-');
  if (ends.length > 2) return `too many hyphens: ${expression}`;
  if (more.length > 0) return `too many slashes: ${expression}`;
  const [first = '', last] = ends;
  let low: number | string = bounds.min;
  let high: number | string = bounds.max;
  if (first !== '*' && first !== '?') {
    low = numberOf(first, bounds);
    high = last === undefined ? (step === undefined ? low : bounds.max) : numberOf(last, bounds);
  }
  const width = step === undefined ? 1 : numberOf(step, { min: 0, max: 0 });
  for (const part of [low, high, width]) if (typeof part === 'string') return part;
  const [from, to, by] = [low, high, width] as [number, number, number];
  if (from < bounds.min) return `beginning of range (${from}) below minimum (${bounds.min}): ${expression}`;
  if (to > bounds.max) return `end of range (${to}) above maximum (${bounds.max}): ${expression}`;
  if (from > to) return `beginning of range (${from}) beyond end of range (${to}): ${expression}`;
  return by === 0 ? `step of range should be a positive number: ${expression}` : undefined;
}

/** Why the text is not a schedule, or undefined when it is one. */
export function scheduleComplaint(schedule: string): string | undefined {
  const spec = schedule.replace(/^(CRON_)?TZ=\S*\s*/, '').trim();
  if (spec === '') return 'empty spec string';
  if (spec.startsWith('@')) {
    if (descriptors.has(spec)) return undefined;
    if (!spec.startsWith('@every ')) return `unrecognized descriptor: ${spec}`;
    const duration = spec.slice('@every '.length);
    return goDuration.test(duration)
      ? undefined
      : `failed to parse duration ${spec}: time: invalid duration ${JSON.stringify(duration)}`;
  }
  const parts = spec.split(/\s+/);
  if (parts.length !== fields.length) return `expected exactly 5 fields, found ${parts.length}: [${parts.join(' ')}]`;
  for (const [i, bounds] of fields.entries()) {
    for (const expression of (parts[i] ?? '').split(',')) {
      const complaint = rangeComplaint(expression, bounds);
      if (complaint !== undefined) return complaint;
    }
  }
  return undefined;
}
