import assert from 'node:assert/strict';
import type { Case, Json } from './harness.ts';

export const discoveryCases: readonly Case[] = [
  {
    name: 'versions and groups',
    async run({ expect }) {
      assert.deepEqual((await expect(200, 'GET', '/api')).versions, ['v1']);
      const groups = (await expect(200, 'GET', '/apis')).groups;
      const apps = groups.find((g: Json) => g.name === 'apps');
      assert.deepEqual(apps.preferredVersion, { groupVersion: 'apps/v1', version: 'v1' });
      assert.deepEqual(
        (await expect(200, 'GET', '/apis/autoscaling')).versions.map((v: Json) => v.version),
        ['v2', 'v1'],
      );
      assert.equal((await expect(200, 'GET', '/version')).gitVersion, 'v1.35.0');
    },
  },
  {
    name: 'every group version but that of API services has one, in order of priority',
    async run({ expect }) {
      const { items } = await expect(200, 'GET', '/apis/apiregistration.k8s.io/v1/apiservices');
      const services = new Map<string, Json>(items.map((s: Json) => [s.metadata.name, s]));
      const priority = (name: string) => {
        const { groupPriorityMinimum, versionPriority } = services.get(name)?.spec ?? {};
        return [groupPriorityMinimum, versionPriority];
      };
      assert.deepEqual(priority('v1.'), [18_000, 1]);
      assert.deepEqual(priority('v2.autoscaling'), [17_500, 30]);
      assert.deepEqual(priority('v1.resource.k8s.io'), [16_200, 21]);
      assert.equal(services.has('v1.apiregistration.k8s.io'), false);
      assert.equal(services.get('v1.apps')?.status.conditions[0].reason, 'Local');
      const { groups } = await expect(200, 'GET', '/apis');
      const names = groups.map((g: Json) => g.name);
      assert.deepEqual(names.slice(0, 3), ['apiregistration.k8s.io', 'apps', 'events.k8s.io']);
      const tied = ['admissionregistration.k8s.io', 'apiextensions.k8s.io', 'scheduling.k8s.io'];
      assert.deepEqual(names.slice(names.indexOf(tied[0]), names.indexOf(tied[0]) + 3), tied);
    },
  },
  {
    name: 'resources',
    async run({ expect }) {
      const { resources } = await expect(200, 'GET', '/api/v1');
      const pods = resources.find((r: Json) => r.name === 'pods');
      assert.deepEqual(pods.shortNames, ['po']);
      assert.ok(pods.verbs.includes('deletecollection'));
      assert.ok(resources.some((r: Json) => r.name === 'pods/eviction' && r.group === 'policy'));
    },
  },
  {
    name: 'which version each resource is stored in, as a hash',
    async run({ expect }) {
      const hash = async (path: string, name: string) =>
        (await expect(200, 'GET', path)).resources.find((r: Json) => r.name === name).storageVersionHash;
      assert.equal(await hash('/api/v1', 'pods'), 'xPOwRZ+Yhw8=');
      assert.equal(await hash('/api/v1', 'bindings'), undefined);
      assert.equal(await hash('/apis/events.k8s.io/v1', 'events'), 'r2yiGXH7wu8=');
      for (const version of ['v1', 'v2'])
        assert.equal(await hash(`/apis/autoscaling/${version}`, 'horizontalpodautoscalers'), 'qwQve8ut294=');
      assert.equal(await hash('/apis/apiextensions.k8s.io/v1', 'customresourcedefinitions'), 'jfWCUB31mvA=');
    },
  },
  {
    name: 'aggregated, with an ETag',
    async run({ ask }) {
      const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
      const got = await ask('GET', '/apis', { headers: { accept } });
      assert.equal(got.json.kind, 'APIGroupDiscoveryList');
      const apps = got.json.items.find((g: Json) => g.metadata.name === 'apps');
      const deployments = apps.versions[0].resources.find((r: Json) => r.resource === 'deployments');
      assert.equal(deployments.scope, 'Namespaced');
      // Kinds of the group version they stand under leave it out.
      assert.deepEqual(deployments.responseKind, { group: '', version: '', kind: 'Deployment' });
      assert.deepEqual(
        deployments.subresources.map((s: Json) => s.responseKind),
        [
          { group: 'autoscaling', version: 'v1', kind: 'Scale' },
          { group: '', version: '', kind: 'Deployment' },
        ],
      );
      assert.deepEqual(apps.metadata, { name: 'apps' });
      assert.equal(got.headers['cache-control'], 'public');
      const [core] = (await ask('GET', '/api', { headers: { accept } })).json.items;
      assert.deepEqual(core.metadata, {});
      const again = await ask('GET', '/apis', { headers: { accept, 'if-none-match': got.headers['etag'] ?? '' } });
      assert.equal(again.status, 304);
    },
  },
  {
    name: 'discovery in protobuf, as components ask for it',
    async run({ ask }) {
      const headers = { accept: 'application/vnd.kubernetes.protobuf, */*' };
      for (const path of ['/api', '/apis', '/api/v1', '/apis/apps', '/apis/apps/v1']) {
        const { status, bytes } = await ask('GET', path, { headers });
        assert.equal(status, 200);
        assert.equal(Buffer.from(bytes.subarray(0, 4)).toString('latin1'), 'k8s\0');
      }
    },
  },
  {
    name: 'health, whole and by check',
    async run({ ask }) {
      for (const path of ['/healthz', '/livez', '/readyz']) {
        assert.equal((await ask('GET', path)).text, 'ok');
        assert.match((await ask('GET', `${path}?verbose`)).text, /\[\+\]ping ok\n[\s\S]+check passed\n$/);
        assert.match((await ask('GET', `${path}?verbose&exclude=etcd`)).text, /\[\+\]etcd excluded: ok/);
        assert.equal((await ask('GET', `${path}/ping`)).text, 'ok');
        assert.equal((await ask('GET', `${path}/nothing`)).status, 404);
        assert.equal((await ask('GET', `${path}/poststarthook/start-apiextensions-controllers`)).text, 'ok');
      }
      for (const name of ['etcd-readiness', 'informer-sync', 'shutdown']) {
        assert.equal((await ask('GET', `/readyz/${name}`)).text, 'ok');
        assert.equal((await ask('GET', `/livez/${name}`)).status, 404);
      }
      const found = await ask('GET', '/metrics/slis');
      assert.match(found.text, /^kubernetes_healthcheck\{name="etcd",type="readyz"\} 1$/m);
    },
  },
  {
    name: 'metrics and OpenAPI',
    async run({ ask, expect }) {
      assert.match((await ask('GET', '/metrics')).text, /apiserver_request_total\{/);
      const index = await expect(200, 'GET', '/openapi/v3');
      const { serverRelativeURL } = index.paths['api/v1'];
      const document = await ask('GET', serverRelativeURL);
      assert.ok(document.json.components.schemas['io.k8s.api.core.v1.Pod']);
      assert.equal(document.headers['cache-control'], 'public, immutable');
      const etag = document.headers['etag'] ?? '';
      for (const tag of [etag, `W/${etag}`, `"other", ${etag}`, '*'])
        assert.equal((await ask('GET', serverRelativeURL, { headers: { 'if-none-match': tag } })).status, 304);
      const old = await ask('GET', '/openapi/v3/api/v1?hash=OLD');
      assert.deepEqual([old.status, old.headers['location']], [301, serverRelativeURL]);
      for (const path of ['api', 'apis/apps', 'version', '.well-known/openid-configuration'])
        assert.equal((await ask('GET', index.paths[path].serverRelativeURL)).status, 200);
      assert.equal((await expect(200, 'GET', '/openapi/v2')).swagger, '2.0');
    },
  },
];
