import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createWorld, runningStatus, setStatus } from '../../../test/support/control.ts';
import type { Draft } from '../../api/object.ts';
import type { Pod, Service } from '../../api/types/core-v1.ts';
import type { EndpointSlice } from '../../api/types/discovery-v1.ts';
import { endpointsController } from '../endpoints/index.ts';
import { endpointSliceController } from './index.ts';
import { maxEndpoints, planSlices } from './plan.ts';

const triggerTime = 'endpoints.kubernetes.io/last-change-trigger-time';

const service = (spec: Partial<Service['spec']> = {}): Draft<Service> => ({
  metadata: { name: 'web', namespace: 'a', labels: { team: 'x' } },
  spec: {
    selector: { app: 'web' },
    ports: [{ name: 'http', port: 80, targetPort: 'http' }],
    clusterIP: 'None',
    ...spec,
  },
});
const podDraft = (name: string): Draft<Pod> => ({
  metadata: { name, namespace: 'a', labels: { app: 'web' } },
  spec: { containers: [{ name: 'c', image: 'i', ports: [{ name: 'http', containerPort: 8080 }] }] },
});

test('ready pods become endpoints, and leave them when they go', async () => {
  const world = await createWorld({ controllers: [endpointSliceController, endpointsController] });
  for (const i of [0, 1, 2]) await world.client.nodes().create({ metadata: { name: `node-${i}` }, spec: {} });
  await world.client.services('a').create(service());
  await world.clock.advance(2_000);
  const slices = async () => (await world.client.endpointslices('a').list()).items;
  assert.deepEqual(
    (await slices()).map(s => s.endpoints ?? []),
    [[]],
  );
  const pods = world.client.pods('a');
  await pods.create(podDraft('one'));
  await pods.create(podDraft('two'));
  await world.clock.advance(5_000);
  const [slice, ...more] = await slices();
  assert.equal(more.length, 0);
  assert.deepEqual(
    slice?.ports?.map(p => [p.name, p.port, p.protocol]),
    [['http', 8080, 'TCP']],
  );
  assert.deepEqual(slice?.metadata.labels, {
    team: 'x',
    'kubernetes.io/service-name': 'web',
    'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
    'service.kubernetes.io/headless': '',
  });
  assert.deepEqual(slice?.endpoints?.map(e => [e.targetRef?.name, e.conditions?.ready]).sort(), [
    ['one', true],
    ['two', true],
  ]);
  const endpoints = await world.client.endpoints('a').get('web');
  assert.deepEqual(endpoints.subsets?.[0]?.addresses?.map(a => a.targetRef?.name).sort(), ['one', 'two']);
  const one = await pods.get('one');
  await setStatus(world.client, one, { ...one.status, conditions: [{ type: 'Ready', status: 'False' }] });
  await pods.delete('two', { gracePeriodSeconds: 0 });
  await world.clock.advance(5_000);
  assert.deepEqual(
    (await slices())[0]?.endpoints?.map(e => [e.targetRef?.name, e.conditions?.ready, e.conditions?.serving]),
    [['one', false, false]],
  );
  assert.deepEqual(
    (await world.client.endpoints('a').get('web')).subsets?.[0]?.notReadyAddresses?.map(a => a.targetRef?.name),
    ['one'],
  );
  await world.stop();
});

test('slices and Endpoints tell when what changed them happened', async () => {
  const world = await createWorld({ controllers: [endpointSliceController, endpointsController], nodes: false });
  const { client, clock } = world;
  await client.nodes().create({ metadata: { name: 'n' }, spec: {} });
  const made = await client.services('a').create(service());
  const times = async () => [
    (await client.endpointslices('a').list()).items[0]?.metadata.annotations?.[triggerTime],
    (await client.endpoints('a').get('web')).metadata.annotations?.[triggerTime],
  ];
  await clock.advance(3_000);
  const { creationTimestamp } = made.metadata;
  assert.deepEqual(await times(), [creationTimestamp, creationTimestamp]);
  const draft = podDraft('one');
  const pod = await client.pods('a').create({ ...draft, spec: { ...draft.spec, nodeName: 'n' } });
  await setStatus(client, pod, runningStatus(clock));
  const readyAt = runningStatus(clock).startTime;
  await clock.advance(3_000);
  assert.deepEqual(await times(), [readyAt, readyAt]);
  // What has no time of its own has no trigger.
  await client.pods('a').delete('one', { gracePeriodSeconds: 0 });
  await clock.advance(3_000);
  assert.deepEqual(await times(), [undefined, undefined]);
  await world.stop();
});

test('a cache that is behind the last write is no failure to tell of', async () => {
  const world = await createWorld({ controllers: [endpointSliceController, endpointsController] });
  const { client, clock, faults } = world;
  for (const i of [0, 1, 2]) await client.nodes().create({ metadata: { name: `node-${i}` }, spec: {} });
  await client.services('a').create(service());
  await clock.advance(2_000);
  faults.delayMs = 1_000;
  const names = Array.from({ length: 8 }, (_, i) => `pod-${i}`);
  for (const name of names) {
    await client.pods('a').create(podDraft(name));
    await clock.advance(300);
  }
  await clock.advance(120_000);
  const [endpoints] = (await client.endpoints('a').list()).items;
  assert.equal(endpoints?.subsets?.[0]?.addresses?.length, names.length);
  const events = await world.events();
  assert.deepEqual(
    events.filter(text => text.includes('Operation cannot be fulfilled')),
    [],
  );
  await world.stop();
});

test('a pod on a node that there is not is no endpoint until there is', async () => {
  const world = await createWorld({ controllers: [endpointSliceController], nodes: false });
  const { client, clock } = world;
  await client.services('a').create(service());
  const draft = podDraft('one');
  const pod = await client.pods('a').create({ ...draft, spec: { ...draft.spec, nodeName: 'late' } });
  await setStatus(client, pod, runningStatus(clock));
  await clock.advance(1_000);
  const addresses = async () =>
    (await client.endpointslices('a').list()).items.flatMap(s => s.endpoints ?? []).flatMap(e => e.addresses);
  assert.deepEqual(await addresses(), []);
  assert.ok(
    (await world.events()).includes(
      'Warning FailedToUpdateEndpointSlices Error updating Endpoint Slices for Service a/web: skipping Pod one for Service a/web: Node late Not Found',
    ),
  );
  await client.nodes().create({ metadata: { name: 'late' }, spec: {} });
  await clock.advance(1_000);
  assert.deepEqual(await addresses(), ['10.0.0.1']);
  await world.stop();
});

test('however pods come and go, slices hold each endpoint once, in slices that are not too full', () => {
  const counts = fc.array(fc.integer({ min: 0, max: 260 }), { minLength: 1, maxLength: 5 });
  const pod = (i: number): Pod => ({
    metadata: { name: `p${i}`, namespace: 'a', uid: `u${i}`, labels: { app: 'web' } },
    spec: { containers: [{ name: 'c', ports: [{ name: 'http', containerPort: i % 5 === 0 ? 9090 : 8080 }] }] },
    status: {
      phase: 'Running',
      podIPs: [{ ip: `10.0.${i >> 8}.${i & 255}` }],
      conditions: [{ type: 'Ready', status: 'True' }],
    },
  });
  fc.assert(
    fc.property(counts, fc.integer({ min: 1, max: 40 }), (sizes, step) => {
      let slices: EndpointSlice[] = [];
      let serial = 0;
      const owner = { ...service(), metadata: { name: 'web', namespace: 'a', uid: 'u' } } as Service;
      sizes.forEach((size, round) => {
        const pods = Array.from({ length: size }, (_, i) => pod(i + round * step));
        const plan = planSlices(owner, pods, slices, () => ({}));
        const updated = new Map(plan.update.map(s => [s.metadata.name, s]));
        slices = slices.filter(s => !plan.remove.includes(s)).map(s => updated.get(s.metadata.name) ?? s);
        slices.push(...plan.create.map(d => ({ ...d, metadata: { ...d.metadata, name: `s${serial++}` } })));
        const held = slices.flatMap(s => (s.endpoints ?? []).map(e => e.targetRef?.uid));
        assert.deepEqual(held.sort(), pods.map(p => p.metadata.uid).sort());
        assert.ok(slices.every(s => (s.endpoints?.length ?? 0) <= maxEndpoints));
        const again = planSlices(owner, pods, slices, () => ({}));
        assert.deepEqual([again.create.length, again.update.length, again.remove.length], [0, 0, 0]);
      });
    }),
    { numRuns: 30 },
  );
});
