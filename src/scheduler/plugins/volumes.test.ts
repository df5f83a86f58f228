import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createWorld, makeNode, makePod, type WorldOptions } from '../../../test/support/scheduler/world.ts';
import type { PersistentVolume, PersistentVolumeClaim, Pod } from '../../api/types/core-v1.ts';
import type { StorageClass } from '../../api/types/storage-v1.ts';

const zone = 'topology.kubernetes.io/zone';
const nodes = [makeNode('a', { labels: { [zone]: 'x' } }), makeNode('b', { labels: { [zone]: 'y' } })];

type Objects = NonNullable<WorldOptions['objects']>;
const using = (...claims: string[]): Pod =>
  makePod('p', {
    spec: { volumes: claims.map(claimName => ({ name: claimName, persistentVolumeClaim: { claimName } })) },
  });
function claim(name: string, extra: Partial<PersistentVolumeClaim['spec']> = {}, bound = false): PersistentVolumeClaim {
  const annotations = bound ? { 'pv.kubernetes.io/bind-completed': 'yes' } : {};
  return {
    metadata: { name, namespace: 'default', uid: `uid-${name}`, annotations },
    spec: {
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: '1Gi' } },
      storageClassName: 'slow',
      ...extra,
    },
    status: { phase: bound ? 'Bound' : 'Pending' },
  };
}
const bound = (name: string, volumeName: string, extra: Partial<PersistentVolumeClaim['spec']> = {}) =>
  claim(name, { volumeName, ...extra }, true);
const only = (node: string) => ({
  required: {
    nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }] }],
  },
});
function volume(name: string, spec: Partial<PersistentVolume['spec']> = {}, labels = {}): PersistentVolume {
  return {
    metadata: { name, labels },
    spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], storageClassName: 'slow', ...spec },
    status: { phase: 'Available' },
  };
}
const storageClass = (extra: Partial<StorageClass> = {}): StorageClass => ({
  metadata: { name: 'slow' },
  provisioner: 'test.csi',
  volumeBindingMode: 'WaitForFirstConsumer',
  ...extra,
});

interface Case {
  readonly name: string;
  readonly objects: Objects;
  readonly pods?: readonly Pod[];
  readonly pod: Pod;
  readonly fits?: readonly string[];
  readonly says?: string;
}
function check(cases: readonly Case[]): void {
  for (const { name, objects, pods = [], pod, fits = [], says } of cases)
    test(name, () => {
      const outcome = createWorld({ nodes, objects, pods }).schedule(pod);
      assert.deepEqual([...outcome.feasible].sort(), [...fits]);
      const said = outcome.message ?? [...outcome.rejected.values()].join(' ');
      if (says !== undefined) assert.ok(said.includes(says), said);
    });
}

const claims = (...list: PersistentVolumeClaim[]) => ({ 'v1/persistentvolumeclaims': list });
const volumes = (...list: PersistentVolume[]) => ({ 'v1/persistentvolumes': list });
const classes = (...list: StorageClass[]) => ({ 'storage.k8s.io/v1/storageclasses': list });

describe('VolumeBinding', () => {
  check([
    {
      name: 'a claim that is not there',
      objects: {},
      pod: using('c'),
      says: '0/2 nodes are available: persistentvolumeclaim "c" not found.',
    },
    {
      name: 'an unbound claim that does not wait for the pod',
      objects: { ...claims(claim('c')), ...classes(storageClass({ volumeBindingMode: 'Immediate' })) },
      pod: using('c'),
      says: 'pod has unbound immediate PersistentVolumeClaims.',
    },
    {
      name: 'a lost claim',
      objects: claims({ ...bound('c', 'v'), status: { phase: 'Lost' } }),
      pod: using('c'),
      says: 'persistentvolumeclaim "c" bound to non-existent persistentvolume "v".',
    },
    {
      name: 'a volume of one node',
      objects: { ...claims(bound('c', 'v')), ...volumes(volume('v', { nodeAffinity: only('b') })) },
      pod: using('c'),
      fits: ['b'],
      says: "node(s) didn't match PersistentVolume's node affinity",
    },
    {
      name: 'a volume that is gone',
      objects: claims(bound('c', 'v')),
      pod: using('c'),
      says: '2 node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s).',
    },
    {
      name: 'a free volume where the pod goes',
      objects: {
        ...claims(claim('c')),
        ...classes(storageClass({ provisioner: 'kubernetes.io/no-provisioner' })),
        ...volumes(volume('v', { nodeAffinity: only('a') })),
      },
      pod: using('c'),
      fits: ['a'],
      says: "node(s) didn't find available persistent volumes to bind",
    },
    {
      name: 'one free volume is not enough for two claims',
      objects: {
        ...claims(claim('c'), claim('d')),
        ...classes(storageClass({ provisioner: 'kubernetes.io/no-provisioner' })),
        ...volumes(volume('v', { nodeAffinity: only('a') })),
      },
      pod: using('c', 'd'),
    },
    {
      name: 'a small claim leaves the large volume to the large one',
      objects: {
        ...claims(claim('c', { resources: { requests: { storage: '2Gi' } } }), claim('d')),
        ...classes(storageClass({ provisioner: 'kubernetes.io/no-provisioner' })),
        ...volumes(volume('large', { capacity: { storage: '2Gi' } }), volume('small')),
      },
      pod: using('c', 'd'),
      fits: ['a', 'b'],
    },
    {
      name: 'a new volume anywhere',
      objects: { ...claims(claim('c')), ...classes(storageClass()) },
      pod: using('c'),
      fits: ['a', 'b'],
    },
    {
      name: 'a new volume in allowed zones',
      objects: {
        ...claims(claim('c')),
        ...classes(storageClass({ allowedTopologies: [{ matchLabelExpressions: [{ key: zone, values: ['y'] }] }] })),
      },
      pod: using('c'),
      fits: ['b'],
    },
    {
      name: 'a node that was selected before',
      objects: {
        ...claims({
          ...claim('c'),
          metadata: { ...claim('c').metadata, annotations: { 'volume.kubernetes.io/selected-node': 'a' } },
        }),
        ...classes(storageClass()),
      },
      pod: using('c'),
      fits: ['a'],
    },
    {
      name: 'where the driver has room',
      objects: {
        ...claims(claim('c', { resources: { requests: { storage: '5Gi' } } })),
        ...classes(storageClass()),
        'storage.k8s.io/v1/csidrivers': [{ metadata: { name: 'test.csi' }, spec: { storageCapacity: true } }],
        'storage.k8s.io/v1/csistoragecapacities': [
          {
            metadata: { name: '1', namespace: 'd' },
            storageClassName: 'slow',
            capacity: '10Gi',
            nodeTopology: { matchLabels: { [zone]: 'x' } },
          },
          {
            metadata: { name: '2', namespace: 'd' },
            storageClassName: 'slow',
            capacity: '1Gi',
            nodeTopology: { matchLabels: { [zone]: 'y' } },
          },
        ],
      },
      pod: using('c'),
      fits: ['a'],
      says: 'node(s) did not have enough free storage',
    },
  ]);
});

describe('VolumeZone', () => {
  const no = 'node(s) had no available volume zone';
  const labelled = (labels: Record<string, string>): Objects => ({
    ...claims(bound('c', 'v')),
    ...volumes(volume('v', {}, labels)),
  });
  check([
    { name: 'its zone', objects: labelled({ [zone]: 'y' }), pod: using('c'), fits: ['b'], says: no },
    { name: 'one of its zones', objects: labelled({ [zone]: 'x__y' }), pod: using('c'), fits: ['a', 'b'] },
    {
      name: 'the old label',
      objects: labelled({ 'failure-domain.beta.kubernetes.io/zone': 'x' }),
      pod: using('c'),
      fits: ['a'],
      says: no,
    },
    { name: 'no zone', objects: labelled({}), pod: using('c'), fits: ['a', 'b'] },
  ]);
});

describe('VolumeRestrictions', () => {
  const disk = (readOnly: boolean) => ({ volumes: [{ name: 'd', gcePersistentDisk: { pdName: 'disk', readOnly } }] });
  const no = 'node(s) had no available disk';
  check([
    {
      name: 'a disk that is written',
      objects: {},
      pods: [makePod('u', { node: 'a', spec: disk(false) })],
      pod: makePod('p', { spec: disk(true) }),
      fits: ['b'],
      says: no,
    },
    {
      name: 'a disk that both read',
      objects: {},
      pods: [makePod('u', { node: 'a', spec: disk(true) })],
      pod: makePod('p', { spec: disk(true) }),
      fits: ['a', 'b'],
    },
    {
      name: 'a claim for one pod only',
      objects: { ...claims(bound('c', 'v', { accessModes: ['ReadWriteOncePod'] })), ...volumes(volume('v')) },
      pods: [
        {
          ...using('c'),
          metadata: { ...using('c').metadata, name: 'u', uid: 'u' },
          spec: { ...using('c').spec, nodeName: 'a' },
        },
      ],
      pod: using('c'),
      says: '2 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode.',
    },
  ]);
});

describe('NodeVolumeLimits', () => {
  const csi = (handle: string) => ({ csi: { driver: 'test.csi', volumeHandle: handle } });
  const limit = (count: number): Objects => ({
    'storage.k8s.io/v1/csinodes': [
      { metadata: { name: 'a' }, spec: { drivers: [{ name: 'test.csi', nodeID: 'a', allocatable: { count } }] } },
    ],
    ...claims(bound('c', 'v'), bound('d', 'w')),
    ...volumes(volume('v', csi('1')), volume('w', csi('2'))),
  });
  const user = (claimName: string) => {
    const pod = using(claimName);
    return { ...pod, metadata: { ...pod.metadata, name: 'u', uid: 'u' }, spec: { ...pod.spec, nodeName: 'a' } };
  };
  check([
    {
      name: 'one more than the limit',
      objects: limit(1),
      pods: [user('d')],
      pod: using('c'),
      fits: ['b'],
      says: 'node(s) exceed max volume count',
    },
    { name: 'up to the limit', objects: limit(2), pods: [user('d')], pod: using('c'), fits: ['a', 'b'] },
    { name: 'a volume that is there already', objects: limit(1), pods: [user('c')], pod: using('c'), fits: ['a', 'b'] },
  ]);
});

describe('DynamicResources', () => {
  const slice = (node: string, ...devices: string[]) => ({
    metadata: { name: `slice-${node}` },
    spec: {
      driver: 'gpu.test',
      nodeName: node,
      pool: { name: node, generation: 1, resourceSliceCount: 1 },
      devices: devices.map(name => ({ name })),
    },
  });
  const deviceClass = { metadata: { name: 'gpu' }, spec: {} };
  const resourceClaim = (name: string, count = 1, extra: object = {}) => ({
    metadata: { name, namespace: 'default', uid: `uid-${name}` },
    spec: { devices: { requests: [{ name: 'r', exactly: { deviceClassName: 'gpu', count, ...extra } }] } },
  });
  const asking = (...names: string[]) =>
    makePod('p', { spec: { resourceClaims: names.map(n => ({ name: n, resourceClaimName: n })) } });
  const objects = (...list: object[]): Objects => ({
    'resource.k8s.io/v1/resourceslices': [slice('a', 'g0'), slice('b', 'g0', 'g1')],
    'resource.k8s.io/v1/deviceclasses': [deviceClass],
    'resource.k8s.io/v1/resourceclaims': list as NonNullable<Objects['resource.k8s.io/v1/resourceclaims']>,
  });
  const allocated = {
    ...resourceClaim('taken'),
    status: { allocation: { devices: { results: [{ request: 'r', driver: 'gpu.test', pool: 'a', device: 'g0' }] } } },
  };
  check([
    { name: 'one device', objects: objects(resourceClaim('c')), pod: asking('c'), fits: ['a', 'b'] },
    {
      name: 'two devices',
      objects: objects(resourceClaim('c', 2)),
      pod: asking('c'),
      fits: ['b'],
      says: 'cannot allocate all claims',
    },
    {
      name: 'two claims',
      objects: objects(resourceClaim('c'), resourceClaim('d')),
      pod: asking('c', 'd'),
      fits: ['b'],
    },
    { name: 'what others hold', objects: objects(resourceClaim('c'), allocated), pod: asking('c'), fits: ['b'] },
    {
      name: 'all of a node',
      objects: objects(resourceClaim('c', 1, { allocationMode: 'All' })),
      pod: asking('c'),
      fits: ['a', 'b'],
    },
    {
      name: 'devices of another driver',
      objects: objects(resourceClaim('c', 1, { selectors: [{ cel: { expression: 'device.driver == "tpu.test"' } }] })),
      pod: asking('c'),
      says: 'cannot allocate all claims',
    },
    { name: 'a claim that is not there', objects: objects(), pod: asking('c'), says: 'resourceclaim "c" not found' },
    {
      name: 'a claim bound to another node',
      objects: objects({
        ...resourceClaim('c'),
        status: {
          allocation: {
            nodeSelector: {
              nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['a'] }] }],
            },
          },
        },
      }),
      pod: asking('c'),
      fits: ['a'],
      says: 'resourceclaim not available on the node',
    },
  ]);
});
