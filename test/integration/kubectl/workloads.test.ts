/** What happens after the answer: wait, delete with each cascade, drain, jobs, debugging, the API of a node. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type KubectlServer, startKubectlCluster, whyNoKubectl } from '../../support/kubectl-server.ts';

describe('kubectl, and what follows', { skip: whyNoKubectl(31), concurrency: 3 }, () => {
  let cluster: KubectlServer;
  const ok: KubectlServer['ok'] = (...args) => cluster.ok(...args);
  const refused: KubectlServer['refused'] = (...args) => cluster.refused(...args);
  const names = async (...args: string[]) => (await ok('get', '-o', 'name', ...args)).split('\n').filter(Boolean);
  async function deployment(name: string, replicas = 1): Promise<string> {
    await ok('create', 'deployment', name, '--image=example.com/c:1', `--replicas=${replicas}`);
    await ok('wait', '--for=condition=Available', `deployment/${name}`, '--timeout=60s');
    return `deployment/${name}`;
  }
  before(async () => {
    cluster = await startKubectlCluster({ nodes: 2 });
  });
  after(() => cluster?.close());

  it('wait: for a condition, a value, a creation, a deletion, in vain', async () => {
    const name = await deployment('awaited', 2);
    assert.equal(
      await ok('wait', name, '--for=jsonpath={.status.readyReplicas}=2', '--timeout=60s'),
      'deployment.apps/awaited condition met\n',
    );
    assert.match(
      await ok('wait', 'pods', '-l', 'app=awaited', '--for=condition=Ready', '--timeout=60s'),
      /(.* condition met\n){2}/,
    );
    const created = ok('wait', '--for=create', 'cm/late', '--timeout=60s');
    await ok('create', 'configmap', 'late');
    assert.equal(await created, 'configmap/late condition met\n');
    const gone = ok('wait', '--for=delete', 'cm/late', '--timeout=60s');
    await ok('delete', 'cm', 'late');
    await gone;
    assert.equal(
      await refused('wait', name, '--for=condition=Never', '--timeout=1s'),
      'error: timed out waiting for the condition on deployments/awaited',
    );
  });
  it('delete with each cascade', async () => {
    const left = (app: string) => names('rs,pods', '-l', `app=${app}`);
    for (const cascade of ['background', 'foreground', 'orphan']) {
      const name = await deployment(cascade);
      assert.equal(await ok('delete', name, `--cascade=${cascade}`), `deployment.apps "${cascade}" deleted\n`);
      if (cascade === 'foreground') assert.deepEqual(await left(cascade), []);
      if (cascade === 'orphan')
        assert.deepEqual(
          (await left(cascade)).map(one => one.split('/')[0]),
          ['replicaset.apps', 'pod'],
        );
      else await ok('wait', '--for=delete', 'rs,pods', '-l', `app=${cascade}`, '--timeout=60s');
    }
    await ok('delete', 'rs', '-l', 'app=orphan');
    await ok('wait', '--for=delete', 'pods', '-l', 'app=orphan', '--timeout=60s');
    await ok('create', 'configmap', 'kept');
    await ok('delete', 'cm', 'kept', '--cascade=orphan', '--wait=false');
    await ok('wait', '--for=delete', 'cm/kept', '--timeout=60s');
  });
  it('delete: selections, dry runs, at once, and what cannot be', async () => {
    for (const name of ['a', 'b', 'c']) await ok('create', 'configmap', `doomed-${name}`);
    await ok('label', 'cm', 'doomed-a', 'doomed-b', 'doomed=yes');
    assert.equal(
      await ok('delete', 'cm', 'doomed-a', '--dry-run=server'),
      'configmap "doomed-a" deleted (server dry run)\n',
    );
    assert.equal(
      await ok('delete', 'cm', '-l', 'doomed=yes'),
      'configmap "doomed-a" deleted\nconfigmap "doomed-b" deleted\n',
    );
    assert.equal(await ok('delete', 'cm', '--field-selector=metadata.name=doomed-c'), 'configmap "doomed-c" deleted\n');
    assert.equal(await ok('delete', 'cm', 'doomed-c', '--ignore-not-found'), '');
    assert.match(
      await refused('delete', 'cm', 'doomed-c'),
      /^Error from server \(NotFound\): configmaps "doomed-c" not found$/,
    );
    await ok('run', 'slow', '--image=example.com/c:1', '--overrides={"metadata":{"finalizers":["example.com/hold"]}}');
    await ok('delete', 'pod', 'slow', '--now', '--wait=false');
    assert.match(await ok('get', 'pod', 'slow'), / Terminating /);
    await ok('patch', 'pod', 'slow', '--type=merge', '-p', '{"metadata":{"finalizers":null}}');
    await ok('delete', 'pod', 'slow', '--grace-period=0', '--force', '--ignore-not-found');
    assert.deepEqual(await names('pods', 'slow', '--ignore-not-found'), []);
    assert.equal(
      await refused('delete', 'namespace', 'default'),
      'Error from server (Forbidden): namespaces "default" is forbidden: this namespace may not be deleted',
    );
    await ok('create', 'namespace', 'short');
    await ok('create', 'configmap', 'inner', '-n', 'short');
    await ok('delete', 'namespace', 'short', '--timeout=60s');
    assert.deepEqual(await names('namespace', 'short', '--ignore-not-found'), []);
  });
  it('jobs, by hand and from a cron job', async () => {
    await ok('create', 'cronjob', 'tick', '--image=example.com/c:1', '--schedule=@yearly');
    await ok('create', 'job', 'now', '--from=cronjob/tick');
    const [owner] = JSON.parse(await ok('get', 'job', 'now', '-o', 'jsonpath={.metadata.ownerReferences}'));
    assert.deepEqual([owner.kind, owner.name, owner.controller], ['CronJob', 'tick', true]);
    await ok('wait', 'job/now', '--for=jsonpath={.status.active}=1', '--timeout=60s');
    assert.match(
      await ok('get', 'jobs'),
      /^NAME +STATUS +COMPLETIONS +DURATION +AGE\nnow +Running +0\/1 +\d+s +\d+s\n$/,
    );
    assert.match(await ok('describe', 'job', 'now'), /^Controlled By: +CronJob\/tick$/m);
    await ok('delete', 'cronjob', 'tick', '--cascade=foreground');
    assert.deepEqual(await names('jobs,pods', '-l', 'job-name=now'), []);
  });
  it('debug: the objects of it', async () => {
    await ok('run', 'patient', '--image=example.com/c:1');
    await ok('wait', 'pod/patient', '--for=condition=Ready', '--timeout=60s');
    await ok('debug', 'patient', '--image=example.com/tools', '-c', 'doctor', '--profile=general', '--', 'sh');
    await ok(
      'wait',
      'pod/patient',
      '--for=jsonpath={.status.ephemeralContainerStatuses[0].state.running}',
      '--timeout=60s',
    );
    assert.match(await ok('describe', 'pod', 'patient'), /^Ephemeral Containers:\n {2}doctor:\n/m);
    const remove = '[{"op":"remove","path":"/spec/ephemeralContainers"}]';
    assert.equal(
      await refused('patch', 'pod', 'patient', '--subresource=ephemeralcontainers', '--type=json', '-p', remove),
      'The Pod "patient" is invalid: spec.ephemeralContainers: Forbidden: existing ephemeral containers "doctor" may not be removed',
    );
    await ok('debug', 'patient', '--image=example.com/tools', '--copy-to=twin', '--profile=general');
    assert.equal(await ok('get', 'pod', 'twin', '-o', 'jsonpath={.spec.containers[0].image}'), 'example.com/c:1');
  });
  it('logs, exec and attach reach the node', async () => {
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'talker' } };
    const container = { name: 'c', image: 'example.com/c:1' };
    await cluster.given({ ...pod, spec: { containers: [container] } }, 'create', '-f', '-');
    await ok('wait', 'pod/talker', '--for=condition=Ready', '--timeout=60s');
    await ok('logs', 'talker');
    assert.match(await refused('logs', 'talker', '-c', 'none'), /container none is not valid for pod talker/);
    assert.match(await refused('logs', 'none'), /\(NotFound\): pods "none" not found/);
  });
});

describe('kubectl drain', { skip: whyNoKubectl(31) }, () => {
  let cluster: KubectlServer;
  before(async () => {
    cluster = await startKubectlCluster({ nodes: 2 });
  });
  after(() => cluster?.close());

  it('evicts what may go, asks for the rest, and keeps budgets', async () => {
    const { ok, refused } = cluster;
    await ok('create', 'deployment', 'web', '--image=example.com/c:1', '--replicas=2');
    await ok('run', 'alone', '--image=example.com/c:1', '--overrides={"spec":{"nodeName":"node-0"}}');
    await ok('rollout', 'status', 'deployment/web', '--timeout=60s');
    assert.match(
      await refused('drain', 'node-0', '--timeout=60s'),
      /cannot delete Pods that declare no controller.*: default\/alone/,
    );
    for (const name of ['one', 'two']) await ok('create', 'pdb', name, '--selector=run=alone', '--min-available=0');
    assert.match(
      await refused('drain', 'node-0', '--force', '--timeout=60s'),
      /error when evicting pods\/"alone" -n "default": This pod has more than one PodDisruptionBudget, which the eviction/,
    );
    await ok('delete', 'pdb', 'two');
    assert.match(
      await ok('drain', 'node-0', '--force', '--timeout=60s'),
      /^pod\/alone evicted$[\s\S]*^node\/node-0 drained$/m,
    );
    assert.match(await ok('get', 'node', 'node-0'), /Ready,SchedulingDisabled/);
    await ok('rollout', 'status', 'deployment/web', '--timeout=60s');
    const nodes = await ok(
      'get',
      'pods',
      '-l',
      'app=web',
      '--field-selector=status.phase=Running',
      '-o',
      'jsonpath={.items[*].spec.nodeName}',
    );
    assert.equal(nodes, 'node-1 node-1');
    assert.equal(await ok('uncordon', 'node-0'), 'node/node-0 uncordoned\n');
  });
});
