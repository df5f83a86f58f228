/** A mutation check of the simulation itself: each planted bug is found by its seed. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { mutants } from './mutants.ts';

const run = promisify(execFile);
const program = fileURLToPath(new URL('mutant.ts', import.meta.url));
/** What the issue allows for finding one; a known seed takes seconds. */
const timeout = 120_000;

/** The code moves on, and with it what a seed leads to: so many more are tried. */
const spare = 15;

interface Outcome {
  readonly findings: readonly { readonly invariant: string; readonly message: string }[];
}

test('every planted bug is found', { concurrency: 2 }, async t => {
  assert.ok(mutants.length >= 15);
  await Promise.all(
    mutants.map(({ name, seed }) =>
      t.test(name, async () => {
        const { stdout } = await run(process.execPath, [program, name, String(seed), String(seed + spare)], {
          timeout,
        });
        const { findings } = JSON.parse(stdout) as Outcome;
        assert.notDeepEqual(
          findings,
          [],
          `seeds from ${seed} on no longer find it; look for another: node ${program} "${name}" 1 99`,
        );
      }),
    ),
  );
});
