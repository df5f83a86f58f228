/** Objects that every cluster made by `up` and `server` has, applied each time it starts. */
import type { Draft, KubeObject } from '../../api/object.ts';
import type { PolicyRule, Subject } from '../../api/types/rbac-v1.ts';
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

const rbac = 'rbac.authorization.k8s.io';
const group = (name: string): Subject => ({ apiGroup: rbac, kind: 'Group', name });
const nodes = group('system:nodes');
const joining = group('system:bootstrappers');
const csr = 'certificates.k8s.io';

interface Grant {
  /** Of the binding, and of the role when it is ours. */
  readonly name: string;
  readonly subject: Subject;
  /** What the role of that name allows, or another role. */
  readonly rules?: readonly PolicyRule[];
  readonly role?: string;
}

/** What the parts of a cluster may do besides what upstream's default policy says of their names. */
const grants: readonly Grant[] = [
  {
    name: 'tsukube:node-agent',
    subject: nodes,
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
  // A proxy and a DNS server that run alone.
  {
    name: 'tsukube:host-ports',
    subject: { apiGroup: rbac, kind: 'User', name: 'system:kube-proxy' },
    rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['list', 'watch'] }],
  },
  {
    name: 'tsukube:dns',
    subject: { kind: 'ServiceAccount', namespace: 'kube-system', name: 'kube-dns' },
    rules: [
      { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
      { apiGroups: [''], resources: ['pods', 'namespaces'], verbs: ['list', 'watch'] },
    ],
  },
  // As kubeadm: joining nodes may ask for certificates, and nodes may renew their own.
  { name: 'tsukube:kubelet-bootstrap', subject: joining, role: 'system:node-bootstrapper' },
  {
    name: 'tsukube:node-autoapprove-bootstrap',
    subject: joining,
    role: 'system:certificates.k8s.io:certificatesigningrequests:nodeclient',
  },
  {
    name: 'tsukube:node-autoapprove-certificate-rotation',
    subject: nodes,
    role: 'system:certificates.k8s.io:certificatesigningrequests:selfnodeclient',
  },
  {
    name: 'tsukube:selfnodeserver',
    subject: nodes,
    rules: [{ apiGroups: [csr], resources: ['certificatesigningrequests/selfnodeserver'], verbs: ['create'] }],
  },
  // Upstream leaves certificates of kubelets' servers to people.
  {
    name: 'tsukube:serving-approver',
    subject: { kind: 'ServiceAccount', namespace: 'kube-system', name: 'certificate-controller' },
    rules: [
      {
        ...{ apiGroups: [csr], resources: ['signers'], resourceNames: ['kubernetes.io/kubelet-serving'] },
        verbs: ['approve'],
      },
    ],
  },
];

/** One config map that somebody may read. */
function configMapGrant(
  name: string,
  namespace: string,
  map: string,
  verbs: readonly string[],
  subjects: readonly Subject[],
): Addon[] {
  const metadata = { name, namespace, labels: all };
  const rules = [{ apiGroups: [''], resources: ['configmaps'], resourceNames: [map], verbs }];
  const roleRef = { apiGroup: rbac, kind: 'Role', name };
  return [
    { resource: `${rbac}/v1/roles`, object: { apiVersion: `${rbac}/v1`, kind: 'Role', metadata, rules } },
    {
      resource: `${rbac}/v1/rolebindings`,
      object: { apiVersion: `${rbac}/v1`, kind: 'RoleBinding', metadata, roleRef, subjects },
    },
  ];
}

function clusterGrant({ name, subject, rules, role = name }: Grant): Addon[] {
  const apiVersion = `${rbac}/v1`;
  const metadata = { name, labels: all };
  const roleRef = { apiGroup: rbac, kind: 'ClusterRole', name: role };
  return [
    ...(rules
      ? [
          {
            resource: `${apiVersion}/clusterroles`,
            object: { apiVersion, kind: 'ClusterRole', metadata, rules },
          } as const,
        ]
      : []),
    {
      resource: `${apiVersion}/clusterrolebindings`,
      object: { apiVersion, kind: 'ClusterRoleBinding', metadata, roleRef, subjects: [subject] },
    },
  ];
}

export const clusterGrants: readonly Addon[] = grants.flatMap(clusterGrant);

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
    ...clusterGrants,
    {
      resource: 'v1/configmaps',
      object: {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: factsName, namespace: factsNamespace, labels: all },
        data: formatFacts(facts),
      },
    },
    ...configMapGrant('tsukube:facts', factsNamespace, factsName, ['get'], [joining, nodes]),
    // Users may make it: other resolvers, resolvers of single domains, fixed names.
    ...configMapGrant('tsukube:dns-config', 'kube-system', 'kube-dns', readers, [nodes]),
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

export async function applyAddons(client: Client, ranges: Parameters<typeof addons>[0]): Promise<void> {
  for (const { resource, object } of addons(ranges)) {
    await client
      .resource(resource, object.metadata.namespace)
      .apply(object as never, { fieldManager: 'tsukube', force: true });
  }
}
