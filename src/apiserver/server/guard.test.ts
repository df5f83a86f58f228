import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../../base/log.ts';
import { createMetrics } from '../../base/metrics.ts';
import { seededRandom } from '../../base/random.ts';
import { virtualClock } from '../../base/virtual-clock.ts';
import type { Exchange } from './filters.ts';
import { guardFilter } from './guard.ts';

test('requests are counted under their names, and names that clients make up are not', async () => {
  const metrics = createMetrics();
  const environment = { clock: virtualClock(), random: seededRandom(1), log: silentLogger, metrics };
  const failed = () => ({ status: 500, headers: {} });
  const ask = (resource: string, status: number | Error, subresource = '') => {
    const info = { isResource: true, verb: 'get', group: 'apps', version: 'v1', resource, subresource, name: 'a' };
    const handle = guardFilter(environment, failed).wrap(async () => {
      if (typeof status !== 'number') throw status;
      return { status, headers: {} };
    });
    return handle({ info, request: {} } as unknown as Exchange);
  };
  await ask('deployments', 200);
  assert.equal((await ask('deployments', new Error('unexpected'))).status, 500);
  for (let i = 0; i < 6_000; i++) await ask(`made-up-${i}`, i % 2 ? 404 : 400, i % 3 ? '' : 'exec');
  const text = metrics.text();
  const labels =
    'component="apiserver",group="apps",resource="deployments",scope="resource",subresource="",verb="GET",version="v1"';
  assert.ok(text.includes(`apiserver_request_total{code="200",${labels}} 1`), text.slice(0, 500));
  assert.ok(text.includes(`apiserver_request_total{code="500",${labels}} 1`));
  assert.ok(text.includes('apiserver_current_inflight_requests{request_kind="readOnly"} 0'));
  assert.ok(!text.includes('made-up-1"'), 'what is not there has no name');
  assert.ok(text.split('\n').filter(line => line.startsWith('apiserver_request_total')).length <= 5_001);
});
