/** Something to do for every controller, the scheduler and nodes. */
import type { Client } from '../../src/client/contract.ts';

type Manifest = { apiVersion: string; kind: string; metadata: { name: string; namespace?: string } };
type Pass = (ms: number) => Promise<void>;

const namespace = 'broad';
const requests = { requests: { cpu: '10m', memory: '1Mi' } };
const podSpec = { terminationGracePeriodSeconds: 0, containers: [{ name: 'c', image: 'i', resources: requests }] };
const template = (app: string, spec: object = {}) => ({
  metadata: { labels: { app } },
  spec: { ...podSpec, ...spec },
});
const selected = (app: string, spec: object = {}) => ({
  selector: { matchLabels: { app } },
  template: template(app, spec),
});
const inNamespace = (name: string, labels?: Record<string, string>) => ({
  metadata: { name, namespace, ...(labels && { labels }) },
});
const claimSpec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };

const ends = { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i', command: ['sleep', '70'] }] };

const workloads = [
  { apiVersion: 'apps/v1', kind: 'Deployment', ...inNamespace('web'), spec: { replicas: 2, ...selected('web') } },
  { apiVersion: 'apps/v1', kind: 'DaemonSet', ...inNamespace('agent'), spec: selected('agent') },
  {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    ...inNamespace('db'),
    spec: {
      replicas: 2,
      serviceName: 'db',
      persistentVolumeClaimRetentionPolicy: { whenScaled: 'Delete', whenDeleted: 'Delete' },
      volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: { ...claimSpec, storageClassName: 'none' } }],
      ...selected('db'),
    },
  },
  { apiVersion: 'v1', kind: 'Pod', ...inNamespace('orphan', { app: 'rc' }), spec: podSpec },
  {
    apiVersion: 'v1',
    kind: 'ReplicationController',
    ...inNamespace('rc'),
    spec: { replicas: 2, selector: { app: 'rc' }, template: template('rc') },
  },
  {
    apiVersion: 'batch/v1',
    kind: 'Job',
    ...inNamespace('once'),
    spec: { ttlSecondsAfterFinished: 30, template: template('once', ends) },
  },
  {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    ...inNamespace('often'),
    spec: {
      schedule: '* * * * *',
      successfulJobsHistoryLimit: 1,
      concurrencyPolicy: 'Replace',
      jobTemplate: { spec: { template: template('often', ends) } },
    },
  },
  {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    ...inNamespace('web'),
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      minReplicas: 3,
      maxReplicas: 5,
    },
  },
  {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    ...inNamespace('web'),
    spec: { maxUnavailable: 1, selector: { matchLabels: { app: 'web' } } },
  },
];

const aroundThem = [
  {
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    ...inNamespace('quota'),
    spec: { hard: { pods: '50', 'count/secrets': '9' } },
  },
  {
    apiVersion: 'v1',
    kind: 'Service',
    ...inNamespace('web'),
    spec: { selector: { app: 'web' }, ports: [{ port: 80 }] },
  },
  { apiVersion: 'v1', kind: 'Service', ...inNamespace('by-hand'), spec: { ports: [{ port: 80 }] } },
  {
    apiVersion: 'v1',
    kind: 'Endpoints',
    ...inNamespace('by-hand'),
    subsets: [{ addresses: [{ ip: '192.0.2.1' }], ports: [{ port: 80 }] }],
  },
  {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'token', namespace, annotations: { 'kubernetes.io/service-account.name': 'default' } },
    type: 'kubernetes.io/service-account-token',
  },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name: 'broad-part', labels: { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' } },
    rules: [{ apiGroups: ['example.com'], resources: ['things'], verbs: ['get'] }],
  },
  {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name: 'broad' },
    spec: {
      matchConstraints: {
        resourceRules: [{ apiGroups: ['example.com'], apiVersions: ['*'], operations: ['*'], resources: ['*'] }],
      },
      validations: [{ expression: 'true' }],
    },
  },
  {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'ServiceCIDR',
    metadata: { name: 'more' },
    spec: { cidrs: ['10.77.0.0/24'] },
  },
];

const driver = 'csi.example.com';
const storage = [
  { apiVersion: 'storage.k8s.io/v1', kind: 'CSIDriver', metadata: { name: driver }, spec: { attachRequired: true } },
  {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name: 'growing' },
    provisioner: driver,
    allowVolumeExpansion: true,
    volumeBindingMode: 'Immediate',
  },
  {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'VolumeAttributesClass',
    metadata: { name: 'gold' },
    driverName: driver,
    parameters: { a: 'b' },
  },
  ...['one', 'two'].map(name => ({
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: `broad-${name}` },
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      persistentVolumeReclaimPolicy: name === 'one' ? 'Retain' : 'Delete',
      storageClassName: 'growing',
      ...(name === 'one' ? { csi: { driver, volumeHandle: 'h' } } : { hostPath: { path: '/none' } }),
    },
  })),
  {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    ...inNamespace('one'),
    spec: { ...claimSpec, storageClassName: 'growing', volumeName: 'broad-one' },
  },
  {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    ...inNamespace('two'),
    spec: { ...claimSpec, storageClassName: 'growing' },
  },
  {
    apiVersion: 'v1',
    kind: 'Pod',
    ...inNamespace('attached'),
    spec: { ...podSpec, volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'one' } }] },
  },
  {
    apiVersion: 'v1',
    kind: 'Pod',
    ...inNamespace('ephemeral'),
    spec: {
      ...podSpec,
      volumes: [
        { name: 'v', ephemeral: { volumeClaimTemplate: { spec: { ...claimSpec, storageClassName: 'none' } } } },
      ],
    },
  },
  {
    apiVersion: 'resource.k8s.io/v1',
    kind: 'ResourceClaimTemplate',
    ...inNamespace('device'),
    spec: { spec: { devices: { requests: [{ name: 'd', exactly: { deviceClassName: 'devices' } }] } } },
  },
  {
    apiVersion: 'v1',
    kind: 'Pod',
    ...inNamespace('with-device'),
    spec: { ...podSpec, resourceClaims: [{ name: 'd', resourceClaimTemplateName: 'device' }] },
  },
];

async function make(client: Client, manifests: readonly Manifest[]): Promise<void> {
  for (const manifest of manifests) {
    const { apiVersion, kind, metadata } = manifest;
    const plural =
      kind === 'Endpoints' ? 'endpoints' : kind.endsWith('s') ? `${kind}es` : kind.replace(/y$/, 'ie').concat('s');
    const resource = `${apiVersion}/${plural.toLowerCase()}` as 'v1/pods';
    await client.resource(resource, metadata.namespace).create(manifest as never);
  }
}

/** Makes, changes and removes objects of many kinds. `pass` lets time go by until the controllers have done their part. */
export async function broadWorkload(client: Client, pass: Pass): Promise<void> {
  await client.namespaces().create({ metadata: { name: namespace }, spec: {} });
  await make(client, storage);
  await make(client, aroundThem);
  await make(client, workloads);
  await pass(60_000);
  await change(client);
  await pass(120_000);
  await remove(client);
  await pass(120_000);
}

async function change(client: Client): Promise<void> {
  const image = { spec: { template: { spec: { containers: [{ name: 'c', image: 'j' }] } } } };
  await client.deployments(namespace).patch('web', 'strategic', image);
  await client.daemonsets(namespace).patch('agent', 'strategic', image);
  await client.statefulsets(namespace).patch('db', 'strategic', { spec: { ...image.spec, replicas: 1 } });
  await client.persistentvolumeclaims(namespace).patch('one', 'merge', {
    spec: { resources: { requests: { storage: '2Gi' } } },
  });
}

async function remove(client: Client): Promise<void> {
  await client.deployments(namespace).delete('web', { propagationPolicy: 'Foreground' });
  await client.replicationcontrollers(namespace).delete('rc', { propagationPolicy: 'Orphan' });
  await client.servicecidrs().delete('more');
  await client.persistentvolumes().delete('broad-one');
  await client.volumeattributesclasses().delete('gold');
  await client.namespaces().delete(namespace);
}
