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
  const isServed = ({ resource }: { resource: string }) => resource === 'deployments';
  const environment = { clock: virtualClock(), random: seededRandom(1), log: silentLogger, metrics, isServed };
  const failed = () => ({ status: 500, headers: {} });
  const ask = (resource: string, status: number | Error, subresource = '', verb = 'get', request: object = {}) => {
    const info = { isResource: true, verb, group: 'apps', version: 'v1', resource, subresource, name: 'a' };
    const handle = guardFilter(environment, failed).wrap(async () => {
      if (typeof status !== 'number') throw status;
      return { status, headers: {} };
    });
    const asked = { query: new URLSearchParams(), headers: {}, ...request };
    return handle({ info, request: asked } as unknown as Exchange);
  };
  await ask('deployments', 200);
  assert.equal((await ask('deployments', new Error('unexpected'))).status, 500);
  await ask('deployments', 404);
  const apply = { 'content-type': 'application/apply-patch+yaml' };
  await ask('deployments', 200, '', 'patch', { headers: apply, query: new URLSearchParams('dryRun=All') });
  await ask('deployments', 101, 'exec', 'create');
  for (let i = 0; i < 6_000; i++) await ask(`made-up-${i}`, i % 2 ? 404 : 400, i % 3 ? '' : 'exec');
  const text = metrics.text();
  const labelsOf = (dryRun: string, subresource: string, verb: string) =>
    `component="apiserver",dry_run="${dryRun}",group="apps",resource="deployments",scope="resource",subresource="${subresource}",verb="${verb}",version="v1"`;
  const labels = labelsOf('', '', 'GET');
  assert.ok(text.includes(`apiserver_request_total{code="200",${labels}} 1`), text.slice(0, 500));
  assert.ok(text.includes(`apiserver_request_total{code="500",${labels}} 1`));
  assert.ok(text.includes(`apiserver_request_total{code="404",${labels}} 1`), 'what is there has its name');
  assert.ok(text.includes(`apiserver_request_total{code="200",${labelsOf('All', '', 'APPLY')}} 1`));
  assert.ok(text.includes(`apiserver_request_total{code="101",${labelsOf('', 'exec', 'CONNECT')}} 1`));
  assert.match(text, /^apiserver_longrunning_requests\{.*resource="deployments".*verb="CONNECT",version="v1"\} 0$/m);
  assert.match(text, /^apiserver_request_duration_seconds_bucket\{.*le="1.25"\} /m);
  assert.ok(text.includes('apiserver_current_inflight_requests{request_kind="readOnly"} 0'));
  assert.ok(!text.includes('made-up-1"'), 'what is not there has no name');
  assert.ok(text.split('\n').filter(line => line.startsWith('apiserver_request_total')).length <= 5_001);
});
