/** Who the parts of a cluster are: each acts as itself, with the rights that upstream's default policy gives it, and needs no others. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Handler } from '../../src/api/transport.ts';
import { readAll } from '../../src/client/lines.ts';
import { createCluster, virtualClock } from '../../src/testing/index.ts';
import { broadWorkload } from '../support/broad-workload.ts';

/** Writes down who wrote what, and who was refused what. */
function witness() {
  const refused = new Set<string>();
  const writers = new Map<string, Set<string>>();
  const masters = new Set<string>();
  const intercept =
    (handler: Handler): Handler =>
    async request => {
      const response = await handler(request);
      const { name = '', groups = [] } = request.peer.user ?? {};
      if (groups.includes('system:masters')) masters.add(name);
      if (response.status === 403) {
        const { message } = JSON.parse(new TextDecoder().decode(await readAll(response.body))) as { message: string };
        // Said by admission to anybody who makes things in a namespace that is going.
        if (!message.endsWith('because it is being terminated')) refused.add(`${request.method} ${message}`);
      } else if (request.method !== 'GET' && response.status < 300) {
        const resource = request.path.replace(/^.*\/namespaces\/[^/]+\/(?=.)/, '').split('/')[0] ?? '';
        writers.set(name, (writers.get(name) ?? new Set()).add(resource));
      }
      return response;
    };
  return { refused, writers, masters, intercept };
}

test('no part of a cluster is refused anything, or may do everything', async () => {
  const { refused, writers, masters, intercept } = witness();
  const clock = virtualClock();
  const starting = createCluster({ clock, seed: 7, nodes: 3, nodeOptions: { events: true }, intercept });
  await clock.advance(2_000);
  const cluster = await starting;
  try {
    await broadWorkload(cluster.client, ms => clock.advance(ms));
    await cluster.client.pods('default').create({
      metadata: { name: 'lost' },
      spec: { nodeName: 'node-0', tolerations: [{ operator: 'Exists' }], containers: [{ name: 'c', image: 'i' }] },
    });
    await cluster.nodes?.setUp('node-0', false);
    await clock.advance(600_000);
    await cluster.client.nodes().delete('node-0');
    await clock.advance(120_000);
  } finally {
    const closing = cluster.close();
    await clock.advance(60_000);
    await closing;
  }
  assert.deepEqual([...refused], []);
  assert.deepEqual([...masters], ['kubernetes-admin']);
  const idle = accounts.filter(account => !writers.has(`system:serviceaccount:kube-system:${account}`));
  assert.deepEqual(idle, []);
});

/** Those that something in the workload is for. */
const accounts = `attachdetach-controller clusterrole-aggregation-controller cronjob-controller daemon-set-controller
  deployment-controller disruption-controller endpoint-controller endpointslice-controller endpointslicemirroring-controller
  ephemeral-volume-controller expand-controller generic-garbage-collector horizontal-pod-autoscaler job-controller
  namespace-controller node-controller persistent-volume-binder pod-garbage-collector pv-protection-controller
  pvc-protection-controller replicaset-controller replication-controller resource-claim-controller resourcequota-controller
  service-account-controller service-cidrs-controller statefulset-controller ttl-after-finished-controller ttl-controller
  validatingadmissionpolicy-status-controller volumeattributesclass-protection-controller`.split(/\s+/);
