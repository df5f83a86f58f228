import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CronError, parseSchedule } from './cron.ts';

const iso = (ms: number | undefined) => (ms === undefined ? undefined : new Date(ms).toISOString().slice(0, 16));
const nexts = (text: string, zone: string, from: string, count = 1): (string | undefined)[] => {
  const schedule = parseSchedule(text, zone);
  const out: (string | undefined)[] = [];
  let at: number | undefined = Date.parse(`${from}Z`);
  for (let i = 0; i < count && at !== undefined; i++) {
    at = schedule.next(at);
    out.push(iso(at));
  }
  return out;
};

const cases: [string, string, string, string[]][] = [
  ['*/15 * * * *', 'UTC', '2026-01-01T00:01', ['2026-01-01T00:15', '2026-01-01T00:30']],
  [
    '5/20 3 * * *',
    'UTC',
    '2026-01-01T00:00',
    ['2026-01-01T03:05', '2026-01-01T03:25', '2026-01-01T03:45', '2026-01-02T03:05'],
  ],
  ['0 0 29 feb ?', 'UTC', '2026-01-01T00:00', ['2028-02-29T00:00']],
  ['0 12 13 * fri', 'UTC', '2026-02-01T00:00', ['2026-02-06T12:00', '2026-02-13T12:00', '2026-02-20T12:00']],
  ['0 9 * * MON-FRI', 'Europe/Berlin', '2026-01-02T12:00', ['2026-01-05T08:00']],
  ['@weekly', 'UTC', '2026-01-01T00:00', ['2026-01-04T00:00']],
  ['@every 90m', 'UTC', '2026-01-01T00:00', ['2026-01-01T01:30', '2026-01-01T03:00']],
  // 2026-03-08, New York: 02:00 EST is 03:00 EDT.
  ['30 2 * * *', 'America/New_York', '2026-03-07T12:00', ['2026-03-08T07:00', '2026-03-09T06:30']],
  ['30 * * * *', 'America/New_York', '2026-03-08T06:00', ['2026-03-08T06:30', '2026-03-08T07:30']],
  // 2026-11-01, New York: 01:00 to 02:00 comes twice.
  ['30 1 * * *', 'America/New_York', '2026-10-31T12:00', ['2026-11-01T05:30', '2026-11-02T06:30']],
  ['30 * * * *', 'America/New_York', '2026-11-01T05:00', ['2026-11-01T05:30', '2026-11-01T06:30', '2026-11-01T07:30']],
  // Half an hour of summer time.
  ['15 2 * * *', 'Australia/Lord_Howe', '2026-10-03T00:00', ['2026-10-03T15:30', '2026-10-04T15:15']],
];
for (const [text, zone, from, expected] of cases) {
  test(`${text} in ${zone} after ${from}`, () => assert.deepEqual(nexts(text, zone, from, expected.length), expected));
}

const bad: [string, RegExp][] = [
  ['', /empty spec/],
  ['* * * *', /expected exactly 5 fields, found 4: \[\* \* \* \*\]/],
  ['60 * * * *', /end of range \(60\) above maximum \(59\): 60/],
  ['* * 0 * *', /beginning of range \(0\) below minimum \(1\)/],
  ['* * * * 7', /above maximum \(6\)/],
  ['5-1 * * * *', /beyond end of range/],
  ['*/0 * * * *', /step of range should be a positive number/],
  ['x * * * *', /failed to parse int/],
  ['@often', /unrecognized descriptor/],
  ['@every soon', /failed to parse duration/],
];
for (const [text, message] of bad) {
  test(`${JSON.stringify(text)} is refused`, () => {
    assert.throws(
      () => parseSchedule(text),
      (e: unknown) => e instanceof CronError && message.test(e.message),
    );
  });
}

test('an impossible date has no next slot, and an unknown zone is refused', () => {
  assert.equal(parseSchedule('0 0 30 2 *').next(0), undefined);
  assert.throws(() => parseSchedule('* * * * *', 'Mars/Olympus'), RangeError);
});

test('every day of a year with two clock changes has exactly one slot of a daily schedule', () => {
  const zones = ['America/New_York', 'Europe/Berlin', 'Australia/Lord_Howe', 'America/St_Johns', 'Asia/Kolkata'];
  fc.assert(
    fc.property(
      fc.constantFrom(...zones),
      fc.integer({ min: 0, max: 23 }),
      fc.integer({ min: 0, max: 59 }),
      (zone, hour, minute) => {
        const schedule = parseSchedule(`${minute} ${hour} * * *`, zone);
        const day = new Intl.DateTimeFormat('en-CA', { timeZone: zone });
        const seen = new Set<string>();
        let at: number | undefined = Date.UTC(2026, 0, 2);
        for (let i = 0; i < 360; i++) {
          const before: number = at ?? 0;
          at = schedule.next(before);
          assert.ok(at !== undefined && at > before);
          seen.add(day.format(at));
        }
        assert.equal(seen.size, 360);
        const span = (Date.parse([...seen].at(-1) ?? '') - Date.parse([...seen][0] ?? '')) / 86_400_000;
        assert.equal(span, 359, 'no day is left out');
      },
    ),
    { numRuns: 60 },
  );
});
