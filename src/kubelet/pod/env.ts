/** A container's environment: services, envFrom, env with references, and `$(NAME)` expansion. Upstream: makeEnvironmentVariables. */
import { milliValueOf, unitsOf } from '../../api/quantity.ts';
import type { ConfigMap, EnvVar, EnvVarSource, Pod, Secret, Service } from '../../api/types/core-v1.ts';
import type { AnyContainer } from './names.ts';

/** A container's configuration refers to something that is not there: shown as CreateContainerConfigError and retried. */
export class ConfigError extends Error {}

export interface ObjectSource {
  /** Undefined when it does not exist. */
  configMap(namespace: string, name: string): Promise<ConfigMap | undefined>;
  secret(namespace: string, name: string): Promise<Secret | undefined>;
  /** Services whose addresses the pod's environment shows: its namespace's, and the API server's. */
  services(namespace: string): readonly Service[];
}
export interface EnvInput {
  pod: Pod;
  container: AnyContainer;
  objects: ObjectSource;
  podIps: readonly string[];
  hostIps: readonly string[];
  nodeName: string;
  /** Stands in for limits that are not set. */
  allocatable: Record<string, string>;
}

const decode = (base64: string): string =>
  new TextDecoder().decode(Uint8Array.from(atob(base64), c => c.charCodeAt(0)));
const shellName = (name: string) => name.toUpperCase().replaceAll('-', '_');

/** `NAME_SERVICE_HOST`, `NAME_SERVICE_PORT` and the Docker-link variables. */
export function serviceEnv(services: readonly Service[]): Record<string, string> {
  const env: Record<string, string> = {};
  for (const { metadata, spec } of services) {
    const ip = spec?.clusterIP;
    if (!ip || ip === 'None' || !spec.ports?.length) continue;
    const prefix = shellName(metadata.name ?? '');
    env[`${prefix}_SERVICE_HOST`] = ip;
    env[`${prefix}_SERVICE_PORT`] = String(spec.ports[0]?.port);
    const host = ip.includes(':') ? `[${ip}]` : ip;
    for (const [i, { name, port, protocol = 'TCP' }] of spec.ports.entries()) {
      if (name) env[`${prefix}_SERVICE_PORT_${shellName(name)}`] = String(port);
      const lower = protocol.toLowerCase();
      const url = `${lower}://${host}:${port}`;
      const link = `${prefix}_PORT_${port}_${protocol}`;
      if (i === 0) env[`${prefix}_PORT`] = url;
      Object.assign(env, {
        [link]: url,
        [`${link}_PROTO`]: lower,
        [`${link}_PORT`]: String(port),
        [`${link}_ADDR`]: ip,
      });
    }
  }
  return env;
}

/** `$(NAME)` becomes the value, `$$(NAME)` the text `$(NAME)`; unknown names stay as written. */
export function expand(text: string, lookup: (name: string) => string | undefined): string {
  return text.replace(/\$(\$|\(([^)]*)\))/g, (whole, inner: string, name: string | undefined) => {
    if (inner === '$') return '$';
    return lookup(name ?? '') ?? whole;
  });
}

export async function containerEnv(input: EnvInput): Promise<{ name: string; value: string }[]> {
  const { pod, container, objects } = input;
  const links = pod.spec.enableServiceLinks ?? true;
  const visible = objects.services(pod.metadata.namespace ?? 'default').filter(s => links || isApiServer(s));
  const services = serviceEnv(visible);
  const result = new Map<string, string>();
  for (const source of container.envFrom ?? []) {
    const data = source.configMapRef
      ? await configMapData(input, source.configMapRef.name ?? '', source.configMapRef.optional)
      : source.secretRef
        ? await secretData(input, source.secretRef.name ?? '', source.secretRef.optional)
        : {};
    for (const [key, value] of Object.entries(data)) result.set(`${source.prefix ?? ''}${key}`, value);
  }
  for (const variable of container.env ?? []) {
    const value = await resolve(variable, input, name => result.get(name) ?? services[name]);
    if (value !== undefined) result.set(variable.name, value);
  }
  for (const [name, value] of Object.entries(services)) if (!result.has(name)) result.set(name, value);
  return [...result].map(([name, value]) => ({ name, value }));
}

const isApiServer = ({ metadata }: Service) => metadata.namespace === 'default' && metadata.name === 'kubernetes';

async function resolve(
  variable: EnvVar,
  input: EnvInput,
  lookup: (name: string) => string | undefined,
): Promise<string | undefined> {
  const { valueFrom } = variable;
  if (!valueFrom) return expand(variable.value ?? '', lookup);
  if (valueFrom.configMapKeyRef) {
    const { name = '', key, optional } = valueFrom.configMapKeyRef;
    const value = (await configMapData(input, name, optional))[key];
    if (value === undefined && !optional)
      throw new ConfigError(`couldn't find key ${key} in ConfigMap ${input.pod.metadata.namespace}/${name}`);
    return value;
  }
  if (valueFrom.secretKeyRef) {
    const { name = '', key, optional } = valueFrom.secretKeyRef;
    const value = (await secretData(input, name, optional))[key];
    if (value === undefined && !optional)
      throw new ConfigError(`couldn't find key ${key} in Secret ${input.pod.metadata.namespace}/${name}`);
    return value;
  }
  return downwardValue(valueFrom, input);
}

function downwardValue({ fieldRef, resourceFieldRef }: EnvVarSource, input: EnvInput): string | undefined {
  if (fieldRef) return podField(fieldRef.fieldPath, input);
  if (!resourceFieldRef) return undefined;
  const { pod, container, allocatable } = input;
  const named = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].find(
    c => c.name === resourceFieldRef.containerName,
  );
  return resourceField(named ?? container, resourceFieldRef.resource, resourceFieldRef.divisor, allocatable);
}

async function configMapData(input: EnvInput, name: string, optional?: boolean): Promise<Record<string, string>> {
  const found = await input.objects.configMap(input.pod.metadata.namespace ?? '', name);
  if (!found && !optional) throw new ConfigError(`configmap "${name}" not found`);
  return found?.data ?? {};
}

async function secretData(input: EnvInput, name: string, optional?: boolean): Promise<Record<string, string>> {
  const found = await input.objects.secret(input.pod.metadata.namespace ?? '', name);
  if (!found && !optional) throw new ConfigError(`secret "${name}" not found`);
  return Object.fromEntries(Object.entries(found?.data ?? {}).map(([k, v]) => [k, decode(v)]));
}

const quoted = (map: Record<string, string> | undefined): string =>
  Object.entries(map ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([k, v]) => `${k}=${JSON.stringify(v)}`)
    .join('\n');

/** The downward API's fields. */
export function podField(
  path: string,
  { pod, podIps, hostIps, nodeName }: Pick<EnvInput, 'pod' | 'podIps' | 'hostIps' | 'nodeName'>,
): string {
  const { metadata, spec } = pod;
  const subscript = /^metadata\.(labels|annotations)\['(.*)'\]$/.exec(path);
  if (subscript) return metadata[subscript[1] === 'labels' ? 'labels' : 'annotations']?.[subscript[2] ?? ''] ?? '';
  const fields: Record<string, () => string> = {
    'metadata.name': () => metadata.name ?? '',
    'metadata.namespace': () => metadata.namespace ?? '',
    'metadata.uid': () => metadata.uid ?? '',
    'metadata.labels': () => quoted(metadata.labels),
    'metadata.annotations': () => quoted(metadata.annotations),
    'spec.nodeName': () => nodeName,
    'spec.serviceAccountName': () => spec.serviceAccountName ?? 'default',
    'status.hostIP': () => hostIps[0] ?? '',
    'status.hostIPs': () => hostIps.join(','),
    'status.podIP': () => podIps[0] ?? '',
    'status.podIPs': () => podIps.join(','),
  };
  const field = fields[path];
  if (!field) throw new ConfigError(`unsupported fieldPath: ${path}`);
  return field();
}

/** `limits.cpu`, `requests.memory` … in units of the divisor, rounded up. */
export function resourceField(
  container: AnyContainer,
  resource: string,
  divisor: string | undefined,
  allocatable: Record<string, string>,
): string {
  const [kind = '', name = ''] = resource.split(/\.(.*)/);
  const { limits = {}, requests = {} } = container.resources ?? {};
  const list = kind === 'limits' ? { ...allocatable, ...limits } : { ...limits, ...requests };
  const value = list[name] ?? '0';
  const by = !divisor || divisor === '0' ? '1' : divisor;
  if (name === 'cpu') return String(Math.ceil(milliValueOf(value) / milliValueOf(by)));
  return String(Math.ceil(unitsOf(value) / unitsOf(by)));
}
