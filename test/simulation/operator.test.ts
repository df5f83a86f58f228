/** The example of docs/simulation.md: a small operator with a bug that only a crash shows, found, shortened and replayed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '../../src/api/object.ts';
import type { Client, ResourceDescriptor } from '../../src/client/contract.ts';
import { type Controller, watch } from '../../src/controller/contract.ts';
import {
  type Action,
  defaultInvariants,
  type Invariant,
  noFaults,
  replayArguments,
  type SimulationOptions,
  shrink,
  simulate,
} from '../../src/testing/simulation/index.ts';

/** Keeps a numbered snapshot (a config map) per request: the number must never be given twice. */
interface Snapshot extends KubeObject {
  spec: { count: number };
  status?: { taken?: number };
}
const snapshots: ResourceDescriptor<Snapshot> = {
  group: 'example.com',
  version: 'v1',
  plural: 'snapshots',
  kind: 'Snapshot',
  namespaced: true,
};

/** `careful` finds out what exists before it makes more; the other one trusts its own status, which a lost answer makes wrong. */
function snapshotOperator(careful: boolean): Controller {
  return {
    name: 'snapshot-operator',
    setUp({ client, informers }) {
      const requests = informers.informer(snapshots);
      return {
        sources: [watch<typeof snapshots>(requests, obj => [`${obj.metadata.namespace}/${obj.metadata.name}`])],
        async reconcile(key) {
          const seen = requests.store.get(key);
          if (!seen) return;
          const { namespace = '', name } = seen.metadata;
          const taken = seen.status?.taken ?? 0;
          if (taken >= seen.spec.count) return;
          const maps = client.configmaps(namespace);
          const labels = { snapshot: name };
          const metadata = careful ? { name: `${name}-${taken + 1}`, labels } : { generateName: `${name}-`, labels };
          await maps.create({ metadata, data: { number: String(taken + 1) } }).catch(e => {
            if (!careful || e.code !== 409) throw e;
          });
          await client.resource(snapshots, namespace).updateStatus({ ...seen, status: { taken: taken + 1 } });
        },
      };
    },
  };
}

const definition = {
  metadata: { name: 'snapshots.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { plural: 'snapshots', singular: 'snapshot', kind: 'Snapshot', listKind: 'SnapshotList' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
} as const;

async function prepare(client: Client): Promise<void> {
  await client.customresourcedefinitions().create(definition as never);
}

const askForSnapshots: Action = {
  name: 'ask for snapshots',
  weight: 1,
  async run({ client, random }) {
    const name = `request-${random.int(1_000)}`;
    await client.resource(snapshots, 'default').create({ metadata: { name }, spec: { count: 1 + random.int(3) } });
    return `ask for snapshots as ${name}`;
  },
};

const numberedOnce: Invariant = {
  name: 'a snapshot is numbered once',
  *onChange({ kind, key, before, after }, view) {
    const request = after?.metadata?.labels?.['snapshot'];
    if (kind !== 'configmaps' || before || !request) return;
    const number = (obj: KubeObject) => (obj as { data?: { number?: string } }).data?.number;
    const same = view
      .list('configmaps')
      .filter(m => m.metadata.labels?.['snapshot'] === request && after && number(m) === number(after));
    if (same.length > 1) yield `${key} has number ${number(after as KubeObject)} of ${request}, and so has another`;
  },
};

const under = (seed: number, careful: boolean): SimulationOptions => ({
  seed,
  steps: 25,
  nodes: 1,
  faults: { ...noFaults, lostAfter: 0.02, lostBefore: 0.02, life: 0.1 },
  lifeFaults: ['crash-manager', 'crash-server'],
  enabled: ['snapshot-operator', 'namespace-controller'],
  controllers: () => [snapshotOperator(careful)],
  actions: [askForSnapshots],
  invariants: () => [...defaultInvariants().filter(one => !one.unsettled), numberedOnce],
  prepare,
});

test('a bug in an operator is found, made short and replayed; without the bug the same seeds are fine', async () => {
  for (let seed = 1; ; seed++) {
    assert.ok(seed <= 20, 'no seed finds the bug');
    const options = under(seed, false);
    const report = await simulate(options);
    if (report.findings.length === 0) continue;
    assert.equal(report.findings[0]?.invariant, numberedOnce.name);
    const short = await shrink(options, report, { runs: 25 });
    assert.ok((short.options.only?.length ?? 25) < 25, 'it became shorter');
    const again = await simulate(short.options);
    assert.equal(again.fingerprint, short.report.fingerprint);
    assert.deepEqual(again.findings, short.report.findings);
    assert.match(replayArguments(short.options), new RegExp(`^--seed ${seed} --only`));
    assert.deepEqual((await simulate(under(seed, true))).findings, []);
    return;
  }
});
