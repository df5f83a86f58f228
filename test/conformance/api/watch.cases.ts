import assert from 'node:assert/strict';
import { assertStatus, type Case, configMap, type Json } from './harness.ts';

const short = (events: Json[]) => events.map(e => `${e.type} ${e.object.metadata.name}`);
const mergePatch = { 'content-type': 'application/merge-patch+json' };

export const watchCases: readonly Case[] = [
  {
    name: 'begins with what there is, then follows',
    async run({ core, expect, watch }) {
      await expect(201, 'POST', core('configmaps'), { body: configMap('a') });
      const events = await watch(`${core('configmaps')}?watch=1`, 4, async () => {
        await expect(201, 'POST', core('configmaps'), { body: configMap('b') });
        await expect(200, 'PATCH', core('configmaps', 'b'), { body: { data: { x: 'y' } }, headers: mergePatch });
        await expect(200, 'DELETE', core('configmaps', 'a'));
      });
      assert.deepEqual(short(events), ['ADDED a', 'ADDED b', 'MODIFIED b', 'DELETED a']);
      const revisions = events.slice(1).map(e => Number(e.object.metadata.resourceVersion));
      assert.deepEqual(
        revisions,
        [...revisions].sort((a, b) => a - b),
      );
    },
  },
  {
    name: 'goes on from a revision, missing nothing',
    async run({ core, expect, watch }) {
      const list = await expect(200, 'GET', core('configmaps'));
      for (const name of ['a', 'b']) await expect(201, 'POST', core('configmaps'), { body: configMap(name) });
      const from = `${core('configmaps')}?watch=1&resourceVersion=${list.metadata.resourceVersion}`;
      assert.deepEqual(short(await watch(from, 2)), ['ADDED a', 'ADDED b']);
    },
  },
  {
    name: 'a selector sees objects come and go',
    async run({ core, expect, watch }) {
      const from = (await expect(200, 'GET', core('configmaps'))).metadata.resourceVersion;
      const label = (value: string | null) =>
        expect(200, 'PATCH', core('configmaps', 'a'), {
          body: { metadata: { labels: { in: value } } },
          headers: mergePatch,
        });
      await expect(201, 'POST', core('configmaps'), { body: configMap('a') });
      await label('yes');
      await expect(200, 'PATCH', core('configmaps', 'a'), { body: { data: { x: '1' } }, headers: mergePatch });
      const last = await label(null);
      await label('yes');
      const events = await watch(`${core('configmaps')}?watch=1&labelSelector=in&resourceVersion=${from}`, 4);
      assert.deepEqual(short(events), ['ADDED a', 'MODIFIED a', 'DELETED a', 'ADDED a']);
      assert.equal(events[2].object.metadata.resourceVersion, last.metadata.resourceVersion);
      assert.equal(events[2].object.metadata.labels.in, 'yes');
    },
  },
  {
    name: 'a field selector on the name',
    async run({ core, expect, watch }) {
      const events = await watch(`${core('configmaps')}?watch=1&fieldSelector=metadata.name%3Db`, 1, async () => {
        for (const name of ['a', 'b']) await expect(201, 'POST', core('configmaps'), { body: configMap(name) });
      });
      assert.deepEqual(short(events), ['ADDED b']);
    },
  },
  {
    name: 'sends initial events and marks their end',
    async run({ core, expect, watch }) {
      await expect(201, 'POST', core('configmaps'), { body: configMap('a') });
      const query = 'watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
      const [added, mark] = await watch(`${core('configmaps')}?${query}`, 2);
      assert.equal(added.type, 'ADDED');
      assert.equal(mark.type, 'BOOKMARK');
      assert.equal(mark.object.kind, 'ConfigMap');
      assert.equal(mark.object.metadata.annotations['k8s.io/initial-events-end'], 'true');
      assert.ok(Number(mark.object.metadata.resourceVersion) >= Number(added.object.metadata.resourceVersion));
    },
  },
  {
    name: 'ends after timeoutSeconds',
    async run({ core, expect, ask }) {
      await expect(201, 'POST', core('configmaps'), { body: configMap('a') });
      const got = await ask('GET', `${core('configmaps')}?watch=1&timeoutSeconds=1`);
      assert.equal(got.status, 200);
      assert.equal(got.text.trim().split('\n').length, 1);
    },
  },
  {
    name: 'tables name their columns once',
    async run(kit) {
      const { core, expect } = kit;
      for (const name of ['a', 'b']) await expect(201, 'POST', core('configmaps'), { body: configMap(name) });
      const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
      const got = await kit.ask('GET', `${core('configmaps')}?watch=1&timeoutSeconds=1`, { headers: { accept } });
      const events = got.text
        .trim()
        .split('\n')
        .map(line => JSON.parse(line));
      assert.equal(events.length, 2);
      assert.ok(events[0].object.columnDefinitions.length > 1);
      assert.equal(events[1].object.columnDefinitions, null);
      assert.equal(events[1].object.rows[0].cells[0], 'b');
    },
  },
  {
    name: 'the type of a stream: JSON as it is, protobuf says that it is one',
    async run({ core, ask }) {
      const typeFor = async (accept: string) => {
        const { headers } = await ask('GET', `${core('secrets')}?watch=1&timeoutSeconds=1`, { headers: { accept } });
        return headers['content-type'];
      };
      const protobuf = 'application/vnd.kubernetes.protobuf';
      assert.equal(await typeFor('application/json;stream=watch'), 'application/json');
      assert.equal(await typeFor(protobuf), `${protobuf};stream=watch`);
    },
  },
  {
    name: 'there is no stream of YAML',
    async run({ core, expect }) {
      const headers = { accept: 'application/yaml, text/plain' };
      assert.equal(await expect(406, 'GET', `${core('configmaps')}?watch=1`, { headers }), undefined);
    },
  },
  {
    name: 'the end of the initial events is marked in the row of a table',
    async run({ ask, core }) {
      const query =
        'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&includeObject=None';
      const headers = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' };
      const { text } = await ask('GET', `${core('secrets')}?watch=1&timeoutSeconds=1&${query}`, { headers });
      const { type, object } = JSON.parse(text);
      assert.equal(type, 'BOOKMARK');
      assert.deepEqual(Object.keys(object.metadata), ['resourceVersion']);
      const [{ object: marked }] = object.rows;
      assert.equal(marked.kind, 'PartialObjectMetadata');
      assert.deepEqual(marked.metadata, { ...object.metadata, annotations: { 'k8s.io/initial-events-end': 'true' } });
    },
  },
  {
    name: 'is told when the state is complete, also without asking for it',
    async run({ core, expect, watch }) {
      await expect(201, 'POST', core('configmaps'), { body: configMap('a') });
      for (const from of ['', '&resourceVersion=0']) {
        const [added, mark] = await watch(`${core('configmaps')}?watch=1&allowWatchBookmarks=true${from}`, 2);
        assert.deepEqual([added.type, mark.type], ['ADDED', 'BOOKMARK']);
        assert.deepEqual(mark.object.metadata.annotations, { 'k8s.io/initial-events-end': 'true' });
      }
    },
  },
  {
    name: 'one object, named in the path',
    async run({ ns, core, expect, watch }) {
      for (const name of ['a', 'b']) await expect(201, 'POST', core('configmaps'), { body: configMap(name) });
      const path = `/api/v1/watch/namespaces/${ns}/configmaps/b?watch=1`;
      const act = async () => {
        for (const name of ['a', 'b']) await expect(200, 'DELETE', core('configmaps', name));
      };
      assert.deepEqual(short(await watch(path, 2, act)), ['ADDED b', 'DELETED b']);
      const other = await expect(400, 'GET', `${path}&fieldSelector=metadata.name%3Da`);
      assertStatus(other, 'BadRequest', /^fieldSelector metadata\.name doesn't match requested name$/);
    },
  },
];
