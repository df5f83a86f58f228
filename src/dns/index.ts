/** Cluster DNS: follows services and endpoint slices, answers on the cluster's DNS address. */
import { readFileSync } from 'node:fs';
import { keyOf, splitKey } from '../api/object.ts';
import type { ConfigMap } from '../api/types/index.ts';
import type { InformerFactory } from '../client/contract.ts';
import type { Environment } from '../controller/contract.ts';
import { createResponder } from './answer.ts';
import { type DnsConfig, emptyConfig, parseDnsConfig } from './config.ts';
import { createForwarding, type Routes } from './forwarding.ts';
import { createDnsMeter } from './meter.ts';
import { type DnsServer, startDnsServer } from './server.ts';
import { createZone } from './zone.ts';

export interface ClusterDnsOptions extends Environment {
  readonly informers: InformerFactory;
  /** Addresses to listen on. */
  readonly addresses: readonly string[];
  readonly port: number;
  /** e.g. "cluster.local". */
  readonly clusterDomain: string;
  /** Resolvers for other names; default: the machine's own. */
  readonly upstreams?: readonly string[];
  /** Domain → its resolvers. */
  readonly stubDomains?: ReadonlyMap<string, readonly string[]>;
  /** The config map in which users say more: "namespace/name". See `parseDnsConfig`. */
  readonly configMap?: string;
  /** For the search-path shortcut; see `ResponderOptions`. */
  readonly namespaceOf?: (clientAddress: string) => string | undefined;
}

export interface ClusterDns {
  readonly ports: readonly number[];
  close(): Promise<void>;
}

/** The machine's resolvers, without loopback ones that would lead back here. */
export function hostResolvers(path = '/etc/resolv.conf', own: readonly string[] = []): string[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return [];
  }
  const found = [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].map(m => m[1] ?? '');
  return found.filter(server => server !== '' && !own.includes(server));
}

/** Resolves when the sockets are bound and the first lists are in: no question is answered from an empty zone. */
export async function startClusterDns(options: ClusterDnsOptions): Promise<ClusterDns> {
  const zone = createZone({ clusterDomain: options.clusterDomain, ttl: 5 });
  const services = options.informers.informer('v1/services');
  const slices = options.informers.informer('discovery.k8s.io/v1/endpointslices');
  const namespaces = options.informers.informer('v1/namespaces');
  const stopNamespaces = namespaces.addHandler({
    onAdd: namespace => zone.setNamespace(namespace.metadata.name),
    onDelete: namespace => zone.deleteNamespace(namespace.metadata.name),
  });
  const stopServices = services.addHandler({
    onAdd: service => zone.setService(service),
    onUpdate: service => zone.setService(service),
    onDelete: service => zone.deleteService(keyOf(service)),
  });
  const stopSlices = slices.addHandler({
    onAdd: slice => zone.setSlice(slice),
    onUpdate(slice, old) {
      // A slice may be given to another service.
      zone.deleteSlice(old);
      zone.setSlice(slice);
    },
    onDelete: slice => zone.deleteSlice(slice),
  });
  const routesOf = (config: DnsConfig): Routes => ({
    upstreams: config.upstreams ?? options.upstreams ?? hostResolvers('/etc/resolv.conf', options.addresses),
    stubDomains: new Map([...(options.stubDomains ?? []), ...config.stubDomains]),
  });
  const forwarder = createForwarding(options, routesOf(emptyConfig));
  const stopConfig = followConfig(options, config => {
    zone.setHosts(config.hosts);
    forwarder.setRoutes(routesOf(config));
  });
  await Promise.all([services.synced(), slices.synced(), namespaces.synced()]);
  const responder = createResponder({
    zone,
    forwarder,
    clusterDomain: options.clusterDomain,
    ...(options.namespaceOf && { namespaceOf: options.namespaceOf }),
  });
  const servers: DnsServer[] = [];
  try {
    const meter = createDnsMeter(options.metrics, options.clock, options.clusterDomain);
    for (const address of options.addresses)
      servers.push(await startDnsServer({ ...options, address, responder, meter }));
  } catch (error) {
    await Promise.all(servers.map(server => server.close()));
    throw error;
  }
  return {
    ports: servers.map(server => server.port),
    async close() {
      for (const stop of [stopServices, stopSlices, stopNamespaces, stopConfig]) stop();
      await Promise.all(servers.map(server => server.close()));
    },
  };
}

/** Calls back with what the config map says, and with nothing when it goes. Nobody waits for it: DNS works without. */
function followConfig({ configMap, informers, log }: ClusterDnsOptions, use: (config: DnsConfig) => void) {
  if (configMap === undefined) return () => {};
  const { namespace, name } = splitKey(configMap);
  const maps = informers.informer('v1/configmaps', { namespace, fieldSelector: `metadata.name=${name}` });
  const take = ({ data }: ConfigMap) => {
    const { config, problems } = parseDnsConfig(data ?? {});
    for (const problem of problems) log.warn('a part of the DNS configuration is left out', { configMap, problem });
    use(config);
  };
  return maps.addHandler({ onAdd: take, onUpdate: take, onDelete: () => use(emptyConfig) });
}
