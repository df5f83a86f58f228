/** One valid object per stored kind, for tests. */
const template = (restartPolicy?: string) => ({
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'main', image: 'nginx:1' }], ...(restartPolicy && { restartPolicy }) },
});
const selector = { matchLabels: { app: 'web' } };
const claimSpec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
const hook = {
  name: 'a.example.com',
  clientConfig: { url: 'https://example.com/hook' },
  admissionReviewVersions: ['v1'],
  sideEffects: 'None',
  rules: [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'] }],
};
const matchConstraints = {
  resourceRules: [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'] }],
};
const claimDevices = { requests: [{ name: 'gpu', exactly: { deviceClassName: 'gpu.example.com' } }] };
/** A certificate request for "system:node:a" of "system:nodes", in PEM, then base64. */
const csrPem = [
  '-----BEGIN CERTIFICATE REQUEST-----',
  'MIHpMIGRAgEAMC8xFTATBgNVBAoMDHN5c3RlbTpub2RlczEWMBQGA1UEAwwNc3lz',
  'dGVtOm5vZGU6YTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABH8wGadK1Vh7sMg5',
  'KM2mQrcRB9VI7BJ2rdcoMdOiOuj7kPSuh215u5UNhnUekKClgv+cudMP3YRDwO4Z',
  'ZYuv1d6gADAKBggqhkjOPQQDAgNHADBEAiBEV+zu/dpe1vVjgb/gklbGJ71g3E8L',
  'nGUDDOcIv1ZwJgIgMBn5o81jU++6BrtXDHnKo3F4IgLL+KmlgfKmxhzv8HM=',
  '-----END CERTIFICATE REQUEST-----',
  '',
].join('\n');

/** Bodies without metadata, by resource. The name fits every kind unless `names` says otherwise. */
export const samples: Readonly<Record<string, object>> = {
  '/configmaps': { data: { key: 'value' } },
  '/secrets': { type: 'Opaque', data: { key: 'dmFsdWU=' } },
  '/serviceaccounts': {},
  '/componentstatuses': {},
  '/endpoints': { subsets: [{ addresses: [{ ip: '10.0.0.1' }], ports: [{ port: 80 }] }] },
  '/namespaces': {},
  '/nodes': { spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] } },
  '/pods': template(),
  '/limitranges': { spec: { limits: [{ type: 'Container', max: { cpu: '1' } }] } },
  '/resourcequotas': { spec: { hard: { cpu: '1', pods: '3', 'count/deployments.apps': '2' } } },
  '/podtemplates': { template: template() },
  '/replicationcontrollers': { spec: { selector: { app: 'web' }, template: template() } },
  '/services': { spec: { selector: { app: 'web' }, ports: [{ port: 80 }] } },
  '/persistentvolumeclaims': { spec: claimSpec },
  '/persistentvolumes': {
    spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/data' } },
  },
  '/events': { involvedObject: { kind: 'Pod', name: 'a', namespace: 'default' }, reason: 'Started', type: 'Normal' },
  'events.k8s.io/events': {
    involvedObject: { kind: 'Pod', name: 'a', namespace: 'default' },
    eventTime: '2026-01-01T00:00:00.000000Z',
    reportingComponent: 'example.com/c',
    reportingInstance: 'c-1',
    action: 'Start',
    reason: 'Started',
    type: 'Normal',
  },
  'apps/controllerrevisions': { data: { spec: {} }, revision: 1 },
  'apps/daemonsets': { spec: { selector, template: template() } },
  'apps/deployments': { spec: { selector, template: template() } },
  'apps/replicasets': { spec: { selector, template: template() } },
  'apps/statefulsets': {
    spec: {
      serviceName: 'web',
      selector,
      template: template(),
      volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: claimSpec }],
    },
  },
  'batch/jobs': { metadata: { uid: '11111111-2222-3333-4444-555555555555' }, spec: { template: template('Never') } },
  'batch/cronjobs': { spec: { schedule: '*/5 * * * *', jobTemplate: { spec: { template: template('OnFailure') } } } },
  'autoscaling/horizontalpodautoscalers': {
    spec: {
      maxReplicas: 3,
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      behavior: { scaleUp: {} },
    },
  },
  'networking.k8s.io/ingressclasses': { spec: { controller: 'example.com/ingress' } },
  'networking.k8s.io/ingresses': {
    spec: {
      ingressClassName: 'main',
      rules: [
        {
          host: 'a.example.com',
          http: {
            paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { number: 80 } } } }],
          },
        },
      ],
    },
  },
  'networking.k8s.io/networkpolicies': {
    spec: { podSelector: {}, ingress: [{ from: [{ podSelector: {} }], ports: [{ port: 80 }] }] },
  },
  'networking.k8s.io/ipaddresses': { spec: { parentRef: { resource: 'services', namespace: 'default', name: 'web' } } },
  'networking.k8s.io/servicecidrs': { spec: { cidrs: ['10.96.0.0/16'] } },
  'policy/poddisruptionbudgets': { spec: { minAvailable: 1, selector } },
  'rbac.authorization.k8s.io/clusterroles': { rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }] },
  'rbac.authorization.k8s.io/roles': { rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }] },
  'rbac.authorization.k8s.io/clusterrolebindings': {
    roleRef: { kind: 'ClusterRole', name: 'view' },
    subjects: [{ kind: 'User', name: 'alice' }],
  },
  'rbac.authorization.k8s.io/rolebindings': {
    roleRef: { kind: 'Role', name: 'view' },
    subjects: [{ kind: 'ServiceAccount', name: 'a', namespace: 'default' }],
  },
  'scheduling.k8s.io/priorityclasses': { value: 10 },
  'coordination.k8s.io/leases': { spec: { holderIdentity: 'a', leaseDurationSeconds: 15 } },
  'discovery.k8s.io/endpointslices': {
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.0.0.1'] }],
    ports: [{ port: 80 }],
  },
  'node.k8s.io/runtimeclasses': { handler: 'runc' },
  'certificates.k8s.io/certificatesigningrequests': {
    spec: { request: btoa(csrPem), signerName: 'example.com/signer', usages: ['client auth'] },
  },
  'storage.k8s.io/storageclasses': { provisioner: 'example.com/disk' },
  'storage.k8s.io/volumeattributesclasses': { driverName: 'disk.example.com', parameters: { iops: '100' } },
  'storage.k8s.io/csidrivers': { spec: {} },
  'storage.k8s.io/csinodes': {
    spec: { drivers: [{ name: 'disk.example.com', nodeID: 'n1', topologyKeys: ['zone'] }] },
  },
  'storage.k8s.io/csistoragecapacities': { storageClassName: 'fast', capacity: '1Gi' },
  'storage.k8s.io/volumeattachments': {
    spec: { attacher: 'disk.example.com', nodeName: 'n1', source: { persistentVolumeName: 'pv1' } },
  },
  'admissionregistration.k8s.io/mutatingwebhookconfigurations': { webhooks: [hook] },
  'admissionregistration.k8s.io/validatingwebhookconfigurations': { webhooks: [hook] },
  'admissionregistration.k8s.io/validatingadmissionpolicies': {
    spec: { matchConstraints, validations: [{ expression: 'true' }] },
  },
  'admissionregistration.k8s.io/validatingadmissionpolicybindings': {
    spec: { policyName: 'p', validationActions: ['Deny'] },
  },
  'apiextensions.k8s.io/customresourcedefinitions': {
    spec: {
      group: 'example.com',
      names: { plural: 'widgets', kind: 'Widget' },
      scope: 'Namespaced',
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
    },
  },
  'apiregistration.k8s.io/apiservices': {
    spec: {
      group: 'other.example.com',
      version: 'v1',
      groupPriorityMinimum: 100,
      versionPriority: 100,
      service: { name: 'api', namespace: 'default' },
      insecureSkipTLSVerify: true,
    },
  },
  'flowcontrol.apiserver.k8s.io/flowschemas': {
    spec: {
      priorityLevelConfiguration: { name: 'global-default' },
      distinguisherMethod: { type: 'ByUser' },
      rules: [
        {
          subjects: [{ kind: 'Group', group: { name: 'system:authenticated' } }],
          resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'], clusterScope: true, namespaces: ['*'] }],
        },
      ],
    },
  },
  'flowcontrol.apiserver.k8s.io/prioritylevelconfigurations': {
    spec: { type: 'Limited', limited: { limitResponse: { type: 'Queue', queuing: {} } } },
  },
  'resource.k8s.io/deviceclasses': { spec: { selectors: [{ cel: { expression: 'true' } }] } },
  'resource.k8s.io/resourceclaims': { spec: { devices: claimDevices } },
  'resource.k8s.io/resourceclaimtemplates': { spec: { spec: { devices: claimDevices } } },
  'resource.k8s.io/resourceslices': {
    spec: {
      driver: 'gpu.example.com',
      nodeName: 'n1',
      pool: { name: 'n1', generation: 1, resourceSliceCount: 1 },
      devices: [{ name: 'gpu-0' }],
    },
  },
};

/** Kinds whose name says something. */
const names: Readonly<Record<string, string>> = {
  'networking.k8s.io/ipaddresses': '10.0.0.1',
  'apiextensions.k8s.io/customresourcedefinitions': 'widgets.example.com',
  'apiregistration.k8s.io/apiservices': 'v1.other.example.com',
};

/** The sample of a resource with metadata. */
export function sampleOf(resource: string, isNamespaced: boolean): object {
  const body = structuredClone(samples[resource] ?? {}) as { metadata?: object };
  const own = { name: names[resource] ?? 'sample', ...(isNamespaced && { namespace: 'default' }) };
  return { ...body, metadata: { ...body.metadata, ...own } };
}
