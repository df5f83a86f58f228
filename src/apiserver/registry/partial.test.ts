/** A client may leave out or mistype anything that the schema lets through: a strategy must answer with complaints, never throw. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { builtinResources } from '../../api/catalog/index.ts';
import type { KubeObject } from '../../api/object.ts';
import type { ScalarType, Schema } from '../../api/schema.ts';
import { type Random, seededRandom } from '../../base/random.ts';
import { strategies } from './index.ts';
import { sampleOf } from './samples.ts';
import { context, created } from './testing.ts';

const texts = [
  '',
  'a',
  'A b',
  '10.0.0.1',
  'fd00::1/64',
  'example.com/x',
  '*',
  'Always',
  'TCP',
  'In',
  'Exists',
  'RollingUpdate',
];
const pick = <T>(random: Random, list: readonly T[]): T => list[random.int(list.length)] as T;

const scalars: Record<ScalarType, (random: Random) => unknown> = {
  string: random => pick(random, texts),
  int32: random => pick(random, [0, 1, -1, 80, 70000]),
  int64: random => pick(random, [0, 1, -1, 2 ** 40]),
  double: random => pick(random, [0, 0.5, -1]),
  bool: random => random.int(2) === 0,
  bytes: random => pick(random, ['', 'AAAA', 'e30=']),
  quantity: random => pick(random, ['0', '1', '-1', '100m', '1Gi']),
  intOrString: random => pick(random, [0, 1, '25%', 'http', '']),
  time: () => '2026-01-01T00:00:00Z',
  microTime: () => '2026-01-01T00:00:00.000000Z',
  json: random => pick<unknown>(random, [null, 1, 'a', {}, []]),
  raw: () => ({}),
  fieldsV1: () => ({}),
  emptied: () => ({}),
};

/** A value that the schema's types allow, with any field left out. */
function arbitrary(schema: Schema, random: Random, depth: number): unknown {
  switch (schema.kind) {
    case 'scalar':
      return scalars[schema.type](random);
    case 'list':
      return Array.from({ length: depth > 6 ? 0 : random.int(3) }, () => arbitrary(schema.items, random, depth + 1));
    case 'map':
      return Object.fromEntries(
        Array.from({ length: random.int(3) }, () => [pick(random, texts), arbitrary(schema.values, random, depth + 1)]),
      );
    default:
      return Object.fromEntries(
        [...schema.fields.values()]
          .filter(() => random.int(10) < (depth > 6 ? 1 : depth < 3 ? 8 : 4))
          .map(field => [field.name, arbitrary(field.schema, random, depth + 1)]),
      );
  }
}

const runs = 100;

describe('partial objects', () => {
  for (const strategy of strategies) {
    const version = strategy.storageVersion?.split('/').at(-1) ?? 'v1';
    const resource = strategy.storedAs ?? strategy.resource;
    const info = builtinResources().find(r => `${r.group}/${r.plural}` === resource && r.version === version);
    test(strategy.resource, () => {
      assert.ok(info);
      const sample = created(strategy, sampleOf(strategy.resource, info.namespaced));
      for (let seed = 0; seed < runs; seed++) {
        const random = seededRandom(seed);
        const draft = arbitrary(info.schema, random, 0) as KubeObject;
        draft.metadata = { ...draft.metadata, name: 'a', namespace: 'default' };
        exercise(strategy, draft, structuredClone(sample), seed);
      }
    });
  }
});

function exercise(strategy: (typeof strategies)[number], draft: KubeObject, old: KubeObject, seed: number): void {
  try {
    const obj = structuredClone(draft);
    strategy.default?.(obj);
    const again = structuredClone(obj);
    strategy.default?.(again);
    assert.deepEqual(again, obj, 'defaulting is idempotent');
    strategy.warnings?.(obj, undefined);
    for (const { cell } of strategy.columns ?? []) cell(obj, 0);
    for (const read of Object.values(strategy.selectableFields ?? {})) assert.equal(typeof read(obj), 'string');
    const update = structuredClone(obj);
    strategy.prepareForUpdate?.(update, old, context);
    strategy.validateUpdate?.(update, old, context);
    for (const sub of Object.values(strategy.subresources ?? {})) {
      const part = structuredClone(obj);
      sub.prepareForUpdate?.(part, old, context);
      sub.validateUpdate?.(part, old, context);
    }
    strategy.prepareForCreate?.(obj, context);
    strategy.validate?.(obj, context);
    strategy.gracePeriod?.(obj, undefined);
    strategy.canonicalize?.(obj);
  } catch (error) {
    throw new Error(`seed ${seed}: ${JSON.stringify(draft).slice(0, 400)}`, { cause: error });
  }
}
