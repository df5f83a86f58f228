/** Rules of services (ValidateService in pkg/apis/core/validation). */
import type { Service, ServicePort, ServiceSpec } from '../../../../api/types/core-v1.ts';
import { isIp, parseIp } from '../../../../api/validation/ip.ts';
import {
  cidrBlock,
  dnsLabel,
  dnsSubdomain,
  type Errors,
  each,
  forbidden,
  invalidAll,
  ipAddress,
  oneOf,
  optional,
  portNumber,
  portNumberOrName,
  qualifiedName,
  requiredOneOf,
} from '../../checks.ts';
import { field } from '../../field-errors.ts';
import { validateLabels } from '../../meta/object-meta.ts';
import { protocols } from '../pod/containers.ts';
import { externallyAccessible } from './defaults.ts';
import { nonSpecialIp } from './special-ips.ts';

const types = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const families = ['IPv4', 'IPv6'];
const maxAffinitySeconds = 86_400;
const onlyBalanced = "may only be used when `type` is 'LoadBalancer'";

export const isHeadless = (spec: ServiceSpec): boolean =>
  spec.clusterIPs?.length === 1 && spec.clusterIPs[0] === 'None';
export const needsHealthCheck = (spec: ServiceSpec): boolean =>
  spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';

function validateExternalName(spec: ServiceSpec): Errors {
  const cname = (spec.externalName ?? '').replace(/\.$/, '');
  const not = 'may not be set for ExternalName services';
  return [
    ...forbidden(spec.clusterIPs?.length, 'spec.clusterIPs', not),
    ...forbidden(spec.ipFamilies?.length, 'spec.ipFamilies', not),
    ...forbidden(spec.ipFamilyPolicy, 'spec.ipFamilyPolicy', not),
    ...(cname ? dnsSubdomain(cname, 'spec.externalName') : [field.required('spec.externalName')]),
  ];
}

function validateType(spec: ServiceSpec): Errors {
  if (spec.type === 'ExternalName') return validateExternalName(spec);
  if ((spec.type === 'LoadBalancer' || spec.type === 'NodePort') && isHeadless(spec)) {
    return [field.invalid('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${spec.type} services`)];
  }
  return [];
}

function validatePort(port: ServicePort, path: string, requireName: boolean, names: Set<string>): Errors {
  const errors: Errors = [];
  if (port.name) {
    errors.push(...dnsLabel(port.name, `${path}.name`));
    if (names.has(port.name)) errors.push(field.duplicate(`${path}.name`, port.name));
    names.add(port.name);
  } else if (requireName) errors.push(field.required(`${path}.name`));
  return [
    ...errors,
    ...portNumber(port.port, `${path}.port`),
    ...requiredOneOf(port.protocol, `${path}.protocol`, protocols),
    ...portNumberOrName(port.targetPort ?? 0, `${path}.targetPort`),
    ...optional(port.appProtocol, `${path}.appProtocol`, qualifiedName),
  ];
}

/** A second port with the same protocol and number. */
function samePorts(spec: ServiceSpec): Errors {
  const nodePorts = new Set<string>();
  const ports = new Set<string>();
  const twice = (seen: Set<string>, key: string) => seen.has(key) || !seen.add(key);
  return each(spec.ports, 'spec.ports', ({ port, nodePort, protocol }, at) => [
    ...(spec.type === 'ClusterIP'
      ? forbidden(nodePort, `${at}.nodePort`, "may not be used when `type` is 'ClusterIP'")
      : []),
    ...(nodePort && twice(nodePorts, `${protocol}/${nodePort}`) ? [field.duplicate(`${at}.nodePort`, nodePort)] : []),
    ...(twice(ports, `${protocol}/${port}`) ? [field.duplicate(at, { protocol, port })] : []),
  ]);
}

function validatePorts(spec: ServiceSpec): Errors {
  const ports = spec.ports ?? [];
  const names = new Set<string>();
  const missing = ports.length === 0 && !isHeadless(spec) && spec.type !== 'ExternalName';
  return [
    ...(missing ? [field.required('spec.ports')] : []),
    ...each(ports, 'spec.ports', (port, at) => validatePort(port, at, ports.length > 1, names)),
    ...samePorts(spec),
  ];
}

function validateAffinity(spec: ServiceSpec): Errors {
  const path = 'spec.sessionAffinityConfig';
  const errors = requiredOneOf(spec.sessionAffinity, 'spec.sessionAffinity', ['ClientIP', 'None']);
  const config = spec.sessionAffinityConfig;
  if (spec.sessionAffinity === 'None') {
    return [...errors, ...forbidden(config, path, 'must not be set when session affinity is None')];
  }
  if (spec.sessionAffinity !== 'ClientIP') return errors;
  const seconds = config?.clientIP?.timeoutSeconds;
  const at = `${path}.clientIP.timeoutSeconds`;
  if (seconds === undefined) return [...errors, field.required(at, 'when session affinity type is ClientIP')];
  const range = `must be greater than 0 and less than ${maxAffinitySeconds}`;
  return seconds > 0 && seconds <= maxAffinitySeconds ? errors : [...errors, field.invalid(at, seconds, range)];
}

function validateFamilies(spec: ServiceSpec): Errors {
  const seen = new Set<string>();
  return [
    ...each(spec.ipFamilies, 'spec.ipFamilies', (family, at) => {
      const errors = oneOf(families)(family, at);
      if (seen.has(family)) errors.push(field.duplicate(at, family));
      seen.add(family);
      return errors;
    }),
    ...optional(
      spec.ipFamilyPolicy,
      'spec.ipFamilyPolicy',
      oneOf(['PreferDualStack', 'RequireDualStack', 'SingleStack']),
    ),
  ];
}

const familyOf = (ip: string) => (parseIp(ip)?.family === 6 ? 'IPv6' : 'IPv4');

function matchFamilies(spec: ServiceSpec, ips: readonly string[]): Errors {
  return each(ips, 'spec.clusterIPs', (ip, at, i) => {
    const family = spec.ipFamilies?.[i];
    return family === undefined || familyOf(ip) === family
      ? []
      : [field.invalid(at, ip, `expected an ${family} value as indicated by \`ipFamilies[${i}]\``)];
  });
}

function validateClusterIps(spec: ServiceSpec): Errors {
  const path = 'spec.clusterIPs';
  const ips = spec.clusterIPs ?? [];
  if (!spec.clusterIP && ips.length > 0) {
    return [field.invalid(path, ips, 'must be empty when `clusterIP` is not specified')];
  }
  if (ips[0] !== undefined && ips[0] !== spec.clusterIP) {
    return [field.invalid(`${path}[0]`, ips[0], 'must match `clusterIP`')];
  }
  if (ips[0] === 'None') {
    return ips.length > 1 ? [field.invalid(path, ips, "'None' must be the first and only value")] : [];
  }
  const malformed = each(ips, path, (ip, at) => invalidAll(at, ip, isIp(ip, false)));
  if (ips.length > 2) malformed.push(field.invalid(path, ips, 'may only hold up to 2 values'));
  if (malformed.length > 0) return malformed;
  if (ips.length === 2 && familyOf(ips[0] ?? '') === familyOf(ips[1] ?? '')) {
    return [field.invalid(path, ips, 'may specify no more than one IP for each IP family')];
  }
  return matchFamilies(spec, ips);
}

const sourceRangesAnnotation = 'service.beta.kubernetes.io/load-balancer-source-ranges';

/** Ranges may be padded with blanks, in the field and in the older annotation. */
function validateSourceRanges({ metadata, spec }: Service): Errors {
  const ranges = spec.loadBalancerSourceRanges ?? [];
  const balanced = spec.type === 'LoadBalancer';
  if (ranges.length > 0) {
    const path = 'spec.LoadBalancerSourceRanges';
    return [
      ...forbidden(!balanced, path, onlyBalanced),
      ...each(ranges, path, (range, at) => cidrBlock(range.trim(), at)),
    ];
  }
  const annotation = metadata.annotations?.[sourceRangesAnnotation];
  if (annotation === undefined) return [];
  const path = `metadata.annotations[${sourceRangesAnnotation}]`;
  const texts = annotation.trim() ? annotation.trim().split(',') : [];
  return [...forbidden(!balanced, path, onlyBalanced), ...texts.flatMap(text => cidrBlock(text.trim(), path))];
}

/** A missing health check port is the allocator's to fill. */
function validateTraffic(spec: ServiceSpec): Errors {
  const external = 'spec.externalTrafficPolicy';
  const health = spec.healthCheckNodePort;
  return [
    ...(externallyAccessible(spec)
      ? requiredOneOf(spec.externalTrafficPolicy, external, ['Cluster', 'Local'])
      : spec.externalTrafficPolicy
        ? [field.invalid(external, spec.externalTrafficPolicy, 'may only be set for externally-accessible services')]
        : []),
    ...(health && !needsHealthCheck(spec)
      ? [
          field.invalid(
            'spec.healthCheckNodePort',
            health,
            "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
          ),
        ]
      : []),
    ...(health ? portNumber(health, 'spec.healthCheckNodePort') : []),
    ...optional(spec.internalTrafficPolicy, 'spec.internalTrafficPolicy', oneOf(['Cluster', 'Local'])),
    ...optional(
      spec.trafficDistribution,
      'spec.trafficDistribution',
      oneOf(['PreferClose', 'PreferSameZone', 'PreferSameNode']),
    ),
  ];
}

function validateBalancer(spec: ServiceSpec): Errors {
  const balanced = spec.type === 'LoadBalancer';
  const node = 'spec.allocateLoadBalancerNodePorts';
  return [
    ...forbidden(!balanced && spec.allocateLoadBalancerNodePorts !== undefined, node, onlyBalanced),
    ...forbidden(!balanced && spec.loadBalancerClass !== undefined, 'spec.loadBalancerClass', onlyBalanced),
    ...(balanced ? optional(spec.loadBalancerClass, 'spec.loadBalancerClass', qualifiedName) : []),
  ];
}

export function validateService(service: Service): Errors {
  const { spec } = service;
  return [
    ...validateType(spec),
    ...validatePorts(spec),
    ...validateLabels(spec.selector, 'spec.selector'),
    ...validateAffinity(spec),
    ...validateFamilies(spec),
    ...validateClusterIps(spec),
    ...each(spec.externalIPs, 'spec.externalIPs', (ip, at) => {
      const complaints = ipAddress(ip, at);
      return complaints.length > 0 ? complaints : nonSpecialIp(ip, at);
    }),
    ...requiredOneOf(spec.type, 'spec.type', types),
    ...validateSourceRanges(service),
    ...validateBalancer(spec),
    ...validateTraffic(spec),
  ];
}
