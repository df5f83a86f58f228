/** Cluster DNS: follows services and endpoint slices, answers on the cluster's DNS address. */
import { readFileSync } from 'node:fs';
import { keyOf } from '../api/object.ts';
import type { InformerFactory } from '../client/contract.ts';
import type { Environment } from '../controller/contract.ts';
import { createResponder } from './answer.ts';
import { createForwarder } from './forward.ts';
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
  await Promise.all([services.synced(), slices.synced()]);
  const upstreams = options.upstreams ?? hostResolvers('/etc/resolv.conf', options.addresses);
  const responder = createResponder({
    zone,
    forwarder: createForwarder({ upstreams, clock: options.clock, random: options.random }),
    clusterDomain: options.clusterDomain,
    ...(options.namespaceOf && { namespaceOf: options.namespaceOf }),
  });
  const servers: DnsServer[] = [];
  try {
    for (const address of options.addresses) servers.push(await startDnsServer({ ...options, address, responder }));
  } catch (error) {
    await Promise.all(servers.map(server => server.close()));
    throw error;
  }
  return {
    ports: servers.map(server => server.port),
    async close() {
      stopServices();
      stopSlices();
      await Promise.all(servers.map(server => server.close()));
    },
  };
}
