/**
 * Fields behind features that v1.35 does not enable (pkg/registry/resource: dropDisabledFields): partitions, shared capacity, conditions of
 * binding, extended resources. Taints of devices are kept: this cluster has the controller that acts on them.
 */
import type {
  DeviceClass,
  DeviceSubRequest,
  ResourceClaim,
  ResourceClaimSpec,
  ResourceSlice,
} from '../../../api/types/resource-v1.ts';

function drop(target: object, ...keys: string[]): void {
  for (const key of keys) delete (target as Record<string, unknown>)[key];
}

export function dropFromClass({ spec }: DeviceClass): void {
  drop(spec, 'extendedResourceName');
}

function dropFromRequest(request: Partial<DeviceSubRequest>): void {
  drop(request, 'capacity');
}

export function dropFromClaimSpec(spec: ResourceClaimSpec | undefined): void {
  for (const request of spec?.devices?.requests ?? []) {
    if (request.exactly) dropFromRequest(request.exactly);
    request.firstAvailable?.forEach(dropFromRequest);
  }
  for (const constraint of spec?.devices?.constraints ?? []) drop(constraint, 'distinctAttribute');
}

export function dropFromClaimStatus({ status }: ResourceClaim): void {
  const { allocation } = status ?? {};
  if (allocation) drop(allocation, 'allocationTimestamp');
  for (const result of allocation?.devices?.results ?? []) {
    drop(result, 'bindingConditions', 'bindingFailureConditions', 'shareID', 'consumedCapacity');
  }
  for (const device of status?.devices ?? []) drop(device, 'shareID');
}

export function dropFromSlice({ spec }: ResourceSlice): void {
  drop(spec, 'sharedCounters', 'perDeviceNodeSelection');
  for (const device of spec.devices ?? []) {
    drop(device, 'consumesCounters', 'nodeName', 'nodeSelector', 'allNodes');
    drop(device, 'bindingConditions', 'bindingFailureConditions', 'bindsToNode', 'allowMultipleAllocations');
    for (const capacity of Object.values(device.capacity ?? {})) drop(capacity, 'requestPolicy');
  }
}
