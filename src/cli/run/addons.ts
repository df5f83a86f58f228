/** Objects that every cluster made by `up` and `server` has, applied each time it starts. */
import type { Draft, KubeObject } from '../../api/object.ts';
import type { Client, ResourceName } from '../../client/contract.ts';
import { localProvisioner } from '../../cloud/local/volumes.ts';
import { simulatedNodesBinding } from '../../kubelet/simulated-identity.ts';
import type { ClusterRanges } from '../ranges.ts';
import { factsName, factsNamespace, formatFacts } from './join.ts';

interface Addon {
  readonly resource: ResourceName;
  readonly object: Draft<KubeObject> & Record<string, unknown>;
}

const readers = ['get', 'list', 'watch'];
const all = { 'app.kubernetes.io/managed-by': 'tsukube' };

export function addons(facts: ClusterRanges): readonly Addon[] {
  return [
    {
      resource: 'v1/services',
      object: {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: {
          name: 'kube-dns',
          namespace: 'kube-system',
          labels: {
            ...all,
            'k8s-app': 'kube-dns',
            'kubernetes.io/cluster-service': 'true',
            'kubernetes.io/name': 'CoreDNS',
          },
        },
        // Every node answers this address itself: there are no endpoints.
        spec: {
          clusterIP: facts.dnsAddress,
          ports: [
            { name: 'dns', port: 53, protocol: 'UDP' },
            { name: 'dns-tcp', port: 53, protocol: 'TCP' },
          ],
        },
      },
    },
    {
      resource: 'rbac.authorization.k8s.io/v1/clusterroles',
      object: {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'ClusterRole',
        metadata: { name: 'tsukube:node-agent', labels: all },
        rules: [
          { apiGroups: [''], resources: ['services', 'endpoints', 'pods', 'namespaces', 'nodes'], verbs: readers },
          { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: readers },
          { apiGroups: ['networking.k8s.io'], resources: ['networkpolicies'], verbs: readers },
          { apiGroups: [''], resources: ['persistentvolumeclaims'], verbs: readers },
          { apiGroups: [''], resources: ['persistentvolumes'], verbs: [...readers, 'create', 'delete'] },
          { apiGroups: ['storage.k8s.io'], resources: ['storageclasses'], verbs: readers },
          { apiGroups: ['', 'events.k8s.io'], resources: ['events'], verbs: ['create', 'patch', 'update'] },
        ],
      },
    },
    {
      resource: 'rbac.authorization.k8s.io/v1/clusterrolebindings',
      object: {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'ClusterRoleBinding',
        metadata: { name: 'tsukube:node-agent', labels: all },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'tsukube:node-agent' },
        subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'system:nodes' }],
      },
    },
    {
      resource: 'v1/configmaps',
      object: {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: factsName, namespace: factsNamespace, labels: all },
        data: formatFacts(facts),
      },
    },
    {
      resource: 'rbac.authorization.k8s.io/v1/roles',
      object: {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'Role',
        metadata: { name: 'tsukube:facts', namespace: factsNamespace, labels: all },
        rules: [{ apiGroups: [''], resources: ['configmaps'], resourceNames: [factsName], verbs: ['get'] }],
      },
    },
    {
      resource: 'rbac.authorization.k8s.io/v1/rolebindings',
      object: {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'RoleBinding',
        metadata: { name: 'tsukube:facts', namespace: factsNamespace, labels: all },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'tsukube:facts' },
        subjects: ['system:bootstrappers', 'system:nodes'].map(name => ({
          apiGroup: 'rbac.authorization.k8s.io',
          kind: 'Group',
          name,
        })),
      },
    },
    // As kubeadm: joining nodes may ask for certificates, and nodes may renew their own.
    ...[
      { name: 'tsukube:kubelet-bootstrap', role: 'system:node-bootstrapper', group: 'system:bootstrappers' },
      {
        name: 'tsukube:node-autoapprove-bootstrap',
        role: 'system:certificates.k8s.io:certificatesigningrequests:nodeclient',
        group: 'system:bootstrappers',
      },
      {
        name: 'tsukube:node-autoapprove-certificate-rotation',
        role: 'system:certificates.k8s.io:certificatesigningrequests:selfnodeclient',
        group: 'system:nodes',
      },
      { name: 'tsukube:node-autoapprove-serving', role: 'tsukube:selfnodeserver', group: 'system:nodes' },
    ].map(
      ({ name, role, group }): Addon => ({
        resource: 'rbac.authorization.k8s.io/v1/clusterrolebindings',
        object: {
          apiVersion: 'rbac.authorization.k8s.io/v1',
          kind: 'ClusterRoleBinding',
          metadata: { name, labels: all },
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
          subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: group }],
        },
      }),
    ),
    {
      resource: 'rbac.authorization.k8s.io/v1/clusterroles',
      object: {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'ClusterRole',
        metadata: { name: 'tsukube:selfnodeserver', labels: all },
        rules: [
          {
            apiGroups: ['certificates.k8s.io'],
            resources: ['certificatesigningrequests/selfnodeserver'],
            verbs: ['create'],
          },
        ],
      },
    },
    // Upstream leaves certificates of kubelets' servers to people; here the controller that approves the others may approve them too.
    {
      resource: 'rbac.authorization.k8s.io/v1/clusterroles',
      object: {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'ClusterRole',
        metadata: { name: 'tsukube:serving-approver', labels: all },
        rules: [
          {
            apiGroups: ['certificates.k8s.io'],
            resources: ['signers'],
            resourceNames: ['kubernetes.io/kubelet-serving'],
            verbs: ['approve'],
          },
        ],
      },
    },
    {
      resource: 'rbac.authorization.k8s.io/v1/clusterrolebindings',
      object: {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'ClusterRoleBinding',
        metadata: { name: 'tsukube:serving-approver', labels: all },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'tsukube:serving-approver' },
        subjects: [{ kind: 'ServiceAccount', name: 'certificate-controller', namespace: 'kube-system' }],
      },
    },
    { resource: 'rbac.authorization.k8s.io/v1/clusterrolebindings', object: { ...simulatedNodesBinding } },
    {
      resource: 'storage.k8s.io/v1/storageclasses',
      object: {
        apiVersion: 'storage.k8s.io/v1',
        kind: 'StorageClass',
        metadata: {
          name: 'local',
          labels: all,
          annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' },
        },
        provisioner: localProvisioner,
        reclaimPolicy: 'Delete',
        volumeBindingMode: 'WaitForFirstConsumer',
      },
    },
  ];
}

export async function applyAddons(client: Client, options: Parameters<typeof addons>[0]): Promise<void> {
  for (const { resource, object } of addons(options)) {
    await client
      .resource(resource, object.metadata.namespace)
      .apply(object as never, { fieldManager: 'tsukube', force: true });
  }
}
