import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { isAlive, startTicks } from './processes.ts';

test('a process lives until it ends', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  const pid = child.pid ?? 0;
  assert.equal(isAlive(pid), true);
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.equal(isAlive(pid), false);
  assert.equal(isAlive(process.pid), true);
});

test('a process that ended and was not reaped is not alive', {
  skip: existsSync('/proc/self/stat') ? false : 'needs /proc',
}, async t => {
  // The shell turns into something that never asks how its children ended.
  const parent = spawn('sh', ['-c', 'echo $$; sleep 0 & echo $!; exec sleep 60']);
  t.after(() => parent.kill('SIGKILL'));
  let said = '';
  for await (const chunk of parent.stdout) if ((said += chunk).split('\n').length > 2) break;
  const zombie = Number(said.split('\n')[1]);
  while (!/^State:\tZ/m.test(readFileSync(`/proc/${zombie}/status`, 'utf8')))
    await new Promise(resolve => setImmediate(resolve));
  assert.equal(isAlive(zombie), false);
  assert.match(startTicks(zombie) ?? '', /^\d+$/);
});
