/** `npm run check`: types, lint, formatting and the import graph, in seconds. */
import { check } from './check-all.ts';

const problems = await check();
for (const problem of problems) console.error(problem);
console.log(
  problems.length === 0
    ? 'check: types, lint, formatting and import graph are fine'
    : `check: ${problems.length} of 3 failed`,
);
process.exitCode = problems.length === 0 ? 0 : 1;
