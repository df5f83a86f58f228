/**
 * Pod ranges of other nodes: a plain route where the node is on the same subnet, VXLAN where a router stands between. What should be there is
 * a pure function of the nodes; the difference to what this process set is applied.
 */
import type { Node } from '../api/types/index.ts';
import { messageOf } from '../base/errors.ts';
import type { InformerFactory } from '../client/contract.ts';
import type { Environment } from '../controller/contract.ts';
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
      return [{ cidr, nodeAddress, via: isNeighbour(nodeAddress) || isV6(nodeAddress) ? 'direct' : 'vxlan' }];
    });
  });
}

/** A locally administered address made from the node's IPv4 address, so that no node has to tell the others. */
export function vtepMac(nodeAddress: string): string {
  const bytes = nodeAddress.split('.').map(part => Number(part).toString(16).padStart(2, '0'));
  return ['0e', '54', ...bytes].join(':');
}

/** The address of a VXLAN device: the first one of the node's pod range, which no pod gets. */
export function vtepAddress(cidr: string): string {
  return cidr.split('/')[0] ?? cidr;
}

export interface RouteOptions extends Environment {
  readonly informers: InformerFactory;
  readonly nodeName: string;
  /** This node's InternalIP (IPv4), for VXLAN. */
  readonly nodeAddress: string;
  /** VXLAN device name, at most 15 characters. */
  readonly device: string;
  /** VXLAN network identifier; each cluster on a network needs its own. */
  readonly vni: number;
  /** Default 8472. */
  readonly port?: number;
}

export interface NodeRoutes {
  /** Resolves when all changes seen so far are applied. */
  flushed(): Promise<void>;
  stop(): Promise<void>;
}

const retryMs = 2000;

export async function startNodeRoutes(options: RouteOptions): Promise<NodeRoutes> {
  const { clock, log } = options;
  const nodes = options.informers.informer('v1/nodes');
  const applied = new Map<string, Route>();
  const neighbours = new Map<string, boolean>();
  let stopped = false;
  let dirty = true;
  let running: Promise<void> | undefined;

  async function isNeighbour(address: string): Promise<boolean> {
    const known = neighbours.get(address);
    if (known !== undefined) return known;
    const route = await runProgram('ip', ['route', 'get', address]).catch(() => 'via');
    const direct = !/\bvia\b/.test(route);
    neighbours.set(address, direct);
    return direct;
  }

  async function apply(): Promise<void> {
    const list = nodes.store.list();
    for (const node of list)
      for (const a of node.status?.addresses ?? [])
        if (a.type === 'InternalIP' && !isV6(a.address)) await isNeighbour(a.address);
    const wanted = new Map(desiredRoutes(list, options.nodeName, a => neighbours.get(a) ?? true).map(r => [r.cidr, r]));
    for (const [cidr, route] of applied) {
      const next = wanted.get(cidr);
      if (next && next.nodeAddress === route.nodeAddress && next.via === route.via) continue;
      if (!next) await runProgram('ip', [...(isV6(cidr) ? ['-6'] : []), 'route', 'delete', cidr]).catch(() => {});
      applied.delete(cidr);
    }
    if ([...wanted.values()].some(r => r.via === 'vxlan')) await ensureVxlan(list);
    for (const route of wanted.values()) {
      if (applied.has(route.cidr)) continue;
      await addRoute(route, options.device);
      applied.set(route.cidr, route);
    }
  }

  async function ensureVxlan(list: readonly Node[]): Promise<void> {
    const self = list.find(n => n.metadata.name === options.nodeName);
    const ownCidr = (self?.spec.podCIDRs ?? [self?.spec.podCIDR ?? '']).find(cidr => cidr !== '' && !isV6(cidr));
    if (ownCidr === undefined) throw new Error('this node has no pod range yet');
    await runProgram('ip', ['link', 'show', options.device]).catch(async () => {
      await runProgram('ip', [
        'link',
        'add',
        options.device,
        'address',
        vtepMac(options.nodeAddress),
        'type',
        'vxlan',
        'id',
        String(options.vni),
        'dstport',
        String(options.port ?? 8472),
        'local',
        options.nodeAddress,
        'nolearning',
      ]);
    });
    await runProgram('ip', ['address', 'replace', `${vtepAddress(ownCidr)}/32`, 'dev', options.device]);
    await runProgram('ip', ['link', 'set', options.device, 'up']);
  }

  async function run(): Promise<void> {
    while (dirty && !stopped) {
      dirty = false;
      try {
        await apply();
      } catch (error) {
        log.error('routes to other nodes are not in place, trying again', { error: messageOf(error) });
        dirty = true;
        await new Promise<void>(resolve => clock.setTimer(resolve, retryMs, { background: true }));
      }
    }
  }
  const touch = () => {
    dirty = true;
    running ??= run().finally(() => {
      running = undefined;
      if (dirty && !stopped) touch();
    });
  };
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
    async flushed() {
      while (running) await running;
    },
    async stop() {
      stopped = true;
      unsubscribe();
      await running;
    },
  };
}

async function addRoute(route: Route, device: string): Promise<void> {
  const v6 = isV6(route.cidr) ? ['-6'] : [];
  if (route.via === 'direct') {
    await runProgram('ip', [...v6, 'route', 'replace', route.cidr, 'via', route.nodeAddress]);
    return;
  }
  const mac = vtepMac(route.nodeAddress);
  const gateway = vtepAddress(route.cidr);
  await runProgram('bridge', ['fdb', 'replace', mac, 'dst', route.nodeAddress, 'dev', device]);
  await runProgram('ip', ['neigh', 'replace', gateway, 'lladdr', mac, 'dev', device, 'nud', 'permanent']);
  await runProgram('ip', ['route', 'replace', route.cidr, 'via', gateway, 'dev', device, 'onlink']);
}
