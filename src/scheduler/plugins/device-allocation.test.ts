import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Device, DeviceRequest, ResourceClaim, ResourceSlice } from '../../api/types/resource-v1.ts';
import { lookupOver } from '../snapshot/lookup.ts';
import type { NodeInfo } from '../snapshot/snapshot.ts';
import { allocate } from './device-allocation.ts';
import { createDeviceSelectors } from './device-selectors.ts';

const driver = 'gpu.example.com';
const node = { name: 'here', labels: {}, node: { metadata: { name: 'here' } } } as unknown as NodeInfo;
const selectors = createDeviceSelectors();
const cel = (expression: string) => [{ cel: { expression } }];
const model = (name: string) => cel(`device.attributes["${driver}"].model == "${name}"`);

function slice(devices: readonly Device[], more: Partial<ResourceSlice['spec']> = {}): ResourceSlice {
  const pool = { name: 'pool', generation: 1, resourceSliceCount: 1 };
  const name = `slice-${JSON.stringify(more)}`;
  return { metadata: { name }, spec: { driver, nodeName: 'here', pool, devices: [...devices], ...more } };
}
const device = (name: string, attributes: Device['attributes'] = {}): Device => ({ name, attributes });
const exactly = (name: string, more: Partial<DeviceRequest['exactly']> = {}): DeviceRequest => ({
  name,
  exactly: { deviceClassName: 'gpu', ...more },
});
let claims = 0;
function claim(requests: DeviceRequest[], constraints?: NonNullable<ResourceClaim['spec']['devices']>['constraints']) {
  const devices = { requests, ...(constraints && { constraints }) };
  return {
    metadata: { name: 'claim', namespace: 'default', uid: `uid-${++claims}` },
    spec: { devices },
  } as ResourceClaim;
}
function run(slices: ResourceSlice[], wanted: ResourceClaim[], taken: string[] = []): string[] | undefined {
  const lookup = lookupOver({
    'resource.k8s.io/v1/resourceslices': slices,
    'resource.k8s.io/v1/deviceclasses': [
      { metadata: { name: 'gpu' }, spec: { selectors: cel(`device.driver == "${driver}"`) } },
    ],
  });
  const input = {
    claims: wanted,
    node,
    lookup,
    selectors,
    taken: new Set(taken.map(name => `${driver}/pool/${name}`)),
  };
  const made: ReturnType<typeof allocate> = allocate(input);
  return made && [...made.values()].flatMap(a => (a.devices?.results ?? []).map(r => `${r.request}=${r.device}`));
}
const a100 = { model: { string: 'A100' } };
const h100 = { model: { string: 'H100' } };

test('a device that another claim has is not free', () => {
  const slices = [slice([device('a'), device('b')])];
  assert.deepEqual(run(slices, [claim([exactly('r')])], ['a']), ['r=b']);
  assert.equal(run(slices, [claim([exactly('r')])], ['a', 'b']), undefined);
  assert.deepEqual(run(slices, [claim([exactly('r', { adminAccess: true })])], ['a', 'b']), ['r=a']);
});
test('what is taken first is given back when the rest does not fit', () => {
  const slices = [slice([device('a', h100), device('b', a100)])];
  const requests = [exactly('any'), exactly('picky', { selectors: model('H100') })];
  assert.deepEqual(run(slices, [claim(requests)]), ['any=b', 'picky=a']);
  assert.deepEqual(run(slices, [claim([exactly('any')]), claim([exactly('picky', { selectors: model('H100') })])]), [
    'any=b',
    'picky=a',
  ]);
});
test('all devices, or none', () => {
  const slices = [slice([device('a', h100), device('b', a100), device('c', h100)])];
  const all = claim([exactly('r', { allocationMode: 'All', selectors: model('H100') })]);
  assert.deepEqual(run(slices, [all]), ['r=a', 'r=c']);
  assert.equal(run(slices, [all], ['c']), undefined);
  assert.equal(run([slice([device('b', a100)])], [all]), undefined);
});
test('devices with one value of an attribute', () => {
  const numa = (n: number) => ({ numa: { int: n } });
  const slices = [slice([device('a', numa(0)), device('b', numa(1)), device('c', numa(1)), device('d')])];
  const constraint = { matchAttribute: `${driver}/numa` };
  assert.deepEqual(run(slices, [claim([exactly('r', { count: 2 })], [constraint])]), ['r=b', 'r=c']);
  assert.equal(run(slices, [claim([exactly('r', { count: 3 })], [constraint])]), undefined);
  const requests = [exactly('free'), exactly('r', { count: 2 })];
  assert.deepEqual(run(slices, [claim(requests, [{ ...constraint, requests: ['r'] }])]), ['free=a', 'r=b', 'r=c']);
});
test('the first alternative that can be met', () => {
  const slices = [slice([device('a', a100), device('b', a100)])];
  const firstAvailable = [
    { name: 'one-h100', deviceClassName: 'gpu', selectors: model('H100') },
    { name: 'two-a100', deviceClassName: 'gpu', count: 2 },
  ];
  const met = run(slices, [claim([{ name: 'r', firstAvailable }])]);
  assert.deepEqual(met, ['r/two-a100=a', 'r/two-a100=b']);
});
test('pools: the newest generation counts, incomplete and contradictory ones offer nothing', () => {
  const pool = { name: 'pool', generation: 2, resourceSliceCount: 1 };
  assert.deepEqual(run([slice([device('old')]), slice([device('new')], { pool })], [claim([exactly('r')])]), ['r=new']);
  const incomplete = { pool: { ...pool, resourceSliceCount: 2 } };
  assert.equal(run([slice([device('a')], incomplete)], [claim([exactly('r')])]), undefined);
  assert.equal(run([slice([device('a'), device('a')])], [claim([exactly('r')])]), undefined);
  const other = slice([device('x')], { pool: { name: 'other', generation: 1, resourceSliceCount: 1 } });
  const all = claim([exactly('r', { allocationMode: 'All' })]);
  assert.equal(run([other, slice([device('a')], incomplete)], [all]), undefined);
  assert.deepEqual(run([other, slice([device('a')], { ...incomplete, nodeName: 'there' })], [all]), ['r=x']);
});
test('a selector that cannot be evaluated names the device', () => {
  const broken = claim([exactly('r', { selectors: cel(`device.attributes["${driver}"].none == 1`) })]);
  assert.throws(() => run([slice([device('a')])], [broken]), {
    message: `claim default/claim: selector #0 on device ${driver}/pool/a: CEL runtime error: No such key: none`,
  });
});
test('property: an allocation is found exactly when one exists, and keeps what was asked', () => {
  const models = fc.constantFrom('A', 'B');
  const devices = fc.array(models, { maxLength: 4 });
  const wishes = fc.array(fc.record({ model: fc.option(models), count: fc.integer({ min: 1, max: 2 }) }), {
    maxLength: 3,
  });
  fc.assert(
    fc.property(devices, wishes, (have, want) => {
      const slices = [slice(have.map((m, i) => device(`d${i}`, { model: { string: m } })))];
      const requests = want.map((w, i) =>
        exactly(`r${i}`, { count: w.count, ...(w.model && { selectors: model(w.model) }) }),
      );
      const got = run(slices, [claim(requests)]);
      assert.equal(got !== undefined, isPossible(have, want));
      if (!got) return;
      assert.equal(new Set(got.map(g => g.split('=')[1])).size, got.length);
      for (const [i, w] of want.entries()) {
        const given: (string | undefined)[] = got
          .filter(g => g.startsWith(`r${i}=`))
          .map(g => have[Number(g.split('=d')[1])]);
        assert.equal(given.length, w.count);
        for (const each of given) assert.ok(!w.model || each === w.model);
      }
    }),
  );
});

/** Those who care first, the others with what is left. */
function isPossible(have: readonly string[], want: readonly { model: string | null; count: number }[]): boolean {
  const left = new Map<string, number>();
  for (const m of have) left.set(m, (left.get(m) ?? 0) + 1);
  let any = 0;
  for (const { model: m, count } of want)
    if (m === null) any += count;
    else left.set(m, (left.get(m) ?? 0) - count);
  const rest = [...left.values()];
  return rest.every(n => n >= 0) && rest.reduce((a, b) => a + b, 0) >= any;
}
