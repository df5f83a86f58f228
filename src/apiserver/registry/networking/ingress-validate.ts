/** Ingresses and their classes (pkg/apis/networking/validation). */
import type {
  HTTPIngressPath,
  Ingress,
  IngressBackend,
  IngressClass,
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
  type Errors,
  each,
  forbidden,
  invalidAll,
  nonEmpty,
  objectName,
  oneOf,
  optional,
  portNumber,
  required,
  requiredAnd,
} from '../checks.ts';
import { field } from '../field-errors.ts';

const pathTypes = ['Exact', 'ImplementationSpecific', 'Prefix'];
const badParts = ['//', '/./', '/../', '%2f', '%2F'];
const badEnds = ['/..', '/.'];
const unsafeController = /[^A-Za-z0-9._~!$&'()*+,;=:@%/-]/;

function validateServicePort(service: IngressServiceBackend, path: string): Errors {
  const { name, number } = service.port ?? {};
  if (name && number) return [field.invalid(path, service.name, 'cannot set both port name & port number')];
  if (name) return invalidAll(`${path}.port.name`, name, isPortName(name));
  if (number) return portNumber(number, `${path}.port.number`);
  return [field.required(path, 'port name or number is required')];
}

const backend: Check<IngressBackend> = ({ service, resource }, path) => {
  if (service && resource) {
    return [
      field.invalid(
        path,
        'cannot set both resource and service backends',
        'cannot set both resource and service backends',
      ),
    ];
  }
  if (resource) {
    const at = `${path}.resource`;
    return [
      ...nonEmpty(resource.apiGroup, `${at}.apiGroup`, dnsSubdomain),
      ...required(resource.kind, `${at}.kind`),
      ...required(resource.name, `${at}.name`),
    ];
  }
  if (!service) return [field.required(path, 'resource or service backend is required')];
  return [
    ...requiredAnd(service.name, `${path}.service.name`, objectName(nameIsDns1035Label)),
    ...validateServicePort(service, `${path}.service`),
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
  if (!type)
    return [
      field.required(`${path}.pathType`, 'pathType must be specified'),
      ...backend(item.backend ?? {}, `${path}.backend`),
    ];
  const paths =
    type === 'ImplementationSpecific'
      ? validateImplementationSpecific(value, at)
      : pathTypes.includes(type)
        ? validateAbsolute(value, at)
        : oneOf(pathTypes)(type, `${path}.pathType`);
  return [...paths, ...backend(item.backend ?? {}, `${path}.backend`)];
}

function validateHost(host: string | undefined, path: string): Errors {
  if (!host) return [];
  if (parseIp(host)) return [field.invalid(path, host, 'must be a DNS name, not an IP address')];
  return invalidAll(path, host, host.includes('*') ? isWildcardDns1123Subdomain(host) : isDns1123Subdomain(host));
}

function validateTls({ spec }: Ingress): Errors {
  return each(spec.tls, 'spec.tls', (tls, at) => [
    ...each(tls.hosts, `${at}.hosts`, (host, where) =>
      invalidAll(where, host, host.includes('*') ? isWildcardDns1123Subdomain(host) : isDns1123Subdomain(host)),
    ),
    ...nonEmpty(tls.secretName, `${at}.secretName`, objectName()),
  ]);
}

export function validateIngress(ingress: Ingress): Errors {
  const { spec } = ingress;
  if (!spec.rules?.length && !spec.defaultBackend) {
    return [field.invalid('spec', spec.rules ?? [], 'either `defaultBackend` or `rules` must be specified')];
  }
  return [
    ...optional(spec.defaultBackend, 'spec.defaultBackend', backend),
    ...each(spec.rules, 'spec.rules', (rule, at) => [
      ...validateHost(rule.host, `${at}.host`),
      ...(rule.http
        ? [...required(rule.http.paths, `${at}.http.paths`), ...each(rule.http.paths, `${at}.http.paths`, validatePath)]
        : []),
    ]),
    ...validateTls(ingress),
    ...optional(spec.ingressClassName, 'spec.ingressClassName', objectName()),
  ];
}

function validateController(controller: string | undefined): Errors {
  const path = 'spec.controller';
  if (!controller) return [field.required(path)];
  const [domain = '', ...rest] = controller.split('/');
  if (controller.length > 250) return [field.tooLong(path, 250)];
  if (rest.length === 0 || rest.join('/') === '') {
    return [field.invalid(path, controller, 'must be a domain-prefixed path (such as "acme.io/foo")')];
  }
  return [
    ...isDns1123Subdomain(domain).map(why => field.invalid(path, domain, why)),
    ...(unsafeController.test(rest.join('/')) ? [field.invalid(path, rest.join('/'), 'Invalid path')] : []),
  ];
}

export function validateIngressClass({ spec }: IngressClass): Errors {
  const path = 'spec.parameters';
  const ref = spec.parameters;
  if (!ref) return validateController(spec.controller);
  const namespaced = ref.scope === 'Namespace';
  return [
    ...validateController(spec.controller),
    ...nonEmpty(ref.apiGroup, `${path}.apiGroup`, dnsSubdomain),
    ...required(ref.kind, `${path}.kind`, 'kind is required'),
    ...required(ref.name, `${path}.name`, 'name is required'),
    ...(ref.scope ? oneOf(['Cluster', 'Namespace'])(ref.scope, `${path}.scope`) : [field.required(`${path}.scope`)]),
    ...(namespaced
      ? requiredAnd(
          ref.namespace,
          `${path}.namespace`,
          objectName(nameIsDnsLabel),
          "`parameters.scope` is set to 'Namespace'",
        )
      : forbidden(ref.namespace !== undefined, `${path}.namespace`, "`parameters.scope` is set to 'Cluster'")),
  ];
}
