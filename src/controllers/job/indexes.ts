/** Sets of completion indexes as the status writes them: "0,2-4,7". */

/** Those below `limit`: a job that was made smaller forgets the rest. */
export function parseIndexes(text: string | undefined, limit: number): Set<number> {
  const out = new Set<number>();
  for (const part of (text ?? '').split(',').filter(Boolean)) {
    const [first = '', last = first] = part.split('-');
    for (let i = Number(first); i <= Math.min(Number(last), limit - 1); i++) out.add(i);
  }
  return out;
}

export function formatIndexes(indexes: ReadonlySet<number>): string {
  const sorted = [...indexes].sort((a, b) => a - b);
  const runs: [number, number][] = [];
  for (const i of sorted) {
    const run = runs.at(-1);
    if (run && run[1] === i - 1) run[1] = i;
    else runs.push([i, i]);
  }
  // As upstream: two neighbours get a comma, three or more a dash.
  return runs.map(([a, b]) => (a === b ? `${a}` : b === a + 1 ? `${a},${b}` : `${a}-${b}`)).join(',');
}
