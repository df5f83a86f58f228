import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EndpointSlice } from '../api/types/index.ts';
import { createMetrics } from '../base/metrics.ts';
import { virtualClock } from '../base/virtual-clock.ts';
import type { Frontend } from './model.ts';
import { createProxyMonitor } from './monitor.ts';
import { healthPages } from './pages.ts';

const families = ['ip', 'ip6'] as const;
function monitored() {
  const clock = virtualClock();
  const metrics = createMetrics();
  return { clock, metrics, monitor: createProxyMonitor(metrics, clock, families) };
}
const sliceAt = (time: number): EndpointSlice => ({
  metadata: {
    name: 's',
    annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': new Date(time).toISOString() },
  },
  ...{ addressType: 'IPv4', endpoints: [] },
});
const frontend = (rest: Partial<Frontend>): Frontend => ({
  ...{ family: 'ip', protocol: 'tcp', port: 80, preserveSource: false, whenEmpty: 'drop', backends: [], ...rest },
});

test('upstream’s metrics tell of changes, rounds, failures and missing local endpoints, by family', async () => {
  const { clock, metrics, monitor } = monitored();
  monitor.endpointsChanged('a/old', sliceAt(clock.now() - 60_000));
  await clock.advance(10_000);
  monitor.queued('service');
  monitor.queued('endpoints');
  monitor.endpointsChanged('a/web', sliceAt(clock.now() - 700));
  monitor.synced(['a/old', 'a/web'], 0.004);
  monitor.failed();
  monitor.countLocal([
    [frontend({ address: '10.43.0.5' })],
    [frontend({ internalBackends: [{ ip: '10.42.0.7', port: 80 }] })],
    [frontend({ whenEmpty: 'reject' })],
  ]);
  const text = metrics.text();
  for (const line of [
    'kubeproxy_sync_proxy_rules_service_changes_total 1',
    'kubeproxy_sync_proxy_rules_endpoint_changes_total 1',
    'kubeproxy_sync_proxy_rules_duration_seconds_bucket{ip_family="IPv4",le="0.004"} 1',
    'kubeproxy_network_programming_duration_seconds_bucket{ip_family="IPv6",le="1"} 1',
    'kubeproxy_network_programming_duration_seconds_count{ip_family="IPv4"} 1',
    'kubeproxy_sync_proxy_rules_nftables_sync_failures_total{ip_family="IPv6"} 1',
    'kubeproxy_sync_proxy_rules_no_local_endpoints_total{ip_family="IPv4",traffic_policy="internal"} 1',
    'kubeproxy_sync_proxy_rules_no_local_endpoints_total{ip_family="IPv4",traffic_policy="external"} 1',
    'kubeproxy_sync_proxy_rules_no_local_endpoints_total{ip_family="IPv6",traffic_policy="external"} 0',
    `kubeproxy_sync_proxy_rules_last_timestamp_seconds{ip_family="IPv4"} ${clock.now() / 1000}`,
  ])
    assert.ok(text.includes(`${line}\n`), `${line} in\n${text}`);
});

test('a node about to be deleted fails /healthz, not /livez; a proxy that is late fails both', async () => {
  const { clock, metrics, monitor } = monitored();
  const pages = healthPages(monitor.health, families, metrics, clock);
  const ask = (path: string) => {
    const answer = pages[path]?.();
    return [answer?.status, JSON.parse(answer?.body ?? '{}')] as const;
  };
  monitor.synced([], 0.001);
  const now = new Date(clock.now()).toISOString();
  const family = { lastUpdated: now, healthy: true };
  const times = { lastUpdated: now, currentTime: now };
  const status = { IPv4: family, IPv6: family };
  assert.deepEqual(ask('/healthz'), [200, { ...times, nodeEligible: true, healthy: true, status }]);
  assert.deepEqual(ask('/livez'), [200, { ...times, healthy: true, status }]);
  const taint = { key: 'ToBeDeletedByClusterAutoscaler', effect: 'NoSchedule' };
  monitor.setNode({ metadata: { name: 'here' }, spec: { taints: [taint] } });
  assert.deepEqual([ask('/healthz')[0], ask('/livez')[0]], [503, 200]);
  monitor.setNode({ metadata: { name: 'here' }, spec: {} });
  monitor.queued('service');
  await clock.advance(60_000);
  assert.deepEqual([ask('/healthz')[0], ask('/livez')[0]], [503, 503]);
  assert.equal(ask('/healthz')[1].lastUpdated, now);
  assert.match(metrics.text(), /kubeproxy_proxy_healthz_total\{code="503"\} 3\n/);
});
