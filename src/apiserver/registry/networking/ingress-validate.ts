/** Ingresses and their classes (pkg/apis/networking/validation). */
import type {
  HTTPIngressPath,
  Ingress,
  IngressBackend,
  IngressClass,
  IngressClassParametersReference,
  IngressRule,
  IngressServiceBackend,
} from '../../../api/types/networking-v1.ts';
import { parseIp } from '../../../api/validation/ip.ts';
import {
  isDns1123Subdomain,
  isPortName,
  isWildcardDns1123Subdomain,
  nameIsDns1035Label,
  nameIsDnsLabel,
} from '../../../api/validation/names.ts';
import {
  type Check,
  dnsSubdomain,
  domainPrefixedPath,
  type Errors,
  each,
  forbidden,
  invalidAll,
  ipAddress,
  nonEmpty,
  objectName,
  oneOf,
  optional,
  pathSegment,
  portNumber,
  required,
  requiredAnd,
} from '../checks.ts';
import { field } from '../field-errors.ts';

const pathTypes = ['Exact', 'ImplementationSpecific', 'Prefix'];
const badParts = ['//', '/./', '/../', '%2f', '%2F'];
const badEnds = ['/..', '/.'];

function validateServicePort(service: IngressServiceBackend, path: string): Errors {
  const { name, number } = service.port ?? {};
  if (name && number) return [field.invalid(path, '', 'cannot set both port name & port number')];
  if (name) return invalidAll(`${path}.service.port.name`, name, isPortName(name));
  if (number) return portNumber(number, `${path}.service.port.number`);
  return [field.required(path, 'port name or number is required')];
}

/** A reference to an object in the same namespace. An API group that is there may not be empty. */
function validateReference(ref: { apiGroup?: string; kind?: string; name?: string }, path: string): Errors {
  return [
    ...optional(ref.apiGroup, `${path}.apiGroup`, dnsSubdomain),
    ...requiredAnd(ref.kind, `${path}.kind`, pathSegment),
    ...requiredAnd(ref.name, `${path}.name`, pathSegment),
  ];
}

const backend: Check<IngressBackend> = ({ service, resource }, path) => {
  if (service && resource) return [field.invalid(path, '', 'cannot set both resource and service backends')];
  if (resource) return validateReference(resource, `${path}.resource`);
  if (!service) return [field.invalid(path, '', 'resource or service backend is required')];
  return [
    ...requiredAnd(service.name, `${path}.service.name`, objectName(nameIsDns1035Label)),
    ...validateServicePort(service, path),
  ];
};

function validateAbsolute(value: string, path: string): Errors {
  const wrong = (why: string) => field.invalid(path, value, why);
  return [
    ...(value.startsWith('/') ? [] : [wrong('must be an absolute path')]),
    ...badParts.filter(part => value.includes(part)).map(part => wrong(`must not contain '${part}'`)),
    ...badEnds.filter(end => value.endsWith(end)).map(end => wrong(`cannot end with '${end}'`)),
  ];
}

function validateImplementationSpecific(value: string, path: string): Errors {
  return value && !value.startsWith('/') ? [field.invalid(path, value, 'must be an absolute path')] : [];
}

function validatePath(item: HTTPIngressPath, path: string): Errors {
  const value = item.path ?? '';
  const at = `${path}.path`;
  const type = item.pathType;
  if (type === undefined || type === null) return [field.required(`${path}.pathType`, 'pathType must be specified')];
  const paths =
    type === 'ImplementationSpecific'
      ? validateImplementationSpecific(value, at)
      : pathTypes.includes(type)
        ? validateAbsolute(value, at)
        : oneOf(pathTypes)(type, `${path}.pathType`);
  return [...paths, ...backend(item.backend ?? {}, `${path}.backend`)];
}

const hostName: Check<string> = (host, path) =>
  invalidAll(path, host, host.includes('*') ? isWildcardDns1123Subdomain(host) : isDns1123Subdomain(host));

/** A literal address is refused, but may look like a name for the rest. */
const notAnAddress: Check<string> = (host, path) =>
  parseIp(host) ? [field.invalid(path, host, 'must be a DNS name, not an IP address')] : [];

const ruleHost: Check<string> = (host, path) => [...notAnAddress(host, path), ...hostName(host, path)];

function validateRule(rule: IngressRule, path: string): Errors {
  const at = `${path}.http.paths`;
  return [
    ...nonEmpty(rule.host, `${path}.host`, ruleHost),
    ...(rule.http ? [...required(rule.http.paths, at), ...each(rule.http.paths, at, validatePath)] : []),
  ];
}

function validateTls({ spec }: Ingress): Errors {
  return each(spec.tls, 'spec.tls', (tls, at) => [
    ...each(tls.hosts, `${at}.hosts`, hostName),
    ...nonEmpty(tls.secretName, `${at}.secretName`, objectName()),
  ]);
}

export function validateIngress(ingress: Ingress): Errors {
  const { spec } = ingress;
  const nothing = !spec.rules?.length && !spec.defaultBackend;
  return [
    ...(nothing ? [field.invalid('spec', spec.rules, 'either `defaultBackend` or `rules` must be specified')] : []),
    ...optional(spec.defaultBackend, 'spec.defaultBackend', backend),
    ...each(spec.rules, 'spec.rules', validateRule),
    ...validateTls(ingress),
    ...optional(spec.ingressClassName, 'spec.ingressClassName', objectName()),
  ];
}

export function validateIngressStatus({ status }: Ingress): Errors {
  return each(status?.loadBalancer?.ingress, 'status.loadBalancer.ingress', ({ ip, hostname }, at) => [
    ...nonEmpty(ip, `${at}.ip`, ipAddress),
    ...nonEmpty(hostname, `${at}.hostname`, (name, where) => [
      ...dnsSubdomain(name, where),
      ...notAnAddress(name, where),
    ]),
  ]);
}

function validateScope(ref: IngressClassParametersReference, path: string): Errors {
  const { scope, namespace } = ref;
  if (scope === undefined || scope === null) return [field.required(`${path}.scope`)];
  const why = `\`parameters.scope\` is set to '${scope}'`;
  const at = `${path}.namespace`;
  if (scope === 'Cluster') return forbidden(namespace !== undefined, at, why);
  if (scope !== 'Namespace') return oneOf(['Cluster', 'Namespace'])(scope, `${path}.scope`);
  return namespace === undefined ? [field.required(at, why)] : objectName(nameIsDnsLabel)(namespace, at);
}

const maxController = 250;

export function validateIngressClass({ spec }: IngressClass): Errors {
  const { controller = '', parameters } = spec;
  return [
    ...(controller.length > maxController ? [field.tooLong('spec.controller', maxController)] : []),
    ...domainPrefixedPath(controller, 'spec.controller'),
    ...optional(parameters, 'spec.parameters', (ref, at) => [...validateReference(ref, at), ...validateScope(ref, at)]),
  ];
}
