/** What is allocated to a claim, who may use it, and what drivers say about it. */
import type {
  AllocatedDeviceStatus,
  AllocationResult,
  DeviceAllocationConfiguration,
  DeviceRequestAllocationResult,
  NetworkDeviceData,
  ResourceClaim,
  ResourceClaimConsumerReference,
} from '../../../api/types/resource-v1.ts';
import { formatIp, parseCidr } from '../../../api/validation/ip.ts';
import { byteLength } from '../../../api/validation/names.ts';
import { type Errors, forbidden, immutable, optional, required, same } from '../checks.ts';
import { validateNodeSelector } from '../core/pod/scheduling.ts';
import { field } from '../field-errors.ts';
import { validateConditions } from '../meta/conditions.ts';
import { bounded, boundedSet, deviceName, driverName, poolName } from './names.ts';
import {
  maxConfigs,
  maxOpaque,
  maxRequests,
  requestNames,
  validateConfig,
  validateRaw,
  validateReference,
  validateReferences,
} from './validate.ts';

const maxReserved = 256;
const maxConditions = 8;
const maxAddresses = 16;
const maxInterface = 256;
const maxHardware = 128;

type Device = Pick<DeviceRequestAllocationResult, 'driver' | 'pool' | 'device'>;
const idOf = ({ driver, pool, device }: Device) => `${driver}/${pool}/${device}`;
const idsOf = (claim: ResourceClaim) => new Set((claim.status?.allocation?.devices?.results ?? []).map(idOf));

const validateDevice = ({ driver, pool, device }: Device, path: string): Errors => [
  ...driverName(driver, `${path}.driver`),
  ...poolName(pool, `${path}.pool`),
  ...deviceName(device, `${path}.device`),
];

const validateConsumer = ({ resource, name, uid }: ResourceClaimConsumerReference, path: string): Errors => [
  ...required(resource, `${path}.resource`),
  ...required(name, `${path}.name`),
  ...required(uid, `${path}.uid`),
];

function validateSource(source: string | undefined, path: string): Errors {
  const known = ['FromClaim', 'FromClass'];
  if (!source) return [field.required(path)];
  return known.includes(source) ? [] : [field.notSupported(path, source, known)];
}

function validateAllocation({ devices, nodeSelector }: AllocationResult, claim: ResourceClaim, path: string): Errors {
  const known = requestNames(claim.spec.devices ?? {});
  const result = (item: DeviceRequestAllocationResult, at: string) => [
    ...validateReference(item.request, `${at}.request`, known),
    ...validateDevice(item, at),
  ];
  const config = (item: DeviceAllocationConfiguration, at: string) => [
    ...validateSource(item.source, `${at}.source`),
    ...validateReferences(item.requests, `${at}.requests`, known),
    ...validateConfig(item, at),
  ];
  return [
    ...bounded(devices?.results, maxRequests, `${path}.devices.results`, result),
    ...bounded(devices?.config, 2 * maxConfigs, `${path}.devices.config`, config),
    ...optional(nodeSelector, `${path}.nodeSelector`, validateNodeSelector),
  ];
}

/** An address with the length of its network's prefix, in canonical form (IsValidInterfaceAddress). */
function interfaceAddress(text: string, path: string): Errors {
  const cidr = parseCidr(text);
  if (!cidr) {
    const form = 'must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)';
    return [field.invalid(path, text, form)];
  }
  const canonical = `${formatIp(cidr.address)}/${cidr.prefix}`;
  return canonical === text ? [] : [field.invalid(path, text, `must be in canonical form ("${canonical}")`)];
}

function validateNetwork({ interfaceName = '', hardwareAddress = '', ips }: NetworkDeviceData, path: string): Errors {
  return [
    ...(byteLength(interfaceName) > maxInterface ? [field.tooLong(`${path}.interfaceName`, maxInterface)] : []),
    ...(byteLength(hardwareAddress) > maxHardware ? [field.tooLong(`${path}.hardwareAddress`, maxHardware)] : []),
    ...boundedSet(ips, maxAddresses, `${path}.ips`, interfaceAddress, ip => ip),
  ];
}

function validateReport(report: AllocatedDeviceStatus, path: string, allocated: ReadonlySet<string>): Errors {
  const { driver, pool, device, conditions = [], data, networkData } = report;
  const id = { Driver: driver, Pool: pool, Device: device, ShareID: '' };
  return [
    ...validateDevice(report, path),
    ...(allocated.has(idOf(report)) ? [] : [field.invalid(path, id, 'must be an allocated device in the claim')]),
    ...(conditions.length > maxConditions
      ? [field.tooMany(`${path}.conditions`, conditions.length, maxConditions)]
      : []),
    ...validateConditions(conditions, `${path}.conditions`),
    ...optional(data, `${path}.data`, (value, at) => validateRaw(value, at, maxOpaque)),
    ...optional(networkData, `${path}.networkData`, validateNetwork),
  ];
}

function validateReserved(claim: ResourceClaim, old: ResourceClaim): Errors {
  const path = 'status.reservedFor';
  const { reservedFor = [], allocation } = claim.status ?? {};
  const before = old.status?.reservedFor ?? [];
  const added = reservedFor.some(ref => !before.some(other => same(ref, other)));
  const listed = boundedSet(reservedFor, maxReserved, path, validateConsumer, ref => ref.uid ?? '');
  if (reservedFor.length === 0) return listed;
  if (!allocation) return [...listed, field.forbidden(path, 'may not be specified when `allocated` is not set')];
  return [
    ...listed,
    ...forbidden(
      claim.metadata.deletionTimestamp && added,
      path,
      'new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set',
    ),
  ];
}

/** Reports about devices that are no longer allocated go. In place. */
export function dropDeallocated(claim: ResourceClaim, old: ResourceClaim): void {
  const { status } = claim;
  if (!status?.devices) return;
  const now = idsOf(claim);
  const gone = new Set([...idsOf(old)].filter(id => !now.has(id)));
  const devices = status.devices.filter(device => !gone.has(idOf(device)));
  if (devices.length > 0) status.devices = devices;
  else delete status.devices;
}

/** Allocation is set once and only taken away as a whole; what is reserved needs an allocation. */
export function validateClaimStatus(claim: ResourceClaim, old: ResourceClaim): Errors {
  const { allocation, devices } = claim.status ?? {};
  const before = old.status?.allocation;
  const path = 'status.allocation';
  const allocated = idsOf(claim);
  return [
    ...validateReserved(claim, old),
    ...boundedSet(
      devices,
      Number.POSITIVE_INFINITY,
      'status.devices',
      (device, at) => validateReport(device, at, allocated),
      idOf,
    ),
    ...(allocation ? (before ? immutable(allocation, before, path) : validateAllocation(allocation, claim, path)) : []),
  ];
}
