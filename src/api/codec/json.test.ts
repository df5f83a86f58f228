import assert from 'node:assert/strict';
import test from 'node:test';
import { ApiError } from '../../base/errors.ts';
import { resourceOfKind } from '../catalog/index.ts';
import type { GroupVersionKind } from '../schema.ts';
import { encodeJson, ordered } from './encode.ts';
import { decodeJson, type FieldValidation } from './json.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const pod: GroupVersionKind = { group: '', version: 'v1', kind: 'Pod' };
const deployment: GroupVersionKind = { group: 'apps', version: 'v1', kind: 'Deployment' };

function decode(body: string | Uint8Array, kind = pod, mode: FieldValidation = 'strict') {
  const schema = resourceOfKind(kind)?.schema;
  assert.ok(schema);
  return decodeJson(typeof body === 'string' ? bytes(body) : body, { schema, mode, kind });
}
function failure(body: string | Uint8Array, kind = pod, mode: FieldValidation = 'strict'): string {
  try {
    decode(body, kind, mode);
  } catch (e) {
    assert.ok(e instanceof ApiError, String(e));
    assert.equal(e.code, 400);
    return e.message;
  }
  return assert.fail('decoded');
}

test('type mismatches are worded as the API server words them', () => {
  const cases: [string, GroupVersionKind, string][] = [
    [
      '{"kind":"Pod","apiVersion":"v1","spec":{"containers":"x"}}',
      pod,
      'Pod in version "v1" cannot be handled as a Pod: json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type []v1.Container',
    ],
    [
      '{"metadata":{"labels":{"a":1}}}',
      pod,
      'Pod in version "v1" cannot be handled as a Pod: json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string',
    ],
    [
      '{"spec":{"replicas":"3"}}',
      deployment,
      'Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32',
    ],
    [
      '{"spec":{"replicas":1.5}}',
      deployment,
      'Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32',
    ],
    [
      '[]',
      pod,
      'Pod in version "v1" cannot be handled as a Pod: json: cannot unmarshal array into Go value of type v1.Pod',
    ],
    [
      '{"metadata":{"creationTimestamp":"yesterday"}}',
      pod,
      'Pod in version "v1" cannot be handled as a Pod: parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"',
    ],
  ];
  for (const [body, kind, message] of cases) assert.equal(failure(body, kind, 'ignore'), message);
});

test('unknown and repeated fields: an error, warnings, or nothing', () => {
  const body =
    '{"spec":{"foo":1,"replicas":1,"replicas":2,"template":{"spec":{"containers":[{"name":"a","bar":{}}]}}}}';
  const texts = ['unknown field "spec.foo"', 'unknown field "spec.template.spec.containers[0].bar"'];
  assert.equal(
    failure(body, deployment),
    `Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: ${['duplicate field "spec.replicas"', ...texts].join(', ')}`,
  );
  const warned = decode(body, deployment, 'warn');
  assert.deepEqual(warned.warnings, ['duplicate field "spec.replicas"', ...texts]);
  assert.deepEqual(warned.value, { spec: { replicas: 2, template: { spec: { containers: [{ name: 'a' }] } } } });
  assert.deepEqual(decode(body, deployment, 'ignore').warnings, []);
});

test('a body of another kind is told so', () => {
  const spec = '"spec":{"replicas":1}';
  assert.equal(
    failure(`{"kind":"Deployment","apiVersion":"apps/v1",${spec}}`),
    'Deployment in version "v1" cannot be handled as a Pod: converting (v1.Deployment) to (core.Pod): unknown conversion',
  );
  assert.match(failure(`{"kind":"Odd","apiVersion":"v1",${spec}}`), /no kind "Odd" is registered for version "v1"/);
  assert.equal(
    failure(`{"kind":"Deployment","apiVersion":"extensions/v1beta1","spec":{"odd":1}}`, deployment),
    'the API version in the data (extensions/v1beta1) does not match the expected API version (apps/v1)',
  );
});

test('kind and apiVersion must be texts, of custom resources too', () => {
  const message = (name: string, what: string) =>
    `the object provided is unrecognized (must be of type Pod): couldn't get version/kind; json parse error: json: cannot unmarshal ${what} into Go struct field .${name} of type string`;
  assert.equal(failure('{"kind":5}'), message('kind', 'number'));
  assert.equal(failure('{"apiVersion":["v1"]}'), message('apiVersion', 'array'));
});

test('field names are case-sensitive', () => {
  assert.match(failure('{"Spec":{}}'), /unknown field "Spec"$/);
});

test('null, zero values, order, quantities and times are normalised', () => {
  const { value } = decode(
    `{"spec":{"containers":[{"resources":{"limits":{"memory":1048576,"cpu":"0.5"}},"name":"a","env":null,"args":[],"stdin":false}],
      "hostNetwork":false,"automountServiceAccountToken":false},"status":{},
      "metadata":{"name":"p","creationTimestamp":null,"deletionTimestamp":"2026-01-02T03:04:05.678+01:00"},"kind":"Pod","apiVersion":"v1"}`,
  );
  assert.equal(
    JSON.stringify(value),
    '{"kind":"Pod","apiVersion":"v1","metadata":{"name":"p","deletionTimestamp":"2026-01-02T02:04:05Z"},' +
      '"spec":{"containers":[{"name":"a","resources":{"limits":{"cpu":"500m","memory":"1048576"}}}],"automountServiceAccountToken":false},"status":{}}',
  );
});

test('bad bodies get a clear status', () => {
  assert.match(
    failure(''),
    /^the object provided is unrecognized \(must be of type Pod\): .*unexpected end of JSON input \(<empty>\)$/,
  );
  assert.match(failure('{"a":'), /unexpected end of JSON input \(\{"a":\)$/);
  assert.match(failure('nonsense'), /invalid character 'o' looking for beginning of value/);
  assert.match(failure(new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])), /invalid UTF-8/);
  assert.match(failure('['.repeat(20_000)), /exceeded max depth of 1000/);
  assert.match(failure('{"a":'.repeat(10_001)), /exceeded max depth of 1000/);
  assert.match(failure('{"metadata":{"generation":9007199254740993}}'), /9007199254740993.*2\^53/);
});

test('__proto__ keys change no prototype', () => {
  const map = decode('{"metadata":{"labels":{"__proto__":"x","z":"1","a":null}}}').value as {
    metadata: { labels: Record<string, string> };
  };
  assert.deepEqual(Object.keys(map.metadata.labels).sort(), ['__proto__', 'a', 'z']);
  assert.equal(Object.getPrototypeOf(map.metadata.labels), Object.prototype);
  assert.match(failure('{"__proto__":{"polluted":1}}'), /unknown field "__proto__"/);
  assert.equal(({} as { polluted?: number }).polluted, undefined);
});

test('encoding orders fields and maps, and leaves the value alone', () => {
  const schema = resourceOfKind(pod)?.schema;
  assert.ok(schema);
  const value = {
    spec: { containers: [{ image: 'i', name: 'n' }] },
    metadata: { labels: { b: '1', a: '2' }, name: 'x' },
    kind: 'Pod',
  };
  const text = new TextDecoder().decode(encodeJson(value, schema));
  assert.equal(
    text,
    '{"kind":"Pod","metadata":{"name":"x","labels":{"a":"2","b":"1"}},"spec":{"containers":[{"name":"n","image":"i"}]}}',
  );
  assert.deepEqual(Object.keys(value), ['spec', 'metadata', 'kind']);
  const again = JSON.parse(text) as object;
  assert.equal(ordered(again, schema), again);
});
