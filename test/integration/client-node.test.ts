/** The unmodified @kubernetes/client-node over TLS. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import * as k8s from '@kubernetes/client-node';
import { type ApiProcess, freePort, startApiProcess, testFolder } from '../support/api-process.ts';

const namespace = 'default';
const map = (name: string, data: Record<string, string>): k8s.V1ConfigMap => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, labels: { suite: 'client-node' } },
  data,
});

describe('@kubernetes/client-node', () => {
  const folder = testFolder('client-node');
  const config = new k8s.KubeConfig();
  let server: ApiProcess | undefined;
  let core: k8s.CoreV1Api;

  before(async () => {
    server = await startApiProcess({ folder: folder.path, port: await freePort() });
    config.loadFromString(server.kubeconfig);
    core = config.makeApiClient(k8s.CoreV1Api);
  });
  after(async () => {
    await server?.stop();
    folder.remove();
  });

  it('creates, reads, replaces and deletes', async () => {
    const made = await core.createNamespacedConfigMap({ namespace, body: map('crud', { a: '1' }) });
    assert.ok(made.metadata?.uid);
    const read = await core.readNamespacedConfigMap({ name: 'crud', namespace });
    assert.deepEqual(read.data, { a: '1' });
    const replaced = await core.replaceNamespacedConfigMap({
      name: 'crud',
      namespace,
      body: { ...read, data: { a: '2' } },
    });
    assert.notEqual(replaced.metadata?.resourceVersion, made.metadata.resourceVersion);
    await assert.rejects(
      core.replaceNamespacedConfigMap({ name: 'crud', namespace, body: { ...read, data: { a: '3' } } }),
      (e: k8s.ApiException<string>) => e.code === 409,
    );
    await core.deleteNamespacedConfigMap({ name: 'crud', namespace });
    await assert.rejects(
      core.readNamespacedConfigMap({ name: 'crud', namespace }),
      (e: k8s.ApiException<string>) => e.code === 404 && /"reason":"NotFound"/.test(e.body),
    );
  });

  it('lists page by page over one state', async () => {
    const names = Array.from({ length: 7 }, (_, i) => `page-${i}`);
    for (const name of names) await core.createNamespacedConfigMap({ namespace, body: map(name, {}) });
    const seen: string[] = [];
    let _continue: string | undefined;
    const versions = new Set<string | undefined>();
    do {
      const page = await core.listNamespacedConfigMap({
        namespace,
        limit: 3,
        labelSelector: 'suite=client-node',
        ...(_continue && { _continue }),
      });
      versions.add(page.metadata?.resourceVersion);
      seen.push(...page.items.map(item => item.metadata?.name ?? ''));
      _continue = page.metadata?._continue;
      if (seen.length === 3) await core.createNamespacedConfigMap({ namespace, body: map('page-9', {}) });
    } while (_continue);
    assert.deepEqual(seen, names);
    assert.equal(versions.size, 1);
  });

  it('patches in every way', async () => {
    await core.createNamespacedConfigMap({ namespace, body: map('patched', { a: '1' }) });
    const patch = (type: string, body: object) =>
      core.patchNamespacedConfigMap({ name: 'patched', namespace, body }, k8s.setHeaderOptions('Content-Type', type));
    assert.equal((await patch(k8s.PatchStrategy.MergePatch, { data: { a: '2' } })).data?.['a'], '2');
    assert.equal((await patch(k8s.PatchStrategy.StrategicMergePatch, { data: { b: '1' } })).data?.['b'], '1');
    const json = [{ op: 'replace', path: '/data/a', value: '3' }];
    assert.deepEqual((await patch(k8s.PatchStrategy.JsonPatch, json)).data, { a: '3', b: '1' });
  });

  it('applies on the server, with conflicts', async () => {
    const apply = (fieldManager: string, value: string, force?: boolean) =>
      core.patchNamespacedConfigMap(
        {
          name: 'applied',
          namespace,
          body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'applied' }, data: { a: value } },
          fieldManager,
          ...(force !== undefined && { force }),
        },
        k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.ServerSideApply),
      );
    const made = await apply('one', '1');
    assert.equal(made.metadata?.managedFields?.[0]?.operation, 'Apply');
    await assert.rejects(
      apply('two', '2'),
      (e: k8s.ApiException<string>) => e.code === 409 && /conflict with/.test(e.body),
    );
    assert.equal((await apply('two', '2', true)).data?.['a'], '2');
  });

  it('watches', async () => {
    const { metadata } = await core.listNamespacedConfigMap({ namespace });
    const events: string[] = [];
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const controller = await new k8s.Watch(config).watch(
      `/api/v1/namespaces/${namespace}/configmaps`,
      { resourceVersion: metadata?.resourceVersion ?? '' },
      (type: string, obj: k8s.V1ConfigMap) => {
        events.push(`${type} ${obj.metadata?.name}`);
        if (type === 'DELETED') resolve();
      },
      (e: unknown) => reject(e ?? new Error('the watch ended')),
    );
    promise.catch(() => {});
    await core.createNamespacedConfigMap({ namespace, body: map('watched', {}) });
    await core.patchNamespacedConfigMap(
      { name: 'watched', namespace, body: { data: { a: '1' } } },
      k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.MergePatch),
    );
    await core.deleteNamespacedConfigMap({ name: 'watched', namespace });
    await promise;
    controller.abort();
    assert.deepEqual(events, ['ADDED watched', 'MODIFIED watched', 'DELETED watched']);
  });

  it('keeps an informer', async () => {
    const informer = k8s.makeInformer(config, `/api/v1/namespaces/${namespace}/secrets`, () =>
      core.listNamespacedSecret({ namespace }),
    );
    const added = new Promise<k8s.V1Secret>(resolve => informer.on('add', resolve));
    await informer.start();
    await core.createNamespacedSecret({ namespace, body: { metadata: { name: 'told' }, stringData: { a: 'b' } } });
    assert.equal((await added).data?.['a'], 'Yg==');
    assert.equal(informer.get('told', namespace)?.metadata?.name, 'told');
    await informer.stop();
  });

  it('defines kinds and uses their objects', async () => {
    const api = config.makeApiClient(k8s.ApiextensionsV1Api);
    const schema = {
      type: 'object',
      properties: { spec: { type: 'object', properties: { size: { type: 'integer' } } } },
    };
    await api.createCustomResourceDefinition({
      body: {
        metadata: { name: 'gadgets.example.com' },
        spec: {
          group: 'example.com',
          scope: 'Namespaced',
          names: { plural: 'gadgets', kind: 'Gadget' },
          versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } }],
        },
      },
    });
    const established = async () => {
      const { status } = await api.readCustomResourceDefinition({ name: 'gadgets.example.com' });
      return status?.conditions?.some(c => c.type === 'Established' && c.status === 'True') ?? false;
    };
    for (let i = 0; !(await established()); i++) {
      assert.ok(i < 500, 'established in time');
      await once(AbortSignal.timeout(20), 'abort');
    }
    const objects = k8s.KubernetesObjectApi.makeApiClient(config);
    const gadget = {
      apiVersion: 'example.com/v1',
      kind: 'Gadget',
      metadata: { name: 'g', namespace },
      spec: { size: 3 },
    };
    await objects.create(gadget);
    const custom = config.makeApiClient(k8s.CustomObjectsApi);
    const list = (await custom.listNamespacedCustomObject({
      group: 'example.com',
      version: 'v1',
      namespace,
      plural: 'gadgets',
    })) as {
      items: { spec: { size: number } }[];
    };
    assert.deepEqual(
      list.items.map(item => item.spec.size),
      [3],
    );
    await assert.rejects(
      objects.create({ ...gadget, metadata: { name: 'h', namespace }, spec: { size: 'big' } } as k8s.KubernetesObject),
      (e: k8s.ApiException<string>) => e.code === 422,
    );
    await objects.delete(gadget);
  });
});
