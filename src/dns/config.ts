/** What users may say of the cluster's DNS, as kube-dns's config map took it: other resolvers, resolvers of single domains, and fixed names. */
import ipaddr from 'ipaddr.js';
import { messageOf } from '../base/errors.ts';

export interface DnsConfig {
  /** Resolvers for names outside the cluster; absent: the machine's own. */
  readonly upstreams?: readonly string[];
  /** Domain (lower case, no dots at the ends) → its resolvers. */
  readonly stubDomains: ReadonlyMap<string, readonly string[]>;
  /** Name (lower case) → its addresses. */
  readonly hosts: ReadonlyMap<string, readonly string[]>;
}

export const emptyConfig: DnsConfig = { stubDomains: new Map(), hosts: new Map() };

/**
 * Keys of the config map: `upstreamNameservers` (JSON list of addresses), `stubDomains` (JSON object of such lists) and `hosts` (lines as
 * in /etc/hosts). What cannot be read is left out and named in `problems`.
 */
export function parseDnsConfig(data: Readonly<Record<string, string>>): {
  readonly config: DnsConfig;
  readonly problems: readonly string[];
} {
  const problems: string[] = [];
  const read = <T>(key: string, parse: (text: string) => T): T | undefined => {
    const text = data[key]?.trim();
    if (!text) return undefined;
    try {
      return parse(text);
    } catch (error) {
      problems.push(`${key}: ${messageOf(error)}`);
      return undefined;
    }
  };
  const upstreams = read('upstreamNameservers', text => resolversOf(JSON.parse(text)));
  const stubDomains = read('stubDomains', text => stubDomainsOf(JSON.parse(text)));
  const hosts = read('hosts', parseHosts);
  return {
    config: {
      ...emptyConfig,
      ...(upstreams && { upstreams }),
      ...(stubDomains && { stubDomains }),
      ...(hosts && { hosts }),
    },
    problems,
  };
}

const domainOf = (text: string) => text.toLowerCase().replace(/^\.|\.$/g, '');

function resolversOf(value: unknown): string[] {
  if (!Array.isArray(value) || value.length === 0) throw new Error('must be a list of addresses');
  const wrong = value.find(each => typeof each !== 'string' || !isResolver(each));
  if (wrong !== undefined) throw new Error(`${JSON.stringify(wrong)} is not the address of a resolver`);
  return value;
}

/** "address", "address:port" or "[v6]:port". */
function isResolver(text: string): boolean {
  const host = /^\[(.+)\](:\d+)?$/.exec(text)?.[1] ?? (text.split(':').length === 2 ? text.split(':')[0] : text);
  return ipaddr.isValid(host ?? '');
}

function stubDomainsOf(value: unknown): Map<string, readonly string[]> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('must be an object');
  return new Map(Object.entries(value).map(([domain, resolvers]) => [domainOf(domain), resolversOf(resolvers)]));
}

/** "example.org=10.0.0.1" each; several of one domain are its resolvers in turn. Throws for others. */
export function parseStubDomains(flags: readonly string[]): Map<string, readonly string[]> {
  const found: Record<string, string[]> = {};
  for (const flag of flags) {
    const [, domain, resolver] = /^([^=]+)=(.+)$/.exec(flag) ?? [];
    if (!domain || !resolver) throw new Error(`"${flag}" is not like "example.org=10.0.0.1"`);
    found[domain] = [...(found[domain] ?? []), resolver];
  }
  return stubDomainsOf(found);
}

export function parseHosts(text: string): Map<string, readonly string[]> {
  const hosts = new Map<string, readonly string[]>();
  for (const line of text.split('\n')) {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    if (address === '') continue;
    if (!ipaddr.isValid(address)) throw new Error(`"${address}" is not an address`);
    for (const name of names) hosts.set(domainOf(name), [...(hosts.get(domainOf(name)) ?? []), address]);
  }
  return hosts;
}
