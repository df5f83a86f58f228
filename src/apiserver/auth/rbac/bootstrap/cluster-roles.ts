/** Default cluster roles and their bindings (plugin/pkg/auth/authorizer/rbac/bootstrappolicy of v1.35, features at their defaults). */
import type { ClusterRole, ClusterRoleBinding, PolicyRule } from '../../../../api/types/rbac-v1.ts';
import { account, aggregatedRole, clusterBinding, clusterRole, eventsRule, group, rule, urls, user } from './build.ts';

const toAdmin = 'rbac.authorization.k8s.io/aggregate-to-admin';
const toEdit = 'rbac.authorization.k8s.io/aggregate-to-edit';
const toView = 'rbac.authorization.k8s.io/aggregate-to-view';
const csr = 'certificates.k8s.io';
const healthPaths = '/healthz /livez /readyz /version /version/';

const editRules: PolicyRule[] = [
  rule('read', 'core', 'pods/attach pods/proxy pods/exec pods/portforward secrets services/proxy'),
  rule('impersonate', 'core', 'serviceaccounts'),
  rule('write', 'core', 'pods pods/attach pods/proxy pods/exec pods/portforward'),
  rule('create', 'core', 'pods/eviction'),
  rule(
    'write',
    'core',
    'replicationcontrollers replicationcontrollers/scale serviceaccounts services services/proxy persistentvolumeclaims configmaps secrets',
  ),
  rule('write', 'core events.k8s.io', 'events'),
  rule('create', 'core', 'serviceaccounts/token'),
  rule(
    'write',
    'apps',
    'statefulsets statefulsets/scale daemonsets deployments deployments/scale deployments/rollback replicasets replicasets/scale',
  ),
  rule('write', 'autoscaling', 'horizontalpodautoscalers'),
  rule('write', 'batch', 'jobs cronjobs'),
  rule(
    'write',
    'extensions',
    'daemonsets deployments deployments/scale deployments/rollback ingresses replicasets replicasets/scale replicationcontrollers/scale networkpolicies',
  ),
  rule('write', 'policy', 'poddisruptionbudgets'),
  rule('write', 'networking.k8s.io', 'networkpolicies ingresses'),
  rule('readwrite', 'coordination.k8s.io', 'leases'),
  rule('write', 'resource.k8s.io', 'resourceclaims resourceclaimtemplates'),
];

const viewRules: PolicyRule[] = [
  rule(
    'read',
    'core',
    'pods replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status endpoints persistentvolumeclaims persistentvolumeclaims/status configmaps',
  ),
  rule(
    'read',
    'core',
    'limitranges resourcequotas bindings pods/status resourcequotas/status namespaces/status replicationcontrollers/status pods/log',
  ),
  rule('read', 'core events.k8s.io', 'events'),
  rule('read', 'core', 'namespaces'),
  rule('read', 'discovery.k8s.io', 'endpointslices'),
  rule(
    'read',
    'apps',
    'controllerrevisions statefulsets statefulsets/status statefulsets/scale daemonsets daemonsets/status deployments deployments/status deployments/scale replicasets replicasets/status replicasets/scale',
  ),
  rule('read', 'autoscaling', 'horizontalpodautoscalers horizontalpodautoscalers/status'),
  rule('read', 'batch', 'jobs cronjobs cronjobs/status jobs/status'),
  rule(
    'read',
    'extensions',
    'daemonsets daemonsets/status deployments deployments/scale deployments/status ingresses ingresses/status replicasets replicasets/scale replicasets/status replicationcontrollers/scale networkpolicies',
  ),
  rule('read', 'policy', 'poddisruptionbudgets poddisruptionbudgets/status'),
  rule('read', 'networking.k8s.io', 'networkpolicies ingresses ingresses/status'),
  rule('read', 'resource.k8s.io', 'resourceclaims resourceclaims/status resourceclaimtemplates'),
];

/** What a kubelet does. Bound to nobody: the node authorizer grants it per node. */
export const nodeRules: PolicyRule[] = [
  rule('create', 'authentication.k8s.io', 'tokenreviews'),
  rule('create', 'authorization.k8s.io', 'subjectaccessreviews localsubjectaccessreviews'),
  rule('read', 'core', 'services'),
  rule('create get list watch', 'core', 'nodes'),
  rule('update patch', 'core', 'nodes/status'),
  rule('update patch', 'core', 'nodes'),
  rule('create update patch', 'core events.k8s.io', 'events'),
  rule('read', 'core', 'pods'),
  rule('create delete', 'core', 'pods'),
  rule('update patch', 'core', 'pods/status'),
  rule('create', 'core', 'pods/eviction'),
  rule('read', 'core', 'secrets configmaps'),
  rule('get', 'core', 'persistentvolumeclaims persistentvolumes'),
  rule('get', 'core', 'endpoints'),
  rule('create get list watch', csr, 'certificatesigningrequests'),
  rule('get create update patch delete', 'coordination.k8s.io', 'leases'),
  rule('get', 'storage.k8s.io', 'volumeattachments'),
  rule('create', 'core', 'serviceaccounts/token'),
  rule('get update patch', 'core', 'persistentvolumeclaims/status'),
  rule('read', 'storage.k8s.io', 'csidrivers'),
  rule('get create update patch delete', 'storage.k8s.io', 'csinodes'),
  rule('read', 'node.k8s.io', 'runtimeclasses'),
  rule('get', 'resource.k8s.io', 'resourceclaims'),
  rule('deletecollection', 'resource.k8s.io', 'resourceslices'),
  rule('get', 'core', 'serviceaccounts'),
];

const schedulerRules: PolicyRule[] = [
  eventsRule,
  rule('create', 'coordination.k8s.io', 'leases'),
  rule('get update list watch', 'coordination.k8s.io', 'leases', 'kube-scheduler'),
  rule('readwrite', 'coordination.k8s.io', 'leasecandidates'),
  rule('read', 'core', 'nodes'),
  rule('get list watch delete', 'core', 'pods'),
  rule('create', 'core', 'pods/binding bindings'),
  rule('patch update', 'core', 'pods/status'),
  rule('read', 'core', 'services replicationcontrollers'),
  rule('read', 'apps extensions', 'replicasets'),
  rule('read', 'apps', 'statefulsets'),
  rule('read', 'policy', 'poddisruptionbudgets'),
  rule('read', 'core', 'persistentvolumeclaims persistentvolumes'),
  rule('create', 'authentication.k8s.io', 'tokenreviews'),
  rule('create', 'authorization.k8s.io', 'subjectaccessreviews'),
  rule('read', 'storage.k8s.io', 'csinodes'),
  rule('read', 'storage.k8s.io', 'volumeattachments'),
  rule('read', 'core', 'namespaces'),
  rule('read', 'storage.k8s.io', 'csidrivers'),
  rule('read', 'storage.k8s.io', 'csistoragecapacities'),
  rule('read', 'resource.k8s.io', 'deviceclasses'),
  rule('get list watch update patch', 'resource.k8s.io', 'resourceclaims'),
  rule('get list watch update patch', 'resource.k8s.io', 'resourceclaims/status'),
  rule('update', 'core', 'pods/finalizers'),
  rule('read', 'resource.k8s.io', 'resourceslices'),
];

const controllerManagerRules: PolicyRule[] = [
  eventsRule,
  rule('create', 'coordination.k8s.io', 'leases'),
  rule('get update', 'coordination.k8s.io', 'leases', 'kube-controller-manager'),
  rule('create', 'core', 'secrets serviceaccounts'),
  rule('delete', 'core', 'secrets'),
  rule('get', 'core', 'namespaces secrets serviceaccounts configmaps'),
  rule('update', 'core', 'secrets serviceaccounts'),
  rule('create', 'authentication.k8s.io', 'tokenreviews'),
  rule('create', 'authorization.k8s.io', 'subjectaccessreviews'),
  rule('list watch', '*', '*'),
  rule('create', 'core', 'serviceaccounts/token'),
];

/** signer → who may approve requests for it. */
const approverRoles = [
  'legacy-unknown',
  'kubelet-serving',
  'kube-apiserver-client',
  'kube-apiserver-client-kubelet',
].map(signer =>
  clusterRole(`system:certificates.k8s.io:${signer}-approver`, [
    rule('approve', csr, 'signers', `kubernetes.io/${signer}`),
  ]),
);

export const clusterRoles = (): ClusterRole[] => [
  clusterRole('cluster-admin', [rule('*', '*', '*'), urls('*', '*')]),
  clusterRole('system:discovery', [urls('get', `${healthPaths} /openapi /openapi/* /api /api/* /apis /apis/*`)]),
  clusterRole('system:monitoring', [
    urls('get', '/metrics /metrics/slis /livez /readyz /healthz /livez/* /readyz/* /healthz/*'),
    rule('get', 'core', 'nodes/metrics'),
  ]),
  clusterRole('system:basic-user', [
    rule('create', 'authorization.k8s.io', 'selfsubjectaccessreviews selfsubjectrulesreviews'),
    rule('create', 'authentication.k8s.io', 'selfsubjectreviews'),
  ]),
  clusterRole('system:public-info-viewer', [urls('get', healthPaths)]),
  aggregatedRole('admin', toAdmin),
  aggregatedRole('edit', toEdit, { [toAdmin]: 'true' }),
  aggregatedRole('view', toView, { [toEdit]: 'true' }),
  clusterRole(
    'system:aggregate-to-admin',
    [
      rule('create', 'authorization.k8s.io', 'localsubjectaccessreviews'),
      rule('readwrite', 'rbac.authorization.k8s.io', 'roles rolebindings'),
    ],
    { [toAdmin]: 'true' },
  ),
  clusterRole('system:aggregate-to-edit', editRules, { [toEdit]: 'true' }),
  clusterRole('system:aggregate-to-view', viewRules, { [toView]: 'true' }),
  clusterRole('system:heapster', [
    rule('read', 'core', 'events pods nodes namespaces'),
    rule('read', 'extensions', 'deployments'),
  ]),
  clusterRole('system:node', nodeRules),
  clusterRole('system:node-problem-detector', [
    rule('get', 'core', 'nodes'),
    rule('patch', 'core', 'nodes/status'),
    eventsRule,
  ]),
  clusterRole('system:kubelet-api-admin', [
    rule('read', 'core', 'nodes'),
    rule('proxy', 'core', 'nodes'),
    rule('*', 'core', 'nodes/proxy nodes/metrics nodes/stats nodes/log'),
    rule('*', 'core', 'nodes/configz nodes/healthz nodes/pods'),
  ]),
  clusterRole('system:node-bootstrapper', [rule('create get list watch', csr, 'certificatesigningrequests')]),
  clusterRole('system:auth-delegator', [
    rule('create', 'authentication.k8s.io', 'tokenreviews'),
    rule('create', 'authorization.k8s.io', 'subjectaccessreviews'),
  ]),
  clusterRole('system:kube-aggregator', [rule('read', 'core', 'services endpoints')]),
  clusterRole('system:kube-controller-manager', controllerManagerRules),
  clusterRole('system:kube-dns', [rule('list watch', 'core', 'endpoints services')]),
  clusterRole('system:persistent-volume-provisioner', [
    rule('get list watch create delete', 'core', 'persistentvolumes'),
    rule('get list watch update', 'core', 'persistentvolumeclaims'),
    rule('read', 'storage.k8s.io', 'storageclasses'),
    rule('watch', 'core', 'events'),
    eventsRule,
  ]),
  clusterRole('system:volume-scheduler', [
    rule('get list watch update patch', 'core', 'persistentvolumes'),
    rule('read', 'storage.k8s.io', 'storageclasses'),
    rule('get list watch update patch', 'core', 'persistentvolumeclaims'),
  ]),
  clusterRole('system:certificates.k8s.io:certificatesigningrequests:nodeclient', [
    rule('create', csr, 'certificatesigningrequests/nodeclient'),
  ]),
  clusterRole('system:certificates.k8s.io:certificatesigningrequests:selfnodeclient', [
    rule('create', csr, 'certificatesigningrequests/selfnodeclient'),
  ]),
  ...approverRoles,
  clusterRole('system:service-account-issuer-discovery', [
    urls(
      'get',
      '/.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks /openid/v1/jwks/',
    ),
  ]),
  clusterRole('system:node-proxier', [
    rule('list watch', 'core', 'services endpoints'),
    rule('read', 'core', 'nodes'),
    eventsRule,
    rule('list watch', 'networking.k8s.io', 'servicecidrs'),
    rule('list watch', 'discovery.k8s.io', 'endpointslices'),
  ]),
  clusterRole('system:kube-scheduler', schedulerRules),
];

export const clusterRoleBindings = (): ClusterRoleBinding[] => {
  const everyone = group('system:authenticated');
  return [
    clusterBinding('cluster-admin', group('system:masters')),
    clusterBinding('system:monitoring', group('system:monitoring')),
    clusterBinding('system:discovery', everyone),
    clusterBinding('system:basic-user', everyone),
    clusterBinding('system:public-info-viewer', everyone, group('system:unauthenticated')),
    clusterBinding('system:node-proxier', user('system:kube-proxy')),
    clusterBinding('system:kube-controller-manager', user('system:kube-controller-manager')),
    clusterBinding('system:kube-dns', account('kube-system', 'kube-dns')),
    clusterBinding('system:kube-scheduler', user('system:kube-scheduler')),
    clusterBinding('system:volume-scheduler', user('system:kube-scheduler')),
    clusterBinding('system:node'),
    clusterBinding('system:service-account-issuer-discovery', group('system:serviceaccounts')),
  ];
};
