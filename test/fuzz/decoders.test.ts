/** Decoders given rubbish: they answer with a 400 or a value, within a time, and never with anything else. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { builtinResources, resourceOf } from '../../src/api/catalog/index.ts';
import { decodeJson } from '../../src/api/codec/json.ts';
import { decodeProtobuf, encodeProtobuf } from '../../src/api/codec/protobuf/envelope.ts';
import { decodeYaml } from '../../src/api/codec/yaml.ts';
import { isApiError } from '../../src/base/errors.ts';
import { arbitraryObject } from '../support/arbitrary.ts';

const milliseconds = 4000;
const pods = resourceOf({ group: '', version: 'v1', resource: 'pods' });
assert.ok(pods);
const { schema } = pods;
const options = { schema, mode: 'strict', kind: { group: '', version: 'v1', kind: 'Pod' } } as const;
type Decoder = typeof decodeJson;

function survives(decode: Decoder, body: Uint8Array): void {
  try {
    decode(body, options);
  } catch (e) {
    assert.ok(isApiError(e) && e.code === 400, `${e instanceof Error ? e.stack : e}`);
  }
  assert.deepEqual(Object.keys(Object.prototype), []);
}

/** A valid body with some bytes changed, taken out or doubled. */
function mutated(bodies: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const edits = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 }), fc.constantFrom('set', 'cut', 'double')), {
    maxLength: 6,
  });
  return fc.tuple(bodies, edits).map(([body, changes]) => {
    let out = Array.from(body);
    for (const [where, byte, what] of changes) {
      const at = out.length === 0 ? 0 : where % out.length;
      if (what === 'set') out[at] = byte;
      else if (what === 'cut') out.splice(at, 1 + (byte % 8));
      else out = [...out.slice(0, at), ...out.slice(Math.max(0, at - byte))];
    }
    return Uint8Array.from(out);
  });
}

const encoder = new TextEncoder();
const json = arbitraryObject(pods).map(o => encoder.encode(JSON.stringify(o)));
const protobuf = arbitraryObject(pods).map(o => encodeProtobuf(o, schema));
const limits = { interruptAfterTimeLimit: milliseconds, markInterruptAsFailure: false, numRuns: 1500 };

test('JSON bodies with damage', () => {
  fc.assert(
    fc.property(mutated(json), body => survives(decodeJson, body)),
    limits,
  );
});

test('protobuf bodies with damage', () => {
  fc.assert(
    fc.property(mutated(protobuf), body => survives(decodeProtobuf, body)),
    limits,
  );
});

test('YAML bodies with damage, and any text', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        mutated(json),
        fc.string().map(s => encoder.encode(s)),
      ),
      body => survives(decodeYaml, body),
    ),
    limits,
  );
});

test('any JSON value for any kind', () => {
  const kinds = builtinResources();
  const value = fc.jsonValue({ maxDepth: 5 }).map(v => encoder.encode(JSON.stringify(v)));
  fc.assert(
    fc.property(value, fc.nat({ max: kinds.length - 1 }), (body, index) => {
      const info = kinds[index] ?? pods;
      survives((bytes, o) => decodeJson(bytes, { ...o, schema: info.schema }), body);
    }),
    limits,
  );
});

test('large and hostile bodies take a bounded time', () => {
  const started = performance.now();
  const bodies: [Decoder, string][] = [
    [decodeJson, '['.repeat(3_000_000)],
    [decodeJson, `{"metadata":{"labels":{${'"a":"b",'.repeat(300_000)}"z":"z"}}}`],
    [decodeJson, `{"a":"${'\\"'.repeat(1_000_000)}"}`],
    [decodeJson, `{"spec":${'{"a":'.repeat(9_000)}1${'}'.repeat(9_000)}}`],
    [decodeJson, `{"spec":${'{"a":'.repeat(990)}1${'}'.repeat(990)}}`],
    [decodeJson, `{"metadata":{"generation":${'9'.repeat(1_000_000)}}}`],
    [decodeYaml, 'a: 1\n'.repeat(300_000)],
    [decodeYaml, '--- a\n'.repeat(300_000)],
    [decodeYaml, '- '.repeat(500_000)],
    [decodeYaml, `a: &a [${'*a,'.repeat(10)}]`],
    [decodeYaml, `{${'a: {'.repeat(5_000)}`],
    [decodeYaml, `${'? '.repeat(20_000)}`],
  ];
  for (const [decode, text] of bodies) survives(decode, encoder.encode(text));
  assert.ok(performance.now() - started < 20_000, `took ${performance.now() - started} ms`);
});
