/** The node's network: services into the kernel, one of them changed, and DNS against a bare echo. Needs root for a network namespace. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { silentLogger } from '../src/base/log.ts';
import { createMetrics } from '../src/base/metrics.ts';
import type { Frontend } from '../src/proxy/model.ts';
import { elementsOf } from '../src/proxy/nftables/rules.ts';
import { createServiceTable } from '../src/proxy/nftables/table.ts';
import { createNamespace, type Namespace } from '../test/support/netns.ts';
import type { BenchResult } from './result.ts';

const services = 10_000;
const table = 'tsukube-bench';

const frontend = (i: number, host: number): Frontend => ({
  ...{ family: 'ip', protocol: 'tcp', port: 80, preserveSource: false, whenEmpty: 'reject' },
  address: `10.43.${i >> 8}.${i & 255}`,
  backends: [{ ip: `10.42.${host >> 8}.${host & 255}`, port: 8080 }],
});
const allServices = () => new Map(Array.from({ length: services }, (_, i) => [`ns/s${i}`, [frontend(i, i)]] as const));

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

/** The same elements in the same maps, written ahead and given to nft at once. */
function bareScript(): string {
  const { elements, chains } = elementsOf([...allServices().values()].flat(), 'ip');
  const address = 'ipv4_addr . inet_proto . inet_service';
  const lines = [
    'add table ip bare',
    `add map ip bare services { type ${address} : verdict; }`,
    `add map ip bare endpoints { type ${address} . mark : ipv4_addr . inet_service; }`,
    'add set ip bare hairpin { type ipv4_addr . ipv4_addr; }',
    ...chains.map(chain => `add chain ip bare ${chain.name}`),
  ];
  for (const [map, list] of elements) {
    const items = [...list].map(([key, value]) => (value === '' ? key : `${key} : ${value}`));
    for (let i = 0; i < items.length; i += 1000)
      lines.push(`add element ip bare ${map} { ${items.slice(i, i + 1000).join(', ')} }`);
  }
  return lines.join('\n');
}

async function packetFilter(host: Namespace): Promise<BenchResult[]> {
  const proxy = createServiceTable({
    ...{ table, podCidrs: ['10.42.0.0/16'], families: ['ip'], log: silentLogger, metrics: createMetrics() },
    run: script => host.nft(script),
  });
  const script = bareScript();
  const floor = await seconds(() => host.nft(script));
  await host.nft('delete table ip bare');
  const load = await seconds(() => proxy.load(allServices()));
  const rounds = 20;
  const change = await seconds(async () => {
    for (let i = 0; i < rounds; i++) await proxy.update(new Map([[`ns/s${i}`, [frontend(i, 20_000 + i)]]]));
  });
  const empty = await seconds(async () => {
    for (let i = 0; i < rounds; i++) await host.nft('');
  });
  const ratio = load / floor;
  return [
    { name: '10,000 services loaded in nftables', value: load, unit: 's', floor, ratio },
    { name: '  floor: one nft -f of the same elements', value: floor, unit: 's' },
    { name: 'one of 10,000 services changed', value: (change / rounds) * 1000, unit: 'ms', ratio: change / empty },
    { name: '  floor: nft with nothing to do', value: (empty / rounds) * 1000, unit: 'ms' },
  ];
}

const part = (name: string) => join(import.meta.dirname, 'network-support', `${name}.ts`);

async function started(...args: string[]): Promise<{ child: ChildProcess; line: string }> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, line: chunk.toString().trim() };
}

/** Questions answered in a second by a server process, asked by another one with many on the way. */
async function questionsPerSecond(server: 'dns' | 'echo', name: string): Promise<number> {
  const running = await started(part('dns-server'), server);
  try {
    const load = await started(part('dns-load'), running.line, '2000', name);
    return Number(load.line);
  } finally {
    running.child.kill();
  }
}

async function dns(): Promise<BenchResult[]> {
  const floor = await questionsPerSecond('echo', 'web-0.shop.svc.cluster.local');
  const known = await questionsPerSecond('dns', 'web-0.shop.svc.cluster.local');
  const many = await questionsPerSecond('dns', '*');
  const result = (name: string, value: number) => ({ name, value, unit: 'questions/s', floor, ratio: value / floor });
  return [
    result('DNS, one name', known),
    result('DNS, 1,000 names in turn', many),
    { name: '  floor: a bare UDP echo', value: floor, unit: 'packets/s' },
  ];
}

export async function run(): Promise<BenchResult[]> {
  const results: BenchResult[] = [];
  if (process.getuid?.() === 0) {
    const host = await createNamespace('bench');
    try {
      results.push(...(await packetFilter(host)));
    } finally {
      await host.remove();
    }
  }
  return [...results, ...(await dns())];
}
