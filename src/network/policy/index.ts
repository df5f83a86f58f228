/** Enforces network policies for the pods of this node. */
import { messageOf } from '../../base/errors.ts';
import type { InformerFactory } from '../../client/contract.ts';
import type { Environment } from '../../controller/contract.ts';
import { createConvergence } from '../../controller/convergence.ts';
import { runProgram } from '../host.ts';
import { compilePolicies, type Family } from './model.ts';
import { type PolicyTable, policyScript, policyTable } from './rules.ts';

export interface PolicyOptions extends Environment {
  readonly informers: InformerFactory;
  readonly nodeName: string;
  readonly table: string;
  readonly families: readonly Family[];
  /** Feeds nft; default: the program of this machine. */
  readonly run?: (script: string) => Promise<void>;
}

export interface PolicyEnforcer {
  /** Resolves when all changes seen so far are in the kernel. */
  flushed(): Promise<void>;
  /** Stops following; the rules stay. */
  stop(): Promise<void>;
}

const retryMs = 1000;
const gatherMs = 10;

/** Where there is no packet filter, nothing is enforced: that is said once, in the log. */
export async function startNetworkPolicy(options: PolicyOptions): Promise<PolicyEnforcer> {
  const { clock, log } = options;
  const run = options.run ?? (script => runProgram('nft', ['-f', '-'], script).then(() => {}));
  try {
    await run(probeScript(options));
  } catch (error) {
    log.warn('no packet filter on this host: network policies are not enforced', { error: messageOf(error) });
    return { flushed: async () => {}, stop: async () => {} };
  }
  const policies = options.informers.informer('networking.k8s.io/v1/networkpolicies');
  const pods = options.informers.informer('v1/pods');
  const namespaces = options.informers.informer('v1/namespaces');
  const applied = new Map<Family, PolicyTable>();

  async function apply(): Promise<void> {
    const view = {
      policies: policies.store.list(),
      pods: pods.store.list(),
      namespaces: namespaces.store.list(),
      nodeName: options.nodeName,
    };
    const state = compilePolicies(view);
    const next = options.families.map(family => [family, policyTable(state, family, options.table)] as const);
    const script = next
      .map(([family, table]) => policyScript(applied.get(family), table, family, options.table))
      .join('\n');
    if (script.trim() === '') return;
    try {
      await run(script);
    } catch (error) {
      // What the kernel holds is unknown now: the next round writes whole tables.
      applied.clear();
      throw error;
    }
    for (const [family, table] of next) applied.set(family, table);
  }

  const convergence = createConvergence({
    clock,
    log,
    apply,
    retryMs,
    gatherMs,
    failure: 'network policies are not in the packet filter, trying again',
  });
  const { touch } = convergence;

  await Promise.all([policies.synced(), pods.synced(), namespaces.synced()]);
  const any = { onAdd: touch, onUpdate: touch, onDelete: touch };
  const unsubscribe = [
    policies.addHandler(any),
    namespaces.addHandler({
      ...any,
      onUpdate: (a, b) => (sameJson(a.metadata.labels, b.metadata.labels) ? undefined : touch()),
    }),
  ];
  unsubscribe.push(
    pods.addHandler({
      // Without any policy, pods change nothing.
      onAdd: () => (policies.store.size > 0 ? touch() : undefined),
      onDelete: () => (policies.store.size > 0 ? touch() : undefined),
      onUpdate: (pod, old) => {
        const matters =
          !sameJson(pod.metadata.labels, old.metadata.labels) ||
          !sameJson(pod.status?.podIPs, old.status?.podIPs) ||
          pod.status?.phase !== old.status?.phase;
        if (matters && policies.store.size > 0) touch();
      },
    }),
  );
  touch();
  return {
    flushed: convergence.flushed,
    stop() {
      for (const stop of unsubscribe) stop();
      return convergence.stop();
    },
  };
}

/** One transaction that asks for what policies need and leaves nothing behind. */
function probeScript({ families, table }: PolicyOptions): string {
  return families
    .flatMap(family => [
      `add table ${family} ${table}-probe`,
      `add chain ${family} ${table}-probe probe { type filter hook forward priority -5; }`,
      `delete table ${family} ${table}-probe`,
    ])
    .join('\n');
}

function sameJson(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
