import type { Endpoint, EndpointPort, EndpointSlice } from '../../../api/types/discovery-v1.ts';
import { isCanonicalIp, isIp, parseIp } from '../../../api/validation/ip.ts';
import { isDns1123Label, isDns1123Subdomain, isLabelValue } from '../../../api/validation/names.ts';
import {
  type Errors,
  each,
  immutable,
  invalidAll,
  nonEmpty,
  objectName,
  optional,
  portNumber,
  qualifiedName,
  requiredOneOf,
} from '../checks.ts';
import { ageColumn, firstFew, nameColumn, text } from '../columns.ts';
import { protocols } from '../core/pod/containers.ts';
import { nonSpecialIp } from '../core/service/special-ips.ts';
import { namespaced } from '../define.ts';
import { field } from '../field-errors.ts';

const portCell = (port: EndpointPort) => (port.port !== undefined ? String(port.port) : (port.name ?? '*'));

const addressTypes = ['FQDN', 'IPv4', 'IPv6'];
const maxPorts = 100;
const maxEndpoints = 1000;
const maxAddresses = 100;
const maxZones = 8;

function validateAddress(address: string, path: string, type: string): Errors {
  if (type === 'FQDN') return invalidAll(path, address, isDns1123Subdomain(address));
  const family = type === 'IPv4' ? 4 : 6;
  const complaints = type === 'IPv4' ? isIp(address) : isCanonicalIp(address);
  if (complaints.length > 0) return invalidAll(path, address, complaints);
  const other = parseIp(address)?.family !== family ? [field.invalid(path, address, `must be an ${type} address`)] : [];
  return [...other, ...nonSpecialIp(address, path)];
}

function validateHints(endpoint: Endpoint, path: string): Errors {
  const zones = endpoint.hints?.forZones ?? [];
  const seen = new Set<string>();
  if (zones.length > maxZones) return [field.tooMany(`${path}.forZones`, zones.length, maxZones)];
  return each(zones, `${path}.forZones`, ({ name }, at) => {
    const twice = seen.has(name);
    seen.add(name);
    return [
      ...(twice ? [field.duplicate(`${at}.name`, name)] : []),
      ...invalidAll(`${at}.name`, name, isLabelValue(name ?? '')),
    ];
  });
}

function validateEndpoint(endpoint: Endpoint, path: string, type: string): Errors {
  const addresses = endpoint.addresses ?? [];
  return [
    ...(addresses.length === 0 ? [field.required(`${path}.addresses`, 'must contain at least 1 address')] : []),
    ...(addresses.length > maxAddresses ? [field.tooMany(`${path}.addresses`, addresses.length, maxAddresses)] : []),
    ...each(addresses, `${path}.addresses`, (address, at) => validateAddress(address, at, type)),
    ...optional(endpoint.nodeName, `${path}.nodeName`, objectName()),
    ...optional(endpoint.hostname, `${path}.hostname`, (name, at) => invalidAll(at, name, isDns1123Label(name))),
    ...validateHints(endpoint, `${path}.hints`),
  ];
}

function validatePorts(ports: readonly EndpointPort[]): Errors {
  if (ports.length > maxPorts) return [field.tooMany('ports', ports.length, maxPorts)];
  const names = new Set<string>();
  return each(ports, 'ports', (port, at) => {
    const name = port.name ?? '';
    const twice = names.has(name);
    names.add(name);
    return [
      ...nonEmpty(name, `${at}.name`, (value, where) => invalidAll(where, value, isDns1123Label(value))),
      ...(twice ? [field.duplicate(`${at}.name`, name)] : []),
      ...requiredOneOf(port.protocol, `${at}.protocol`, protocols),
      ...optional(port.port, `${at}.port`, portNumber),
      ...optional(port.appProtocol, `${at}.appProtocol`, qualifiedName),
    ];
  });
}

function validateSlice(slice: EndpointSlice): Errors {
  const endpoints = slice.endpoints ?? [];
  return [
    ...(slice.addressType
      ? requiredOneOf(slice.addressType, 'addressType', addressTypes)
      : [field.required('addressType')]),
    ...(endpoints.length > maxEndpoints
      ? [field.tooMany('endpoints', endpoints.length, maxEndpoints)]
      : each(endpoints, 'endpoints', (endpoint, at) => validateEndpoint(endpoint, at, slice.addressType))),
    ...validatePorts(slice.ports ?? []),
  ];
}

export const endpointSlices = namespaced<EndpointSlice>({
  resource: 'discovery.k8s.io/endpointslices',
  specless: true,
  validate: validateSlice,
  validateUpdate: (obj, old) => immutable(obj.addressType, old.addressType, 'addressType'),
  generation: true,
  default(slice) {
    slice.endpoints ??= [];
    slice.ports ??= [];
    for (const port of slice.ports) {
      port.name ??= '';
      port.protocol ??= 'TCP';
    }
    for (const endpoint of slice.endpoints) endpoint.conditions ??= {};
  },
  columns: [
    nameColumn,
    text('AddressType', obj => obj.addressType),
    text('Ports', obj => firstFew((obj.ports ?? []).map(portCell), 3, '<unset>')),
    text('Endpoints', obj =>
      firstFew(
        (obj.endpoints ?? []).flatMap(e => e.addresses ?? []),
        3,
        '<unset>',
      ),
    ),
    ageColumn,
  ],
});
