/**
 * `npm test [-- PATTERN…]`: runs every test file, the light ones side by side, then those against the original and those that own the
 * machine (real containers, network namespaces, faults) one after another. Ends with a line "N passed, N failed".
 */

import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { check } from './check-all.ts';

const patterns = process.argv.slice(2);
const all = globSync(['src/**/*.test.ts', 'test/**/*.test.ts', 'scripts/**/*.test.ts', 'bench/**/*.test.ts']).sort();
const chosen = patterns.length === 0 ? all : all.filter(file => patterns.some(p => file.includes(p)));
const heavy = (file: string) => /^test\/(e2e|faults)\//.test(file);
/** Against the original's own programs. */
const foreign = (file: string) => /^test\/upstream\/(?!replay)/.test(file);

let passed = 0;
let failed = 0;
let skipped = 0;
const failures: string[] = [];

async function runFiles(files: string[], concurrency: number): Promise<void> {
  if (files.length === 0) return;
  const stream = run({
    files,
    concurrency,
    timeout: 900_000,
    execArgv: ['--disable-warning=ExperimentalWarning', '--conditions=source'],
  });
  stream.on('test:pass', event => count(event, true));
  stream.on('test:fail', event => count(event, false));
  const reporter = stream.compose(spec);
  for await (const text of reporter) process.stdout.write(text as string);
}

function count(event: unknown, ok: boolean): void {
  const data = event as {
    skip?: string | boolean;
    todo?: string | boolean;
    name: string;
    file?: string;
    details?: { type?: string; error?: { cause?: unknown } };
  };
  if (data.details?.type === 'suite') return;
  if (data.skip !== undefined && data.skip !== false) {
    skipped += 1;
    console.log(`SKIPPED: ${data.name}: ${data.skip}`);
  } else if (ok) passed += 1;
  else {
    failed += 1;
    failures.push(`${data.file ?? ''}: ${data.name}${reason(data.details?.error)}`);
  }
}

/** The first line of what a test threw, so that the end of a long log says why. */
function reason(error: { cause?: unknown } | undefined): string {
  const cause = error?.cause ?? error;
  const text = cause instanceof Error ? cause.message : String(cause ?? '');
  return text === '' ? '' : `: ${text.split('\n')[0]}`;
}

if (patterns.length === 0) {
  const problems = await check();
  for (const problem of problems) console.error(problem);
  failed += problems.length;
  failures.push(...problems.map(p => `check: ${p.split('\n')[0]}`));
}
await runFiles(
  chosen.filter(file => !heavy(file) && !foreign(file)),
  Math.max(2, availableParallelism()),
);
await runFiles(chosen.filter(foreign), 1);
await runFiles(chosen.filter(heavy), 1);
for (const failure of failures) console.log(`FAILED: ${failure}`);
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
