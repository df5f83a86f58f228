import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';

const main = join(import.meta.dirname, '../main.ts');

/** A component whose start waits for an API server that takes connections and says nothing. */
async function start(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'tsk-parent-'));
  const server = createServer(socket => socket.on('error', () => {})).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const kubeconfig = join(directory, 'kubeconfig');
  const cluster = { name: 'c', cluster: { server: `https://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true } };
  const context = { name: 'x', context: { cluster: 'c', user: 'u' } };
  const users = [{ name: 'u', user: { token: 't' } }];
  writeFileSync(
    kubeconfig,
    JSON.stringify({ clusters: [cluster], contexts: [context], users, 'current-context': 'x' }),
  );
  const args = ['dns', `--kubeconfig=${kubeconfig}`, '--bind-address=127.0.0.1', '--port=0'];
  const child = fork(main, args, { execArgv: ['--conditions=source'], stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
  const exited = once(child, 'exit');
  t.after(async () => {
    child.kill('SIGKILL');
    await exited;
    server.close();
    rmSync(directory, { recursive: true });
  });
  return { child, exited, connected: once(server, 'connection') };
}

test('a process whose supervisor goes in the midst of its start ends', { timeout: 30_000 }, async t => {
  const { child, exited, connected } = await start(t);
  await connected;
  child.disconnect();
  assert.deepEqual(await exited, [1, null]);
});

test('… and one whose supervisor went before it began', { timeout: 30_000 }, async t => {
  const { child, exited } = await start(t);
  child.disconnect();
  assert.deepEqual(await exited, [1, null]);
});
