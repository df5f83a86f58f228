import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../../base/log.ts';
import { allHealthPaths, createHealthServer, type HealthCheck, startHooks } from './health.ts';

const check = (name: string, failure?: string): HealthCheck => ({
  name,
  paths: allHealthPaths,
  async check() {
    if (failure !== undefined) throw new Error(failure);
  },
});

async function ask(checks: readonly HealthCheck[], path: string, query = '') {
  const server = createHealthServer(checks, silentLogger);
  const response = await server.serve(path, new URLSearchParams(query));
  const text = response?.body instanceof Uint8Array ? new TextDecoder().decode(response.body) : '';
  return { status: response?.status, headers: response?.headers, text, server };
}

test('a failure is told in full, and not why', async () => {
  const { status, headers, text } = await ask([check('ping'), check('etcd', 'no route')], '/readyz');
  assert.equal(status, 500);
  assert.equal(text, '[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n');
  assert.equal(headers?.['x-content-type-options'], 'nosniff');
});

test('checks are left out by name, and unknown names told in order', async () => {
  const { status, text } = await ask([check('etcd', 'no route')], '/livez', 'verbose&exclude=z&exclude=a&exclude=etcd');
  assert.equal(status, 200);
  assert.equal(
    text,
    '[+]etcd excluded: ok\nwarn: some health checks cannot be excluded: no matches for "a","z"\nlivez check passed\n',
  );
});

test('a single check says why', async () => {
  const { status, text } = await ask([check('etcd', 'no route')], '/readyz/etcd');
  assert.deepEqual([status, text], [500, 'internal server error: no route\n']);
  assert.equal((await ask([], '/readyz/etcd')).text, '404 page not found\n');
  assert.equal((await ask([], '/version')).status, undefined);
});

test('what was found is kept, by check and path', async () => {
  const { server } = await ask([check('ping'), check('etcd', 'no route')], '/readyz');
  const text = server.text();
  assert.match(text, /^kubernetes_healthcheck\{name="ping",type="readyz"\} 1$/m);
  assert.match(text, /^kubernetes_healthcheck\{name="etcd",type="readyz"\} 0$/m);
  assert.match(text, /^kubernetes_healthchecks_total\{name="etcd",status="error",type="readyz"\} 1$/m);
});

test('a hook is healthy when it has run', async () => {
  const ran: string[] = [];
  const hook = (name: string) => ({ name, run: async () => void ran.push(name) });
  const { checks, run } = startHooks([hook('first'), hook('second')]);
  const path = '/livez/poststarthook/second';
  assert.equal((await ask(checks, path)).text, 'internal server error: not finished\n');
  await run();
  assert.deepEqual(ran, ['first', 'second']);
  assert.equal((await ask(checks, path)).text, 'ok');
});
