/** Times as Go's `time.Parse` reads and metav1.Time and metav1.MicroTime write them. */
import { DecodeError } from './decode-error.ts';

const shape = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d)$/;
const plain = /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$/;

/** UTC, whole seconds. @throws DecodeError */
export function canonicalTime(text: string): string {
  if (plain.test(text)) return text;
  return `${secondsOf(text, '2006-01-02T15:04:05Z07:00').iso}Z`;
}

/** UTC, six decimals. @throws DecodeError */
export function canonicalMicroTime(text: string): string {
  const { iso, fraction } = secondsOf(text, '2006-01-02T15:04:05.000000Z07:00');
  return `${iso}.${fraction.padEnd(6, '0').slice(0, 6)}Z`;
}

function secondsOf(text: string, layout: string): { iso: string; fraction: string } {
  const match = shape.exec(text);
  if (!match) throw new DecodeError(complaint(text, layout));
  const [, year, month, day, hour, minute, second, fraction = '', zone = 'Z'] = match;
  const ms = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second));
  const date = new Date(ms);
  if (Number(year) < 100) date.setUTCFullYear(Number(year));
  const whole = `${year}-${month}-${day}T${hour}:${minute}:${second}`;
  if (date.toISOString().slice(0, 19) !== whole) throw new DecodeError(`${complaintStart(text)}: ${outOfRange(match)}`);
  if (zone !== 'Z') {
    const sign = zone.startsWith('-') ? 1 : -1;
    date.setTime(date.getTime() + sign * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4))) * 60_000);
  }
  return { iso: date.toISOString().slice(0, 19), fraction };
}

const complaintStart = (text: string) => `parsing time ${JSON.stringify(text)}`;

function outOfRange([, , month, day, hour, minute]: readonly string[]): string {
  if (Number(month) < 1 || Number(month) > 12) return 'month out of range';
  if (Number(hour) > 23) return 'hour out of range';
  if (Number(minute) > 59) return 'minute out of range';
  if (Number(day) < 1 || Number(day) > 28) return 'day out of range';
  return 'second out of range';
}

/** Names the first part of the layout that the text does not fit. */
function complaint(text: string, layout: string): string {
  const steps: [RegExp, string][] = [
    [/^\d{4}/, '2006'],
    [/^-/, '-'],
    [/^\d\d/, '01'],
    [/^-/, '-'],
    [/^\d\d/, '02'],
    [/^T/, 'T'],
    [/^\d\d/, '15'],
    [/^:/, ':'],
    [/^\d\d/, '04'],
    [/^:/, ':'],
    [/^\d\d(?:[.,]\d+)?/, '05'],
    [/^(?:Z|[+-]\d\d:\d\d)/, 'Z07:00'],
  ];
  let rest = text;
  for (const [pattern, element] of steps) {
    const match = pattern.exec(rest);
    if (!match) {
      const where = `${complaintStart(text)} as ${JSON.stringify(layout)}`;
      return `${where}: cannot parse ${JSON.stringify(rest)} as ${JSON.stringify(element)}`;
    }
    rest = rest.slice(match[0].length);
  }
  return `${complaintStart(text)}: extra text: ${JSON.stringify(rest)}`;
}
