/** A write that changes nothing makes no revision: for every kind, through the whole server, by every way to write. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { builtinResources } from '../../src/api/catalog/index.ts';
import { encodeProtobuf } from '../../src/api/codec/protobuf/envelope.ts';
import { encodeYaml } from '../../src/api/codec/yaml.ts';
import type { ResourceInfo } from '../../src/api/schema.ts';
import {
  type Answer,
  collectionOf,
  type Sample,
  sampleBody,
  startWholeServer,
  type WholeServer,
} from '../support/whole-server.ts';

let server: WholeServer;
before(async () => {
  server = await startWholeServer();
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } };
  await server.ask('POST', '/api/v1/namespaces/default/serviceaccounts', account);
});
after(() => server.close());

const patch = (type: string) => ({ 'content-type': `application/${type}` });
const revisionOf = ({ body }: Answer) =>
  (body?.['metadata'] as { resourceVersion?: string } | undefined)?.resourceVersion;

type Write = [method: string, name: string, body: unknown, headers: Record<string, string>];
/** `live` is the object as the server gives it. */
function writes({ schema }: ResourceInfo, live: object): Write[] {
  const protobuf = encodeProtobuf(live, schema);
  const yaml = new TextEncoder().encode(encodeYaml(live));
  return [
    ['PUT', 'update in JSON', live, {}],
    ['PUT', 'update in protobuf', protobuf, { 'content-type': 'application/vnd.kubernetes.protobuf' }],
    ['PUT', 'update in YAML', yaml, { 'content-type': 'application/yaml' }],
    ['PATCH', 'empty JSON patch', [], patch('json-patch+json')],
    [
      'PATCH',
      'JSON patch to the same',
      Object.entries(live).map(([key, value]) => ({ op: 'replace', path: `/${key}`, value })),
      patch('json-patch+json'),
    ],
    ['PATCH', 'empty merge patch', {}, patch('merge-patch+json')],
    ['PATCH', 'merge patch with all of it', live, patch('merge-patch+json')],
    ['PATCH', 'empty strategic patch', {}, patch('strategic-merge-patch+json')],
    ['PATCH', 'strategic patch with all of it', live, patch('strategic-merge-patch+json')],
  ];
}

async function checkWrites(info: ResourceInfo, path: string): Promise<void> {
  const live = await server.ask('GET', path);
  assert.equal(live.status, 200, live.text);
  for (const [method, name, body, headers] of writes(info, live.body ?? {})) {
    const got = await server.ask(method, `${path}?fieldManager=other`, body, headers);
    assert.equal(got.status, 200, `${name}: ${got.text}`);
    assert.equal(revisionOf(got), revisionOf(live), name);
    assert.equal((await server.ask('GET', path)).text, live.text, name);
  }
}

/** The sample of a job has one, for its labels; the server gives another. */
function withoutUid(sample: Sample): object {
  const { uid: _, ...metadata } = sample.metadata as { uid?: string };
  return { ...sample, metadata };
}

/** The server itself writes their status soon after they were made. */
const skipped = new Set(['customresourcedefinitions', 'flowschemas']);
const tested = builtinResources().filter(
  ({ verbs, plural }) =>
    ['create', 'get', 'update', 'patch'].every(v => verbs.includes(v as never)) && !skipped.has(plural),
);

describe('writes that change nothing', () => {
  for (const info of tested)
    test(`${info.group || 'core'}/${info.version} ${info.plural}`, async () => {
      const sample = sampleBody(info);
      const collection = collectionOf(info);
      const path = `${collection}/${sample.metadata.name}`;
      const made = await server.ask('POST', collection, sample);
      assert.equal(made.status, 201, made.text);
      await checkWrites(info, path);
      if ('status' in info.subresources) await checkWrites(info, `${path}/status`);
      const apply = () =>
        server.ask('PATCH', `${path}?fieldManager=applier&force=true`, withoutUid(sample), patch('apply-patch+yaml'));
      const applied = await apply();
      assert.equal(applied.status, 200, applied.text);
      const again = await apply();
      assert.equal(revisionOf(again), revisionOf(applied), 'applied again');
      assert.equal(again.text, applied.text);
      await checkWrites(info, path);
      const gone = await server.ask('DELETE', `${path}?gracePeriodSeconds=0`);
      assert.ok(gone.status === 200 || gone.status === 202, gone.text);
      assert.deepEqual(server.takeErrors(), []);
    });
});
