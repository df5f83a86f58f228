import { parseApiVersion } from '../api/schema.ts';
import type { ResourceDescriptor, ResourceName } from './contract.ts';

/** The kind behind every resource name. The name itself carries group, version and plural. */
export const kinds = {
  'v1/bindings': 'Binding',
  'v1/componentstatuses': 'ComponentStatus',
  'v1/configmaps': 'ConfigMap',
  'v1/endpoints': 'Endpoints',
  'v1/events': 'Event',
  'v1/limitranges': 'LimitRange',
  'v1/namespaces': 'Namespace',
  'v1/nodes': 'Node',
  'v1/persistentvolumeclaims': 'PersistentVolumeClaim',
  'v1/persistentvolumes': 'PersistentVolume',
  'v1/pods': 'Pod',
  'v1/podtemplates': 'PodTemplate',
  'v1/replicationcontrollers': 'ReplicationController',
  'v1/resourcequotas': 'ResourceQuota',
  'v1/secrets': 'Secret',
  'v1/serviceaccounts': 'ServiceAccount',
  'v1/services': 'Service',
  'admissionregistration.k8s.io/v1/mutatingwebhookconfigurations': 'MutatingWebhookConfiguration',
  'admissionregistration.k8s.io/v1/validatingadmissionpolicies': 'ValidatingAdmissionPolicy',
  'admissionregistration.k8s.io/v1/validatingadmissionpolicybindings': 'ValidatingAdmissionPolicyBinding',
  'admissionregistration.k8s.io/v1/validatingwebhookconfigurations': 'ValidatingWebhookConfiguration',
  'apiextensions.k8s.io/v1/customresourcedefinitions': 'CustomResourceDefinition',
  'apiregistration.k8s.io/v1/apiservices': 'APIService',
  'apps/v1/controllerrevisions': 'ControllerRevision',
  'apps/v1/daemonsets': 'DaemonSet',
  'apps/v1/deployments': 'Deployment',
  'apps/v1/replicasets': 'ReplicaSet',
  'apps/v1/statefulsets': 'StatefulSet',
  'authentication.k8s.io/v1/selfsubjectreviews': 'SelfSubjectReview',
  'authentication.k8s.io/v1/tokenreviews': 'TokenReview',
  'authorization.k8s.io/v1/localsubjectaccessreviews': 'LocalSubjectAccessReview',
  'authorization.k8s.io/v1/selfsubjectaccessreviews': 'SelfSubjectAccessReview',
  'authorization.k8s.io/v1/selfsubjectrulesreviews': 'SelfSubjectRulesReview',
  'authorization.k8s.io/v1/subjectaccessreviews': 'SubjectAccessReview',
  'autoscaling/v1/horizontalpodautoscalers': 'HorizontalPodAutoscaler',
  'autoscaling/v2/horizontalpodautoscalers': 'HorizontalPodAutoscaler',
  'batch/v1/cronjobs': 'CronJob',
  'batch/v1/jobs': 'Job',
  'certificates.k8s.io/v1/certificatesigningrequests': 'CertificateSigningRequest',
  'coordination.k8s.io/v1/leases': 'Lease',
  'discovery.k8s.io/v1/endpointslices': 'EndpointSlice',
  'events.k8s.io/v1/events': 'Event',
  'flowcontrol.apiserver.k8s.io/v1/flowschemas': 'FlowSchema',
  'flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations': 'PriorityLevelConfiguration',
  'networking.k8s.io/v1/ingressclasses': 'IngressClass',
  'networking.k8s.io/v1/ingresses': 'Ingress',
  'networking.k8s.io/v1/ipaddresses': 'IPAddress',
  'networking.k8s.io/v1/networkpolicies': 'NetworkPolicy',
  'networking.k8s.io/v1/servicecidrs': 'ServiceCIDR',
  'node.k8s.io/v1/runtimeclasses': 'RuntimeClass',
  'policy/v1/poddisruptionbudgets': 'PodDisruptionBudget',
  'rbac.authorization.k8s.io/v1/clusterrolebindings': 'ClusterRoleBinding',
  'rbac.authorization.k8s.io/v1/clusterroles': 'ClusterRole',
  'rbac.authorization.k8s.io/v1/rolebindings': 'RoleBinding',
  'rbac.authorization.k8s.io/v1/roles': 'Role',
  'resource.k8s.io/v1/deviceclasses': 'DeviceClass',
  'resource.k8s.io/v1/resourceclaims': 'ResourceClaim',
  'resource.k8s.io/v1/resourceclaimtemplates': 'ResourceClaimTemplate',
  'resource.k8s.io/v1/resourceslices': 'ResourceSlice',
  'scheduling.k8s.io/v1/priorityclasses': 'PriorityClass',
  'storage.k8s.io/v1/csidrivers': 'CSIDriver',
  'storage.k8s.io/v1/csinodes': 'CSINode',
  'storage.k8s.io/v1/csistoragecapacities': 'CSIStorageCapacity',
  'storage.k8s.io/v1/storageclasses': 'StorageClass',
  'storage.k8s.io/v1/volumeattachments': 'VolumeAttachment',
  'storage.k8s.io/v1/volumeattributesclasses': 'VolumeAttributesClass',
} as const satisfies Record<ResourceName, string>;

const clusterScoped = new Set<string>([
  'apiservices',
  'certificatesigningrequests',
  'clusterrolebindings',
  'clusterroles',
  'componentstatuses',
  'csidrivers',
  'csinodes',
  'customresourcedefinitions',
  'deviceclasses',
  'flowschemas',
  'ingressclasses',
  'ipaddresses',
  'mutatingwebhookconfigurations',
  'namespaces',
  'nodes',
  'persistentvolumes',
  'priorityclasses',
  'prioritylevelconfigurations',
  'resourceslices',
  'runtimeclasses',
  'selfsubjectaccessreviews',
  'selfsubjectreviews',
  'selfsubjectrulesreviews',
  'servicecidrs',
  'storageclasses',
  'subjectaccessreviews',
  'tokenreviews',
  'validatingadmissionpolicies',
  'validatingadmissionpolicybindings',
  'validatingwebhookconfigurations',
  'volumeattachments',
  'volumeattributesclasses',
]);

/** Where two groups share a plural, the shorthand means the one that is not listed here. */
const shadowed = new Set<string>(['events.k8s.io/v1/events', 'autoscaling/v1/horizontalpodautoscalers']);

/** "v1/pods" as a descriptor; a descriptor stays as it is. */
export function descriptorOf(resource: ResourceName | ResourceDescriptor): ResourceDescriptor {
  if (typeof resource !== 'string') return resource;
  const known = descriptors.get(resource);
  if (known) return known;
  throw new Error(`unknown resource ${resource}`);
}

function describe(name: ResourceName): ResourceDescriptor {
  const slash = name.lastIndexOf('/');
  const plural = name.slice(slash + 1);
  return {
    ...parseApiVersion(name.slice(0, slash)),
    plural,
    kind: kinds[name],
    namespaced: !clusterScoped.has(plural),
  };
}
const resourceNames = Object.keys(kinds) as ResourceName[];
const descriptors = new Map<string, ResourceDescriptor>(resourceNames.map(name => [name, describe(name)]));

/** Shorthand name (the plural) to resource name. */
export const shorthands: ReadonlyMap<string, ResourceName> = new Map(
  resourceNames.filter(name => !shadowed.has(name)).map(name => [name.slice(name.lastIndexOf('/') + 1), name]),
);

/** The path of a resource's collection: "/api/v1/namespaces/default/pods". */
export function collectionPath(resource: ResourceDescriptor, namespace?: string): string {
  const root = resource.group ? `/apis/${resource.group}/${resource.version}` : `/api/${resource.version}`;
  const scope = namespace ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  return `${root}${scope}/${resource.plural}`;
}

/** Stable name of a resource for keys and logs: "apps/v1/deployments". */
export function resourceId(resource: ResourceDescriptor): string {
  return `${resource.group ? `${resource.group}/` : ''}${resource.version}/${resource.plural}`;
}
