/** The unmodified @kubernetes/client-node over TLS, in a cluster: subresources, cascades, access, events, discovery. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import * as k8s from '@kubernetes/client-node';
import { type Cluster, createCluster } from '../../src/testing/index.ts';

const namespace = 'default';
const deployment = (name: string, replicas = 1): k8s.V1Deployment => ({
  metadata: { name, labels: { app: name } },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { containers: [{ name: 'c', image: 'example.com/c:1' }] },
    },
  },
});
const failed = (code: number, text: RegExp) => (e: k8s.ApiException<string>) => e.code === code && text.test(e.body);

describe('@kubernetes/client-node in a cluster', () => {
  const config = new k8s.KubeConfig();
  let cluster: Cluster | undefined;
  let core: k8s.CoreV1Api;
  let apps: k8s.AppsV1Api;
  before(async () => {
    cluster = await createCluster({ nodes: 1 });
    config.loadFromString((await cluster.https()).kubeconfig);
    core = config.makeApiClient(k8s.CoreV1Api);
    apps = config.makeApiClient(k8s.AppsV1Api);
  });
  after(() => cluster?.close());

  /** Follows the objects of a path as they come and go, until so many are left. */
  async function until(count: number, path: string, selectors: { labelSelector: string; fieldSelector?: string }) {
    const names = new Set<string>();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const initial = { sendInitialEvents: true, resourceVersionMatch: 'NotOlderThan', allowWatchBookmarks: true };
    let begun = false;
    const watch = await new k8s.Watch(config).watch(
      path,
      { ...selectors, ...initial },
      (type: string, { metadata }: k8s.KubernetesObject) => {
        if (type === 'BOOKMARK') begun = true;
        else if (type === 'DELETED') names.delete(metadata?.name ?? '');
        else names.add(metadata?.name ?? '');
        if (begun && names.size === count) resolve();
      },
      (e: unknown) => reject(e ?? new Error(`the watch of ${path} ended`)),
    );
    await promise.finally(() => watch.abort());
  }
  const pods = (app: string, count: number, fieldSelector?: string) =>
    until(count, `/api/v1/namespaces/${namespace}/pods`, {
      labelSelector: `app=${app}`,
      ...(fieldSelector !== undefined && { fieldSelector }),
    });

  it('scales, and reads status and scale', async () => {
    await apps.createNamespacedDeployment({ namespace, body: deployment('scaled') });
    const scale = await apps.readNamespacedDeploymentScale({ name: 'scaled', namespace });
    assert.deepEqual([scale.spec?.replicas, scale.status?.selector], [1, 'app=scaled']);
    await apps.replaceNamespacedDeploymentScale({
      name: 'scaled',
      namespace,
      body: { ...scale, spec: { replicas: 3 }, metadata: { name: 'scaled', namespace } },
    });
    await pods('scaled', 3);
    await apps.patchNamespacedDeploymentScale(
      { name: 'scaled', namespace, body: { spec: { replicas: 2 } } },
      k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.MergePatch),
    );
    await pods('scaled', 2);
    const { status } = await apps.readNamespacedDeploymentStatus({ name: 'scaled', namespace });
    assert.ok(status?.conditions?.some(c => c.type === 'Progressing' && c.status === 'True'));
    await apps.deleteNamespacedDeployment({ name: 'scaled', namespace });
    await pods('scaled', 0);
  });

  it('deletes with each propagation, and collections', async () => {
    for (const propagationPolicy of ['Background', 'Foreground', 'Orphan']) {
      const app = propagationPolicy.toLowerCase();
      await apps.createNamespacedDeployment({ namespace, body: deployment(app) });
      await pods(app, 1);
      await apps.deleteNamespacedDeployment({ name: app, namespace, propagationPolicy });
      if (propagationPolicy !== 'Orphan') {
        await pods(app, 0);
        continue;
      }
      await until(0, `/apis/apps/v1/namespaces/${namespace}/deployments`, { labelSelector: `app=${app}` });
      const { items } = await apps.listNamespacedReplicaSet({ namespace, labelSelector: `app=${app}` });
      assert.deepEqual(
        items.map(({ metadata }) => metadata?.ownerReferences),
        [undefined],
      );
      await apps.deleteCollectionNamespacedReplicaSet({ namespace, labelSelector: `app=${app}` });
      await pods(app, 0);
    }
  });

  it('evicts within the budget', async () => {
    await apps.createNamespacedDeployment({ namespace, body: deployment('guarded') });
    const policy = config.makeApiClient(k8s.PolicyV1Api);
    await policy.createNamespacedPodDisruptionBudget({
      namespace,
      body: { metadata: { name: 'guarded' }, spec: { minAvailable: 1, selector: { matchLabels: { app: 'guarded' } } } },
    });
    await pods('guarded', 1, 'status.phase=Running');
    const { items } = await core.listNamespacedPod({ namespace, labelSelector: 'app=guarded' });
    const name = items[0]?.metadata?.name ?? '';
    const evict = () => core.createNamespacedPodEviction({ name, namespace, body: { metadata: { name, namespace } } });
    await assert.rejects(evict(), failed(429, /Cannot evict pod as it would violate the pod's disruption budget/));
    await policy.deleteNamespacedPodDisruptionBudget({ name: 'guarded', namespace });
    await evict();
    await apps.deleteNamespacedDeployment({ name: 'guarded', namespace });
    await pods('guarded', 0);
  });

  it('asks what it may, and acts with a token', async () => {
    const access = config.makeApiClient(k8s.AuthorizationV1Api);
    const stranger = await access.createSubjectAccessReview({
      body: { spec: { user: 'jane', resourceAttributes: { verb: 'list', resource: 'pods', namespace } } },
    });
    assert.equal(stranger.status?.allowed, false);
    const own = await access.createSelfSubjectAccessReview({
      body: { spec: { resourceAttributes: { verb: '*', group: '*', resource: '*' } } },
    });
    assert.equal(own.status?.allowed, true);
    await core.createNamespacedServiceAccount({ namespace, body: { metadata: { name: 'robot' } } });
    const audience = 'https://kubernetes.default.svc.cluster.local';
    const { status } = await core.createNamespacedServiceAccountToken({
      name: 'robot',
      namespace,
      body: { spec: { audiences: [audience], expirationSeconds: 600 } },
    });
    const robot = new k8s.KubeConfig();
    robot.loadFromOptions({
      clusters: config.clusters,
      users: [{ name: 'robot', token: status?.token }],
      contexts: [{ name: 'robot', user: 'robot', cluster: config.clusters[0]?.name ?? '' }],
      currentContext: 'robot',
    });
    await assert.rejects(
      robot.makeApiClient(k8s.CoreV1Api).listNamespacedPod({ namespace }),
      failed(403, /User \\"system:serviceaccount:default:robot\\" cannot list resource \\"pods\\"/),
    );
  });

  it('tells what the server is and serves', async () => {
    const version = await config.makeApiClient(k8s.VersionApi).getCode();
    assert.deepEqual([version.major, version.minor], ['1', '35']);
    const { resources } = await apps.getAPIResources();
    assert.ok(resources.some(r => r.name === 'deployments/scale' && r.kind === 'Scale'));
    const groups = await config.makeApiClient(k8s.ApisApi).getAPIVersions();
    assert.ok(groups.groups.some(group => group.name === 'apps'));
  });

  it('tries without doing, and is told what is wrong', async () => {
    const body = deployment('tried');
    const tried = await apps.createNamespacedDeployment({ namespace, body, dryRun: 'All' });
    assert.equal(tried.spec?.strategy?.type, 'RollingUpdate');
    await assert.rejects(apps.readNamespacedDeployment({ name: 'tried', namespace }), failed(404, /NotFound/));
    const wrong = { ...body, spec: { ...body.spec, selector: { matchLabels: { other: 'x' } } } } as k8s.V1Deployment;
    await assert.rejects(
      apps.createNamespacedDeployment({ namespace, body: wrong }),
      failed(422, /`selector` does not match template `labels`/),
    );
  });
});
