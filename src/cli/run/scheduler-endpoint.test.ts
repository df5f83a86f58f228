import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMetrics } from '../../base/metrics.ts';
import { serveScheduler } from './scheduler-endpoint.ts';

test('health, metrics and the reason of a pod', async () => {
  const metrics = createMetrics();
  metrics.counter('tries', 'Tries.').inc();
  const report = {
    pod: 'default/web',
    schedulerName: 'default-scheduler',
    place: 'unschedulable' as const,
    attempts: 2,
    message: '0/1 nodes are available',
    nodes: [],
    summary: [],
  };
  const scheduler = { whyPending: (key: string) => (key === 'default/web' ? report : undefined) };
  const endpoint = await serveScheduler(scheduler, metrics, 0);
  const get = (path: string, method = 'GET') => fetch(`http://127.0.0.1:${endpoint.port}${path}`, { method });
  try {
    assert.equal(await (await get('/healthz')).text(), 'ok');
    assert.match(await (await get('/metrics')).text(), /^tries 1$/m);
    assert.deepEqual(await (await get('/why/default/web')).json(), report);
    const statuses = ['/why/default/none', '/why/default', '/other', '/why/%zz/x'].map(
      async path => (await get(path)).status,
    );
    assert.deepEqual(await Promise.all(statuses), [404, 404, 404, 404]);
    assert.equal((await get('/why/default/web', 'POST')).status, 405);
  } finally {
    await endpoint.close();
  }
});
