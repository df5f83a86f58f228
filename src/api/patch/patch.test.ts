import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { schemaOf } from '../catalog/index.ts';
import { deepFreeze, type JsonObject } from '../util/values.ts';
import * as p from './index.ts';

const parse = (text: string) => JSON.parse(text) as JsonObject;

test('JSON patch: operations', () => {
  const table: [unknown, unknown[], unknown][] = [
    [{ a: 1 }, [{ op: 'add', path: '/b', value: { c: 2 } }], { a: 1, b: { c: 2 } }],
    [{ a: [1, 2] }, [{ op: 'add', path: '/a/1', value: 9 }], { a: [1, 9, 2] }],
    [{ a: [1, 2] }, [{ op: 'add', path: '/a/-', value: 9 }], { a: [1, 2, 9] }],
    [{ a: [1, 2] }, [{ op: 'remove', path: '/a/-1' }], { a: [1] }],
    [{ a: 1, b: 2 }, [{ op: 'remove', path: '/a' }], { b: 2 }],
    [{ a: 1 }, [{ op: 'replace', path: '/a', value: null }], { a: null }],
    [{ a: 1 }, [{ op: 'move', from: '/a', path: '/b' }], { b: 1 }],
    [
      { a: { x: 1 } },
      [
        { op: 'copy', from: '/a', path: '/b' },
        { op: 'add', path: '/b/x', value: 2 },
      ],
      { a: { x: 1 }, b: { x: 2 } },
    ],
    [{ 'a/b': { '~': 1 } }, [{ op: 'test', path: '/a~1b/~0', value: 1 }], { 'a/b': { '~': 1 } }],
    [{ a: 1 }, [{ op: 'test', path: '/b', value: null }], { a: 1 }],
    [{ a: 1 }, [], { a: 1 }],
  ];
  for (const [document, patch, want] of table) {
    assert.deepEqual(p.applyJsonPatch(deepFreeze(document), deepFreeze(patch)), want);
  }
});

test('JSON patch: complaints', () => {
  const table: [unknown[], string][] = [
    [
      [{ op: 'add', path: '/x/y', value: 1 }],
      'add operation does not apply: doc is missing path: "/x/y": missing value',
    ],
    [[{ op: 'add', path: '', value: 1 }], 'add operation does not apply: doc is missing path: "": missing value'],
    [
      [{ op: 'remove', path: '/x' }],
      "error in remove for path: '/x': Unable to remove nonexistent key: x: missing value",
    ],
    [
      [{ op: 'replace', path: '/x', value: 1 }],
      'replace operation does not apply: doc is missing key: /x: missing value',
    ],
    [[{ op: 'test', path: '/a', value: 2 }], 'testing value /a failed: test failed'],
    [[{ op: 'jump', path: '/a' }], 'Unexpected kind: jump'],
    [
      [{ op: 'remove', path: '/l/7' }],
      "error in remove for path: '/l/7': Unable to access invalid index: 7: invalid index referenced",
    ],
    [
      [{ op: 'add', path: '/l/x', value: 1 }],
      'error in add for path: \'/l/x\': strconv.Atoi: parsing "x": invalid syntax',
    ],
    [
      [{ op: 'add', path: '/constructor/x', value: 1 }],
      'add operation does not apply: doc is missing path: "/constructor/x": missing value',
    ],
  ];
  for (const [patch, message] of table) {
    assert.throws(() => p.applyJsonPatch({ a: 1, l: [1] }, patch), { name: 'PatchError', message });
  }
  assert.throws(() => p.applyJsonPatch({}, {}), { failure: 'malformed' });
  assert.throws(() => p.applyJsonPatch({}, new Array(10_001).fill({ op: 'test', path: '/a', value: null })), {
    failure: 'tooLarge',
    message: 'The allowed maximum operations in a JSON patch is 10000, got 10001',
  });
  const doubling = Array.from({ length: 40 }, () => ({ op: 'copy', from: '/a', path: '/a/-' }));
  assert.throws(() => p.applyJsonPatch({ a: ['z'.repeat(1000)] }, doubling), { failure: 'tooLarge' });
});

test('prototype keys are data in every kind of patch', () => {
  const evil = parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}');
  const merged = p.applyMergePatch<JsonObject>({}, evil);
  assert.deepEqual(JSON.stringify(merged), JSON.stringify(evil));
  const strategic = p.applyStrategicMergePatch<JsonObject>({}, evil, undefined);
  assert.ok(Object.hasOwn(strategic, '__proto__'));
  const added = p.applyJsonPatch({}, [{ op: 'add', path: '/__proto__', value: { polluted: true } }]);
  assert.ok(Object.hasOwn(added, '__proto__'));
  assert.throws(() => p.applyJsonPatch({}, [{ op: 'add', path: '/__proto__/polluted', value: true }]));
  assert.equal(({} as { polluted?: boolean }).polluted, undefined);
});

test('merge patch: the cases of RFC 7386', () => {
  const table: [unknown, unknown, unknown][] = [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ];
  for (const [document, patch, want] of table) {
    assert.deepEqual(p.applyMergePatch(deepFreeze(document), deepFreeze(patch)), want);
  }
});

const leaf = fc.oneof(fc.string(), fc.integer(), fc.boolean());
const { tree } = fc.letrec(tie => ({
  tree: fc.dictionary(
    fc.string({ maxLength: 3 }),
    fc.oneof({ depthSize: 'small' }, leaf, fc.array(leaf, { maxLength: 3 }), tie('tree')),
  ),
}));
const document = tree as fc.Arbitrary<JsonObject>;

test('applying the computed merge patch gives the other document', () => {
  fc.assert(
    fc.property(document, document, (a, b) => {
      assert.equal(stable(p.applyMergePatch(a, p.createMergePatch(a, b))), stable(b));
      assert.equal(
        stable(p.applyStrategicMergePatch(a, p.createTwoWayMergePatch(a, b, undefined), undefined)),
        stable(b),
      );
    }),
  );
});

/** Text with sorted keys: node's deepEqual treats own `__proto__` specially. */
function stable(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(stable).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([k, v]) => `${JSON.stringify(k)}:${stable(v)}`).join(',')}}`;
}

const pod = schemaOf('core.v1.Pod');
const containers = (...names: string[]) => ({ spec: { containers: names.map(name => ({ name, image: 'i' })) } });

test('strategic merge: lists by key, directives, order', () => {
  const table: [object, object, object][] = [
    [
      containers('a', 'b'),
      { spec: { containers: [{ name: 'b', image: 'new' }] } },
      {
        spec: {
          containers: [
            { name: 'a', image: 'i' },
            { name: 'b', image: 'new' },
          ],
        },
      },
    ],
    [containers('a'), { spec: { containers: [{ name: 'b', image: 'i' }] } }, containers('b', 'a')],
    [containers('a', 'b'), { spec: { containers: [{ name: 'a', $patch: 'delete' }] } }, containers('b')],
    [
      containers('a', 'b'),
      { spec: { containers: [{ $patch: 'replace' }, { name: 'c', image: 'i' }] } },
      containers('c'),
    ],
    [containers('a', 'b'), { spec: { $patch: 'replace', hostname: 'x' } }, { spec: { hostname: 'x' } }],
    [{ spec: { hostname: 'x' } }, { spec: { $patch: 'delete' } }, { spec: {} }],
    [
      containers('a', 'b', 'c'),
      { spec: { '$setElementOrder/containers': [{ name: 'c' }, { name: 'a' }, { name: 'b' }] } },
      containers('c', 'a', 'b'),
    ],
    [
      { metadata: { finalizers: ['a', 'b'] } },
      { metadata: { '$deleteFromPrimitiveList/finalizers': ['a'] } },
      { metadata: { finalizers: ['b'] } },
    ],
    [
      { metadata: { finalizers: ['a'] } },
      { metadata: { finalizers: ['b', 'a'] } },
      { metadata: { finalizers: ['b', 'a'] } },
    ],
    [
      { metadata: { labels: { a: '1', b: '2' } } },
      { metadata: { labels: { a: null, c: '3' } } },
      { metadata: { labels: { b: '2', c: '3' } } },
    ],
    [
      { spec: { volumes: [{ name: 'v', emptyDir: {} }] } },
      { spec: { volumes: [{ name: 'v', $retainKeys: ['name', 'hostPath'], hostPath: { path: '/x' } }] } },
      { spec: { volumes: [{ name: 'v', hostPath: { path: '/x' } }] } },
    ],
    [{}, { spec: { containers: [{ name: 'a', $patch: 'delete' }], hostname: null } }, { spec: { containers: [] } }],
    [
      { spec: { tolerations: [{ key: 'a' }] } },
      { spec: { tolerations: [{ key: 'b' }] } },
      { spec: { tolerations: [{ key: 'b' }] } },
    ],
  ];
  for (const [object, patch, want] of table) {
    assert.deepEqual(
      p.applyStrategicMergePatch(deepFreeze(object), deepFreeze(patch), pod),
      want,
      JSON.stringify(patch),
    );
  }
});

test('strategic merge: deleting makes room for what is added, elements with one key are paired in order', () => {
  const patch = {
    spec: {
      '$setElementOrder/containers': [{ name: 'b' }, { name: 'c' }],
      containers: [
        { name: 'c', image: 'i' },
        { name: 'a', $patch: 'delete' },
      ],
    },
  };
  assert.deepEqual(p.applyStrategicMergePatch(containers('a', 'b', 'z'), patch, pod), containers('b', 'z', 'c'));
  const twice = containers('a', 'b', 'a');
  assert.deepEqual(p.createTwoWayMergePatch(twice, twice, pod), {});
  assert.deepEqual(p.createTwoWayMergePatch(twice, containers('a', 'b'), pod), {
    spec: {
      '$setElementOrder/containers': [{ name: 'a' }, { name: 'b' }],
      containers: [{ $patch: 'delete', name: 'a' }],
    },
  });
});

test('strategic merge: complaints', () => {
  const table: [object, RegExp][] = [
    [{ spec: { containers: [{ image: 'x' }] } }, /does not contain declared merge key: name/],
    [{ spec: { $patch: 'explode' } }, /unknown patch type: explode in map/],
    [{ spec: { containers: [{ name: 'a', $patch: 'merge' }] } }, /merging lists cannot yet be specified in the patch/],
    [{ spec: { containers: ['x'] } }, /list element types are not identical/],
    [{ spec: { $retainKeys: 'x' } }, /invalid patch format of retainKeys/],
    [{ spec: { '$setElementOrder/containers': 'x' } }, /expected a \[\]interface \{\}/],
  ];
  for (const [patch, message] of table) {
    assert.throws(
      () => p.applyStrategicMergePatch(containers('a'), patch, pod),
      (e: Error) => {
        assert.ok(e instanceof p.PatchError);
        assert.match(e.message, message);
        return true;
      },
    );
  }
});

const container = fc.record(
  {
    image: fc.constantFrom('a', 'b'),
    command: fc.array(fc.constantFrom('x', 'y'), { maxLength: 2 }),
    tty: fc.boolean(),
  },
  { requiredKeys: ['image'] },
);
const podArb = fc
  .tuple(
    fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 4 }),
    fc.array(container, { minLength: 4, maxLength: 4 }),
    fc.subarray(['f', 'g', 'h']),
    fc.dictionary(fc.constantFrom('l', 'm'), fc.constantFrom('1', '2')),
  )
  .map(([names, specs, finalizers, labels]) => ({
    metadata: { finalizers, labels },
    spec: { containers: names.map((name, i) => ({ name, ...specs[i] })) },
  }));

test('the computed two-way patch leads from one pod to another', () => {
  fc.assert(
    fc.property(podArb, podArb, (a, b) => {
      const patch = p.createTwoWayMergePatch(deepFreeze(a), deepFreeze(b), pod);
      assert.equal(stable(p.applyStrategicMergePatch(a, patch, pod)), stable(b), JSON.stringify(patch));
    }),
    { numRuns: 300 },
  );
});

test('three-way patches keep what others added and drop what was taken out', () => {
  const original = { metadata: { labels: { a: '1', b: '2' } }, spec: containers('a', 'b').spec };
  const modified = { metadata: { labels: { a: '9' } }, spec: containers('a').spec };
  const current = { metadata: { labels: { a: '1', b: '2', z: 'other' } }, spec: containers('side', 'a', 'b').spec };
  const patch = p.createThreeWayMergePatch(original, modified, current, pod);
  assert.deepEqual(p.applyStrategicMergePatch(current, patch, pod), {
    metadata: { labels: { a: '9', z: 'other' } },
    spec: containers('side', 'a').spec,
  });
  const jsonPatch = p.createThreeWayJsonMergePatch(original, modified, current);
  assert.deepEqual(p.applyMergePatch(current, jsonPatch), {
    metadata: { labels: { a: '9', z: 'other' } },
    spec: containers('a').spec,
  });
  assert.throws(() =>
    p.createThreeWayMergePatch(
      { metadata: { labels: { a: '1' } } },
      { metadata: { labels: { a: '2' } } },
      { metadata: { labels: { a: '3' } } },
      pod,
      false,
    ),
  );
});

test('documents nested too deeply are refused', () => {
  let deep: JsonObject = {};
  for (let i = 0; i < 10_000; i++) deep = { a: deep };
  const refused = { name: 'PatchError', message: 'invalid JSON document: exceeded max depth' };
  assert.throws(() => p.applyMergePatch({}, deep), refused);
  assert.throws(() => p.applyMergePatch(deep, {}), refused);
  assert.throws(() => p.applyStrategicMergePatch({}, deep, pod), refused);
  assert.throws(() => p.applyJsonPatch({}, [{ op: 'add', path: '/x', value: deep }]), refused);
  let fine: JsonObject = {};
  for (let i = 0; i < 1900; i++) fine = { a: fine };
  assert.equal(JSON.stringify(p.applyMergePatch({}, fine)), JSON.stringify(fine));
  assert.equal(JSON.stringify(p.applyStrategicMergePatch(fine, fine, undefined)), JSON.stringify(fine));
});

test('large lists merge in linear time', () => {
  const many = Array.from({ length: 20_000 }, (_, i) => ({ name: `c${i}`, image: 'x' }));
  const start = performance.now();
  const out = p.applyStrategicMergePatch({ spec: { containers: many } }, { spec: { containers: many } }, pod);
  assert.equal(out.spec.containers.length, 20_000);
  assert.ok(performance.now() - start < 3000);
});
