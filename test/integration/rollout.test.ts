/** `kubectl rollout` against deployments, daemon sets and stateful sets, with the real kubectl and simulated nodes. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Pod } from '../../src/api/types/core-v1.ts';
import { type KubectlServer, startKubectlCluster, whyNoKubectl } from '../support/kubectl-server.ts';

interface Kind {
  readonly kind: string;
  /** As kubectl names the resource in its answers. */
  readonly resource: string;
  readonly pauses: boolean;
  /** What the last line of a finished rollout says. */
  readonly done: RegExp;
}
const kinds: readonly Kind[] = [
  {
    kind: 'Deployment',
    resource: 'deployments.apps',
    pauses: true,
    done: /^deployment "web" successfully rolled out$/m,
  },
  {
    kind: 'DaemonSet',
    resource: 'daemonsets.apps',
    pauses: false,
    done: /^daemon set "web" successfully rolled out$/m,
  },
  {
    kind: 'StatefulSet',
    resource: 'statefulsets.apps',
    pauses: false,
    done: /^partitioned roll out complete: 2 new pods have been updated\.\.\.$/m,
  },
];

const manifest = (kind: string) => ({
  apiVersion: 'apps/v1',
  kind,
  metadata: { name: 'web', annotations: { 'kubernetes.io/change-cause': 'the first' } },
  spec: {
    ...(kind !== 'DaemonSet' && { replicas: 2 }),
    selector: { matchLabels: { app: kind } },
    template: {
      metadata: { labels: { app: kind } },
      spec: { containers: [{ name: 'c', image: 'example.com/c:1' }] },
    },
  },
});

describe('kubectl rollout', { skip: whyNoKubectl(23) }, () => {
  let cluster: KubectlServer;
  const ok: KubectlServer['ok'] = (...args) => cluster.ok(...args);
  const refused: KubectlServer['refused'] = (...args) => cluster.refused(...args);

  before(async () => {
    cluster = await startKubectlCluster({ nodes: 2 });
  });
  after(() => cluster?.close());

  for (const { kind, resource, pauses, done } of kinds) {
    test(kind, async t => {
      const name = `${kind.toLowerCase()}/web`;
      const image = () => ok('get', name, '-o', 'jsonpath={.spec.template.spec.containers[0].image}');
      /** Without those that are on their way out: a rollout does not wait for them. */
      const pods = async () => {
        const { items } = JSON.parse(await ok('get', 'pods', '-l', `app=${kind}`, '-o', 'json')) as { items: Pod[] };
        return items.filter(({ metadata }) => !metadata.deletionTimestamp);
      };
      const imagesOfPods = async () => new Set((await pods()).map(pod => pod.spec.containers[0]?.image));
      const finished = async () => assert.match(await ok('rollout', 'status', name, '--timeout=90s'), done);
      const history = async () =>
        (await ok('rollout', 'history', name))
          .trim()
          .split('\n')
          .slice(2)
          .map(line => line.split(/\s{2,}/));

      await cluster.given(manifest(kind), 'apply', '-f', '-');
      await finished();

      await t.test('goes on to a new template, and remembers the old one', async () => {
        await ok('set', 'image', name, 'c=example.com/c:2');
        await ok('annotate', name, 'kubernetes.io/change-cause=the second', '--overwrite');
        await finished();
        assert.deepEqual(await imagesOfPods(), new Set(['example.com/c:2']));
        assert.deepEqual(
          (await history()).map(([revision]) => revision),
          ['1', '2'],
        );
        assert.deepEqual((await history())[0], ['1', 'the first']);
        assert.match(await ok('rollout', 'history', name, '--revision=1'), /Image:\s+example\.com\/c:1\n/);
      });
      await t.test('goes back to the template before, and to any other', async () => {
        assert.match(await ok('rollout', 'undo', name), /rolled back/);
        await finished();
        assert.equal(await image(), 'example.com/c:1');
        assert.deepEqual(await imagesOfPods(), new Set(['example.com/c:1']));
        assert.deepEqual(
          (await history()).map(([revision]) => revision),
          ['2', '3'],
        );
        await ok('rollout', 'undo', name, '--to-revision=2');
        await finished();
        assert.equal(await image(), 'example.com/c:2');
        assert.equal(
          await refused('rollout', 'undo', name, '--to-revision=9'),
          'error: unable to find specified revision 9 in history',
        );
      });
      await t.test('starts its pods anew', async () => {
        const uids = async () => (await pods()).map(pod => pod.metadata.uid);
        const before = new Set(await uids());
        assert.match(await ok('rollout', 'restart', name), /restarted/);
        await finished();
        assert.ok((await uids()).every(uid => !before.has(uid)));
      });
      await t.test(pauses ? 'is paused and resumed' : 'cannot be paused', async () => {
        if (!pauses) {
          assert.equal(await refused('rollout', 'pause', name), `error: ${resource} "web" pausing is not supported`);
          assert.equal(await refused('rollout', 'resume', name), `error: ${resource} "web" resuming is not supported`);
          return;
        }
        assert.match(await ok('rollout', 'pause', name), /paused/);
        assert.equal(await refused('rollout', 'pause', name), `error: ${resource} "web" is already paused`);
        await ok('set', 'image', name, 'c=example.com/c:3');
        const observed = '--for=jsonpath={.status.conditions[?(@.reason=="DeploymentPaused")].status}=Unknown';
        await ok('wait', name, observed, '--timeout=60s');
        assert.deepEqual(await imagesOfPods(), new Set(['example.com/c:2']));
        assert.match(await refused('rollout', 'undo', name), /you cannot rollback a paused deployment/);
        assert.match(await refused('rollout', 'restart', name), /can't restart paused deployment/);
        assert.match(await ok('rollout', 'resume', name), /resumed/);
        await finished();
        assert.deepEqual(await imagesOfPods(), new Set(['example.com/c:3']));
      });
    });
  }
});
