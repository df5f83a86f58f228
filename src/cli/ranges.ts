/** Ranges and addresses of a cluster: IPv4, IPv6, or one of each, the primary family first. */
import { cidrContains, formatCidr, formatIp, parseCidr, parseIp } from '../api/validation/ip.ts';
import { UsageError } from './flags.ts';

export type Family = 4 | 6;

export interface ClusterRanges {
  /** Where nodes' pod ranges come from, one per family. */
  readonly podCidrs: readonly string[];
  /** Addresses of services, one range per family. */
  readonly serviceCidrs: readonly string[];
  /** The cluster's DNS: an address of the first service range. */
  readonly dnsAddress: string;
}

/** Of an address or a range. */
export const familyOf = (text: string): Family => (text.includes(':') ? 6 : 4);
export const familiesOf = (texts: readonly string[]): Family[] => [...new Set(texts.map(familyOf))];
/** As nftables names them. */
export const tableFamilies = (texts: readonly string[]) =>
  familiesOf(texts).map(family => (family === 4 ? ('ip' as const) : ('ip6' as const)));

/** The address `offset` after the range's first. Throws for text that is no range. */
export function addressIn(cidr: string, offset: number): string {
  const range = parseCidr(cidr);
  if (!range) throw new UsageError(`"${cidr}" is not a range of addresses`);
  return formatIp({ family: range.family, value: range.network + BigInt(offset) });
}

/** The `kubernetes` service's. */
export const firstAddress = (cidr: string) => addressIn(cidr, 1);
/** As kubeadm and others choose it. */
export const dnsAddressIn = (serviceCidrs: readonly string[]) => addressIn(serviceCidrs[0] ?? '', 10);

/** An address or a name as it stands in a URL. */
export const urlHost = (host: string) => (host.includes(':') ? `[${host}]` : host);

/** Throws `UsageError` unless the ranges can make a cluster. */
export function checkRanges({ podCidrs, serviceCidrs, dnsAddress }: ClusterRanges): void {
  for (const [flag, cidrs] of [
    ['--cluster-cidr', podCidrs],
    ['--service-cluster-ip-range', serviceCidrs],
  ] as const) {
    const wrong = cidrs.find(cidr => !parseCidr(cidr));
    if (wrong !== undefined)
      throw new UsageError(`invalid argument "${wrong}" for "${flag}": not a range of addresses`);
    if (cidrs.length === 0 || cidrs.length > 2 || familiesOf(cidrs).length !== cidrs.length)
      throw new UsageError(`${flag} takes one range, or one of each family: got "${cidrs.join(',')}"`);
  }
  if (familyOf(podCidrs[0] ?? '') !== familyOf(serviceCidrs[0] ?? ''))
    throw new UsageError('--cluster-cidr and --service-cluster-ip-range must begin with the same family');
  if (!familiesOf(serviceCidrs).every(family => familiesOf(podCidrs).includes(family)))
    throw new UsageError('--service-cluster-ip-range has a family that --cluster-cidr lacks');
  const dns = parseIp(dnsAddress);
  if (!dns || !serviceCidrs.some(cidr => contains(cidr, dnsAddress)))
    throw new UsageError(`the DNS address "${dnsAddress}" is not in ${serviceCidrs.join(',')}`);
}

function contains(cidr: string, address: string): boolean {
  const range = parseCidr(cidr);
  const ip = parseIp(address);
  return range !== undefined && ip !== undefined && cidrContains(range, ip);
}

/** A node's addresses in the order of the cluster's families; throws `UsageError` when a family has none. */
export function nodeAddresses(candidates: readonly string[], podCidrs: readonly string[]): string[] {
  return familiesOf(podCidrs).map(family => {
    const found = candidates.find(address => familyOf(address) === family);
    if (found === undefined)
      throw new UsageError(
        `the cluster has IPv${family} pods, but this node no IPv${family} address; give one with --node-ip`,
      );
    if (!parseIp(found)) throw new UsageError(`invalid argument "${found}" for "--node-ip": not an address`);
    return found;
  });
}

/** Ranges around a machine's own addresses that only this machine routes: for services of type LoadBalancer. */
export function loadBalancerRanges(hostAddresses: readonly string[]): string[] {
  return hostAddresses.flatMap(address => {
    const range = parseCidr(`${address}/${familyOf(address) === 4 ? 24 : 120}`);
    return range ? [formatCidr(range)] : [];
  });
}
