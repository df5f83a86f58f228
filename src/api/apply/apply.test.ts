import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ApiError } from '../../base/errors.ts';
import { schemaOf } from '../catalog/index.ts';
import type { ObjectSchema, Schema } from '../schema.ts';
import { deepClone, deepFreeze, type JsonObject } from '../util/values.ts';
import { type ApplyObject, applyPatch, setOf, trackUpdate } from './index.ts';

const deployment = schemaOf('apps.v1.Deployment');
const podSchema = schemaOf('core.v1.Pod');
const service = schemaOf('core.v1.Service');
const t0 = Date.UTC(2024, 0, 1);

interface Body extends ApplyObject {
  spec?: JsonObject;
  status?: JsonObject;
  data?: JsonObject;
}
const appsV1 = (rest: Omit<Body, 'metadata'> & { metadata?: JsonObject }): Body =>
  ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    ...rest,
    metadata: { name: 'd', namespace: 'n', ...rest.metadata },
  }) as Body;
const entry = (body: ApplyObject, manager: string) => body.metadata?.managedFields?.find(e => e.manager === manager);

function apply(
  live: Body | undefined,
  applied: Body,
  manager: string,
  force = false,
  now = t0,
  schema: ObjectSchema = deployment,
) {
  const input = { live, applied, manager, schema, apiVersion: applied.apiVersion ?? '', force, now };
  return applyPatch<Body>(deepFreeze(input)).object;
}
function update(old: Body | undefined, updated: Body, manager: string, now = t0, more: JsonObject = {}): Body {
  const input = { old, updated, manager, schema: deployment, apiVersion: 'apps/v1', now, ...more };
  const managedFields = trackUpdate(deepFreeze(input));
  const copy = deepClone(updated);
  copy.metadata = { ...copy.metadata, ...(managedFields && { managedFields: deepClone(managedFields) }) };
  return copy;
}
const containers = (...names: string[]) => ({
  selector: { matchLabels: { app: 'x' } },
  template: {
    metadata: { labels: { app: 'x' } },
    spec: { containers: names.map(name => ({ name, image: `${name}:1` })) },
  },
});

test('create records what the writer set, as upstream writes it', () => {
  const created = update(
    undefined,
    appsV1({ metadata: { labels: { a: 'b' } }, spec: { replicas: 1, ...containers('web') } }),
    'kubectl-create',
  );
  assert.deepEqual(created.metadata?.managedFields, [
    {
      manager: 'kubectl-create',
      operation: 'Update',
      apiVersion: 'apps/v1',
      time: '2024-01-01T00:00:00Z',
      fieldsType: 'FieldsV1',
      fieldsV1: {
        'f:metadata': { 'f:labels': { '.': {}, 'f:a': {} } },
        'f:spec': {
          'f:replicas': {},
          'f:selector': {},
          'f:template': {
            'f:metadata': { 'f:labels': { '.': {}, 'f:app': {} } },
            'f:spec': { 'f:containers': { '.': {}, 'k:{"name":"web"}': { '.': {}, 'f:image': {}, 'f:name': {} } } },
          },
        },
      },
    },
  ]);
});

test('apply conflicts with another writer, in upstream words; force takes the field', () => {
  const live = update(undefined, appsV1({ spec: { replicas: 1 } }), 'kubectl-client-side-apply');
  const wanted = appsV1({ spec: { replicas: 2 } });
  assert.throws(
    () => apply(live, wanted, 'me'),
    (e: unknown) => {
      assert.ok(e instanceof ApiError);
      assert.equal(e.code, 409);
      assert.equal(
        e.message,
        'Apply failed with 1 conflict: conflict with "kubectl-client-side-apply" using apps/v1: .spec.replicas',
      );
      assert.deepEqual(e.status.details?.causes, [
        {
          reason: 'FieldManagerConflict',
          message: 'conflict with "kubectl-client-side-apply" using apps/v1',
          field: '.spec.replicas',
        },
      ]);
      return true;
    },
  );
  const forced = apply(live, wanted, 'me', true);
  assert.deepEqual(forced.spec, { replicas: 2 });
  assert.deepEqual(
    forced.metadata?.managedFields?.map(e => e.manager),
    ['me'],
  );
  assert.deepEqual(entry(forced, 'me')?.fieldsV1, { 'f:spec': { 'f:replicas': {} } });
});

test('several conflicts are listed by manager', () => {
  let live = apply(undefined, appsV1({ spec: { replicas: 1, paused: true } }), 'a');
  live = update(
    live,
    appsV1({ ...live, spec: { ...live.spec, minReadySeconds: 5 } } as Body & { metadata: JsonObject }),
    'b',
  );
  assert.throws(() => apply(live, appsV1({ spec: { replicas: 2, paused: false, minReadySeconds: 6 } }), 'c'), {
    message:
      'Apply failed with 3 conflicts: conflicts with "a":\n- .spec.paused\n- .spec.replicas\nconflicts with "b" using apps/v1:\n- .spec.minReadySeconds',
  });
});

test('equal values are shared; a field goes when its last owner lets it go', () => {
  let live = apply(undefined, appsV1({ metadata: { labels: { a: '1' } }, spec: { replicas: 1 } }), 'one');
  live = apply(live, appsV1({ metadata: { labels: { a: '1' } } }), 'two');
  live = apply(live, appsV1({}), 'one');
  assert.deepEqual(live.metadata?.labels, { a: '1' });
  assert.equal(live.spec, undefined);
  live = apply(live, appsV1({}), 'two');
  assert.equal(live.metadata?.labels, undefined);
  assert.equal(live.metadata?.name, 'd');
});

test('lists by key: items are merged, owned and removed one by one', () => {
  let live = apply(undefined, appsV1({ spec: containers('a') }), 'one');
  live = apply(live, appsV1({ spec: { template: { spec: { containers: [{ name: 'side', image: 's' }] } } } }), 'two');
  const names = (body: Body) =>
    ((body.spec as ReturnType<typeof containers> | undefined)?.template.spec.containers ?? []).map(c => c.name);
  assert.deepEqual(names(live), ['a', 'side']);
  live = apply(live, appsV1({ spec: { template: { spec: { containers: [{ name: 'side', image: 's2' }] } } } }), 'two');
  live = apply(live, appsV1({ spec: containers('b') }), 'one');
  assert.deepEqual(names(live).sort(), ['b', 'side']);
  live = apply(live, appsV1({}), 'two');
  assert.deepEqual(names(live), ['b']);
});

test('map keys have defaults: ports are told apart by number and protocol', () => {
  const ports = (list: JsonObject[]): Body => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 's', namespace: 'n' },
    spec: { ports: list },
  });
  let live = apply(undefined, ports([{ port: 53, protocol: 'UDP' }]), 'udp', false, t0, service);
  live = apply(live, ports([{ port: 53 }]), 'tcp', false, t0, service);
  assert.deepEqual(live.spec, { ports: [{ port: 53, protocol: 'UDP' }, { port: 53 }] });
  assert.deepEqual(entry(live, 'tcp')?.fieldsV1, {
    'f:spec': { 'f:ports': { 'k:{"port":53,"protocol":"TCP"}': { '.': {}, 'f:port': {} } } },
  });
});

test('atomic values have one owner', () => {
  const live = apply(undefined, appsV1({ spec: { selector: { matchLabels: { a: '1' } } } }), 'one');
  assert.deepEqual(entry(live, 'one')?.fieldsV1, { 'f:spec': { 'f:selector': {} } });
  assert.throws(
    () => apply(live, appsV1({ spec: { selector: { matchLabels: { b: '2' } } } }), 'two'),
    /\.spec\.selector/,
  );
});

test('an update takes changed fields from their owners and leaves the rest', () => {
  let live = apply(undefined, appsV1({ metadata: { labels: { a: '1' } }, spec: { replicas: 1, paused: true } }), 'one');
  live = update(live, { ...live, spec: { replicas: 5, paused: true } }, 'scaler', t0 + 60_000, {
    subresource: 'scale',
  });
  assert.deepEqual(entry(live, 'one')?.fieldsV1, {
    'f:metadata': { 'f:labels': { 'f:a': {} } },
    'f:spec': { 'f:paused': {} },
  });
  assert.equal(entry(live, 'one')?.time, '2024-01-01T00:00:00Z');
  assert.deepEqual(entry(live, 'scaler'), {
    manager: 'scaler',
    operation: 'Update',
    apiVersion: 'apps/v1',
    time: '2024-01-01T00:01:00Z',
    fieldsType: 'FieldsV1',
    fieldsV1: { 'f:spec': { 'f:replicas': {} } },
    subresource: 'scale',
  });
  live = update(live, appsV1({ spec: { paused: true } }), 'remover');
  assert.deepEqual(
    live.metadata?.managedFields?.map(e => [e.manager, e.fieldsV1]),
    [['one', { 'f:spec': { 'f:paused': {} } }]],
  );
});

test('writes without change keep the very same entries', () => {
  const live = deepFreeze(update(undefined, appsV1({ spec: { replicas: 1 } }), 'a'));
  const same = trackUpdate({
    old: live,
    updated: deepClone(live),
    manager: 'b',
    schema: deployment,
    apiVersion: 'apps/v1',
    now: t0,
  });
  assert.equal(same, live.metadata?.managedFields);
  const wanted = appsV1({ spec: { replicas: 3 } });
  const first = apply(live, wanted, 'b', true, t0);
  const again = applyPatch<Body>({
    live: first,
    applied: wanted,
    manager: 'b',
    schema: deployment,
    apiVersion: 'apps/v1',
    now: t0 + 99_000,
  });
  assert.equal(again.changed, false);
  assert.deepEqual(again.object, first);
});

test('reset fields are neither owned nor in conflict', () => {
  const resetFields = setOf(['f:status']);
  const live = update(undefined, appsV1({ spec: { replicas: 1 }, status: { replicas: 1 } }), 'a', t0, { resetFields });
  assert.deepEqual(entry(live, 'a')?.fieldsV1, { 'f:spec': { 'f:replicas': {} } });
});

test('at most ten update entries: the oldest are merged', () => {
  let live = update(undefined, appsV1({ metadata: { labels: {} } }), 'creator');
  for (let i = 0; i < 14; i++) {
    const labels = { ...live.metadata?.labels, [`l${i}`]: '1' };
    live = update(live, { ...live, metadata: { ...live.metadata, labels } }, `m${i}`, t0 + (i + 1) * 1000);
  }
  const managers = live.metadata?.managedFields?.map(e => e.manager);
  assert.equal(managers?.length, 10);
  assert.ok(managers?.includes('ancient-changes'));
  assert.ok(managers?.includes('m13'));
});

test('owners are forgotten on request, and bad lists from clients are ignored', () => {
  const live = update(undefined, appsV1({ spec: { replicas: 1 } }), 'a');
  const send = (managedFields: unknown) =>
    update(live, { ...live, metadata: { ...live.metadata, managedFields } } as Body, 'b');
  assert.equal(
    trackUpdate({
      old: live,
      updated: { ...live, metadata: { ...live.metadata, managedFields: [{}] } },
      manager: 'b',
      schema: deployment,
      apiVersion: 'apps/v1',
      now: t0,
    }),
    undefined,
  );
  for (const bad of [
    [{ operation: 'Nope' }],
    'x',
    [{ operation: 'Update', apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1: { x: {} } }],
  ]) {
    assert.deepEqual(send(bad).metadata?.managedFields, live.metadata?.managedFields);
  }
});

test('objects from before field tracking are owned by before-first-apply', () => {
  const live = appsV1({ spec: { replicas: 1 } });
  const applied = apply(live, appsV1({ spec: { paused: true } }), 'me');
  assert.deepEqual(
    applied.metadata?.managedFields?.map(e => [e.manager, e.operation]),
    [
      ['me', 'Apply'],
      ['before-first-apply', 'Update'],
    ],
  );
});

test('kubectl takes over what its client-side apply set', () => {
  const config = appsV1({ spec: { replicas: 1 } });
  const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': `${JSON.stringify(config)}\n` };
  const live = update(undefined, appsV1({ ...config, metadata: { annotations } }), 'kubectl-client-side-apply');
  const wanted = appsV1({ spec: { replicas: 2 } });
  assert.throws(() => apply(live, wanted, 'someone'), /conflict/);
  const moved = apply(live, wanted, 'kubectl');
  assert.equal(moved.spec?.['replicas'], 2);
  assert.equal(
    moved.metadata?.annotations?.['kubectl.kubernetes.io/last-applied-configuration'],
    '{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d","namespace":"n"},"spec":{"replicas":2}}\n',
  );
});

test('wrong configurations are refused', () => {
  const table: [Body, RegExp][] = [
    [
      appsV1({ spec: { nope: 1 } }),
      /^failed to create typed patch object \(n\/d; apps\/v1, Kind=Deployment\): \.spec\.nope: field not declared in schema$/,
    ],
    [
      appsV1({ spec: { template: { spec: { containers: [{ name: 'a' }, { name: 'a' }] } } } }),
      /containers: duplicate entries for key \[name="a"\]/,
    ],
    [
      appsV1({ spec: { template: { spec: { containers: [{ image: 'a' }] } } } }),
      /element 0: associative list with keys has an element that omits all key fields \["name"\]/,
    ],
    [appsV1({ metadata: { managedFields: [] } }), /^metadata\.managedFields must be nil$/],
  ];
  for (const [body, message] of table) {
    assert.throws(
      () => apply(undefined, body, 'me'),
      (e: unknown) => e instanceof ApiError && message.test(e.message),
    );
  }
  assert.throws(
    () =>
      applyPatch({
        live: undefined,
        applied: { apiVersion: 'apps/v2' },
        manager: 'm',
        schema: deployment,
        apiVersion: 'apps/v1',
        now: t0,
      }),
    { message: 'Incorrect version specified in apply patch. Specified patch version: apps/v2, expected: apps/v1' },
  );
});

test('entries at other versions are seen through conversion; those of removed versions go', () => {
  const crd = (field: string): ObjectSchema => {
    const text: Schema = { kind: 'scalar', type: 'string' };
    const object = (fields: [string, Schema][]): ObjectSchema => ({
      kind: 'object',
      required: [],
      fields: new Map(fields.map(([name, schema]) => [name, { name, schema, protobuf: 0 }])),
    });
    const metadata = podSchema.fields.get('metadata')?.schema;
    assert.ok(metadata);
    return object([
      ['metadata', metadata],
      ['spec', object([[field, text]])],
    ]);
  };
  const schemas: Record<string, ObjectSchema> = { 'g/v1': crd('old'), 'g/v2': crd('new') };
  const fieldOf: Record<string, string> = { 'g/v1': 'old', 'g/v2': 'new' };
  const versions = {
    schema: (apiVersion: string) => schemas[apiVersion],
    convert(object: JsonObject, apiVersion: string) {
      const [from, to] = [fieldOf[String(object['apiVersion'])], fieldOf[apiVersion]];
      if (!from || !to) return undefined;
      const spec = object['spec'] as JsonObject | undefined;
      return { ...object, apiVersion, ...(spec && { spec: { [to]: spec[from] } }) };
    },
  };
  const body = (apiVersion: string, spec: JsonObject): Body => ({
    apiVersion,
    kind: 'K',
    metadata: { name: 'x' },
    spec,
  });
  const at = (apiVersion: string) => ({ apiVersion, schema: schemas[apiVersion] as ObjectSchema, now: t0, versions });
  const one = applyPatch<Body>({
    live: undefined,
    applied: body('g/v1', { old: 'a' }),
    manager: 'one',
    ...at('g/v1'),
  }).object;
  const live = versions.convert(one as JsonObject, 'g/v2') as Body;
  assert.throws(() => applyPatch({ live, applied: body('g/v2', { new: 'b' }), manager: 'two', ...at('g/v2') }), {
    message: 'Apply failed with 1 conflict: conflict with "one": .spec.old',
  });
  const moved = applyPatch<Body>({ live, applied: body('g/v2', { new: 'c' }), manager: 'one', ...at('g/v2') }).object;
  assert.deepEqual(moved.spec, { new: 'c' });
  const emptied = applyPatch<Body>({ live, applied: body('g/v2', {}), manager: 'one', ...at('g/v2') }).object;
  assert.deepEqual(emptied.spec ?? {}, {});
  const gone = {
    ...live,
    metadata: {
      ...live.metadata,
      managedFields: live.metadata?.managedFields?.map(e => ({ ...e, apiVersion: 'g/v0' })),
    },
  } as Body;
  const left = trackUpdate({
    old: gone,
    updated: { ...gone, spec: { new: 'z' } } as Body,
    manager: 'two',
    ...at('g/v2'),
  });
  assert.deepEqual(
    left?.map(e => e.manager),
    ['two'],
  );
});

test('prototype keys are data', () => {
  const labels = JSON.parse('{"__proto__":"x","constructor":"y"}') as Record<string, string>;
  const live = apply(undefined, appsV1({ metadata: { labels } }), 'me');
  assert.equal(JSON.stringify(live.metadata?.labels), JSON.stringify(labels));
  assert.deepEqual(entry(live, 'me')?.fieldsV1, {
    'f:metadata': { 'f:labels': { 'f:__proto__': {}, 'f:constructor': {} } },
  });
  assert.deepEqual(apply(live, appsV1({}), 'me').metadata?.labels, undefined);
});

// Laws.
const key = fc.constantFrom('a', 'b', 'c');
const configOf = (prefix: string) =>
  fc
    .record(
      {
        labels: fc.dictionary(
          key.map(k => prefix + k),
          fc.constantFrom('1', '2'),
          { noNullPrototype: true, minKeys: 1 },
        ),
        // An empty list or map is a value of its own; it goes when the last item is taken out of it, as upstream.
        names: fc.uniqueArray(
          key.map(k => prefix + k),
          { minLength: 1, maxLength: 3 },
        ),
        image: fc.constantFrom('x', 'y'),
        ports: fc.uniqueArray(fc.integer({ min: 1, max: 4 }), { maxLength: 3 }),
      },
      { noNullPrototype: true },
    )
    .map(({ labels, names, image, ports }) => {
      const list = names.map(name => ({
        name,
        image,
        ports: ports.map(containerPort => ({ containerPort, protocol: 'TCP' })),
      }));
      return appsV1({ metadata: { labels }, spec: { template: { spec: { containers: list } } } });
    });

const withoutOwners = (body: Body) => {
  const { managedFields: _managedFields, ...metadata } = body.metadata ?? {};
  return { ...body, metadata };
};

test('law: applying twice is applying once', () => {
  fc.assert(
    fc.property(configOf(''), configOf(''), (first, second) => {
      const live = apply(undefined, first, 'one');
      const once = apply(live, second, 'two', true);
      assert.deepEqual(apply(once, second, 'two', true, t0 + 5000), once);
    }),
  );
});

test('law: applying then letting go restores the object and its owners', () => {
  fc.assert(
    fc.property(configOf('x'), configOf('y'), (first, second) => {
      const live = apply(undefined, first, 'one');
      const added = apply(live, second, 'two');
      const restored = apply(added, appsV1({}), 'two');
      assert.deepEqual(clean(withoutOwners(restored)), clean(withoutOwners(live)));
      assert.deepEqual(entry(restored, 'one'), entry(live, 'one'));
      assert.equal(entry(restored, 'two'), undefined);
    }),
  );
});

/** Empty objects and lists may go with their last content. */
function clean(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(clean);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([k, v]) => [k, clean(v)] as const);
  return Object.fromEntries(
    entries.filter(([, v]) => typeof v !== 'object' || v === null || Object.keys(v).length > 0),
  );
}

test('law: managers of different fields never conflict, in any order', () => {
  fc.assert(
    fc.property(configOf('x'), configOf('y'), fc.boolean(), (first, second, swap) => {
      const [a, b] = swap ? [second, first] : [first, second];
      const live = apply(apply(undefined, a, 'one'), b, 'two');
      const again = apply(live, a, 'one', false, t0 + 5000);
      assert.deepEqual(withoutOwners(again), withoutOwners(live));
    }),
  );
});

test('law: after forcing, the applier owns what it applied and everything it applied is there', () => {
  fc.assert(
    fc.property(configOf(''), configOf(''), (first, second) => {
      const live = apply(apply(undefined, first, 'one'), second, 'two', true);
      assert.deepEqual(entry(live, 'two')?.fieldsV1, entry(apply(undefined, second, 'two'), 'two')?.fieldsV1);
      assert.deepEqual(live.metadata?.labels ?? {}, { ...first.metadata?.labels, ...second.metadata?.labels });
    }),
  );
});

test('large maps are compared and read in linear time', () => {
  const data = Object.fromEntries(Array.from({ length: 40_000 }, (_, i) => [`k${i}`, 'v']));
  const map = (content: JsonObject): Body => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'a', namespace: 'n' },
    data: content,
  });
  const schema = schemaOf('core.v1.ConfigMap');
  const start = performance.now();
  const updated = update(map({ a: 'b' }), map(data), 'one', t0, { schema, apiVersion: 'v1' });
  const applied = apply(undefined, map(data), 'two', false, t0, schema);
  assert.ok(performance.now() - start < 10_000);
  for (const [object, manager] of [[updated, 'one'] as const, [applied, 'two'] as const]) {
    const owned = entry(object, manager)?.fieldsV1 as { 'f:data': object };
    assert.ok(Object.keys(owned['f:data']).length >= 40_000);
  }
});
