/** UDP has no end of connection: entries that lead to a backend that is gone would swallow packets until they time out. */
import { execFile } from 'node:child_process';
import type { Backend, Frontend } from './model.ts';

/** The `conntrack` calls that forget flows to removed UDP backends, and flows that met no backend before there was one. Pure. */
export function staleUdpCalls(
  changes: ReadonlyMap<string, readonly Frontend[]>,
  before: ReadonlyMap<string, readonly Frontend[]>,
): string[][] {
  const calls: string[][] = [];
  for (const [key, next] of changes) {
    for (const old of before.get(key) ?? []) {
      if (old.protocol !== 'udp') continue;
      const now = next.find(f => sameFrontend(f, old));
      const left = new Set((now ? backendsOf(now) : []).map(address));
      for (const backend of backendsOf(old)) if (!left.has(address(backend))) calls.push(deletion(old, backend));
    }
    for (const now of next) {
      const old = (before.get(key) ?? []).find(f => sameFrontend(f, now));
      if (now.protocol === 'udp' && backendsOf(now).length > 0 && (!old || backendsOf(old).length === 0))
        calls.push(deletion(now, undefined));
    }
  }
  return calls;
}

/** Those of callers from outside and from inside, each once. */
const backendsOf = (frontend: Frontend) => [
  ...new Map([...frontend.backends, ...(frontend.internalBackends ?? [])].map(b => [address(b), b])).values(),
];
const address = (backend: Backend) => `${backend.ip} ${backend.port}`;
const sameFrontend = (a: Frontend, b: Frontend) =>
  a.address === b.address && a.family === b.family && a.protocol === b.protocol && a.port === b.port;

function deletion(frontend: Frontend, backend: Backend | undefined): string[] {
  return [
    '-D',
    '-f',
    frontend.family === 'ip' ? 'ipv4' : 'ipv6',
    '-p',
    'udp',
    '--orig-port-dst',
    String(frontend.port),
    ...(frontend.address === undefined ? [] : ['--orig-dst', frontend.address]),
    ...(backend === undefined ? [] : ['--dst-nat', backend.ip]),
  ];
}

/**
 * The calls that forget flows which an earlier proxy led to backends that are none any more, and flows to a service's address that met no
 * backend then. `listing` is what `conntrack -L` printed. Pure.
 */
export function forgottenUdpCalls(listing: string, frontends: Iterable<Frontend>): string[][] {
  const targets = new Map<string, ReadonlySet<string>>();
  for (const f of frontends)
    if (f.protocol === 'udp') targets.set(`${f.address ?? '*'} ${f.port}`, new Set(backendsOf(f).map(b => b.ip)));
  return listing.split('\n').flatMap(line => {
    const flow = flowOf(line);
    if (!flow) return [];
    const service = targets.get(`${flow.to} ${flow.toPort}`);
    const backends = service ?? targets.get(`* ${flow.toPort}`);
    const isLed = flow.answeredBy !== flow.to;
    // Without an address of its own a node port is just a number, which other flows may have too.
    if (!backends || backends.has(flow.answeredBy) || !(isLed || (service && backends.size > 0))) return [];
    const family = flow.to.includes(':') ? 'ipv6' : 'ipv4';
    const ends = ['--orig-src', flow.from, '--orig-dst', flow.to];
    return [
      ['-D', '-f', family, '-p', 'udp', ...ends, '--orig-port-src', flow.fromPort, '--orig-port-dst', flow.toPort],
    ];
  });
}

function flowOf(line: string) {
  const all = (name: string) => [...line.matchAll(new RegExp(`\\b${name}=(\\S+)`, 'g'))].map(match => match[1] ?? '');
  const [from, answeredBy] = all('src');
  const [to] = all('dst');
  const [fromPort] = all('sport');
  const [toPort] = all('dport');
  return from && answeredBy && to && fromPort && toPort ? { from, fromPort, to, toPort, answeredBy } : undefined;
}

/** Runs `conntrack`; resolves with what it printed. */
export type ConntrackRunner = (args: readonly string[]) => Promise<string>;

/** conntrack exits with 1 when nothing matched, and may be missing: the entries then end by their time-outs. */
export const runConntrack: ConntrackRunner = args =>
  new Promise(resolve =>
    execFile('conntrack', [...args], { maxBuffer: 256 << 20 }, (error, stdout) => resolve(error ? '' : stdout)),
  );

export async function clearStaleUdp(
  changes: ReadonlyMap<string, readonly Frontend[]>,
  before: ReadonlyMap<string, readonly Frontend[]>,
  run: ConntrackRunner = runConntrack,
): Promise<void> {
  for (const args of staleUdpCalls(changes, before)) await run(args);
}

/** For a proxy that starts: what went while nobody looked. */
export async function clearForgottenUdp(
  services: ReadonlyMap<string, readonly Frontend[]>,
  _before?: unknown,
  run: ConntrackRunner = runConntrack,
): Promise<void> {
  const frontends = [...services.values()].flat();
  for (const family of ['ipv4', 'ipv6'])
    for (const args of forgottenUdpCalls(await run(['-L', '-f', family, '-p', 'udp']), frontends)) await run(args);
}
