import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Transport } from '../../api/transport.ts';
import { createClient } from '../../client/index.ts';
import { apiMetricsSource } from './metrics.ts';

/** A server that answers by path, and remembers what it was asked. */
function serving(answers: Record<string, unknown>) {
  const asked: string[] = [];
  const body = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  const transport: Transport = {
    async request(request) {
      asked.push(`${request.path}?${decodeURIComponent(request.query.toString())}`);
      const found = answers[request.path];
      if (found !== undefined)
        return { status: 200, headers: { 'content-type': 'application/json' }, body: body(found) };
      const status = {
        kind: 'Status',
        status: 'Failure',
        reason: 'NotFound',
        code: 404,
        message: 'the server could not find the requested resource',
      };
      return { status: 404, headers: { 'content-type': 'application/json' }, body: body(status) };
    },
    close: async () => undefined,
  };
  return { source: apiMetricsSource(createClient(transport)), asked };
}

const podMetrics = '/apis/metrics.k8s.io/v1beta1/namespaces/a/pods';
const usage = (name: string, containers: Record<string, Record<string, string>>) => ({
  metadata: { name, namespace: 'a' },
  timestamp: '2026-01-01T00:00:00Z',
  window: '1m30s',
  containers: Object.entries(containers).map(([container, values]) => ({ name: container, usage: values })),
});

test('pods’ resources are summed; a pod that lacks one is absent', async () => {
  const items = [
    usage('p', { a: { cpu: '100m', memory: '1Ki' }, b: { cpu: '250m' } }),
    usage('q', { a: { cpu: '1500000n' } }),
    usage('r', { a: { memory: '1Ki' } }),
  ];
  const { source, asked } = serving({ [podMetrics]: { items } });
  const cpu = await source.resource('cpu', 'a', 'app=web');
  assert.deepEqual(
    [...cpu].map(([name, m]) => [name, m.value, m.windowMs]),
    [
      ['p', 350, 90_000],
      ['q', 2, 90_000],
    ],
  );
  assert.deepEqual(asked, [`${podMetrics}?labelSelector=app=web`]);
  assert.deepEqual([...(await source.resource('memory', 'a', 'app=web')).keys()], ['r']);
  await assert.rejects(source.resource('cpu', 'a', 'app=web', 'b'), /container b not present in metrics for pod a\/q/);
});

test('custom and external metrics', async () => {
  const custom = '/apis/custom.metrics.k8s.io/v1beta2/namespaces/a/pods/*/hits';
  const external = '/apis/external.metrics.k8s.io/v1beta1/namespaces/a/queue';
  const { source, asked } = serving({
    [custom]: { items: [{ describedObject: { name: 'p' }, timestamp: '2026-01-01T00:00:00Z', value: '1500m' }] },
    [external]: { items: [{ value: '2' }, { value: '3' }] },
  });
  const hits = await source.pods({ name: 'hits', selector: { matchLabels: { verb: 'get' } } }, 'a', 'app=web');
  assert.deepEqual(
    [...hits.values()].map(m => [m.value, m.windowMs]),
    [[1500, 60_000]],
  );
  assert.deepEqual(asked, [`${custom}?labelSelector=app=web&metricLabelSelector=verb=get`]);
  assert.deepEqual(await source.external({ name: 'queue' }, 'a'), [2000, 3000]);
});

test('what is missing is told in upstream’s words', async () => {
  const { source } = serving({ [podMetrics]: { items: [] } });
  await assert.rejects(source.resource('cpu', 'a', ''), /^Error: no metrics returned from resource metrics API$/);
  await assert.rejects(
    source.external({ name: 'queue' }, 'a'),
    /^Error: unable to fetch metrics from external metrics API: the server could not find the requested resource$/,
  );
});
