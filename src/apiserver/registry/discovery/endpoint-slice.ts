import type { Endpoint, EndpointPort, EndpointSlice } from '../../../api/types/discovery-v1.ts';
import { isCanonicalIp, parseIp } from '../../../api/validation/ip.ts';
import { isDns1123Subdomain, isLabelValue } from '../../../api/validation/names.ts';
import {
  type Check,
  dnsLabel,
  type Errors,
  each,
  fullyQualifiedDomain,
  immutable,
  invalidAll,
  ipAddress,
  nonEmpty,
  objectName,
  oneOf,
  optional,
  qualifiedName,
  requiredOneOf,
  same,
} from '../checks.ts';
import { ageColumn, firstFew, nameColumn, text } from '../columns.ts';
import { protocols } from '../core/pod/containers.ts';
import { nonSpecialIp } from '../core/service/special-ips.ts';
import { namespaced } from '../define.ts';
import { field } from '../field-errors.ts';
import { ipWarnings } from '../meta/ip-warnings.ts';
import { validateLabels } from '../meta/object-meta.ts';

const portCell = (port: EndpointPort) => (port.port !== undefined ? String(port.port) : (port.name ?? '*'));

const addressTypes = ['FQDN', 'IPv4', 'IPv6'];
const maxPorts = 20_000;
const maxEndpoints = 1000;
const maxAddresses = 100;
const maxHints = 8;
const maxTopologyLabels = 16;
const hostLabel = 'kubernetes.io/hostname';
const managedBy = 'endpointslice.kubernetes.io/managed-by';
const ownManagers = ['endpointslice-controller.k8s.io', 'endpointslicemirroring-controller.k8s.io'];

/** `list` is the path of all addresses: upstream reports the wrong family there. */
function validateAddress(address: string, path: string, list: string, type: string): Errors {
  if (type === 'FQDN') return fullyQualifiedDomain(address, path);
  if (type !== 'IPv4' && type !== 'IPv6') return [];
  const malformed = type === 'IPv4' ? ipAddress(address, path) : invalidAll(path, address, isCanonicalIp(address));
  if (malformed.length > 0) return malformed;
  const right = parseIp(address)?.family === (type === 'IPv4' ? 4 : 6);
  return [
    ...(right ? [] : [field.invalid(list, address, `must be an ${type} address`)]),
    ...nonSpecialIp(address, path),
  ];
}

function validateNames(list: readonly { name: string }[], path: string, check: Check<string>): Errors {
  if (list.length > maxHints) return [field.tooMany(path, list.length, maxHints)];
  const seen = new Set<string>();
  return each(list, path, ({ name }, at) => {
    const twice = seen.has(name);
    seen.add(name);
    return [...(twice ? [field.duplicate(`${at}.name`, name)] : []), ...check(name ?? '', `${at}.name`)];
  });
}

function validateHints({ hints }: Endpoint, path: string): Errors {
  return [
    ...validateNames(hints?.forZones ?? [], `${path}.forZones`, (name, at) => invalidAll(at, name, isLabelValue(name))),
    ...validateNames(hints?.forNodes ?? [], `${path}.forNodes`, objectName()),
  ];
}

function validateTopology({ deprecatedTopology: topology }: Endpoint, path: string): Errors {
  const count = Object.keys(topology ?? {}).length;
  return [
    ...(count > maxTopologyLabels ? [field.tooMany(path, count, maxTopologyLabels)] : []),
    ...validateLabels(topology, path),
  ];
}

function validateEndpoint(endpoint: Endpoint, path: string, type: string): Errors {
  const addresses = endpoint.addresses ?? [];
  return [
    ...(addresses.length === 0 ? [field.required(`${path}.addresses`, 'must contain at least 1 address')] : []),
    ...(addresses.length > maxAddresses ? [field.tooMany(`${path}.addresses`, addresses.length, maxAddresses)] : []),
    ...each(addresses, `${path}.addresses`, (address, at) => validateAddress(address, at, `${path}.addresses`, type)),
    ...optional(endpoint.nodeName, `${path}.nodeName`, objectName()),
    ...validateTopology(endpoint, `${path}.deprecatedTopology`),
    ...optional(endpoint.hostname, `${path}.hostname`, dnsLabel),
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
      ...nonEmpty(name, `${at}.name`, dnsLabel),
      ...(twice ? [field.duplicate(`${at}.name`, name)] : []),
      ...oneOf(protocols)(port.protocol, `${at}.protocol`),
      ...optional(port.appProtocol, `${at}.appProtocol`, qualifiedName),
    ];
  });
}

function validateEndpoints({ endpoints = [], addressType }: EndpointSlice): Errors {
  return endpoints.length > maxEndpoints
    ? [field.tooMany('endpoints', endpoints.length, maxEndpoints)]
    : each(endpoints, 'endpoints', (endpoint, at) => validateEndpoint(endpoint, at, addressType));
}

function validateSlice(slice: EndpointSlice): Errors {
  return [...requiredOneOf(slice.addressType, 'addressType', addressTypes), ...validatePorts(slice.ports ?? [])];
}

/** Endpoints that stay may be such as an older version took. */
function validateSliceUpdate(slice: EndpointSlice, old: EndpointSlice): Errors {
  const found = validateEndpoints(slice);
  return [
    ...(found.length > 0 && same(slice.endpoints, old.endpoints) ? [] : found),
    ...immutable(slice.addressType, old.addressType, 'addressType'),
  ];
}

/** Topology is read-only in v1: new endpoints lose it, except for the node they were on. */
function dropTopology(slice: EndpointSlice, old?: EndpointSlice): void {
  if (old && same(slice.endpoints, old.endpoints)) return;
  const hosts = new Set((old?.endpoints ?? []).map(e => e.deprecatedTopology?.[hostLabel]));
  for (const endpoint of slice.endpoints ?? []) {
    const host = endpoint.deprecatedTopology?.[hostLabel];
    if (endpoint.nodeName === undefined && host && hosts.has(host) && isDns1123Subdomain(host).length === 0) {
      endpoint.nodeName = host;
    }
    delete endpoint.deprecatedTopology;
  }
}

function warnings(slice: EndpointSlice, old: EndpointSlice | undefined): string[] {
  const fqdn = !old && slice.addressType === 'FQDN' ? ['spec.addressType: FQDN endpoints are deprecated'] : [];
  // What our own controllers write is in order.
  if (ownManagers.includes(slice.metadata.labels?.[managedBy] ?? '')) return fqdn;
  const ofAddress = (address: string, i: number, j: number) => ipWarnings(address, `endpoints[${i}].addresses[${j}]`);
  const ofEndpoint = (endpoint: Endpoint, i: number) =>
    (endpoint.addresses ?? []).flatMap((address, j) => ofAddress(address, i, j));
  return [...fqdn, ...(slice.endpoints ?? []).flatMap(ofEndpoint)];
}

export const endpointSlices = namespaced<EndpointSlice>({
  resource: 'discovery.k8s.io/endpointslices',
  specless: true,
  validate: validateSlice,
  validateCreate: validateEndpoints,
  validateUpdate: validateSliceUpdate,
  prepareForCreate: slice => dropTopology(slice),
  prepareForUpdate(slice, old) {
    dropTopology(slice, old);
    // Labels count as content: consumers select slices by them.
    if (!same(slice.metadata.labels, old.metadata.labels))
      slice.metadata.generation = (old.metadata.generation ?? 0) + 1;
  },
  warnings,
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
