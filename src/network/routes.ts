/**
 * Pod ranges of other nodes: a plain route where the node is on the same subnet, VXLAN where a router stands between. What should be there is
 * a pure function of the nodes; the difference to what this process set is applied.
 */
import { createHash } from 'node:crypto';
import type { Node } from '../api/types/index.ts';
import type { InformerFactory } from '../client/contract.ts';
import type { Environment } from '../controller/contract.ts';
import { createConvergence } from '../controller/convergence.ts';
import { runProgram } from './host.ts';

/** The way to one pod range. */
export interface Route {
  readonly cidr: string;
  readonly nodeAddress: string;
  readonly via: 'direct' | 'vxlan';
}

const isV6 = (text: string) => text.includes(':');

/** The routes this node needs. `isNeighbour` tells whether an address is on one of our subnets. Pure. */
export function desiredRoutes(nodes: readonly Node[], own: string, isNeighbour: (address: string) => boolean): Route[] {
  return nodes.flatMap(node => {
    if (node.metadata.name === own) return [];
    const cidrs = node.spec.podCIDRs ?? (node.spec.podCIDR ? [node.spec.podCIDR] : []);
    const addresses = (node.status?.addresses ?? []).filter(a => a.type === 'InternalIP').map(a => a.address);
    return cidrs.flatMap((cidr): Route[] => {
      const nodeAddress = addresses.find(a => isV6(a) === isV6(cidr));
      if (nodeAddress === undefined) return [];
      return [{ cidr, nodeAddress, via: isNeighbour(nodeAddress) ? 'direct' : 'vxlan' }];
    });
  });
}

/** A locally administered address made from the node's address (the last 32 bits of its hash for IPv6), so that no node has to tell the others. */
export function vtepMac(nodeAddress: string): string {
  const bytes = isV6(nodeAddress)
    ? createHash('sha256').update(nodeAddress).digest().subarray(-4)
    : Buffer.from(nodeAddress.split('.').map(Number));
  return ['0e', isV6(nodeAddress) ? '56' : '54', ...[...bytes].map(byte => byte.toString(16).padStart(2, '0'))].join(
    ':',
  );
}

/** The address of a VXLAN device: the first one of the node's pod range, which no pod gets. */
export function vtepAddress(cidr: string): string {
  return cidr.split('/')[0] ?? cidr;
}

export interface RouteOptions extends Environment {
  readonly informers: InformerFactory;
  readonly nodeName: string;
  /** This node's InternalIPs, at most one per family: VXLAN packets of a family of pods travel between nodes' addresses of the same one. */
  readonly nodeAddresses: readonly string[];
  /** Name of the VXLAN device for IPv4; the one for IPv6 has a "6" behind it. At most 14 characters. */
  readonly device: string;
  /** VXLAN network identifier; each cluster on a network needs its own. */
  readonly vni: number;
  /** Default 8472. */
  readonly port?: number;
  /** Pod ranges of the whole cluster: routes into them that an earlier run left and no node needs are deleted. */
  readonly podCidrs?: readonly string[];
  /** Runs `ip` and `bridge`; default: on this machine. */
  readonly run?: typeof runProgram;
}

/** Marks our routes (`ip route show proto 84`), so that they are found again after a crash. */
const routeProtocol = '84';

export interface NodeRoutes {
  /** Resolves when all changes seen so far are applied. */
  flushed(): Promise<void>;
  /** Stops following; the routes stay, so that traffic flows while an agent restarts. */
  stop(): Promise<void>;
}

/** Takes away all routes to other nodes and the VXLAN device with what hangs on it, also what a killed agent left. Idempotent. */
export async function removeNodeRoutes(options: {
  readonly device: string;
  readonly podCidrs: readonly string[];
  readonly run?: typeof runProgram;
}): Promise<void> {
  const run = options.run ?? runProgram;
  for (const cidr of options.podCidrs)
    await run('ip', [...familyFlag(cidr), 'route', 'flush', 'root', cidr, 'proto', routeProtocol]).catch(() => '');
  for (const device of [options.device, `${options.device}6`])
    await run('ip', ['link', 'delete', device]).catch(() => '');
}

const familyFlag = (text: string) => (isV6(text) ? ['-6'] : []);

const retryMs = 2000;

/** How packets to an address leave this machine. */
interface Way {
  /** No router stands between. */
  readonly direct: boolean;
  readonly device: string | undefined;
}

/** Bytes of the headers that VXLAN puts around a packet: Ethernet, VXLAN, UDP and IP. */
const overhead = { v4: 50, v6: 70 } as const;

export async function startNodeRoutes(options: RouteOptions): Promise<NodeRoutes> {
  const { clock, log } = options;
  const program = options.run ?? runProgram;
  const nodes = options.informers.informer('v1/nodes');
  const applied = new Map<string, Route>();
  const ways = new Map<string, Way>();
  let looked = false;

  const deviceOf = (text: string) => (isV6(text) ? `${options.device}6` : options.device);

  async function findWays(list: readonly Node[]): Promise<void> {
    for (const { type, address } of list.flatMap(node => node.status?.addresses ?? [])) {
      if (type !== 'InternalIP' || ways.has(address)) continue;
      const route = await program('ip', ['route', 'get', address]).catch(() => 'via');
      ways.set(address, { direct: !/\bvia\b/.test(route), device: /\bdev (\S+)/.exec(route)?.[1] });
    }
  }

  async function apply(): Promise<void> {
    const list = nodes.store.list();
    await findWays(list);
    const isNeighbour = (address: string) => ways.get(address)?.direct ?? true;
    const wanted = new Map(desiredRoutes(list, options.nodeName, isNeighbour).map(r => [r.cidr, r]));
    for (const cidr of await leftovers()) if (!wanted.has(cidr)) await deleteRoute(cidr);
    for (const [cidr, route] of applied) {
      const next = wanted.get(cidr);
      if (next && next.nodeAddress === route.nodeAddress && next.via === route.via) continue;
      if (!next) await deleteRoute(cidr);
      if (route.via === 'vxlan') await forgetPeer(route, wanted.values());
      applied.delete(cidr);
    }
    const tunnels = Map.groupBy(
      wanted.values().filter(r => r.via === 'vxlan'),
      r => deviceOf(r.cidr),
    );
    for (const [device, [first]] of tunnels) if (first) await ensureVxlan(device, first, list);
    for (const route of wanted.values()) {
      if (applied.has(route.cidr)) continue;
      await addRoute(route, deviceOf(route.cidr), program);
      applied.set(route.cidr, route);
    }
  }

  /** Ranges that an earlier run left routes for; asked once. */
  async function leftovers(): Promise<string[]> {
    if (looked) return [];
    const found: string[] = [];
    for (const cidr of options.podCidrs ?? []) {
      const args = [...familyFlag(cidr), 'route', 'show', 'root', cidr, 'proto', routeProtocol];
      for (const line of (await program('ip', args)).split('\n')) found.push(line.split(' ')[0] ?? '');
    }
    looked = true;
    return found.filter(cidr => cidr !== '');
  }

  async function deleteRoute(cidr: string): Promise<void> {
    await program('ip', [...familyFlag(cidr), 'route', 'delete', cidr, 'proto', routeProtocol]).catch(() => '');
  }

  /** A node that went, or moved: its entries on the VXLAN device would send packets to whoever has the address next. */
  async function forgetPeer(route: Route, wanted: Iterable<Route>): Promise<void> {
    const gateway = vtepAddress(route.cidr);
    const device = deviceOf(route.cidr);
    await program('ip', ['neigh', 'delete', gateway, 'dev', device]).catch(() => '');
    for (const other of wanted) if (other.via === 'vxlan' && other.nodeAddress === route.nodeAddress) return;
    const peer = [vtepMac(route.nodeAddress), 'dst', route.nodeAddress, 'dev', device];
    await program('bridge', ['fdb', 'delete', ...peer]).catch(() => '');
  }

  /** A tunnel for the family of `route`; one that an earlier run made for another address or number is replaced. */
  async function ensureVxlan(device: string, route: Route, list: readonly Node[]): Promise<void> {
    const v6 = isV6(route.cidr);
    const self = list.find(n => n.metadata.name === options.nodeName);
    const ownCidr = (self?.spec.podCIDRs ?? [self?.spec.podCIDR ?? '']).find(cidr => cidr !== '' && isV6(cidr) === v6);
    const local = options.nodeAddresses.find(address => isV6(address) === v6);
    if (ownCidr === undefined || local === undefined)
      throw new Error(`this node has no ${v6 ? 'IPv6' : 'IPv4'} ${local === undefined ? 'address' : 'pod range'} yet`);
    const present = await program('ip', ['-d', 'link', 'show', device]).catch(() => '');
    if (!present.includes(`vxlan id ${options.vni} local ${local} `)) {
      if (present !== '') await program('ip', ['link', 'delete', device]);
      const mtu = await mtuTo(route.nodeAddress);
      const link = [device, ...(mtu === undefined ? [] : ['mtu', String(mtu)]), 'address', vtepMac(local)];
      const tunnel = ['id', String(options.vni), 'dstport', String(options.port ?? 8472), 'local', local, 'nolearning'];
      await program('ip', ['link', 'add', ...link, 'type', 'vxlan', ...tunnel]);
    }
    const [bits, ...flags] = v6 ? ['128', 'nodad'] : ['32'];
    await program('ip', ['address', 'replace', `${vtepAddress(ownCidr)}/${bits}`, 'dev', device, ...flags]);
    await program('ip', ['link', 'set', device, 'up']);
  }

  /** What fits the tunnel, so that senders are told instead of routers having to split packets. */
  async function mtuTo(nodeAddress: string): Promise<number | undefined> {
    const device = ways.get(nodeAddress)?.device;
    if (device === undefined) return undefined;
    const mtu = Number(/\bmtu (\d+)/.exec(await program('ip', ['link', 'show', device]).catch(() => ''))?.[1] ?? 0);
    return mtu > 0 ? mtu - overhead[isV6(nodeAddress) ? 'v6' : 'v4'] : undefined;
  }

  const convergence = createConvergence({
    clock,
    log,
    apply,
    retryMs,
    failure: 'routes to other nodes are not in place, trying again',
  });
  const { touch } = convergence;
  const routeFacts = (node: Node) => JSON.stringify([node.spec.podCIDRs, node.status?.addresses]);
  const unsubscribe = nodes.addHandler({
    onAdd: touch,
    onUpdate: (node, old) => {
      if (routeFacts(node) !== routeFacts(old)) touch();
    },
    onDelete: touch,
  });
  await nodes.synced();
  touch();
  return {
    flushed: convergence.flushed,
    stop() {
      unsubscribe();
      return convergence.stop();
    },
  };
}

async function addRoute(route: Route, device: string, program: typeof runProgram): Promise<void> {
  if (route.via === 'direct') {
    const way = [route.cidr, 'via', route.nodeAddress, 'proto', routeProtocol];
    await program('ip', [...familyFlag(route.cidr), 'route', 'replace', ...way]);
    return;
  }
  const mac = vtepMac(route.nodeAddress);
  const gateway = vtepAddress(route.cidr);
  await program('bridge', ['fdb', 'replace', mac, 'dst', route.nodeAddress, 'dev', device]);
  await program('ip', ['neigh', 'replace', gateway, 'lladdr', mac, 'dev', device, 'nud', 'permanent']);
  const way = [route.cidr, 'via', gateway, 'dev', device, 'onlink', 'proto', routeProtocol];
  await program('ip', [...familyFlag(route.cidr), 'route', 'replace', ...way]);
}
