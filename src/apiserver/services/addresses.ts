/** Cluster IPs. An IPAddress object is the lock on its address, so that several servers agree and restarts forget nothing. */
import type { IPAddress, ServiceCIDR } from '../../api/types/networking-v1.ts';
import { type Cidr, cidrContains, formatIp, parseCidr, parseIp } from '../../api/validation/ip.ts';
import { errors, isAlreadyExists, isNotFound } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import type { Client } from '../../client/contract.ts';
import type { KindCache } from '../storage/kind-cache.ts';

export type Family = 'IPv4' | 'IPv6';
export const familyOfIp = (ip: string): Family => (ip.includes(':') ? 'IPv6' : 'IPv4');

export interface ServiceName {
  readonly namespace: string;
  readonly name: string;
}

/** The ServiceCIDR of the server's own flags. */
const ownRanges = 'kubernetes';

export interface AddressAllocator {
  /** Families of the ranges that the server was started with, the primary one first; ranges that came later add none. */
  families(): Family[];
  /** A free address of the family. Throws 500 when there is none. */
  any(family: Family, owner: ServiceName, dryRun: boolean): Promise<string>;
  /** This very address. Throws when it is out of range or taken; the message is upstream's. */
  exactly(ip: string, owner: ServiceName, dryRun: boolean): Promise<void>;
  release(ip: string): Promise<void>;
}

const managedBy = 'ipallocator.k8s.io';
/** Name of the ServiceCIDR that the server makes. */
export const ownCidr = 'kubernetes';

export function addressObject(ip: string, owner: ServiceName): IPAddress {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'IPAddress',
    metadata: {
      name: ip,
      labels: {
        'ipaddress.kubernetes.io/ip-family': familyOfIp(ip),
        'ipaddress.kubernetes.io/managed-by': managedBy,
      },
    },
    spec: { parentRef: { group: '', resource: 'services', namespace: owner.namespace, name: owner.name } },
  };
}

function sizeOf(cidr: Cidr): bigint {
  return 1n << BigInt((cidr.family === 4 ? 32 : 128) - cidr.prefix);
}

/** Addresses that may be given out: not the network's, nor the broadcast address. */
function usable(cidr: Cidr): { first: bigint; count: bigint } {
  const size = sizeOf(cidr);
  const base = cidr.network;
  const last = cidr.family === 4 ? 2n : 1n;
  const count = size > last ? size - last : 0n;
  return { first: base + 1n, count: count > 1n << 16n ? 1n << 16n : count };
}

/** Addresses below this offset are left to those who ask for one by name (upstream: calculateRangeOffset). */
export function staticBand(count: number, min = 16, max = 256, step = 16): number {
  if (count < min) return 0;
  return Math.min(Math.max(min, Math.floor(count / step)), max);
}

export function createAddressAllocator(options: {
  client: Client;
  random: Random;
  addresses: KindCache;
  cidrs: KindCache;
}): AddressAllocator {
  const { client, random, addresses } = options;
  const objects = client.resource('networking.k8s.io/v1/ipaddresses');

  const objectsNow = () => options.cidrs.root.values().map(entry => entry.object() as unknown as ServiceCIDR);
  const parsedRanges = (list: readonly ServiceCIDR[]) =>
    list.flatMap(cidr => cidr.spec.cidrs ?? []).flatMap(text => parseCidr(text) ?? []);
  const ranges = () => parsedRanges(objectsNow().filter(cidr => !cidr.metadata.deletionTimestamp));
  const familyOf = (cidr: Cidr): Family => (cidr.family === 6 ? 'IPv6' : 'IPv4');
  const rangesOf = (family: Family) => ranges().filter(cidr => familyOf(cidr) === family);

  async function take(ip: string, owner: ServiceName, dryRun: boolean): Promise<boolean> {
    if (addresses.get(ip)) return false;
    if (dryRun) return true;
    try {
      await objects.create(addressObject(ip, owner));
      return true;
    } catch (e) {
      if (isAlreadyExists(e)) return false;
      throw e;
    }
  }
  function* candidates(cidr: Cidr): Generator<string> {
    const { first, count } = usable(cidr);
    const total = Number(count);
    const band = staticBand(total);
    const at = (offset: number) => formatIp({ family: cidr.family, value: first + BigInt(offset) });
    const span = total - band;
    const start = span > 0 ? random.int(span) : 0;
    for (let i = 0; i < span; i++) yield at(band + ((start + i) % span));
    for (let i = 0; i < band; i++) yield at(i);
  }
  return {
    families() {
      return parsedRanges(objectsNow().filter(cidr => cidr.metadata.name === ownRanges)).map(familyOf);
    },
    async any(family, owner, dryRun) {
      for (const cidr of rangesOf(family))
        for (const ip of candidates(cidr)) if (await take(ip, owner, dryRun)) return ip;
      throw errors.internal(`failed to allocate a serviceIP: range is full`);
    },
    async exactly(ip, owner, dryRun) {
      const parsed = parseIp(ip);
      if (!parsed || !ranges().some(cidr => cidrContains(cidr, parsed)))
        throw new Error(`failed to allocate IP ${ip}: the provided network does not match the current range`);
      if (!(await take(ip, owner, dryRun)))
        throw new Error(`failed to allocate IP ${ip}: provided IP is already allocated`);
    },
    async release(ip) {
      await objects.delete(ip).catch(e => {
        if (!isNotFound(e)) throw e;
      });
    },
  };
}
