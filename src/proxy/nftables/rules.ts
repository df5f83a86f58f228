/**
 * Frontends as elements of a handful of flat nftables maps. A service or endpoint that changes is a few elements that change; there is no
 * chain per service or endpoint. A packet to a frontend is sent to the chain of its number of backends, which draws a number into the packet's
 * mark; frontend and mark together are the key of the backend.
 */
import type { Backend, Frontend } from '../model.ts';

export type Family = 'ip' | 'ip6';

/** Element key → value (the empty string in a set). */
export type Elements = ReadonlyMap<string, string>;
/** Map name → its elements. */
export type RuleSet = ReadonlyMap<MapName, Elements>;
export type MapName =
  | 'services'
  | 'services_internal'
  | 'host_ports'
  | 'node_ports'
  | 'node_ports_internal'
  | 'endpoints'
  | 'node_port_endpoints'
  | 'identities'
  | 'node_port_identities'
  | 'hairpin'
  | 'refused'
  | 'dropped'
  | 'refused_ports'
  | 'dropped_ports'
  | 'served_inside'
  | 'served_inside_ports'
  | 'restricted'
  | 'permitted';

/** The upper half of the mark says whose packet it is and whether its source is rewritten; the lower half is the number drawn. */
const marks = { masquerade: 0x544b, preserve: 0x544c, internal: 0x544d } as const;
type Treatment = keyof typeof marks;

/** A chain that draws a backend: `pick_<treatment>_<count>` or `keep_<treatment>_<seconds>_<count>`. */
export interface PickChain {
  readonly name: string;
  readonly treatment: Treatment;
  readonly count: number;
  readonly affinitySeconds?: number;
}

export function pickChain(treatment: Treatment, count: number, affinitySeconds?: number): PickChain {
  const name =
    affinitySeconds === undefined ? `pick_${treatment}_${count}` : `keep_${treatment}_${affinitySeconds}_${count}`;
  return { name, treatment, count, ...(affinitySeconds !== undefined && { affinitySeconds }) };
}

const mark = (treatment: Treatment, index: number) => `0x${((marks[treatment] << 16) | index).toString(16)}`;

/** The elements and chains that one service's frontends need, by family. */
export function elementsOf(
  frontends: readonly Frontend[],
  family: Family,
): { elements: Map<MapName, Map<string, string>>; chains: PickChain[] } {
  const elements = new Map<MapName, Map<string, string>>();
  const chains = new Map<string, PickChain>();
  const put = (map: MapName, key: string, value = '') => {
    const inner = elements.get(map) ?? new Map<string, string>();
    if (!inner.has(key)) inner.set(key, value);
    elements.set(map, inner);
  };
  const lead = (frontend: Frontend, backends: readonly Backend[], treatment: Treatment) => {
    const key = frontendKey(frontend);
    const chain = pickChain(treatment, backends.length, frontend.affinitySeconds);
    chains.set(chain.name, chain);
    put(dispatchMap(frontend, treatment === 'internal'), key, `goto ${chain.name}`);
    const identities = frontend.affinitySeconds === undefined ? undefined : identitiesOf(backends);
    backends.forEach((backend, index) => {
      const identity = identities?.[index] ?? index;
      if (identities)
        put(
          frontend.address === undefined ? 'node_port_identities' : 'identities',
          `${key} . ${mark(treatment, index)}`,
          mark(treatment, identity),
        );
      put(
        frontend.address === undefined ? 'node_port_endpoints' : 'endpoints',
        `${key} . ${mark(treatment, identity)}`,
        `${backend.ip} . ${backend.port}`,
      );
      put('hairpin', `${backend.ip} . ${backend.ip}`);
    });
  };
  for (const frontend of frontends) {
    if (frontend.family !== family) continue;
    if (frontend.sources) restrict(frontend, put);
    const inside = frontend.internalBackends ?? [];
    if (inside.length > 0) lead(frontend, inside, 'internal');
    if (frontend.backends.length > 0) {
      lead(frontend, frontend.backends, frontend.preserveSource ? 'preserve' : 'masquerade');
      continue;
    }
    if (inside.length > 0)
      put(frontend.address === undefined ? 'served_inside_ports' : 'served_inside', frontendKey(frontend));
    if (frontend.address === undefined)
      put(frontend.whenEmpty === 'drop' ? 'dropped_ports' : 'refused_ports', frontendKey(frontend));
    else put(frontend.whenEmpty === 'drop' ? 'dropped' : 'refused', frontendKey(frontend));
  }
  return { elements, chains: [...chains.values()] };
}

function dispatchMap({ address, hostPort }: Frontend, internal: boolean): MapName {
  if (address !== undefined) return internal ? 'services_internal' : 'services';
  if (hostPort) return 'host_ports';
  return internal ? 'node_ports_internal' : 'node_ports';
}

/**
 * Numbers that stay with a backend while others come and go, so that a client kept by session affinity stays where it is: a hash of the
 * address in the upper half of the 16 bits, moved up while taken.
 */
function identitiesOf(backends: readonly Backend[]): number[] {
  const taken = new Set<number>();
  return backends.map(({ ip, port }) => {
    let identity = 0;
    for (const char of `${ip} ${port}`) identity = (Math.imul(identity, 31) + char.charCodeAt(0)) & 0x7fff;
    while (taken.has(identity)) identity = (identity + 1) & 0x7fff;
    taken.add(identity);
    return identity | 0x8000;
  });
}

function restrict(frontend: Frontend, put: (map: MapName, key: string) => void): void {
  put('restricted', frontendKey(frontend));
  for (const source of frontend.sources ?? []) put('permitted', `${frontendKey(frontend)} . ${source}`);
}

function frontendKey(frontend: Frontend): string {
  const service = `${frontend.protocol} . ${frontend.port}`;
  return frontend.address === undefined ? service : `${frontend.address} . ${service}`;
}

export interface TableOptions {
  readonly table: string;
  /** Pod ranges of the whole cluster. */
  readonly podCidrs: readonly string[];
  /** Service ranges: an address or port in them that no service has is refused at once instead of being looked for. */
  readonly serviceCidrs?: readonly string[];
  /** Node ports answer on this machine's addresses that are in these ranges; absent for all but loopback. */
  readonly nodePortAddresses?: readonly string[];
}

/** The whole table without elements: written once, when the proxy starts. */
export function tableScript(family: Family, options: TableOptions): string {
  const address = family === 'ip' ? 'ipv4_addr' : 'ipv6_addr';
  const frontend = `${address} . inet_proto . inet_service`;
  const icmp = family === 'ip' ? 'icmp' : 'icmpv6';
  const pods = options.podCidrs.filter(cidr => cidr.includes(':') === (family === 'ip6'));
  const dst = `${family} daddr . meta l4proto . th dport`;
  const nodePort = `${nodePortMatch(family, options.nodePortAddresses)} meta l4proto . th dport`;
  const loopback = family === 'ip' ? '127.0.0.0/8' : '::1';
  const ranges = (options.serviceCidrs ?? []).filter(cidr => cidr.includes(':') === (family === 'ip6'));
  const unserved = ranges.length > 0 && `${family} daddr { ${ranges.join(', ')} }`;
  const refuse = `reject with ${icmp} type port-unreachable`;
  const inside = ['fib saddr type local', ...(pods.length > 0 ? [`${family} saddr { ${pods.join(', ')} }`] : [])];
  const table = `${family} ${options.table}`;
  return `add table ${table}
delete table ${table}
table ${table} {
  map services { type ${frontend} : verdict; }
  map services_internal { type ${frontend} : verdict; }
  map host_ports { type inet_proto . inet_service : verdict; }
  map node_ports { type inet_proto . inet_service : verdict; }
  map node_ports_internal { type inet_proto . inet_service : verdict; }
  map endpoints { type ${frontend} . mark : ${address} . inet_service; }
  map node_port_endpoints { type inet_proto . inet_service . mark : ${address} . inet_service; }
  map identities { type ${frontend} . mark : mark; }
  map node_port_identities { type inet_proto . inet_service . mark : mark; }
  map affinity { type ${address} . ${frontend} : mark; flags dynamic, timeout; size 262144; timeout 3h; }
  set hairpin { type ${address} . ${address}; }
  set refused { type ${frontend}; }
  set dropped { type ${frontend}; }
  set refused_ports { type inet_proto . inet_service; }
  set dropped_ports { type inet_proto . inet_service; }
  set served_inside { type ${frontend}; }
  set served_inside_ports { type inet_proto . inet_service; }
  set restricted { type ${frontend}; }
  set permitted { type ${frontend} . ${address}; flags interval; }
  chain from_inside {
    ${dst} vmap @services_internal
    ${nodePort} vmap @node_ports_internal
  }
  chain frontends {
    meta l4proto != { tcp, udp, sctp } return
${inside.map(match => `    ${match} jump from_inside`).join('\n')}
    ${dst} vmap @services
    fib daddr type local meta l4proto . th dport vmap @host_ports
    ${nodePort} vmap @node_ports
  }
  chain nat_prerouting {
    type nat hook prerouting priority -105
    jump frontends
  }
  chain nat_output {
    type nat hook output priority -105
    jump frontends
  }
  chain nat_postrouting {
    type nat hook postrouting priority 95
    ct status dnat ${family} saddr . ${family} daddr @hairpin masquerade
    ct status dnat ${family} saddr ${loopback} masquerade
${pods.map(cidr => `    ${family} saddr ${cidr} return`).join('\n')}
    meta mark & 0xffff0000 == 0x${marks.masquerade.toString(16)}0000 masquerade
    meta mark & 0xffff0000 == 0x${marks.internal.toString(16)}0000 masquerade
  }
  chain loopback_stays_inside {
    type filter hook prerouting priority -300
    iifname != "lo" ${family} daddr ${loopback} drop
  }
  chain gate_inside {
    ${dst} @served_inside accept
    ${nodePort} @served_inside_ports accept
  }
  chain gate {
    meta l4proto != { tcp, udp, sctp } return
    ct state established, related return
    ${dst} @restricted ${dst} . ${family} saddr != @permitted drop
${inside.map(match => `    ${match} jump gate_inside`).join('\n')}
    ${dst} @refused ${refuse}
    ${dst} @dropped drop
    ${nodePort} @refused_ports ${refuse}
    ${nodePort} @dropped_ports drop
  }
  chain gate_prerouting {
    type filter hook prerouting priority -110
    jump gate
  }
  chain gate_output {
    type filter hook output priority -110
    jump gate
  }
  chain unserved_prerouting {
    type filter hook prerouting priority -90${unserved ? `\n    ${unserved} fib daddr type != local ${refuse}` : ''}
  }
  chain unserved_output {
    type filter hook output priority 0${unserved ? `\n    ${unserved} fib daddr type != local ${refuse}` : ''}
  }
}
`;
}

/** Nothing matches where the ranges have none of the family. */
function nodePortMatch(family: Family, ranges: readonly string[] | undefined): string {
  const loopback = family === 'ip' ? '127.0.0.0/8' : '::1';
  const own = ranges?.filter(range => range.includes(':') === (family === 'ip6'));
  const within = own === undefined ? '' : ` ${family} daddr { ${own.length > 0 ? own.join(', ') : loopback} }`;
  return `fib daddr type local ${family} daddr != ${loopback}${within}`;
}

/** The script that adds a chain of picks. */
export function chainScript(family: Family, table: string, chain: PickChain): string {
  const where = `${family} ${table} ${chain.name}`;
  const frontend = `${family} daddr . meta l4proto . th dport`;
  const client = `${family} saddr . ${frontend}`;
  const draw = `meta mark set numgen random mod ${chain.count} offset ${mark(chain.treatment, 0)}`;
  const toService = `dnat ${family} to ${frontend} . meta mark map @endpoints`;
  const toNodePort = `dnat ${family} to meta l4proto . th dport . meta mark map @node_port_endpoints`;
  const remember = `update @affinity { ${client} timeout ${chain.affinitySeconds}s : meta mark }`;
  const recall = `meta mark set ${client} map @affinity`;
  const rules =
    chain.affinitySeconds === undefined
      ? [draw, toService, toNodePort]
      : [
          // A backend that is gone is in no map: the rule ends there, and the client gets another one.
          `${recall} ${remember} ${toService}`,
          `${recall} ${remember} ${toNodePort}`,
          // `update` leaves the value of an element that exists.
          `delete @affinity { ${client} : meta mark }`,
          draw,
          `meta mark set ${frontend} . meta mark map @identities ${remember} ${toService}`,
          `meta mark set meta l4proto . th dport . meta mark map @node_port_identities ${remember} ${toNodePort}`,
        ];
  return [`add chain ${where}`, `flush chain ${where}`, ...rules.map(rule => `add rule ${where} ${rule}`)].join('\n');
}

/** The commands that turn `before` into `after`. Deletions come first, so that a key whose value changed is replaced in one transaction. */
export function differenceScript(family: Family, table: string, before: RuleSet, after: RuleSet): string {
  const removed: string[] = [];
  const added: string[] = [];
  for (const name of new Set([...before.keys(), ...after.keys()])) {
    const old = before.get(name) ?? new Map<string, string>();
    const next = after.get(name) ?? new Map<string, string>();
    const gone = [...old].filter(([key, value]) => next.get(key) !== value).map(([key]) => key);
    const fresh = [...next]
      .filter(([key, value]) => old.get(key) !== value)
      .map(([key, value]) => (value === '' ? key : `${key} : ${value}`));
    removed.push(...batches(gone).map(list => `delete element ${family} ${table} ${name} { ${list} }`));
    added.push(...batches(fresh).map(list => `add element ${family} ${table} ${name} { ${list} }`));
  }
  return [...removed, ...added].join('\n');
}

/** nft reads long lines slowly; a thousand elements a line keeps a full load linear. */
function batches(items: readonly string[]): string[] {
  const out: string[] = [];
  for (let i = 0; i < items.length; i += 1000) out.push(items.slice(i, i + 1000).join(', '));
  return out;
}
