/**
 * Policies as one nftables table per family. Egress is judged before ingress, each in a base chain of its own, so that a packet must pass both. An
 * isolated pod leads to a chain that tries its policies and then drops.
 */
import type { Block, CompiledPolicy, Direction, Family, PolicyState, PortRange, Rule } from './model.ts';
import { familyOf } from './model.ts';

export interface PolicyTable {
  /** Chains and empty sets: everything but set elements. */
  readonly structure: string;
  /** Set name → elements. */
  readonly sets: ReadonlyMap<string, ReadonlySet<string>>;
}

/** The wanted table. Pure; equal states give equal texts. */
export function policyTable(state: PolicyState, family: Family, table: string): PolicyTable {
  const build = new Builder(family);
  for (const direction of ['egress', 'ingress'] as const) {
    for (const policy of state.policies.filter(p => p.direction === direction)) build.policy(policy);
    build.pods(direction, state.isolated[direction]);
  }
  return { structure: build.text(table), sets: build.sets };
}

class Builder {
  readonly sets = new Map<string, ReadonlySet<string>>();
  private readonly declarations: string[] = [];
  private readonly chains: string[] = [];
  private readonly dispatch: Record<Direction, string[]> = { ingress: [], egress: [] };
  private readonly family: Family;
  private readonly address: string;

  constructor(family: Family) {
    this.family = family;
    this.address = family === 'ip' ? 'ipv4_addr' : 'ipv6_addr';
  }

  policy(policy: CompiledPolicy): void {
    const name = chainName(policy.direction, policy.key);
    const lines = policy.rules.flatMap((rule, index) => this.rule(`${name}_${index}`, policy.direction, rule));
    this.chains.push(`  chain ${name} {\n${lines.map(line => `    ${line}`).join('\n')}\n  }`);
  }

  /** Pods that the same policies select share a chain. */
  pods(direction: Direction, isolated: ReadonlyMap<string, readonly string[]>): void {
    const own = [...isolated].filter(([ip]) => familyOf(ip) === this.family);
    const groups = Map.groupBy(own, ([, keys]) => [...keys].sort().join('|'));
    for (const group of [...groups.keys()].sort()) {
      const name = `pods_${direction}_${hash(group)}`;
      const set = `${name}_set`;
      this.addSet(
        set,
        `type ${this.address};`,
        (groups.get(group) ?? []).map(([ip]) => ip),
      );
      const jumps = group.split('|').map(key => `    jump ${chainName(direction, key)}`);
      this.chains.push(`  chain ${name} {\n${jumps.join('\n')}\n    drop\n  }`);
      this.dispatch[direction].push(
        `    ${this.family} ${direction === 'ingress' ? 'daddr' : 'saddr'} @${set} jump ${name}`,
      );
    }
  }

  text(table: string): string {
    const full = `${this.family} ${table}`;
    // Pods of one bridge find each other's link addresses with packets that pass the filter, too, and that no connection owns.
    const neighbours = this.family === 'ip6' ? 'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept' : '';
    const base = (direction: Direction, priority: number) =>
      [
        `  chain ${direction} {`,
        `    type filter hook forward priority ${priority}`,
        '    ct state established, related accept',
        ...(neighbours === '' ? [] : [`    ${neighbours}`]),
        ...this.dispatch[direction],
        '  }',
      ].join('\n');
    return `add table ${full}\ndelete table ${full}\ntable ${full} {\n${[...this.declarations, ...this.chains, base('egress', -5), base('ingress', -4)].join('\n')}\n}\n`;
  }

  private addSet(name: string, type: string, elements: readonly string[]): void {
    this.declarations.push(`  set ${name} { ${type} }`);
    this.sets.set(name, new Set(elements));
  }

  /** The lines of one rule: every way to name peers times every way to name ports, each ending in accept. */
  private rule(name: string, direction: Direction, rule: Rule): string[] {
    const peers = this.peers(name, direction, rule);
    const ports = this.ports(name, rule);
    return peers.flatMap(peer => ports.map(port => `${peer}${port}accept`));
  }

  private peers(name: string, direction: Direction, rule: Rule): string[] {
    if (!rule.peers) return [''];
    const side = `${this.family} ${direction === 'ingress' ? 'saddr' : 'daddr'}`;
    const out: string[] = [];
    const pods = rule.peers.pods.filter(ip => familyOf(ip) === this.family);
    this.addSet(`${name}_pods`, `type ${this.address};`, pods);
    out.push(`${side} @${name}_pods `);
    for (const block of rule.peers.blocks) {
      if (familyOf(block.cidr) === this.family) out.push(blockMatch(side, block));
    }
    return out;
  }

  private ports(name: string, rule: Rule): string[] {
    if (!rule.ports) return [''];
    const out = rule.ports.map(portMatch);
    const named = rule.named.filter(n => familyOf(n.ip) === this.family);
    if (rule.named.length > 0) {
      this.addSet(
        `${name}_ports`,
        `type ${this.address} . inet_proto . inet_service;`,
        named.map(n => `${n.ip} . ${n.protocol} . ${n.port}`),
      );
      out.push(`${this.family} daddr . meta l4proto . th dport @${name}_ports `);
    }
    return out;
  }
}

function blockMatch(side: string, block: Block): string {
  const except = block.except.length > 0 ? `${side} != { ${block.except.join(', ')} } ` : '';
  return `${side} ${block.cidr} ${except}`;
}

function portMatch(range: PortRange): string {
  if (range.from === undefined) return `meta l4proto ${range.protocol} `;
  return range.to === undefined || range.to === range.from
    ? `${range.protocol} dport ${range.from} `
    : `${range.protocol} dport ${range.from}-${range.to} `;
}

function chainName(direction: Direction, key: string): string {
  return `p_${direction}_${hash(key)}`;
}

/** FNV-1a over two seeds: 64 bits, so that names of chains do not meet. */
function hash(text: string): string {
  return [0x811c9dc5, 0x01000193]
    .map(seed => {
      let h = seed;
      for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 16_777_619) >>> 0;
      return h.toString(16).padStart(8, '0');
    })
    .join('');
}

/** The script that leads from one table to the next: only elements when the structure stayed. */
export function policyScript(
  before: PolicyTable | undefined,
  after: PolicyTable,
  family: Family,
  table: string,
): string {
  const lines: string[] = [];
  const fresh = before?.structure !== after.structure;
  if (fresh) lines.push(after.structure);
  for (const [name, elements] of after.sets) {
    const old = fresh ? new Set<string>() : (before?.sets.get(name) ?? new Set<string>());
    const gone = [...old].filter(e => !elements.has(e));
    const added = [...elements].filter(e => !old.has(e));
    if (gone.length > 0) lines.push(`delete element ${family} ${table} ${name} { ${gone.join(', ')} }`);
    if (added.length > 0) lines.push(`add element ${family} ${table} ${name} { ${added.join(', ')} }`);
  }
  return lines.join('\n');
}
