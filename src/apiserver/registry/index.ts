/** Every built-in kind that is stored, in one list. Kinds that are only asked and answered (reviews, bindings) have no strategy. */

import { validatingAdmissionPolicies, validatingAdmissionPolicyBindings } from './admissionregistration/policies.ts';
import { mutatingWebhookConfigurations, validatingWebhookConfigurations } from './admissionregistration/webhooks.ts';
import { customResourceDefinitions } from './apiextensions/crd.ts';
import { apiServices } from './apiregistration/api-service.ts';
import { controllerRevisions } from './apps/controller-revision.ts';
import { daemonSets } from './apps/daemon-set.ts';
import { deployments } from './apps/deployment.ts';
import { replicaSets } from './apps/replica-set.ts';
import { statefulSets } from './apps/stateful-set.ts';
import { horizontalPodAutoscalers } from './autoscaling/hpa.ts';
import { cronJobs } from './batch/cron-job.ts';
import { jobs } from './batch/job.ts';
import { certificateSigningRequests } from './certificates/csr.ts';
import { leases } from './coordination/lease.ts';
import { configMaps, secrets, serviceAccounts } from './core/config.ts';
import { componentStatuses, endpoints } from './core/endpoints.ts';
import { namespaces } from './core/namespace.ts';
import { nodes } from './core/node.ts';
import { pods } from './core/pod.ts';
import { limitRanges, resourceQuotas } from './core/policy.ts';
import { podTemplates, replicationControllers } from './core/replication-controller.ts';
import { services } from './core/service.ts';
import { persistentVolumeClaims, persistentVolumes } from './core/storage.ts';
import { endpointSlices } from './discovery/endpoint-slice.ts';
import { coreEvents, events } from './events/event.ts';
import { flowSchemas } from './flowcontrol/flow-schema.ts';
import { priorityLevelConfigurations } from './flowcontrol/priority-level.ts';
import { ipAddresses, serviceCidrs } from './networking/addresses.ts';
import { ingressClasses, ingresses } from './networking/ingress.ts';
import { networkPolicies } from './networking/network-policy.ts';
import { runtimeClasses } from './node/runtime-class.ts';
import { podDisruptionBudgets } from './policy/pod-disruption-budget.ts';
import { clusterRoleBindings, clusterRoles, roleBindings, roles } from './rbac/rbac.ts';
import { deviceClasses } from './resource/device-class.ts';
import { resourceClaims, resourceClaimTemplates } from './resource/resource-claim.ts';
import { resourceSlices } from './resource/resource-slice.ts';
import { priorityClasses } from './scheduling/priority-class.ts';
import { csiDrivers, csiNodes, csiStorageCapacities, volumeAttachments } from './storage/csi.ts';
import { storageClasses, volumeAttributesClasses } from './storage/storage-class.ts';
import type { Strategy } from './strategy.ts';

export const strategies: readonly Strategy[] = [
  configMaps,
  secrets,
  serviceAccounts,
  componentStatuses,
  endpoints,
  namespaces,
  nodes,
  pods,
  limitRanges,
  resourceQuotas,
  podTemplates,
  replicationControllers,
  services,
  persistentVolumeClaims,
  persistentVolumes,
  coreEvents,
  events,
  controllerRevisions,
  daemonSets,
  deployments,
  replicaSets,
  statefulSets,
  jobs,
  cronJobs,
  horizontalPodAutoscalers,
  ingressClasses,
  ingresses,
  networkPolicies,
  ipAddresses,
  serviceCidrs,
  podDisruptionBudgets,
  clusterRoleBindings,
  clusterRoles,
  roleBindings,
  roles,
  priorityClasses,
  leases,
  endpointSlices,
  runtimeClasses,
  certificateSigningRequests,
  storageClasses,
  volumeAttributesClasses,
  csiDrivers,
  csiNodes,
  csiStorageCapacities,
  volumeAttachments,
  mutatingWebhookConfigurations,
  validatingWebhookConfigurations,
  validatingAdmissionPolicies,
  validatingAdmissionPolicyBindings,
  customResourceDefinitions,
  apiServices,
  flowSchemas,
  priorityLevelConfigurations,
  deviceClasses,
  resourceClaims,
  resourceClaimTemplates,
  resourceSlices,
];
