import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { systemClock } from '../base/clock.ts';
import { silentLogger } from '../base/log.ts';
import { virtualClock } from '../base/virtual-clock.ts';
import { supervise } from './supervisor.ts';

const directory = mkdtempSync(join(tmpdir(), 'supervisor-'));
const [, self] = process.argv;
after(() => {
  process.argv[1] = self ?? '';
  rmSync(directory, { recursive: true });
});

/** The supervised program is the one that runs: here, a script. */
function child(name: string, script: string, clock = systemClock) {
  const path = join(directory, `${name}.mjs`);
  writeFileSync(path, script);
  process.argv[1] = path;
  return supervise({ name, args: [] }, { clock, log: silentLogger, logDirectory: directory });
}

test('a process that never becomes ready is given up, with its last words', async () => {
  // Back-off on virtual time takes none.
  const clock = virtualClock();
  const broken = child('broken', 'console.error("no such module"); process.exit(1);', clock);
  let settled = false;
  const outcome = broken.ready.finally(() => {
    settled = true;
  });
  outcome.catch(() => {});
  while (!settled) {
    await clock.advance(20_000);
    await new Promise(resolve => setImmediate(resolve));
  }
  await assert.rejects(outcome, /broken: ended 5 times before it was ready, the last time with: no such module/);
});

test('a process that says that it cannot go on is not started again', async () => {
  const message = JSON.stringify({ type: 'fatal', message: 'the port is taken' });
  const fatal = child('fatal', `process.send(${message}, () => process.exit(1));`);
  await assert.rejects(fatal.ready, /fatal: the port is taken/);
});

test('a process that was ready is started again when it dies', async () => {
  const script = `process.send({ type: 'ready' }); process.on('message', () => {}); process.on('SIGTERM', () => process.exit(0));`;
  const running = child('running', script);
  await running.ready;
  const first = running.pid;
  assert.ok(first);
  process.kill(first, 'SIGKILL');
  while (running.pid === first || running.pid === undefined) await new Promise(resolve => setTimeout(resolve, 20));
  await running.stop();
  assert.equal(running.pid, undefined);
});
