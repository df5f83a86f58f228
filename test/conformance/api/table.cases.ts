import assert from 'node:assert/strict';
import { type Case, type Json, type Kit, pod } from './harness.ts';

const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';

/** Rows by column: what `kubectl get -o wide` prints, without the padding. */
async function rows(kit: Kit, target: string): Promise<Record<string, Json>[]> {
  const table = await kit.expect(200, 'GET', target, { headers: { accept } });
  const names: string[] = table.columnDefinitions.map((c: Json) => c.name);
  return table.rows.map((row: Json) => Object.fromEntries(names.map((name, i) => [name, row.cells[i]])));
}

const deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'd' },
  spec: {
    replicas: 3,
    selector: { matchLabels: { app: 'a' } },
    template: { metadata: { labels: { app: 'a' } }, spec: pod('x').spec },
  },
};
const event = (ns: string) => ({
  apiVersion: 'v1',
  kind: 'Event',
  metadata: { name: 'e' },
  involvedObject: { kind: 'Pod', name: 'p', namespace: ns },
  type: 'Normal',
  reason: 'Started',
  message: 'Container started',
  count: 2,
  firstTimestamp: '2026-01-01T00:00:00Z',
  lastTimestamp: '2026-01-01T00:00:00Z',
  source: { component: 'kubelet', host: 'n1' },
});
const autoscaler = {
  apiVersion: 'autoscaling/v1',
  kind: 'HorizontalPodAutoscaler',
  metadata: { name: 'h' },
  spec: {
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'd' },
    maxReplicas: 5,
    targetCPUUtilizationPercentage: 80,
  },
};

export const tableCases: readonly Case[] = [
  {
    name: 'a scale has columns of its own',
    async run(kit) {
      const path = `/apis/apps/v1/namespaces/${kit.ns}/deployments`;
      await kit.expect(201, 'POST', path, { body: deployment });
      const [{ Name, Desired, Available } = {}] = await rows(kit, `${path}/d/scale`);
      assert.deepEqual([Name, Desired, Available], ['d', 3, 0]);
      const partial = 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io';
      const metadata = await kit.expect(200, 'GET', `${path}/d/scale`, { headers: { accept: partial } });
      assert.deepEqual([metadata.kind, metadata.spec], ['PartialObjectMetadata', undefined]);
    },
  },
  {
    name: 'an event reads the same in both its groups',
    async run(kit) {
      await kit.expect(201, 'POST', kit.core('events'), { body: event(kit.ns) });
      const [core] = await rows(kit, kit.core('events'));
      assert.equal(core?.['Object'], 'pod/p');
      assert.equal(core?.['Message'], 'Container started');
      assert.equal(core?.['Source'], 'kubelet, n1');
      const [fresh] = await rows(kit, `/apis/events.k8s.io/v1/namespaces/${kit.ns}/events`);
      assert.deepEqual(fresh, core);
    },
  },
  {
    name: 'an autoscaler reads the same in both its versions',
    async run(kit) {
      const path = (version: string) => `/apis/autoscaling/${version}/namespaces/${kit.ns}/horizontalpodautoscalers`;
      await kit.expect(201, 'POST', path('v1'), { body: autoscaler });
      const [old] = await rows(kit, path('v1'));
      assert.deepEqual([old?.['Reference'], old?.['Targets']], ['Deployment/d', 'cpu: <unknown>/80%']);
      assert.deepEqual(await rows(kit, path('v2')), [old]);
    },
  },
  {
    name: 'flow schemas stand in the order in which they are tried',
    async run(kit) {
      const path = '/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas';
      const schema = (name: string, matchingPrecedence: number) => ({
        apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
        kind: 'FlowSchema',
        metadata: { name: `${kit.ns}-${name}` },
        spec: { priorityLevelConfiguration: { name: 'global-default' }, matchingPrecedence },
      });
      for (const [name, precedence] of [
        ['a', 9_500],
        ['b', 9_400],
        ['c', 9_400],
      ] as const)
        await kit.expect(201, 'POST', path, { body: schema(name, precedence) });
      const names = (await rows(kit, path)).map(row => String(row['Name'])).filter(name => name.startsWith(kit.ns));
      assert.deepEqual(
        names.map(name => name.at(-1)),
        ['b', 'c', 'a'],
      );
      const list = await kit.expect(200, 'GET', path);
      const listed: string[] = list.items.map((o: Json) => o.metadata.name);
      assert.deepEqual(listed, listed.toSorted());
    },
  },
];
