/** Rules of services (ValidateService in pkg/apis/core/validation). */
import type { Service, ServicePort, ServiceSpec } from '../../../../api/types/core-v1.ts';
import {
  cidrBlock,
  dnsLabel,
  dnsSubdomain,
  type Errors,
  each,
  forbidden,
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
import { isHeadless, validateClusterIps } from './cluster-ips.ts';
import { externallyAccessible } from './defaults.ts';
import { nonSpecialIp } from './special-ips.ts';

const types = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const maxAffinitySeconds = 86_400;
export const oldTopologyHints = 'service.kubernetes.io/topology-aware-hints';
const onlyBalanced = "may only be used when `type` is 'LoadBalancer'";

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

/** Node ports out of place, and a second port with the same protocol and number. */
function samePorts(spec: ServiceSpec): Errors {
  const nodePorts = new Set<string>();
  const ports = new Set<string>();
  const twice = (seen: Set<string>, key: string) => seen.has(key) || !seen.add(key);
  return [
    ...each(spec.ports, 'spec.ports', ({ nodePort }, at) =>
      forbidden(spec.type === 'ClusterIP' && nodePort, `${at}.nodePort`, "may not be used when `type` is 'ClusterIP'"),
    ),
    ...each(spec.ports, 'spec.ports', ({ nodePort, protocol }, at) =>
      nodePort && twice(nodePorts, `${protocol}/${nodePort}`) ? [field.duplicate(`${at}.nodePort`, nodePort)] : [],
    ),
    ...each(spec.ports, 'spec.ports', ({ port, protocol }, at) =>
      twice(ports, `${protocol}/${port}`)
        ? [
            field.duplicate(at, {
              Name: '',
              Protocol: protocol,
              AppProtocol: null,
              Port: port,
              TargetPort: 0,
              NodePort: 0,
            }),
          ]
        : [],
    ),
  ];
}

function validatePorts(spec: ServiceSpec): Errors {
  const ports = spec.ports ?? [];
  const names = new Set<string>();
  const missing = ports.length === 0 && !isHeadless(spec) && spec.type !== 'ExternalName';
  return [
    ...(missing ? [field.required('spec.ports')] : []),
    ...validateType(spec),
    ...each(ports, 'spec.ports', (port, at) => validatePort(port, at, ports.length > 1, names)),
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

const topologyMode = 'service.kubernetes.io/topology-mode';

/** The annotation and its older name, where both are given, agree. */
function validateTopology({ metadata }: Service): Errors {
  const mode = metadata.annotations?.[topologyMode];
  const hints = metadata.annotations?.[oldTopologyHints];
  if (mode === undefined || hints === undefined || mode === hints) return [];
  const why = `must match annotations[${oldTopologyHints}] when both are specified`;
  return [field.invalid(`metadata.annotations[${topologyMode}]`, mode, why)];
}

export function validateService(service: Service): Errors {
  const { spec } = service;
  return [
    ...validateTopology(service),
    ...validatePorts(spec),
    ...validateLabels(spec.selector, 'spec.selector'),
    ...validateAffinity(spec),
    ...validateClusterIps(spec),
    ...each(spec.externalIPs, 'spec.externalIPs', (ip, at) => {
      const complaints = ipAddress(ip, at);
      return complaints.length > 0 ? complaints : nonSpecialIp(ip, at);
    }),
    ...requiredOneOf(spec.type, 'spec.type', types),
    ...samePorts(spec),
    ...validateSourceRanges(service),
    ...validateBalancer(spec),
    ...validateTraffic(spec),
  ];
}
