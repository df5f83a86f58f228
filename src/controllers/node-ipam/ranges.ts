/** Splits a cluster's pod range into ranges of nodes. Pure. */
import { type Cidr, formatCidr, parseCidr } from '../../api/validation/ip.ts';

export interface ClusterRange {
  readonly cidr: Cidr;
  /** Prefix length of a node's share. */
  readonly nodeMaskSize: number;
}

const bits = (cidr: Cidr) => (cidr.family === 4 ? 32 : 128);

/** The default share is /24 for IPv4 and /64 for IPv6. Throws when it does not fit in the range. */
export function clusterRange(text: string, nodeMaskSize?: number): ClusterRange {
  const cidr = parseCidr(text);
  if (!cidr) throw new Error(`"${text}" is not a CIDR`);
  const size = nodeMaskSize ?? (cidr.family === 4 ? 24 : 64);
  if (size < cidr.prefix || size - cidr.prefix > 16)
    throw new Error(`a node's range of /${size} does not fit in ${text} (at most 65,536 nodes)`);
  return { cidr, nodeMaskSize: size };
}

/** How many nodes the range can hold. */
export function capacityOf(range: ClusterRange): number {
  return 2 ** (range.nodeMaskSize - range.cidr.prefix);
}

/** The range of the node with this number. */
export function shareOf(range: ClusterRange, index: number): string {
  const network = range.cidr.network + (BigInt(index) << BigInt(bits(range.cidr) - range.nodeMaskSize));
  return formatCidr({ ...range.cidr, network, prefix: range.nodeMaskSize });
}

/** The numbers that a taken range covers: several when it is wider than a share. Undefined when it lies outside. */
export function indicesOf(range: ClusterRange, taken: string): { first: number; last: number } | undefined {
  const own = range.cidr;
  const other = parseCidr(taken);
  if (other?.family !== own.family) return undefined;
  const share = BigInt(bits(own) - range.nodeMaskSize);
  const end = other.network + (1n << BigInt(bits(own) - other.prefix)) - 1n;
  const first = Number((other.network - own.network) >> share);
  const last = Number((end - own.network) >> share);
  if (last < 0 || first >= capacityOf(range)) return undefined;
  return { first: Math.max(0, first), last: Math.min(capacityOf(range) - 1, last) };
}
