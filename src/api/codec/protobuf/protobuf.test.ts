import assert from 'node:assert/strict';
import test from 'node:test';
import { ApiError } from '../../../base/errors.ts';
import { resourceOfKind, schemaOf, schemaOfKind } from '../../catalog/index.ts';
import type { GroupVersionKind } from '../../schema.ts';
import { encodeMessage } from './encode.ts';
import {
  decodeProtobuf,
  encodeProtobuf,
  encodeProtobufList,
  isProtobuf,
  openEnvelope,
  protobufWatchFrame,
} from './envelope.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const podKind: GroupVersionKind = { group: '', version: 'v1', kind: 'Pod' };

function schemaFor(kind: GroupVersionKind) {
  const schema = schemaOfKind(kind);
  assert.ok(schema);
  return schema;
}
function roundTrip(value: { kind: string; apiVersion: string }, kind: GroupVersionKind): unknown {
  const schema = schemaFor(kind);
  return decodeProtobuf(encodeProtobuf(value, schema), { schema, kind, mode: 'strict' }).value;
}

test('known bytes: envelope, strings, nested messages, numbers', () => {
  const bytes = encodeProtobuf(
    { kind: 'Pod', apiVersion: 'v1', metadata: { name: 'a' }, spec: { priority: -1 } } as never,
    schemaFor(podKind),
  );
  assert.equal(
    hex(bytes),
    [
      '6b387300', // k8s\0
      '0a09' + '0a027631' + '1203506f64', // typeMeta: apiVersion, kind
      `1213${'0a03'}${'0a0161'}${'120c'}${'c801ffffffffffffffffff01'}`, // raw: metadata.name, spec.priority
      '1a00' + '2200', // contentEncoding, contentType
    ].join(''),
  );
});

test('special types survive', () => {
  const pod = {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: {
      name: 'é',
      creationTimestamp: '2026-01-02T03:04:05Z',
      labels: { a: '', b: '2' },
      managedFields: [{ manager: 'm', fieldsV1: { 'f:metadata': { 'f:name': {} } } }],
    },
    spec: {
      volumes: [{ name: 'v', emptyDir: { sizeLimit: '1Gi' } }],
      containers: [
        {
          name: 'c',
          livenessProbe: { httpGet: { path: '/', port: 'web' }, periodSeconds: 3 },
          readinessProbe: { tcpSocket: { port: 8080 } },
        },
      ],
      ephemeralContainers: [{ name: 'e', image: 'i', targetContainerName: 'c' }],
      automountServiceAccountToken: false,
    },
  };
  assert.deepEqual(roundTrip(pod, podKind), pod);
  const lease = {
    kind: 'Lease',
    apiVersion: 'coordination.k8s.io/v1',
    metadata: { name: 'l' },
    spec: { renewTime: '1969-12-31T23:59:59.000001Z' },
  };
  assert.deepEqual(roundTrip(lease, { group: 'coordination.k8s.io', version: 'v1', kind: 'Lease' }), lease);
  const review = {
    kind: 'SubjectAccessReview',
    apiVersion: 'authorization.k8s.io/v1',
    spec: { extra: { scopes: ['a', 'b'] }, user: 'u' },
  };
  const kind = { group: 'authorization.k8s.io', version: 'v1', kind: 'SubjectAccessReview' };
  assert.deepEqual(roundTrip(review, kind), { ...review, spec: { user: 'u', extra: { scopes: ['a', 'b'] } } });
});

test('JSON schemas of definitions survive, unions included', () => {
  const crd = {
    kind: 'CustomResourceDefinition',
    apiVersion: 'apiextensions.k8s.io/v1',
    metadata: { name: 'x' },
    spec: {
      group: 'g',
      names: { plural: 'xs', kind: 'X' },
      scope: 'Namespaced',
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: {
                a: { type: 'array', items: { type: 'integer', default: 3 } },
                b: { type: 'object', additionalProperties: true },
                c: { type: 'object', additionalProperties: { type: 'string' } },
                d: { default: { x: [1, null] }, 'x-kubernetes-preserve-unknown-fields': true },
              },
            },
          },
        },
      ],
    },
  };
  assert.deepEqual(
    roundTrip(crd, { group: 'apiextensions.k8s.io', version: 'v1', kind: 'CustomResourceDefinition' }),
    crd,
  );
});

test('what a Go client writes needlessly is dropped: empty strings, false, zero times', () => {
  const schema = resourceOfKind(podKind)?.schema;
  assert.ok(schema);
  const bytes = encodeProtobuf(
    {
      kind: 'Pod',
      apiVersion: 'v1',
      metadata: { name: 'a', namespace: '', creationTimestamp: '' },
      spec: { hostNetwork: false },
    } as never,
    schema,
  );
  const { value } = decodeProtobuf(bytes, { schema, kind: podKind, mode: 'strict' });
  assert.deepEqual((value as { spec: unknown }).spec, { containers: [] }, 'a list that must be there is empty');
  assert.deepEqual(Object.keys((value as { metadata: object }).metadata), ['name']);
});

test('lists and watch frames', () => {
  const item = encodeMessage({ metadata: { name: 'a' } }, schemaFor(podKind));
  const bytes = encodeProtobufList('v1', 'PodList', { resourceVersion: '7' }, [item, item]);
  const kind = { group: '', version: 'v1', kind: 'PodList' };
  const { value } = decodeProtobuf(bytes, { schema: schemaFor(kind), kind, mode: 'strict' });
  assert.deepEqual(value, {
    kind: 'PodList',
    apiVersion: 'v1',
    metadata: { resourceVersion: '7' },
    items: [{ metadata: { name: 'a' } }, { metadata: { name: 'a' } }],
  });
  const frame = protobufWatchFrame('ADDED', new Uint8Array([1, 2]));
  assert.equal(hex(frame), '0000000d' + '0a054144444544' + '1204' + '0a020102');
});

test('broken bodies get a clear status', () => {
  const schema = schemaFor(podKind);
  const whole = encodeProtobuf({ kind: 'Pod', apiVersion: 'v1', metadata: { name: 'abc' } } as never, schema);
  const bodies: [Uint8Array, RegExp][] = [
    [new Uint8Array(), /empty data/],
    [new TextEncoder().encode('{}'), /expected prefix \[107 56 115 0\]/],
    [whole.subarray(0, 4), /empty body/],
    [whole.subarray(0, 12), /unexpected EOF/],
    [
      new Uint8Array([0x6b, 0x38, 0x73, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
      /overflow|2\^53/,
    ],
  ];
  for (const [body, message] of bodies)
    assert.throws(
      () => decodeProtobuf(body, { schema, kind: podKind, mode: 'strict' }),
      (e: unknown) => e instanceof ApiError && e.code === 400 && message.test(e.message),
      String(message),
    );
  assert.ok(isProtobuf(whole));
  assert.equal(openEnvelope(whole).kind, 'Pod');
  assert.ok(schemaOf('core.v1.Pod'));
});
