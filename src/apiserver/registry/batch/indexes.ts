/** Sets of indexes as text, such as "0,2-4" (validateIndexesFormat in pkg/apis/batch/validation). */

/** The first and the last index of an interval. */
type Interval = readonly [first: number, last: number];
const isInteger = (text: string) => /^[+-]?\d+$/.test(text);

/** An interval below `completions`, or what is wrong with it. */
function parseInterval(text: string, completions: number): Interval | string {
  const limits = text.split('-');
  if (limits.length > 2) {
    return `the fragment ${JSON.stringify(text)} violates the requirement that an index interval can have at most two parts separated by '-'`;
  }
  for (const limit of limits) {
    if (!isInteger(limit)) return `cannot convert string to integer for index: ${JSON.stringify(limit)}`;
    if (Number(limit) >= completions) return `too large index: ${JSON.stringify(limit)}`;
  }
  const [first = 0, last = first] = limits.map(Number);
  return limits.length > 1 && first >= last
    ? `non-increasing order, previous: ${first}, current: ${last}`
    : [first, last];
}

/** How many indexes there are in increasing intervals, or what is wrong with the text. */
export function countIndexes(text: string, completions: number): number | string {
  let count = 0;
  let previous: number | undefined;
  for (const part of text === '' ? [] : text.split(',')) {
    const interval = parseInterval(part, completions);
    if (typeof interval === 'string') return interval;
    const [first, last] = interval;
    if (previous !== undefined && previous >= first) {
      return `non-increasing order, previous: ${previous}, current: ${first}`;
    }
    previous = last;
    count += last - first + 1;
  }
  return count;
}

/** The first index that both have; intervals that cannot be read are passed over. */
export function firstCommonIndex(a: string, b: string, completions: number): number | undefined {
  const intervals = (text: string) =>
    text.split(',').flatMap(part => {
      const interval = text === '' ? '' : parseInterval(part, completions);
      return typeof interval === 'string' ? [] : [interval];
    });
  const others = intervals(b);
  for (const [first, last] of intervals(a)) {
    const clash = others.find(([from, to]) => first <= to && from <= last);
    if (clash) return Math.max(first, clash[0]);
  }
  return undefined;
}
