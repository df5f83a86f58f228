/** What there is: versions, resources, their documentation, and the server itself. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type KubectlServer, startKubectlServer, whyNoKubectl } from '../../support/kubectl-server.ts';

describe('kubectl, looking around', { skip: whyNoKubectl(31), concurrency: 3 }, () => {
  let server: KubectlServer;
  const ok: KubectlServer['ok'] = (...args) => server.ok(...args);
  before(async () => {
    server = await startKubectlServer();
  });
  after(() => server?.close());

  it('version and cluster-info', async () => {
    assert.match(await ok('version'), /Server Version: v1\.35\.0/);
    assert.match(await ok('cluster-info'), /control plane.* is running at .*https:\/\/127\.0\.0\.1:/);
    const dump = await ok('cluster-info', 'dump', '--namespaces=default');
    assert.match(dump, /"kind": "NodeList"/);
    assert.match(dump, /"kind": "PodList"/);
  });
  it('api-versions and api-resources', async () => {
    const versions = (await ok('api-versions')).trim().split('\n');
    for (const version of ['v1', 'apps/v1', 'autoscaling/v1', 'autoscaling/v2', 'rbac.authorization.k8s.io/v1'])
      assert.ok(versions.includes(version), version);
    const wide = await ok('api-resources', '-o', 'wide');
    for (const line of [
      /^pods +po +v1 +true +Pod +create,delete,deletecollection,get,list,patch,update,watch +all$/m,
      /^bindings +v1 +true +Binding +create +$/m,
      /^componentstatuses +cs +v1 +false +ComponentStatus +get,list +$/m,
      /^customresourcedefinitions +crd,crds +apiextensions\.k8s\.io\/v1 +false +CustomResourceDefinition .* api-extensions$/m,
    ])
      assert.match(wide, line);
    const names = async (...flags: string[]) =>
      (await ok('api-resources', '-o', 'name', '--sort-by=name', ...flags)).trim().split('\n');
    assert.deepEqual(await names('--namespaced=false', '--api-group=rbac.authorization.k8s.io'), [
      'clusterrolebindings.rbac.authorization.k8s.io',
      'clusterroles.rbac.authorization.k8s.io',
    ]);
    assert.ok(!(await names('--verbs=list,watch')).includes('bindings'));
    assert.deepEqual(await names('--categories=all'), [
      'cronjobs.batch',
      'daemonsets.apps',
      'deployments.apps',
      'horizontalpodautoscalers.autoscaling',
      'jobs.batch',
      'pods',
      'replicasets.apps',
      'replicationcontrollers',
      'services',
      'statefulsets.apps',
    ]);
  });
  it('explain', async () => {
    const deployment = await ok('explain', 'deploy');
    assert.match(deployment, /^GROUP: +apps\nKIND: +Deployment\nVERSION: +v1$/m);
    assert.match(deployment, /Deployment enables declarative updates for Pods and ReplicaSets/);
    assert.match(await ok('explain', 'deployment.spec.replicas'), /FIELD: replicas <integer>/);
    const containers = await ok('explain', 'pod.spec.containers', '--recursive');
    assert.match(containers, /^ {2}env\t<\[\]EnvVar>\n {4}name\t<string> -required-$/m);
    assert.match(await ok('explain', 'hpa', '--api-version=autoscaling/v1'), /^VERSION: +v1$/m);
    assert.match(await ok('explain', 'deploy', '--output=plaintext-openapiv2'), /^VERSION: +apps\/v1$/m);
    assert.match(await ok('explain', 'service.spec.externalTrafficPolicy'), /^ENUM:\n {4}Cluster\n {4}Local\n/m);
    assert.match(await server.refused('explain', 'pod.nope'), /field "nope" does not exist/);
    assert.match(await server.refused('explain', 'nothing'), /doesn't have a resource type "nothing"/);
  });
  it('get --raw', async () => {
    assert.equal(await ok('get', '--raw', '/livez'), 'ok');
    assert.match(await ok('get', '--raw', '/readyz?verbose'), /readyz check passed/);
    assert.match(await ok('get', '--raw', '/metrics'), /^apiserver_request_total\{/m);
    assert.equal(
      await server.refused('get', '--raw', '/nothing'),
      'Error from server (NotFound): the server could not find the requested resource',
    );
  });
  it('custom resources: defined, used, explained, taken away', async () => {
    const version = (name: string, more: object) => ({
      name,
      served: true,
      storage: name === 'v1',
      subresources: { scale: { specReplicasPath: '.spec.size', statusReplicasPath: '.status.size' } },
      additionalPrinterColumns: [{ name: 'Color', type: 'string', jsonPath: '.spec.color' }],
      schema: {
        openAPIV3Schema: {
          type: 'object',
          properties: {
            spec: {
              type: 'object',
              properties: {
                color: { type: 'string', description: 'The colour it has', enum: ['red', 'blue'] },
                size: { type: 'integer', maximum: 9, default: 1 },
              },
            },
          },
        },
      },
      ...more,
    });
    const definition = {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'widgets.example.com' },
      spec: {
        group: 'example.com',
        scope: 'Namespaced',
        names: { plural: 'widgets', kind: 'Widget', shortNames: ['wd'], categories: ['toys'] },
        versions: [version('v1', {}), version('v1beta1', { deprecated: true })],
      },
    };
    const widget = (color: string) => ({
      apiVersion: 'example.com/v1',
      kind: 'Widget',
      metadata: { name: 'w' },
      spec: { color },
    });
    await server.given(definition, 'apply', '-f', '-');
    await ok('wait', '--for=condition=established', 'crd/widgets.example.com', '--timeout=20s');
    assert.equal(await server.given(widget('red'), 'apply', '-f', '-'), 'widget.example.com/w created\n');
    assert.match(await ok('get', 'wd'), /^NAME +COLOR\nw +red\n$/);
    assert.match(await ok('get', 'toys'), /^w +red$/m);
    assert.match(await ok('explain', 'widget.spec'), /color\t<string>\n( +enum: red, blue\n)? +The colour it has/);
    const old = await server.kubectl(['get', 'widgets.v1beta1.example.com']);
    assert.equal(old.err, 'Warning: example.com/v1beta1 Widget is deprecated; use example.com/v1 Widget\n');
    assert.equal(await ok('scale', 'widget', 'w', '--replicas=4'), 'widget.example.com/w scaled\n');
    assert.match(
      await ok('get', 'widget', 'w', '--subresource=scale'),
      /^NAME +DESIRED +AVAILABLE +AGE\nw +4 +0 +\d+s\n$/,
    );
    assert.equal(
      await server.refused('patch', 'widget', 'w', '--type=merge', '-p', '{"spec":{"size":10}}'),
      'The Widget "w" is invalid: spec.size: Invalid value: 10: spec.size in body should be less than or equal to 9',
    );
    assert.match(
      await server.refused('patch', 'widget', 'w', '-p', '{"spec":{"size":2}}'),
      /strategic-merge-patch\+json is not supported by example\.com\/v1, Kind=Widget/,
    );
    await ok('delete', 'crd', 'widgets.example.com', '--timeout=20s');
    assert.match(await server.refused('get', 'widgets.v1.example.com'), /could not find the requested resource/);
  });
});
