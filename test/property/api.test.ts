/** Laws of the codecs, for every kind in the catalog. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { builtinResources } from '../../src/api/catalog/index.ts';
import { encodeJson } from '../../src/api/codec/encode.ts';
import { decodeJson } from '../../src/api/codec/json.ts';
import { decodeProtobuf, encodeProtobuf } from '../../src/api/codec/protobuf/envelope.ts';
import { decodeYaml, encodeYaml } from '../../src/api/codec/yaml.ts';
import { arbitraryObject } from '../support/arbitrary.ts';

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytes = (value: string) => new TextEncoder().encode(value);

for (const resource of builtinResources()) {
  const { group, version, kind, schema } = resource;
  test(`${group || 'core'}/${version} ${kind}: JSON, protobuf and YAML carry the same object`, () => {
    const options = { schema, mode: 'strict', kind: { group, version, kind } } as const;
    fc.assert(
      fc.property(arbitraryObject(resource), generated => {
        const first = decodeJson(bytes(JSON.stringify(generated)), options).value;
        const stored = encodeJson(first, schema);
        const again = decodeJson(stored, options).value;
        assert.equal(text(encodeJson(again, schema)), text(stored), 'a second decoding changes nothing');
        const viaProtobuf = decodeProtobuf(encodeProtobuf(first, schema), options).value;
        assert.equal(text(encodeJson(viaProtobuf, schema)), text(stored), 'protobuf');
        const viaYaml = decodeYaml(bytes(encodeYaml(first)), options).value;
        assert.equal(text(encodeJson(viaYaml, schema)), text(stored), 'YAML');
      }),
      { numRuns: 15 },
    );
  });
}
