/** What tracking field managers costs in every write, against reading and writing the same object as JSON once. */
import { applyPatch, trackUpdate } from '../src/api/apply/index.ts';
import { schemaOf } from '../src/api/catalog/index.ts';
import type { Pod } from '../src/api/types/core-v1.ts';
import { deepClone } from '../src/api/util/values.ts';
import type { BenchResult } from './result.ts';

const context = { schema: schemaOf('core.v1.Pod'), apiVersion: 'v1', now: 0 };

/** About 2 KiB. */
function samplePod(): Pod {
  const env = Array.from({ length: 10 }, (_, i) => ({ name: `VARIABLE_${i}`, value: `some value ${i}` }));
  const resources = { requests: { cpu: '100m', memory: '64Mi' }, limits: { cpu: '1', memory: '128Mi' } };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'web',
      namespace: 'default',
      labels: { app: 'web', tier: 'front' },
      annotations: { note: 'x'.repeat(100) },
    },
    spec: {
      containers: [
        { name: 'web', image: 'nginx:1.25', env, resources, ports: [{ containerPort: 80, protocol: 'TCP' }] },
        { name: 'side', image: 'envoy:1', env, resources },
      ],
      volumes: [{ name: 'scratch', emptyDir: {} }],
    },
    status: {
      phase: 'Pending',
      conditions: ['Ready', 'Initialized', 'PodScheduled'].map(type => ({ type, status: 'False' })),
      podIPs: [{ ip: '10.0.0.1' }],
    },
  } as Pod;
}

/** Microseconds per call, best of three. */
function time(work: () => unknown): number {
  const rounds = 5000;
  let best = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < 3; attempt++) {
    const start = performance.now();
    for (let i = 0; i < rounds; i++) work();
    best = Math.min(best, ((performance.now() - start) * 1000) / rounds);
  }
  return best;
}

export async function run(): Promise<BenchResult[]> {
  const pod = samplePod();
  const managedFields = trackUpdate({ old: undefined, updated: pod, manager: 'kubectl', ...context }) ?? [];
  const live: Pod = { ...pod, metadata: { ...pod.metadata, managedFields } };
  const running = deepClone(live);
  if (running.status) running.status.phase = 'Running';
  const same = deepClone(live);
  const applied = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'default', labels: { app: 'web' } },
  };
  const floor = time(() => JSON.parse(JSON.stringify(live)));
  const result = (name: string, work: () => unknown, target?: number): BenchResult => {
    const value = time(work);
    const goal = target === undefined ? {} : { target: `≤ ${target} µs`, met: value <= target };
    return { name, value, unit: 'µs', floor, ratio: value / floor, ...goal };
  };
  const update = { old: live, manager: 'kubelet', subresource: 'status', ...context };
  return [
    { name: 'JSON of the pod, written and read (floor)', value: floor, unit: 'µs' },
    result('track a create', () => trackUpdate({ old: undefined, updated: pod, manager: 'kubectl', ...context }), 100),
    result('track a status update', () => trackUpdate({ ...update, updated: running }), 50),
    result('track a write without change', () => trackUpdate({ ...update, updated: same }), 50),
    result('server-side apply without change', () => applyPatch({ live, applied, manager: 'me', ...context }), 200),
  ];
}
