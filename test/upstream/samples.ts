/** A valid object of each kind that both versions serve under the same group and version. */

export interface Sample {
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
  readonly name: string;
  /** Without kind, version and metadata. */
  readonly content: object;
}

export const template = (restartPolicy?: string) => ({
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'main', image: 'nginx:1' }], ...(restartPolicy && { restartPolicy }) },
});
const selector = { matchLabels: { app: 'web' } };
const claim = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
const hook = {
  name: 'a.example.com',
  clientConfig: { url: 'https://example.com/hook' },
  admissionReviewVersions: ['v1'],
  sideEffects: 'None',
  rules: [{ operations: ['CREATE'], apiGroups: ['none.example.com'], apiVersions: ['v1'], resources: ['things'] }],
};
const role = { rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }] };
export const widgets = {
  group: 'example.com',
  names: { plural: 'widgets', kind: 'Widget' },
  scope: 'Namespaced',
  versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
};

type Row = [plural: string, kind: string, content: object, name?: string];
const rows: Readonly<Record<string, { namespaced: readonly Row[]; cluster: readonly Row[] }>> = {
  v1: {
    namespaced: [
      ['configmaps', 'ConfigMap', { data: { key: 'value' } }],
      ['secrets', 'Secret', { type: 'Opaque', data: { key: 'dmFsdWU=' } }],
      ['serviceaccounts', 'ServiceAccount', {}],
      ['endpoints', 'Endpoints', { subsets: [{ addresses: [{ ip: '10.0.0.1' }], ports: [{ port: 80 }] }] }],
      ['pods', 'Pod', { spec: template().spec }],
      ['limitranges', 'LimitRange', { spec: { limits: [{ type: 'Container', max: { cpu: '1' } }] } }],
      ['resourcequotas', 'ResourceQuota', { spec: { hard: { cpu: '1', pods: '3', 'count/deployments.apps': '2' } } }],
      ['podtemplates', 'PodTemplate', { template: template() }],
      ['replicationcontrollers', 'ReplicationController', { spec: { selector: { app: 'web' }, template: template() } }],
      ['services', 'Service', { spec: { selector: { app: 'web' }, ports: [{ port: 80 }] } }],
      ['persistentvolumeclaims', 'PersistentVolumeClaim', { spec: claim }],
      ['events', 'Event', { involvedObject: { kind: 'Pod', name: 'a' }, reason: 'Started', type: 'Normal' }],
    ],
    cluster: [
      ['namespaces', 'Namespace', {}],
      ['nodes', 'Node', { spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] } }],
      [
        'persistentvolumes',
        'PersistentVolume',
        { spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/data' } } },
      ],
    ],
  },
  'apps/v1': {
    namespaced: [
      ['controllerrevisions', 'ControllerRevision', { data: { spec: {} }, revision: 1 }],
      ['daemonsets', 'DaemonSet', { spec: { selector, template: template() } }],
      ['deployments', 'Deployment', { spec: { selector, template: template() } }],
      ['replicasets', 'ReplicaSet', { spec: { selector, template: template() } }],
      ['statefulsets', 'StatefulSet', { spec: { serviceName: 'web', selector, template: template() } }],
    ],
    cluster: [],
  },
  'batch/v1': { namespaced: [['jobs', 'Job', { spec: { template: template('Never') } }]], cluster: [] },
  'autoscaling/v1': {
    namespaced: [
      [
        'horizontalpodautoscalers',
        'HorizontalPodAutoscaler',
        { spec: { maxReplicas: 3, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' } } },
      ],
    ],
    cluster: [],
  },
  'networking.k8s.io/v1': {
    namespaced: [
      [
        'ingresses',
        'Ingress',
        {
          spec: {
            ingressClassName: 'main',
            rules: [
              {
                host: 'a.example.com',
                http: {
                  paths: [
                    { path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { number: 80 } } } },
                  ],
                },
              },
            ],
          },
        },
      ],
      [
        'networkpolicies',
        'NetworkPolicy',
        { spec: { podSelector: {}, ingress: [{ from: [{ podSelector: {} }], ports: [{ port: 80 }] }] } },
      ],
    ],
    cluster: [['ingressclasses', 'IngressClass', { spec: { controller: 'example.com/ingress' } }]],
  },
  'rbac.authorization.k8s.io/v1': {
    namespaced: [
      ['roles', 'Role', role],
      [
        'rolebindings',
        'RoleBinding',
        {
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
          subjects: [{ kind: 'ServiceAccount', name: 'a', namespace: 'default' }],
        },
      ],
    ],
    cluster: [
      ['clusterroles', 'ClusterRole', role],
      [
        'clusterrolebindings',
        'ClusterRoleBinding',
        { roleRef: { kind: 'ClusterRole', name: 'view' }, subjects: [{ kind: 'User', name: 'alice' }] },
      ],
    ],
  },
  'scheduling.k8s.io/v1': { namespaced: [], cluster: [['priorityclasses', 'PriorityClass', { value: 10 }]] },
  'coordination.k8s.io/v1': {
    namespaced: [['leases', 'Lease', { spec: { holderIdentity: 'a', leaseDurationSeconds: 15 } }]],
    cluster: [],
  },
  'events.k8s.io/v1': {
    namespaced: [
      [
        'events',
        'Event',
        {
          eventTime: '2021-01-01T00:00:00.000000Z',
          reportingController: 'example.com/c',
          reportingInstance: 'c-1',
          action: 'Start',
          reason: 'Started',
          type: 'Normal',
        },
      ],
    ],
    cluster: [],
  },
  'node.k8s.io/v1': { namespaced: [], cluster: [['runtimeclasses', 'RuntimeClass', { handler: 'runc' }]] },
  'storage.k8s.io/v1': {
    namespaced: [],
    cluster: [
      ['storageclasses', 'StorageClass', { provisioner: 'example.com/disk' }],
      ['csidrivers', 'CSIDriver', { spec: {} }],
      [
        'csinodes',
        'CSINode',
        { spec: { drivers: [{ name: 'disk.example.com', nodeID: 'n1', topologyKeys: ['zone'] }] } },
      ],
      [
        'volumeattachments',
        'VolumeAttachment',
        { spec: { attacher: 'disk.example.com', nodeName: 'n1', source: { persistentVolumeName: 'pv1' } } },
      ],
    ],
  },
  'admissionregistration.k8s.io/v1': {
    namespaced: [],
    cluster: [
      ['mutatingwebhookconfigurations', 'MutatingWebhookConfiguration', { webhooks: [hook] }],
      ['validatingwebhookconfigurations', 'ValidatingWebhookConfiguration', { webhooks: [hook] }],
    ],
  },
  'apiextensions.k8s.io/v1': {
    namespaced: [],
    cluster: [['customresourcedefinitions', 'CustomResourceDefinition', { spec: widgets }, 'widgets.example.com']],
  },
  'apiregistration.k8s.io/v1': {
    namespaced: [],
    cluster: [
      [
        'apiservices',
        'APIService',
        {
          spec: {
            ...{ group: 'other.example.com', version: 'v1', groupPriorityMinimum: 100, versionPriority: 100 },
            ...{ service: { name: 'api', namespace: 'default' }, insecureSkipTLSVerify: true },
          },
        },
        'v1.other.example.com',
      ],
    ],
  },
};

export const samples: readonly Sample[] = Object.entries(rows).flatMap(([apiVersion, { namespaced, cluster }]) => {
  const made =
    (isNamespaced: boolean) =>
    ([plural, kind, content, name = 'sample']: Row) => ({
      ...{ apiVersion, kind, plural, namespaced: isNamespaced, name, content },
    });
  return [...namespaced.map(made(true)), ...cluster.map(made(false))];
});

export function sampleOf(plural: string): Sample {
  const found = samples.find(sample => sample.plural === plural);
  if (!found) throw new Error(`no sample of ${plural}`);
  return found;
}

/** Where the collection of a kind is. */
export function collection({ apiVersion, plural, namespaced }: Sample, ns: string): string {
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  return namespaced ? `${root}/namespaces/${ns}/${plural}` : `${root}/${plural}`;
}

/** A whole object. */
export function objectOf(sample: Sample, metadata: object = {}): { metadata: object } & Record<string, unknown> {
  const { apiVersion, kind, name, content } = sample;
  return { apiVersion, kind, metadata: { name, ...metadata }, ...structuredClone(content) };
}

/** A copy with the value at a dotted path replaced, or removed when undefined; list items by number. */
export function withValue<T extends object>(obj: T, path: string, value: unknown): T {
  const copy = structuredClone(obj);
  const keys = path.split('/');
  const last = keys.pop() ?? '';
  let at = copy as Record<string, unknown>;
  for (const key of keys) {
    if (typeof at[key] !== 'object' || at[key] === null) at[key] = {};
    at = at[key] as Record<string, unknown>;
  }
  if (value === undefined) delete at[last];
  else at[last] = value;
  return copy;
}
