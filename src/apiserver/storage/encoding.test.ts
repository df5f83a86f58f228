import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Unstructured } from '../../api/object.ts';
import { decodeContinue, encodeContinue } from './continue-token.ts';
import { encodeStored, utf8 } from './encoding.ts';
import { Entry } from './entry.ts';
import { splitStoreKey } from './keys.ts';

const served = (value: Uint8Array, modRevision: number) => new Entry('a', { value, modRevision }).bytes;

const texts = fc.oneof(fc.string(), fc.string({ unit: 'grapheme' }));
const objects = fc
  .record({ name: fc.string({ minLength: 1 }), labels: fc.dictionary(texts, texts), data: fc.jsonValue() })
  .map(
    ({ name, labels, data }) => ({ data, apiVersion: 'v1', metadata: { name, labels }, kind: 'Thing' }) as Unstructured,
  );
const revisions = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const parse = (bytes: Uint8Array) => JSON.parse(new TextDecoder().decode(bytes));

describe('stored bytes', () => {
  it('serve the object with its resourceVersion, whatever the object', () => {
    fc.assert(
      fc.property(objects, revisions, (obj, revision) => {
        const wanted = JSON.parse(JSON.stringify(obj));
        wanted.metadata.resourceVersion = String(revision);
        assert.deepEqual(parse(served(encodeStored(obj), revision)), wanted);
      }),
    );
  });
  it('stay what they are, whatever is stored after them', () => {
    fc.assert(
      fc.property(fc.array(objects, { minLength: 2, maxLength: 30 }), many => {
        const values = many.map(encodeStored);
        for (const [i, obj] of many.entries())
          assert.deepEqual(parse(values[i] as Uint8Array), JSON.parse(JSON.stringify(obj)));
      }),
    );
  });
  it('are the same in one piece, in a buffer, and decoded', () => {
    fc.assert(
      fc.property(objects, revisions, fc.nat(50), (obj, modRevision, at) => {
        const entry = new Entry('k', { value: encodeStored(obj), modRevision });
        const target = new Uint8Array(at + entry.size + 3);
        assert.equal(entry.writeTo(target, at), at + entry.size);
        assert.deepEqual(target.subarray(at, at + entry.size), entry.bytes);
        assert.deepEqual(entry.object(), parse(entry.bytes));
        assert.equal(entry.at(modRevision + 1).object().metadata.resourceVersion, String(modRevision + 1));
      }),
    );
  });
  it('may come from another writer, in another order and with a stale resourceVersion', () => {
    for (const text of [
      '{"data":{"a":{}},"metadata":{"resourceVersion":"7","name":"x"},"kind":"K","apiVersion":"v1"}',
      '{"kind":"K","apiVersion":"v1","metadata":{"resourceVersion":"7","name":"x"},"data":{"a":{}}}',
    ])
      assert.deepEqual(parse(served(utf8(text), 42)), {
        kind: 'K',
        apiVersion: 'v1',
        metadata: { name: 'x', resourceVersion: '42' },
        data: { a: {} },
      });
  });
});

describe('store keys', () => {
  it('tell kinds of the core group from groups', () => {
    const core = new Set(['pods', 'namespaces']);
    const cases = [
      ['/registry/pods/ns/a', '/registry/pods/', 'ns/a'],
      ['/registry/namespaces/a', '/registry/namespaces/', 'a'],
      ['/registry/apps/deployments/ns/a', '/registry/apps/deployments/', 'ns/a'],
    ];
    for (const [key = '', prefix, rest] of cases) assert.deepEqual(splitStoreKey(key, core), { prefix, rest });
    for (const key of ['/other/pods/a', '/registry/pods', '/registry/pods/', '/registry/apps/x'])
      assert.equal(splitStoreKey(key, core), undefined);
  });
});

describe('continue tokens', () => {
  it('come back as they were, and nothing else passes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1 }), fc.string({ minLength: 1 }), (revision, start) => {
        assert.deepEqual(decodeContinue(encodeContinue({ revision, start })), { revision, start });
      }),
    );
    for (const bad of ['', '!', 'e30', btoa('{"v":"meta.k8s.io/v1"}')])
      assert.throws(() => decodeContinue(bad), /continue key/);
  });
});
