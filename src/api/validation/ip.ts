/** IP addresses and CIDR blocks: read as Go's older parser does (leading zeros pass), checked with v1.35's complaints. */

export interface IpAddress {
  /** 4 also for IPv4-mapped IPv6. */
  readonly family: 4 | 6;
  /** 32 or 128 bits. */
  readonly value: bigint;
  /** Written as `::ffff:a.b.c.d`. */
  readonly mapped: boolean;
  /** A part of the IPv4 text starts with a superfluous zero. */
  readonly leadingZeros: boolean;
}
export interface Cidr {
  readonly family: 4 | 6;
  /** The network address: bits past the prefix are zero. */
  readonly network: bigint;
  /** The address as written. */
  readonly address: IpAddress;
  readonly prefix: number;
  readonly leadingZeros: boolean;
}

function parseV4(text: string): { value: bigint; leadingZeros: boolean } | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0;
  let leadingZeros = false;
  for (const part of parts) {
    if (!/^[0-9]{1,20}$/.test(part) || Number(part) > 255) return undefined;
    if (part.length > 1 && part.startsWith('0')) leadingZeros = true;
    value = value * 256 + Number(part);
  }
  return { value: BigInt(value), leadingZeros };
}

function groupsOf(text: string): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  for (const part of text.split(':')) {
    if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined;
    groups.push(Number.parseInt(part, 16));
  }
  return groups;
}

function parseV6(input: string): IpAddress | undefined {
  let text = input;
  let leadingZeros = false;
  const lastColon = text.lastIndexOf(':');
  if (text.includes('.')) {
    const v4 = parseV4(text.slice(lastColon + 1));
    if (!v4) return undefined;
    leadingZeros = v4.leadingZeros;
    text = `${text.slice(0, lastColon + 1)}${(v4.value >> 16n).toString(16)}:${(v4.value & 0xffffn).toString(16)}`;
  }
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = groupsOf(halves[0] ?? '');
  const tail = halves.length === 2 ? groupsOf(halves[1] ?? '') : [];
  if (!head || !tail) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...new Array<number>(missing).fill(0), ...tail];
  const value = groups.reduce((sum, group) => (sum << 16n) | BigInt(group), 0n);
  const mapped = value >> 32n === 0xffffn;
  return mapped
    ? { family: 4, value: value & 0xffffffffn, mapped, leadingZeros }
    : { family: 6, value, mapped, leadingZeros };
}

/** Undefined when the text is no address. Zones (`%eth0`) are refused. */
export function parseIp(text: string): IpAddress | undefined {
  if (text.length > 64) return undefined;
  if (text.includes(':')) return parseV6(text);
  const v4 = parseV4(text);
  return v4 && { family: 4, value: v4.value, mapped: false, leadingZeros: v4.leadingZeros };
}

/** RFC 5952 text; IPv4 (also mapped) as a dotted quad. */
export function formatIp(ip: { family: 4 | 6; value: bigint }): string {
  if (ip.family === 4) return [24n, 16n, 8n, 0n].map(shift => String((ip.value >> shift) & 0xffn)).join('.');
  const groups = Array.from({ length: 8 }, (_, i) => Number((ip.value >> BigInt(112 - 16 * i)) & 0xffffn));
  const run = longestZeroRun(groups);
  const text = (part: number[]) => part.map(group => group.toString(16)).join(':');
  if (run.length < 2) return text(groups);
  return `${text(groups.slice(0, run.start))}::${text(groups.slice(run.start + run.length))}`;
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  groups.forEach((group, i) => {
    if (group !== 0) start = i + 1;
    else if (i - start + 1 > best.length) best = { start, length: i - start + 1 };
  });
  return best;
}

export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf('/');
  if (slash < 0) return undefined;
  const address = parseIp(text.slice(0, slash));
  const length = text.slice(slash + 1);
  if (!address || !/^[0-9]{1,8}$/.test(length)) return undefined;
  const written = Number(length);
  const bits = address.family === 4 ? 32 : 128;
  const prefix = address.mapped ? written - 96 : written;
  if (written > (address.mapped ? 128 : bits) || prefix < 0) return undefined;
  const host = BigInt(bits - prefix);
  const leadingZeros = address.leadingZeros || (length.length > 1 && length.startsWith('0'));
  return { family: address.family, network: (address.value >> host) << host, address, prefix, leadingZeros };
}

export function formatCidr(cidr: Cidr): string {
  return `${formatIp({ family: cidr.family, value: cidr.network })}/${cidr.prefix}`;
}

export function cidrContains(cidr: Cidr, ip: IpAddress): boolean {
  if (cidr.family !== ip.family) return false;
  const host = BigInt((cidr.family === 4 ? 32 : 128) - cidr.prefix);
  return ip.value >> host === cidr.network >> host;
}

/** Strict also refuses leading zeros and IPv4-mapped IPv6 (new objects); old objects are read with `strict` false. */
export function isIp(text: string, strict = true): string[] {
  const ip = parseIp(text);
  if (!ip) return ['must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'];
  const complaints: string[] = [];
  if (strict && ip.leadingZeros) complaints.push('must not have leading 0s');
  if (strict && ip.mapped) complaints.push('must not be an IPv4-mapped IPv6 address');
  return complaints;
}

/** As `isIp`, and the text must be the canonical one. */
export function isCanonicalIp(text: string): string[] {
  const complaints = isIp(text);
  const ip = parseIp(text);
  if (complaints.length > 0 || !ip) return complaints;
  const canonical = formatIp(ip);
  return canonical === text ? [] : [`must be in canonical form ("${canonical}")`];
}

export function isCidr(text: string, strict = true): string[] {
  const cidr = parseCidr(text);
  if (!cidr) return ['must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'];
  if (!strict) return [];
  if (cidr.leadingZeros) return ['must not have leading 0s in IP or prefix length'];
  if (cidr.address.mapped) return ['must not have an IPv4-mapped IPv6 address'];
  return cidr.network === cidr.address.value ? [] : ['must not have bits set beyond the prefix length'];
}

export function isCanonicalCidr(text: string): string[] {
  const complaints = isCidr(text);
  const cidr = parseCidr(text);
  if (complaints.length > 0 || !cidr) return complaints;
  const canonical = formatCidr(cidr);
  return canonical === text ? [] : [`must be in canonical form ("${canonical}")`];
}
