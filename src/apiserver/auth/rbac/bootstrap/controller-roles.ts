/** One role per controller, bound to the service account of its name in kube-system (bootstrappolicy/controller_policy.go of v1.35). */
import type { ClusterRole, ClusterRoleBinding, PolicyRule } from '../../../../api/types/rbac-v1.ts';
import { account, clusterBinding, clusterRole, eventsRule as events, rule } from './build.ts';

const prefix = 'system:controller:';
const csr = 'certificates.k8s.io';
const signers =
  'kubernetes.io/legacy-unknown kubernetes.io/kube-apiserver-client kubernetes.io/kube-apiserver-client-kubelet kubernetes.io/kubelet-serving';

const workloads: Readonly<Record<string, PolicyRule[]>> = {
  'cronjob-controller': [
    rule('get list watch update', 'batch', 'cronjobs'),
    rule('get list watch create update delete patch', 'batch', 'jobs'),
    rule('update', 'batch', 'cronjobs/status'),
    rule('update', 'batch', 'cronjobs/finalizers'),
    rule('list watch delete', 'core', 'pods'),
    events,
  ],
  'daemon-set-controller': [
    rule('read', 'extensions apps', 'daemonsets'),
    rule('update', 'extensions apps', 'daemonsets/status'),
    rule('update', 'extensions apps', 'daemonsets/finalizers'),
    rule('list watch', 'core', 'nodes'),
    rule('list watch create delete patch', 'core', 'pods'),
    rule('create', 'core', 'pods/binding'),
    rule('get list watch create delete update patch', 'apps', 'controllerrevisions'),
    events,
  ],
  'deployment-controller': [
    rule('get list watch update', 'extensions apps', 'deployments'),
    rule('update', 'extensions apps', 'deployments/status'),
    rule('update', 'extensions apps', 'deployments/finalizers'),
    rule('get list watch create update patch delete', 'apps extensions', 'replicasets'),
    rule('get list watch update', 'core', 'pods'),
    events,
  ],
  'disruption-controller': [
    rule('read', 'extensions apps', 'deployments'),
    rule('read', 'apps extensions', 'replicasets'),
    rule('read', 'core', 'replicationcontrollers'),
    rule('read', 'policy', 'poddisruptionbudgets'),
    rule('read', 'apps', 'statefulsets'),
    rule('update', 'policy', 'poddisruptionbudgets/status'),
    rule('patch update', 'core', 'pods/status'),
    rule('get', '*', '*/scale'),
    events,
  ],
  'horizontal-pod-autoscaler': [
    rule('read', 'autoscaling', 'horizontalpodautoscalers'),
    rule('update', 'autoscaling', 'horizontalpodautoscalers/status'),
    rule('get update', '*', '*/scale'),
    rule('list watch', 'core', 'pods'),
    rule('list watch', 'metrics.k8s.io', 'pods'),
    rule('read', 'custom.metrics.k8s.io', '*'),
    rule('read', 'external.metrics.k8s.io', '*'),
    events,
  ],
  'job-controller': [
    rule('get list watch update patch', 'batch', 'jobs'),
    rule('update', 'batch', 'jobs/status'),
    rule('update', 'batch', 'jobs/finalizers'),
    rule('list watch create delete patch', 'core', 'pods'),
    events,
  ],
  'replicaset-controller': [
    rule('get list watch update', 'apps extensions', 'replicasets'),
    rule('update', 'apps extensions', 'replicasets/status'),
    rule('update', 'apps extensions', 'replicasets/finalizers'),
    rule('list watch patch create delete', 'core', 'pods'),
    events,
  ],
  'replication-controller': [
    rule('get list watch update', 'core', 'replicationcontrollers'),
    rule('update', 'core', 'replicationcontrollers/status'),
    rule('update', 'core', 'replicationcontrollers/finalizers'),
    rule('list watch patch create delete', 'core', 'pods'),
    events,
  ],
  'statefulset-controller': [
    rule('list watch', 'core', 'pods'),
    rule('read', 'apps', 'statefulsets'),
    rule('update', 'apps', 'statefulsets/status'),
    rule('update', 'apps', 'statefulsets/finalizers'),
    rule('get create delete update patch', 'core', 'pods'),
    rule('get create delete update patch list watch', 'apps', 'controllerrevisions'),
    rule('get create list watch', 'core', 'persistentvolumeclaims'),
    rule('update delete', 'core', 'persistentvolumeclaims'),
    rule('update', 'core', 'pods/finalizers'),
    events,
  ],
  'ttl-after-finished-controller': [rule('get list watch delete', 'batch', 'jobs'), events],
};

const network: Readonly<Record<string, PolicyRule[]>> = {
  'endpoint-controller': [
    rule('read', 'core', 'services pods'),
    rule('get list watch create update delete', 'core', 'endpoints'),
    rule('create', 'core', 'endpoints/restricted'),
    events,
  ],
  'endpointslice-controller': [
    rule('read', 'core', 'services pods nodes'),
    rule('update', 'core', 'services/finalizers'),
    rule('get list watch create update delete', 'discovery.k8s.io', 'endpointslices'),
    events,
  ],
  'endpointslicemirroring-controller': [
    rule('read', 'core', 'services endpoints'),
    rule('update', 'core', 'services/finalizers'),
    rule('update', 'core', 'endpoints/finalizers'),
    rule('get list watch create update delete', 'discovery.k8s.io', 'endpointslices'),
    events,
  ],
  'route-controller': [rule('list watch', 'core', 'nodes'), rule('patch', 'core', 'nodes/status'), events],
  'service-controller': [
    rule('read', 'core', 'services'),
    rule('patch update', 'core', 'services/status'),
    rule('list watch', 'core', 'nodes'),
    events,
  ],
  'service-cidrs-controller': [
    rule('get list watch patch update', 'networking.k8s.io', 'servicecidrs'),
    rule('patch update', 'networking.k8s.io', 'servicecidrs/finalizers'),
    rule('patch update', 'networking.k8s.io', 'servicecidrs/status'),
    rule('read', 'networking.k8s.io', 'ipaddresses'),
    events,
  ],
};

const storage: Readonly<Record<string, PolicyRule[]>> = {
  'attachdetach-controller': [
    rule('list watch', 'core', 'persistentvolumes persistentvolumeclaims'),
    rule('read', 'core', 'nodes'),
    rule('patch update', 'core', 'nodes/status'),
    rule('list watch', 'core', 'pods'),
    events,
    rule('get create delete list watch', 'storage.k8s.io', 'volumeattachments'),
    rule('read', 'storage.k8s.io', 'csidrivers'),
    rule('read', 'storage.k8s.io', 'csinodes'),
  ],
  'ephemeral-volume-controller': [
    rule('read', 'core', 'pods'),
    rule('update', 'core', 'pods/finalizers'),
    rule('get list watch create', 'core', 'persistentvolumeclaims'),
    events,
  ],
  'expand-controller': [
    rule('get list watch update patch', 'core', 'persistentvolumes'),
    rule('update patch', 'core', 'persistentvolumeclaims/status'),
    rule('read', 'core', 'persistentvolumeclaims'),
    events,
    rule('get', 'core', 'services'),
  ],
  'persistent-volume-binder': [
    rule('get list watch update create delete', 'core', 'persistentvolumes'),
    rule('update', 'core', 'persistentvolumes/status'),
    rule('get list watch update', 'core', 'persistentvolumeclaims'),
    rule('update', 'core', 'persistentvolumeclaims/status'),
    rule('list watch get create delete', 'core', 'pods'),
    rule('read', 'storage.k8s.io', 'storageclasses'),
    rule('list watch', 'core', 'nodes'),
    events,
    rule('watch', 'core', 'events'),
    rule('get', 'core', 'services'),
  ],
  'pvc-protection-controller': [
    rule('get list watch update', 'core', 'persistentvolumeclaims'),
    rule('list watch get', 'core', 'pods'),
    events,
  ],
  'pv-protection-controller': [rule('get list watch update', 'core', 'persistentvolumes'), events],
  'volumeattributesclass-protection-controller': [
    rule('list watch get', 'core', 'persistentvolumeclaims'),
    rule('list watch get', 'core', 'persistentvolumes'),
    rule('get list watch update', 'storage.k8s.io', 'volumeattributesclasses'),
    events,
  ],
  'selinux-warning-controller': [
    events,
    rule('read', 'core', 'persistentvolumes'),
    rule('read', 'core', 'persistentvolumeclaims'),
    rule('read', 'core', 'pods'),
    rule('read', 'storage.k8s.io', 'csidrivers'),
  ],
};

const cluster: Readonly<Record<string, PolicyRule[]>> = {
  'certificate-controller': [
    rule('get list watch delete', csr, 'certificatesigningrequests'),
    rule('update', csr, 'certificatesigningrequests/status certificatesigningrequests/approval'),
    rule('approve', csr, 'signers', 'kubernetes.io/kube-apiserver-client-kubelet'),
    rule('sign', csr, 'signers', signers),
    rule('create', 'authorization.k8s.io', 'subjectaccessreviews'),
    events,
  ],
  'clusterrole-aggregation-controller': [
    rule('escalate get list watch update patch', 'rbac.authorization.k8s.io', 'clusterroles'),
  ],
  'generic-garbage-collector': [rule('get list watch patch update delete', '*', '*'), events],
  'legacy-service-account-token-cleaner': [
    rule('get', 'core', 'configmaps', 'kube-apiserver-legacy-service-account-token-tracking'),
    rule('patch delete', 'core', 'secrets'),
  ],
  'namespace-controller': [
    rule('get list watch delete', 'core', 'namespaces'),
    rule('update', 'core', 'namespaces/finalize namespaces/status'),
    rule('get list watch delete deletecollection', '*', '*'),
  ],
  'node-controller': [
    rule('get list watch update delete patch', 'core', 'nodes'),
    rule('patch update', 'core', 'nodes/status'),
    rule('patch update', 'core', 'pods/status'),
    rule('list watch get delete', 'core', 'pods'),
    events,
  ],
  'pod-garbage-collector': [
    rule('list watch delete', 'core', 'pods'),
    rule('read', 'core', 'nodes'),
    rule('patch', 'core', 'pods/status'),
  ],
  'resource-claim-controller': [
    rule('read', 'core', 'pods'),
    rule('update', 'core', 'pods/finalizers'),
    rule('get list watch create delete', 'resource.k8s.io', 'resourceclaims'),
    rule('update patch', 'resource.k8s.io', 'resourceclaims resourceclaims/status'),
    rule('update patch', 'core', 'pods/status'),
    events,
  ],
  'resourcequota-controller': [rule('list watch', '*', '*'), rule('update', 'core', 'resourcequotas/status'), events],
  'root-ca-cert-publisher': [rule('create update', 'core', 'configmaps'), events],
  'service-account-controller': [rule('create', 'core', 'serviceaccounts'), events],
  'ttl-controller': [rule('update patch list watch', 'core', 'nodes'), events],
  'validatingadmissionpolicy-status-controller': [
    rule('read', 'admissionregistration.k8s.io', 'validatingadmissionpolicies'),
    rule('get patch update', 'admissionregistration.k8s.io', 'validatingadmissionpolicies/status'),
    events,
  ],
};

const all = (): [string, PolicyRule[]][] =>
  [workloads, network, storage, cluster].flatMap(part => Object.entries(part));

export const controllerRoles = (): ClusterRole[] => all().map(([name, rules]) => clusterRole(prefix + name, rules));

export const controllerRoleBindings = (): ClusterRoleBinding[] =>
  all().map(([name]) => clusterBinding(prefix + name, account('kube-system', name)));
