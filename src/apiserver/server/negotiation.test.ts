import assert from 'node:assert/strict';
import { test } from 'node:test';
import { negotiate, type Offer, wantsPretty } from './negotiation.ts';

const all: Offer = { shapes: ['object', 'table', 'partial'], formats: ['json', 'yaml', 'protobuf'] };
const custom: Offer = { ...all, formats: ['json', 'yaml'] };
const table = 'as=Table;v=v1;g=meta.k8s.io';
const partial = 'as=PartialObjectMetadata;v=v1;g=meta.k8s.io';

function chosen(accept: string | undefined, offer = all): string {
  const { format, shape } = negotiate(accept, false, offer);
  return `${format} ${shape}`;
}

test('the best clause is taken: by quality, then names before wildcards, then as they stand', () => {
  assert.equal(chosen(undefined), 'json object');
  assert.equal(chosen('*'), 'json object');
  assert.equal(chosen('application/*'), 'json object');
  assert.equal(chosen('*/*, application/yaml'), 'yaml object');
  assert.equal(chosen('application/yaml;q=0.5, application/json;q=0.9'), 'json object');
  assert.equal(chosen('*/*, application/yaml;q=0.5'), 'json object');
  assert.equal(chosen('text/html, application/vnd.kubernetes.protobuf, application/json'), 'protobuf object');
  assert.equal(chosen('application/cbor, application/json'), 'json object');
  assert.throws(() => chosen('application/cbor'), /only the following media types are accepted: application\/json, /);
});

test('tables have no protobuf form; metadata has one, also that of custom resources', () => {
  const protobuf = 'application/vnd.kubernetes.protobuf';
  assert.equal(chosen(`${protobuf};${table}, application/json;${table}`), 'json table');
  assert.equal(chosen(`application/yaml;${table}`), 'yaml table');
  assert.equal(chosen(`${protobuf};${partial}, application/json`, custom), 'protobuf partial');
  assert.equal(chosen(`${protobuf}, application/json`, custom), 'json object');
  assert.throws(() => chosen('application/json;as=Nothing;v=v1;g=meta.k8s.io'), /only the following/);
});

test('people get it indented, and those who ask', () => {
  const pretty = (query: string, agent?: string) =>
    wantsPretty(new URLSearchParams(query), agent === undefined ? {} : { 'user-agent': agent });
  assert.deepEqual(
    ['', 'pretty=1', 'pretty=true', 'pretty=0', 'pretty=false', 'pretty=yes', 'pretty='].map(q => pretty(q)),
    [false, true, true, false, false, false, false],
  );
  assert.deepEqual(
    ['curl/8', 'Wget/1', 'Mozilla/5.0 (X11)', 'Mozilla/4.0', 'kubectl/v1.35.0'].map(agent => pretty('', agent)),
    [true, true, true, false, false],
  );
  assert.equal(pretty('pretty=false', 'curl/8'), false);
  assert.equal(negotiate('application/json;pretty=1', false, all).pretty, true);
});
