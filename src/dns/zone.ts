/**
 * The Kubernetes DNS specification, version 1.1.0 (kubernetes/dns, docs/specification.md), as a function from a question to an answer over
 * the services and endpoint slices it was told of. Pure: no sockets, no time.
 */
import type { Answer } from 'dns-packet';
import ipaddr from 'ipaddr.js';
import { keyOf, splitKey } from '../api/object.ts';
import type { Endpoint, EndpointSlice, Service } from '../api/types/index.ts';

export type QuestionType = 'A' | 'AAAA' | 'SRV' | 'PTR' | 'CNAME' | 'TXT' | 'SOA' | 'NS' | 'ANY' | 'OTHER';

/** `undefined` for a name that is not ours to answer (forward it). */
export type ZoneAnswer =
  | {
      readonly code: 'NOERROR' | 'NXDOMAIN';
      readonly answers: readonly Answer[];
      readonly additionals: readonly Answer[];
    }
  /** The name is an alias outside the zone: the server may look the target up and add its addresses. */
  | { readonly code: 'ALIAS'; readonly cname: Answer; readonly target: string };

export interface ZoneOptions {
  /** e.g. "cluster.local"; lower case, no dots at the ends. */
  readonly clusterDomain: string;
  /** Seconds. */
  readonly ttl: number;
}

export interface Zone {
  setService(service: Service): void;
  deleteService(key: string): void;
  setSlice(slice: EndpointSlice): void;
  deleteSlice(slice: EndpointSlice): void;
  setNamespace(name: string): void;
  deleteNamespace(name: string): void;
  /** Name → addresses; such names are answered before any other. */
  setHosts(hosts: ReadonlyMap<string, readonly string[]>): void;
  /** `name` in any case, without a trailing dot. */
  answer(name: string, type: QuestionType): ZoneAnswer | undefined;
  /** Grows with every change: an answer of the same version is still right. */
  readonly version: number;
  /** Whether the zone is authoritative for the name. */
  contains(name: string): boolean;
}

interface Address {
  readonly ip: string;
  readonly type: 'A' | 'AAAA';
  /** The label in front of the service's name: the pod's hostname, or its address with dashes. */
  readonly label: string;
  /** Port name → number and protocol, in lower case. */
  readonly ports: ReadonlyMap<string, { port: number; protocol: string }>;
}

const missing: ZoneAnswer = { code: 'NXDOMAIN', answers: [], additionals: [] };
const empty: ZoneAnswer = { code: 'NOERROR', answers: [], additionals: [] };
const isHeadless = (service: Service) => service.spec.clusterIP === 'None';
/** As CoreDNS gives to names of a hosts file. Seconds. */
const hostsTtl = 3600;
const dnsService = 'kube-system/kube-dns';
/** Colons and dots become dashes, as in the names of endpoints and pods. */
const dashed = (ip: string) => ip.replaceAll(/[.:]/g, '-');

export function createZone(options: ZoneOptions): Zone {
  const { clusterDomain, ttl } = options;
  const services = new Map<string, Service>();
  /** Service key → slices of it by name. */
  const slices = new Map<string, Map<string, EndpointSlice>>();
  /** Reverse: address → service key, for cluster addresses. */
  const clusterAddresses = new Map<string, string>();
  /** Reverse: address of an endpoint of a headless service → names it has. Rebuilt per service. */
  const endpointNames = new Map<string, Map<string, string>>();
  /** Headless service → addresses it has names for in `endpointNames`. */
  const endpointAddresses = new Map<string, readonly string[]>();
  const namespaces = new Set<string>();
  let hosts: ReadonlyMap<string, readonly string[]> = new Map();
  /** Reverse: address → names in `hosts`. */
  let hostNames = new Map<string, string[]>();
  let version = 0;

  const serviceName = (key: string) => {
    const { namespace, name } = splitKey(key);
    return `${name}.${namespace}.svc.${clusterDomain}`;
  };
  const record = (name: string, type: 'A' | 'AAAA', data: string): Answer => ({ name, type, ttl, data });

  function endpointsOf(key: string): Address[] {
    const found = new Map<string, Address>();
    for (const slice of slices.get(key)?.values() ?? []) {
      if (slice.addressType === 'FQDN') continue;
      const type = slice.addressType === 'IPv6' ? 'AAAA' : 'A';
      for (const endpoint of slice.endpoints ?? []) addEndpoint(found, slice, endpoint, type);
    }
    return [...found.values()];
  }

  function addEndpoint(
    found: Map<string, Address>,
    slice: EndpointSlice,
    endpoint: Endpoint,
    type: 'A' | 'AAAA',
  ): void {
    if (endpoint.conditions?.ready === false) return;
    for (const ip of endpoint.addresses) {
      const known = found.get(ip);
      const ports = new Map(known?.ports);
      for (const port of slice.ports ?? []) {
        if (port.port !== undefined)
          ports.set(`${port.name ?? ''}/${(port.protocol ?? 'TCP').toLowerCase()}`, {
            port: port.port,
            protocol: port.protocol ?? 'TCP',
          });
      }
      found.set(ip, { ip, type, label: endpoint.hostname ?? dashed(ip), ports });
    }
  }

  function reindexReverse(key: string): void {
    for (const ip of endpointAddresses.get(key) ?? []) {
      const names = endpointNames.get(ip);
      names?.delete(key);
      if (names?.size === 0) endpointNames.delete(ip);
    }
    endpointAddresses.delete(key);
    const service = services.get(key);
    if (!service || !isHeadless(service)) return;
    const addresses = endpointsOf(key);
    endpointAddresses.set(
      key,
      addresses.map(address => normalIp(address.ip)),
    );
    for (const address of addresses) {
      const ip = normalIp(address.ip);
      const names = endpointNames.get(ip) ?? new Map<string, string>();
      names.set(key, `${address.label}.${serviceName(key)}`);
      endpointNames.set(ip, names);
    }
  }

  function forget(service: Service): void {
    for (const ip of service.spec.clusterIPs ?? []) clusterAddresses.delete(normalIp(ip));
  }

  const ofFamily = (addresses: readonly Pick<Address, 'ip' | 'type'>[], name: string, type: QuestionType) =>
    addresses.filter(a => a.type === type || type === 'ANY').map(a => record(name, a.type, a.ip));
  const found = (answers: Answer[], additionals: Answer[] = []): ZoneAnswer => ({
    code: 'NOERROR',
    answers,
    additionals,
  });

  function clusterAddressesOf(service: Service): { ip: string; type: 'A' | 'AAAA' }[] {
    const list = service.spec.clusterIPs ?? (service.spec.clusterIP ? [service.spec.clusterIP] : []);
    return list.filter(ip => ip !== 'None' && ip !== '').map(ip => ({ ip, type: ip.includes(':') ? 'AAAA' : 'A' }));
  }

  function answerService(key: string, service: Service, name: string, type: QuestionType): ZoneAnswer {
    if (service.spec.type === 'ExternalName') {
      const target = (service.spec.externalName ?? '').replace(/\.$/, '').toLowerCase();
      return { code: 'ALIAS', cname: { name, type: 'CNAME', ttl, data: target }, target };
    }
    if (isHeadless(service)) {
      const addresses = endpointsOf(key);
      if (type === 'SRV')
        return srvAnswer(
          name,
          addresses.flatMap(a =>
            [...a.ports.values()].map(p => ({ port: p.port, target: `${a.label}.${serviceName(key)}`, address: a })),
          ),
        );
      return addresses.length === 0 ? missing : found(ofFamily(addresses, name, type));
    }
    const own = clusterAddressesOf(service);
    if (type === 'SRV') {
      const target = serviceName(key);
      return srvAnswer(
        name,
        (service.spec.ports ?? []).map(p => ({ port: p.port, target })),
        own.map(a => record(target, a.type, a.ip)),
      );
    }
    return found(ofFamily(own, name, type));
  }

  function srvAnswer(
    name: string,
    targets: readonly { port: number; target: string; address?: Address }[],
    shared: Answer[] = [],
  ): ZoneAnswer {
    const weight = Math.max(1, Math.floor(100 / Math.max(1, targets.length)));
    const answers: Answer[] = targets.map(t => ({
      name,
      type: 'SRV',
      ttl,
      data: { priority: 0, weight, port: t.port, target: t.target },
    }));
    const glue = targets.flatMap(t => (t.address ? [record(t.target, t.address.type, t.address.ip)] : []));
    return found(answers, [...shared, ...glue]);
  }

  /** `_port._protocol.service.namespace.svc.domain` */
  function answerPort(
    key: string,
    service: Service,
    portLabel: string,
    protocolLabel: string,
    name: string,
    type: QuestionType,
  ): ZoneAnswer {
    const portName = portLabel.slice(1);
    const protocol = protocolLabel.slice(1);
    if (isHeadless(service)) {
      const targets = endpointsOf(key).flatMap(address => {
        const port = address.ports.get(`${portName}/${protocol}`);
        return port ? [{ port: port.port, target: `${address.label}.${serviceName(key)}`, address }] : [];
      });
      if (targets.length === 0) return missing;
      return type === 'SRV' || type === 'ANY' ? srvAnswer(name, targets) : empty;
    }
    const ports = (service.spec.ports ?? []).filter(
      p => p.name === portName && (p.protocol ?? 'TCP').toLowerCase() === protocol,
    );
    if (ports.length === 0) return missing;
    if (type !== 'SRV' && type !== 'ANY') return empty;
    const target = serviceName(key);
    return srvAnswer(
      name,
      ports.map(p => ({ port: p.port, target })),
      clusterAddressesOf(service).map(a => record(target, a.type, a.ip)),
    );
  }

  /** `labels` are what stands before ".svc.domain". */
  function answerSvc(labels: string[], name: string, type: QuestionType): ZoneAnswer {
    const namespace = labels.at(-1) ?? '';
    if (labels.length === 0) return empty;
    if (labels.length === 1) return namespaces.has(namespace) ? empty : missing;
    const key = `${namespace}/${labels.at(-2)}`;
    const service = services.get(key);
    if (!service) return missing;
    if (labels.length === 2) return answerService(key, service, name, type);
    if (labels.length === 4 && labels[0]?.startsWith('_') && labels[1]?.startsWith('_'))
      return answerPort(key, service, labels[0], labels[1], name, type);
    if (labels.length !== 3 || !isHeadless(service)) return missing;
    if (labels[0]?.startsWith('_'))
      return endpointsOf(key).some(a => [...a.ports.keys()].some(p => p.endsWith(`/${labels[0]?.slice(1)}`)))
        ? empty
        : missing;
    const addresses = endpointsOf(key).filter(a => a.label === labels[0]);
    return addresses.length === 0 ? missing : found(ofFamily(addresses, name, type));
  }

  /** `a-b-c-d.namespace.pod.domain`: the address is in the name. */
  function answerPod(labels: string[], name: string, type: QuestionType): ZoneAnswer {
    if (labels.length === 0) return empty;
    const [label = '', namespace = ''] = labels;
    if (labels.length !== 2 || !namespaces.has(namespace)) return missing;
    const v4 = label.replaceAll('-', '.');
    if (ipaddr.IPv4.isValidFourPartDecimal(v4))
      return type === 'A' || type === 'ANY' ? found([record(name, 'A', v4)]) : empty;
    const v6 = label.replaceAll('-', ':');
    if (ipaddr.IPv6.isValid(v6)) return type === 'AAAA' || type === 'ANY' ? found([record(name, 'AAAA', v6)]) : empty;
    return missing;
  }

  function answerReverse(name: string, type: QuestionType): ZoneAnswer | undefined {
    const ip = reverseAddress(name);
    if (ip === undefined) return undefined;
    const service = clusterAddresses.get(ip);
    const targets =
      hostNames.get(ip) ??
      (service === undefined ? [...(endpointNames.get(ip)?.values() ?? [])] : [serviceName(service)]);
    if (targets.length === 0) return undefined;
    return type === 'PTR' || type === 'ANY'
      ? found(targets.map(data => ({ name, type: 'PTR' as const, ttl, data })))
      : empty;
  }

  function answerHost(addresses: readonly string[], name: string, type: QuestionType): ZoneAnswer {
    const records = addresses.map(ip => ({ ...record(name, ip.includes(':') ? 'AAAA' : 'A', ip), ttl: hostsTtl }));
    return found(records.filter(r => r.type === type || type === 'ANY') as Answer[]);
  }

  /** The zone's server is the service that pods ask, where there is one. */
  function answerApex(name: string, type: QuestionType): ZoneAnswer {
    if (type !== 'NS' && type !== 'ANY') return empty;
    const data = `ns.dns.${clusterDomain}`;
    const dns = services.get(dnsService);
    const own = dns ? clusterAddressesOf(dns) : [];
    return found(
      [{ name, type: 'NS', ttl, data }],
      own.map(a => record(data, a.type, a.ip)),
    );
  }

  const contains = (name: string) => name === clusterDomain || name.endsWith(`.${clusterDomain}`);
  return {
    get version() {
      return version;
    },
    setService(service) {
      version += 1;
      const key = keyOf(service);
      const old = services.get(key);
      if (old) forget(old);
      services.set(key, service);
      for (const address of clusterAddressesOf(service)) clusterAddresses.set(normalIp(address.ip), key);
      reindexReverse(key);
    },
    deleteService(key) {
      const old = services.get(key);
      if (!old) return;
      version += 1;
      forget(old);
      services.delete(key);
      reindexReverse(key);
    },
    setSlice(slice) {
      const key = sliceService(slice);
      if (key === undefined) return;
      version += 1;
      const ofService = slices.get(key) ?? new Map<string, EndpointSlice>();
      ofService.set(slice.metadata.name, slice);
      slices.set(key, ofService);
      reindexReverse(key);
    },
    deleteSlice(slice) {
      const key = sliceService(slice);
      if (key === undefined) return;
      version += 1;
      const ofService = slices.get(key);
      ofService?.delete(slice.metadata.name);
      if (ofService?.size === 0) slices.delete(key);
      reindexReverse(key);
    },
    setNamespace(name) {
      if (namespaces.has(name)) return;
      version += 1;
      namespaces.add(name);
    },
    deleteNamespace(name) {
      if (namespaces.delete(name)) version += 1;
    },
    setHosts(next) {
      version += 1;
      hosts = next;
      hostNames = new Map();
      for (const [name, addresses] of next)
        for (const ip of addresses.map(normalIp)) hostNames.set(ip, [...(hostNames.get(ip) ?? []), name]);
    },
    contains,
    answer(written, type) {
      const name = written.toLowerCase();
      const fixed = hosts.get(name);
      if (fixed) return answerHost(fixed, written, type);
      if (!contains(name)) return name.endsWith('.arpa') ? answerReverse(name, type) : undefined;
      if (name === clusterDomain) return answerApex(written, type);
      const labels = name.slice(0, -(clusterDomain.length + 1)).split('.');
      const kind = labels.pop();
      if (kind === 'svc') return answerSvc(labels, written, type);
      if (kind === 'pod') return answerPod(labels, written, type);
      if (kind === 'dns' && labels.length === 1 && labels[0] === 'ns') {
        const dns = services.get(dnsService);
        return dns ? found(ofFamily(clusterAddressesOf(dns), written, type)) : missing;
      }
      if (kind === 'dns-version' && labels.length === 0)
        return type === 'TXT' || type === 'ANY' ? found([{ name: written, type: 'TXT', ttl, data: '1.1.0' }]) : empty;
      return missing;
    },
  };
}

function sliceService(slice: EndpointSlice): string | undefined {
  const service = slice.metadata.labels?.['kubernetes.io/service-name'];
  return service === undefined ? undefined : `${slice.metadata.namespace}/${service}`;
}

function normalIp(ip: string): string {
  return ip.includes(':') && ipaddr.IPv6.isValid(ip) ? ipaddr.IPv6.parse(ip).toRFC5952String() : ip;
}

/** The address in an in-addr.arpa or ip6.arpa name; undefined when it is no whole address. */
export function reverseAddress(name: string): string | undefined {
  const v4 = /^((?:\d{1,3}\.){4})in-addr\.arpa$/.exec(name);
  if (v4) return (v4[1] ?? '').split('.').slice(0, 4).reverse().join('.');
  const v6 = /^((?:[0-9a-f]\.){32})ip6\.arpa$/.exec(name);
  if (!v6) return undefined;
  const hex = (v6[1] ?? '').split('.').slice(0, 32).reverse().join('');
  return normalIp((hex.match(/.{4}/g) ?? []).join(':'));
}
