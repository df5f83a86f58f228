import type {
  ComponentStatus,
  EndpointAddress,
  EndpointPort,
  EndpointSubset,
  Endpoints,
} from '../../../api/types/core-v1.ts';
import {
  dnsLabel,
  type Errors,
  each,
  ipAddress,
  nonEmpty,
  objectName,
  optional,
  portNumber,
  qualifiedName,
  requiredOneOf,
} from '../checks.ts';
import { ageColumn, firstFew, nameColumn, text } from '../columns.ts';
import { clusterScoped, namespaced } from '../define.ts';
import { field } from '../field-errors.ts';
import { protocols } from './pod/containers.ts';
import { nonSpecialIp } from './service/special-ips.ts';

function subsetAddresses(subset: EndpointSubset): string[] {
  const addresses = (subset.addresses ?? []).map(a => a.ip ?? '');
  if (!subset.ports?.length) return addresses;
  return subset.ports.flatMap(port =>
    addresses.map(ip => (ip.includes(':') ? `[${ip}]:${port.port}` : `${ip}:${port.port}`)),
  );
}

function validateAddress(address: EndpointAddress, path: string): Errors {
  return [
    ...ipAddress(address.ip ?? '', `${path}.ip`),
    ...nonEmpty(address.hostname, `${path}.hostname`, dnsLabel),
    ...optional(address.nodeName, `${path}.nodeName`, objectName()),
    ...nonSpecialIp(address.ip ?? '', `${path}.ip`),
  ];
}

function validatePort(port: EndpointPort, path: string, requireName: boolean): Errors {
  return [
    ...(port.name ? dnsLabel(port.name, `${path}.name`) : requireName ? [field.required(`${path}.name`)] : []),
    ...portNumber(port.port, `${path}.port`),
    ...requiredOneOf(port.protocol, `${path}.protocol`, protocols),
    ...optional(port.appProtocol, `${path}.appProtocol`, qualifiedName),
  ];
}

function validateSubset(subset: EndpointSubset, path: string): Errors {
  const { addresses = [], notReadyAddresses = [], ports = [] } = subset;
  return [
    ...(addresses.length + notReadyAddresses.length === 0
      ? [field.required(path, 'must specify `addresses` or `notReadyAddresses`')]
      : []),
    ...each(addresses, `${path}.addresses`, validateAddress),
    ...each(notReadyAddresses, `${path}.notReadyAddresses`, validateAddress),
    ...each(ports, `${path}.ports`, (port, at) => validatePort(port, at, ports.length > 1)),
  ];
}

export const endpoints = namespaced<Endpoints>({
  resource: '/endpoints',
  allowCreateOnUpdate: true,
  validate: obj => each(obj.subsets, 'subsets', validateSubset),
  deprecation: 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice',
  specless: true,
  default(obj) {
    for (const subset of obj.subsets ?? []) for (const port of subset.ports ?? []) port.protocol ||= 'TCP';
  },
  columns: [
    nameColumn,
    text('Endpoints', obj => (obj.subsets?.length ? firstFew(obj.subsets.flatMap(subsetAddresses), 3, '') : '<none>')),
    ageColumn,
  ],
});

export const componentStatuses = clusterScoped<ComponentStatus>({
  resource: '/componentstatuses',
  deprecation: 'v1 ComponentStatus is deprecated in v1.19+',
  specless: true,
  columns: [
    nameColumn,
    text('Status', obj => {
      const healthy = obj.conditions?.find(c => c.type === 'Healthy')?.status;
      return healthy === 'True' ? 'Healthy' : healthy === 'False' ? 'Unhealthy' : 'Unknown';
    }),
    text('Message', obj => obj.conditions?.find(c => c.type === 'Healthy')?.message ?? ''),
    text('Error', obj => obj.conditions?.find(c => c.type === 'Healthy')?.error ?? ''),
  ],
});
