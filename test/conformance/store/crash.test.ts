import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { createMetrics } from '../../../src/base/metrics.ts';
import { seededRandom } from '../../../src/base/random.ts';
import { openEmbeddedStore } from '../../../src/store/embedded/index.ts';
import {
  type Change,
  modelOf,
  nothing,
  type Recorded,
  readHistory,
  violations,
  watchViolations,
} from './linearizability.ts';

/** Rounds of the kill test; `TSUKUBE_CRASH_ROUNDS=200` is the full run. */
const rounds = Number(process.env['TSUKUBE_CRASH_ROUNDS'] ?? 20);
const writer = fileURLToPath(new URL('./crash-writer.ts', import.meta.url));

interface Report {
  operations: Recorded[];
  told: Change[];
}

/** Runs the writing process and kills it `afterMs` after it has begun. */
async function runAndKill(directory: string, round: number, afterMs: number): Promise<Report> {
  const file = join(directory, 'report');
  const args = [writer, join(directory, 'store'), file, String(round)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  try {
    await Promise.race([once(child.stdout, 'data'), exited]);
    await delay(afterMs);
    assert.equal(child.exitCode, null, 'the writing process ended by itself');
  } finally {
    child.kill('SIGKILL');
    await exited;
  }
  const report: Report = { operations: [], told: [] };
  for (const line of (await readFile(file, 'utf8')).split('\n')) take(line, report);
  return report;
}

function take(line: string, report: Report): void {
  let said: { operation?: Recorded; told?: Change };
  try {
    said = JSON.parse(line);
  } catch {
    return; // Cut off by the kill.
  }
  if (said.operation) report.operations.push(said.operation);
  if (said.told) report.told.push(said.told.value === undefined ? { ...said.told, value: undefined } : said.told);
}

/** What is on disk after the kill. */
async function reopened(directory: string, from: number): Promise<{ history: Change[]; revision: number }> {
  const store = await openEmbeddedStore({ directory, clock: systemClock, log: silentLogger, metrics: createMetrics() });
  try {
    return { history: await readHistory(store, '/crash/', from), revision: await store.revision() };
  } finally {
    await store.close();
  }
}

test(`no acknowledged write is lost by SIGKILL (${rounds} rounds)`, { timeout: rounds * 10_000 }, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tsukube-crash-'));
  const random = seededRandom(rounds);
  let acknowledged = 0;
  let state = nothing;
  let from = 2;
  try {
    for (let round = 0; round < rounds; round++) {
      const report = await runAndKill(directory, round, random.int(150));
      const written = await reopened(join(directory, 'store'), from);
      const { history } = written;
      from = written.revision + 1;
      assert.deepEqual(violations(report.operations, history, state), []);
      assert.deepEqual(watchViolations(report.told, history), []);
      state = modelOf(history, state)(Number.POSITIVE_INFINITY);
      acknowledged += report.operations.length;
    }
    assert.ok(acknowledged > rounds * 100, `only ${acknowledged} operations were acknowledged`);
  } finally {
    await rm(directory, { recursive: true });
  }
});
