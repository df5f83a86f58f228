/** The workloads, as functions of a number. */
import type { Node, Pod, PodSpec } from '../../src/api/types/core-v1.ts';
import type { lookupOver } from '../../src/scheduler/snapshot/lookup.ts';

export const nodeCount = 5_000;

export interface Row {
  readonly name: string;
  /** Pods that are there before the clock runs. */
  readonly before?: (i: number) => Pod;
  readonly beforeCount?: number;
  readonly pods: (i: number) => Pod;
  readonly count: number;
  readonly target?: number;
  readonly lookup?: Parameters<typeof lookupOver>[0];
  /** Attempts that end without a node count, too. */
  readonly attempts?: boolean;
}

export function node(i: number): Node {
  const name = `node-${i}`;
  const resources = { cpu: '4', memory: '32Gi', pods: '110', 'ephemeral-storage': '100Gi' };
  return {
    metadata: {
      name,
      uid: name,
      labels: { 'kubernetes.io/hostname': name, 'topology.kubernetes.io/zone': `zone-${i % 3}`, pool: `p${i % 10}` },
    },
    spec: {},
    status: { allocatable: resources, capacity: resources },
  };
}

export function pod(prefix: string, i: number, labels: Record<string, string> = {}, spec: Partial<PodSpec> = {}): Pod {
  return {
    metadata: { name: `${prefix}-${i}`, namespace: 'bench', uid: `${prefix}-${i}`, labels },
    spec: {
      schedulerName: 'default-scheduler',
      priority: 0,
      containers: [{ name: 'pause', image: 'pause', resources: { requests: { cpu: '100m', memory: '500Mi' } } }],
      ...spec,
    },
  };
}

const host = 'kubernetes.io/hostname';
const zone = 'topology.kubernetes.io/zone';
const term = (color: string, topologyKey: string) => ({ labelSelector: { matchLabels: { color } }, topologyKey });
const preferred = (color: string, topologyKey: string) => [{ weight: 1, podAffinityTerm: term(color, topologyKey) }];
const large = {
  containers: [{ name: 'c', image: 'pause', resources: { requests: { cpu: '900m', memory: '500Mi' } } }],
};

function claimObjects(count: number) {
  const volumes = Array.from({ length: count }, (_, i) => ({
    metadata: { name: `pv-${i}`, uid: `pv-${i}` },
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      claimRef: { kind: 'PersistentVolumeClaim', name: `pvc-${i}`, namespace: 'bench', uid: `pvc-${i}` },
      csi: { driver: 'bench.csi', volumeHandle: `h-${i}` },
    },
  }));
  const claims = Array.from({ length: count }, (_, i) => ({
    metadata: {
      name: `pvc-${i}`,
      namespace: 'bench',
      uid: `pvc-${i}`,
      annotations: { 'pv.kubernetes.io/bind-completed': 'yes' },
    },
    spec: { volumeName: `pv-${i}`, accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    status: { phase: 'Bound' },
  }));
  const nodes = Array.from({ length: nodeCount }, (_, i) => ({
    metadata: { name: `node-${i}` },
    spec: { drivers: [{ name: 'bench.csi', nodeID: `node-${i}`, allocatable: { count: 39 } }] },
  }));
  return {
    'v1/persistentvolumes': volumes,
    'v1/persistentvolumeclaims': claims,
    'storage.k8s.io/v1/csinodes': nodes,
  };
}

export const basic = (i: number) => pod('basic', i);

export const rows: readonly Row[] = [
  { name: 'basic', pods: basic, count: 10_000, target: 5_000 },
  {
    name: 'node affinity, required',
    pods: i =>
      pod(
        'na',
        i,
        {},
        {
          affinity: {
            nodeAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: {
                nodeSelectorTerms: [
                  { matchExpressions: [{ key: zone, operator: 'In', values: ['zone-0', 'zone-1'] }] },
                ],
              },
            },
          },
        },
      ),
    count: 10_000,
  },
  {
    name: 'pod anti-affinity, required (per host)',
    beforeCount: 1_000,
    before: i =>
      pod(
        'before',
        i,
        { color: 'green' },
        { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term('green', host)] } } },
      ),
    pods: i =>
      pod(
        'anti',
        i,
        { color: 'green' },
        {
          affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term('green', host)] } },
        },
      ),
    count: 3_000,
    target: 500,
  },
  {
    name: 'pod affinity, required (per zone)',
    beforeCount: 5_000,
    before: i =>
      pod(
        'before',
        i,
        { color: 'blue' },
        { affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term('blue', zone)] } } },
      ),
    pods: i =>
      pod(
        'aff',
        i,
        { color: 'blue' },
        {
          affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term('blue', zone)] } },
        },
      ),
    count: 5_000,
    target: 500,
  },
  {
    name: 'pod affinity, preferred (per host)',
    beforeCount: 5_000,
    before: i =>
      pod(
        'before',
        i,
        { color: 'red' },
        { affinity: { podAffinity: { preferredDuringSchedulingIgnoredDuringExecution: preferred('red', host) } } },
      ),
    pods: i =>
      pod(
        'paff',
        i,
        { color: 'red' },
        {
          affinity: { podAffinity: { preferredDuringSchedulingIgnoredDuringExecution: preferred('red', host) } },
        },
      ),
    count: 5_000,
  },
  {
    name: 'pod anti-affinity, preferred (per host)',
    beforeCount: 5_000,
    before: i =>
      pod(
        'before',
        i,
        { color: 'yellow' },
        {
          affinity: { podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: preferred('yellow', host) } },
        },
      ),
    pods: i =>
      pod(
        'panti',
        i,
        { color: 'yellow' },
        {
          affinity: { podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: preferred('yellow', host) } },
        },
      ),
    count: 5_000,
  },
  {
    name: 'topology spread, required (per zone)',
    beforeCount: 5_000,
    before: basic,
    pods: i =>
      pod(
        'spread',
        i,
        { color: 'blue' },
        {
          topologySpreadConstraints: [
            {
              maxSkew: 5,
              topologyKey: zone,
              whenUnsatisfiable: 'DoNotSchedule',
              labelSelector: { matchLabels: { color: 'blue' } },
            },
          ],
        },
      ),
    count: 5_000,
  },
  {
    name: 'topology spread, preferred (per host)',
    beforeCount: 5_000,
    before: basic,
    pods: i =>
      pod(
        'pspread',
        i,
        { color: 'blue' },
        {
          topologySpreadConstraints: [
            {
              maxSkew: 5,
              topologyKey: host,
              whenUnsatisfiable: 'ScheduleAnyway',
              labelSelector: { matchLabels: { color: 'blue' } },
            },
          ],
        },
      ),
    count: 5_000,
  },
  {
    name: 'volumes (bound CSI claims, with limits)',
    lookup: claimObjects(5_000),
    pods: i => pod('vol', i, {}, { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: `pvc-${i}` } }] }),
    count: 5_000,
  },
  {
    name: 'preemption (each node full of lower priority)',
    beforeCount: 20_000,
    before: i => pod('low', i, {}, { ...large, priority: 1 }),
    pods: i => pod('high', i, {}, { ...large, priority: 1_000 }),
    count: 300,
    attempts: true,
  },
  {
    name: 'mix: one in five fits nowhere',
    pods: i => (i % 5 === 0 ? pod('big', i, {}, { nodeSelector: { no: 'such' } }) : pod('mix', i)),
    count: 10_000,
    attempts: true,
  },
  {
    name: 'basic, every pod different',
    pods: i =>
      pod(
        'own',
        i,
        { app: `a${i}` },
        {
          containers: [
            {
              name: 'c',
              image: 'pause',
              resources: { requests: { cpu: `${50 + (i % 100)}m`, memory: `${400 + i}Mi` } },
            },
          ],
        },
      ),
    count: 3_000,
  },
];
