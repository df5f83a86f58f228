/** What the runtime is told to run: sandbox and container configurations from a pod's spec. */
import type { Pod } from '../../api/types/core-v1.ts';
import type { ContainerConfig, Image, SandboxConfig } from '../runtime/contract.ts';
import { expand } from './env.ts';
import type { ContainerFiles } from './host.ts';
import {
  type AnyContainer,
  containerHash,
  containerNameLabel,
  gracePeriodAnnotation,
  hashAnnotation,
  podNameLabel,
  podNamespaceLabel,
  podUidLabel,
  resourcesAnnotation,
  restartCountAnnotation,
  terminationPathAnnotation,
  terminationPolicyAnnotation,
  uidOf,
} from './names.ts';
import { containerResources, milliCpuToQuota, milliCpuToShares, podTotals } from './resources.ts';
import { containerSecurity, idMappings, sandboxSecurity, type UserNamespace } from './security.ts';

export interface Resolver {
  servers: string[];
  searches: string[];
  options: string[];
}
export interface ClusterDns {
  servers: readonly string[];
  domain: string;
}

const maxSearchLength = 2048;
const maxSearches = 32;
const maxServers = 3;

/** The pod's resolv.conf, by its DNS policy. */
export function podDns(pod: Pod, cluster: ClusterDns, node: Resolver): Resolver {
  const { spec } = pod;
  const policy = spec.dnsPolicy ?? 'ClusterFirst';
  const clusterFirst =
    cluster.servers.length > 0 &&
    (policy === 'ClusterFirstWithHostNet' || (policy === 'ClusterFirst' && !spec.hostNetwork));
  let dns: Resolver;
  if (policy === 'None') dns = { servers: [], searches: [], options: [] };
  else if (clusterFirst) {
    const { domain } = cluster;
    const own = domain ? [`${pod.metadata.namespace}.svc.${domain}`, `svc.${domain}`, domain] : [];
    dns = { servers: [...cluster.servers], searches: [...own, ...node.searches], options: ['ndots:5'] };
  } else dns = { ...node };
  const extra = spec.dnsConfig;
  const unique = (list: string[]) => [...new Set(list)];
  return {
    servers: unique([...dns.servers, ...(extra?.nameservers ?? [])]).slice(0, maxServers),
    searches: limitSearches(unique([...dns.searches, ...(extra?.searches ?? [])])),
    options: mergeOptions(dns.options, extra?.options ?? []),
  };
}

function limitSearches(searches: string[]): string[] {
  const kept = searches.slice(0, maxSearches);
  while (kept.join(' ').length > maxSearchLength) kept.pop();
  return kept;
}

function mergeOptions(base: readonly string[], extra: readonly { name?: string; value?: string }[]): string[] {
  const options = new Map(base.map(o => [o.split(':')[0] ?? '', o]));
  for (const { name = '', value } of extra) options.set(name, value === undefined ? name : `${name}:${value}`);
  return [...options.values()];
}

/** The host name inside the pod: its own, cut to the kernel's limit; with `setHostnameAsFQDN` the full one. */
export function podHostname(pod: Pod, domain: string): string {
  const { spec, metadata } = pod;
  if (spec.hostnameOverride) return spec.hostnameOverride;
  const name = (spec.hostname ?? metadata.name ?? '').slice(0, 63).replace(/[-.]+$/, '');
  if (!spec.setHostnameAsFQDN || !spec.subdomain) return name;
  return `${name}.${spec.subdomain}.${metadata.namespace}.svc.${domain}`;
}

const podLabels = (pod: Pod) => ({
  [podNameLabel]: pod.metadata.name ?? '',
  [podNamespaceLabel]: pod.metadata.namespace ?? '',
  [podUidLabel]: uidOf(pod),
});

export interface SandboxInput {
  pod: Pod;
  attempt: number;
  dns: Resolver;
  domain: string;
  nodeName: string;
  logDirectory: string;
  cgroupParent: string;
  users?: UserNamespace;
}

export function sandboxConfig(input: SandboxInput): SandboxConfig {
  const { pod, attempt, dns, domain, logDirectory, cgroupParent } = input;
  const { metadata, spec } = pod;
  const ports = [...spec.containers, ...(spec.initContainers ?? [])].flatMap(c => c.ports ?? []);
  const { cpuRequest, cpuLimit, memoryLimit } = podTotals(pod);
  return {
    metadata: { name: metadata.name ?? '', uid: uidOf(pod), namespace: metadata.namespace ?? '', attempt },
    hostname: spec.hostNetwork ? '' : podHostname(pod, domain),
    logDirectory,
    dnsConfig: dns,
    portMappings: ports
      .filter(p => p.hostPort && !spec.hostNetwork)
      .map(p => ({
        protocol: (p.protocol ?? 'TCP') as 'TCP',
        containerPort: p.containerPort,
        hostPort: p.hostPort ?? 0,
        hostIp: p.hostIP ?? '',
      })),
    labels: { ...metadata.labels, ...podLabels(pod) },
    annotations: { ...metadata.annotations },
    linux: {
      ...(cgroupParent && { cgroupParent }),
      securityContext: sandboxSecurity(pod, input.users),
      sysctls: Object.fromEntries((spec.securityContext?.sysctls ?? []).map(s => [s.name, s.value])),
      resources: {
        cpuShares: milliCpuToShares(cpuRequest),
        ...(cpuLimit > 0 && { cpuQuota: milliCpuToQuota(cpuLimit), cpuPeriod: 100_000 }),
        ...(memoryLimit > 0 && { memoryLimitInBytes: memoryLimit }),
      },
    },
  };
}

export interface ContainerInput {
  pod: Pod;
  container: AnyContainer;
  attempt: number;
  image: Image;
  env: readonly { name: string; value: string }[];
  files: ContainerFiles;
  nodeMemory: number;
  users?: UserNamespace;
  /** Where read-only holds for mounts below, too. */
  recursive?: ReadonlySet<string>;
  /** For ephemeral containers that share another's process namespace. */
  targetContainerId?: string;
}

export function containerConfig(input: ContainerInput): ContainerConfig {
  const { pod, container, attempt, image, env, files } = input;
  const values = new Map([...(files.envs ?? []), ...env].map(e => [e.name, e.value]));
  const expandAll = (list: readonly string[] | undefined) => (list ?? []).map(t => expand(t, n => values.get(n)));
  const mapped = input.users && { uidMappings: idMappings(input.users), gidMappings: idMappings(input.users) };
  const encoder = new TextEncoder();
  const grace = pod.metadata.deletionGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds;
  return {
    metadata: { name: container.name, attempt },
    image: { image: image.id, userSpecifiedImage: container.image ?? '' },
    command: expandAll(container.command),
    args: expandAll(container.args),
    workingDir: container.workingDir ?? '',
    envs: [...values].map(([key, value]) => ({ key, value: encoder.encode(value) })),
    mounts: files.mounts.map(m => ({
      ...m,
      ...mapped,
      ...(input.recursive?.has(m.containerPath) && { recursiveReadOnly: true }),
    })),
    devices: [...files.devices],
    labels: { ...podLabels(pod), [containerNameLabel]: container.name },
    annotations: {
      ...files.annotations,
      [hashAnnotation]: containerHash(container),
      [restartCountAnnotation]: String(attempt),
      [resourcesAnnotation]: JSON.stringify(container.resources ?? {}),
      [terminationPathAnnotation]: container.terminationMessagePath ?? '/dev/termination-log',
      [terminationPolicyAnnotation]: container.terminationMessagePolicy ?? 'File',
      ...(grace !== undefined && { [gracePeriodAnnotation]: String(grace) }),
    },
    logPath: `${container.name}/${attempt}.log`,
    stdin: container.stdin ?? false,
    stdinOnce: container.stdinOnce ?? false,
    tty: container.tty ?? false,
    linux: {
      resources: containerResources(pod, container, input.nodeMemory),
      securityContext: containerSecurity(pod, container, image, input.users, input.targetContainerId),
    },
    ...(files.cdiDevices?.length && { CDIDevices: files.cdiDevices.map(name => ({ name })) }),
    ...(container.lifecycle?.stopSignal && { stopSignal: container.lifecycle.stopSignal }),
  };
}
