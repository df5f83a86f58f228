/** What deciding costs: RBAC among 10,000 bindings, the node graph of a full cluster, tokens, and a fresh set of certificates. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KubeObject } from '../src/api/object.ts';
import type { Pod } from '../src/api/types/core-v1.ts';
import { createTokenSigner } from '../src/apiserver/auth/index.ts';
import { createNodeGraph, edgesOfPod, vertex } from '../src/apiserver/auth/node/graph.ts';
import { decide } from '../src/apiserver/auth/rbac/authorizer.ts';
import { binding, user } from '../src/apiserver/auth/rbac/bootstrap/build.ts';
import { defaultPolicy } from '../src/apiserver/auth/rbac/bootstrap/reconcile.ts';
import { informerSource } from '../src/apiserver/auth/rbac/source.ts';
import { systemClock } from '../src/base/clock.ts';
import { type Cache, createCache } from '../src/client/cache.ts';
import type { InformerFactory } from '../src/client/contract.ts';
import { ensureClusterPki, newKey, publicKeyOf } from '../src/pki/index.ts';
import type { BenchResult } from './result.ts';

/** Microseconds per call, best of three. */
function time(rounds: number, work: () => unknown): number {
  let best = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < 3; attempt++) {
    const start = performance.now();
    for (let i = 0; i < rounds; i++) work();
    best = Math.min(best, ((performance.now() - start) * 1000) / rounds);
  }
  return best;
}

function policySource() {
  const caches = new Map<string, Cache<KubeObject>>();
  const cacheOf = (resource: string) => {
    const cache = caches.get(resource) ?? createCache<KubeObject>();
    caches.set(resource, cache);
    return cache;
  };
  const informer = (resource: string) => {
    const store = cacheOf(resource);
    return { store, addIndex: store.addIndex.bind(store), synced: async () => {} };
  };
  const source = informerSource({ informer } as unknown as InformerFactory);
  const group = 'rbac.authorization.k8s.io/v1';
  const policy = defaultPolicy();
  for (const role of policy.clusterRoles) cacheOf(`${group}/clusterroles`).put(role);
  for (const b of policy.clusterRoleBindings) cacheOf(`${group}/clusterrolebindings`).put(b);
  for (let i = 0; i < 10_000; i++)
    cacheOf(`${group}/rolebindings`).put(binding(`ns${i % 500}`, 'r', [user(`u${i}`)], `b${i}`));
  return source;
}

const attributes = (name: string, verb: string, resource: string, group = '', subresource = '') => ({
  ...{ user: { name, groups: ['system:authenticated'] }, verb, group, version: 'v1', resource, subresource },
  ...{ namespace: 'ns1', name: 'x', isResource: true, path: '' },
});

function decisions(): BenchResult[] {
  const source = policySource();
  const controller = 'system:serviceaccount:kube-system:deployment-controller';
  const questions = {
    'scheduler lists pods': attributes('system:kube-scheduler', 'list', 'pods'),
    'controller updates a status': attributes(controller, 'update', 'deployments', 'apps', 'status'),
    'stranger gets a pod (refused)': attributes('zoe', 'get', 'pods'),
  };
  return Object.entries(questions).map(([name, question]) => {
    const value = time(50_000, () => decide(source, question));
    return { name: `RBAC decision: ${name}`, value, unit: 'µs', target: '< 10 µs', met: value < 10 };
  });
}

function graphSearch(): BenchResult {
  const graph = createNodeGraph();
  for (let i = 0; i < 50_000; i++) {
    const pod = {
      metadata: { name: `p${i}`, namespace: `ns${i % 100}` },
      spec: {
        serviceAccountName: 'default',
        containers: [],
        volumes: [
          { name: 'a', configMap: { name: 'kube-root-ca.crt' } },
          { name: 'b', secret: { secretName: `s${i % 1000}` } },
        ],
      },
    } as unknown as Pod;
    const owner = vertex('pod', pod.metadata.namespace ?? '', pod.metadata.name);
    graph.setNode(owner, `n${i % 500}`);
    graph.setEdges(owner, edgesOfPod(pod));
  }
  const missing = vertex('secret', 'ns1', 'none');
  return {
    name: 'node authorizer: a refusal, 50,000 pods on 500 nodes',
    value: time(2000, () => graph.reaches(missing, 'n1')),
    unit: 'µs',
  };
}

async function tokens(): Promise<BenchResult[]> {
  const key = newKey();
  const signer = await createTokenSigner(key, [publicKeyOf(key)]);
  const token = await signer.sign({ iss: 'i', sub: 's' });
  const each = async (work: () => Promise<unknown>) => {
    const rounds = 500;
    const start = performance.now();
    for (let i = 0; i < rounds; i++) await work();
    return ((performance.now() - start) * 1000) / rounds;
  };
  return [
    { name: 'service-account token: sign', value: await each(() => signer.sign({ iss: 'i', sub: 's' })), unit: 'µs' },
    { name: 'service-account token: verify', value: await each(() => signer.verify(token)), unit: 'µs' },
  ];
}

function certificates(): BenchResult[] {
  const parent = mkdtempSync(join(tmpdir(), 'pki-bench-'));
  const milliseconds = (work: () => unknown) => {
    const start = performance.now();
    work();
    return performance.now() - start;
  };
  try {
    const directory = join(parent, 'pki');
    const fresh = milliseconds(() => ensureClusterPki(directory, { clock: systemClock }));
    const again = milliseconds(() => ensureClusterPki(directory, { clock: systemClock }));
    return [
      { name: 'certificates of a cluster: fresh', value: fresh, unit: 'ms', target: '< 100 ms', met: fresh < 100 },
      { name: 'certificates of a cluster: present', value: again, unit: 'ms' },
    ];
  } finally {
    rmSync(parent, { recursive: true });
  }
}

export async function run(): Promise<BenchResult[]> {
  return [...decisions(), graphSearch(), ...(await tokens()), ...certificates()];
}
