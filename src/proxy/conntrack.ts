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

/** Runs `conntrack`. */
export type ConntrackRunner = (args: readonly string[]) => Promise<void>;

/** conntrack exits with 1 when nothing matched, and may be missing: the entries then end by their time-outs. */
export const runConntrack: ConntrackRunner = args =>
  new Promise(resolve => execFile('conntrack', [...args], () => resolve()));

export async function clearStaleUdp(
  changes: ReadonlyMap<string, readonly Frontend[]>,
  before: ReadonlyMap<string, readonly Frontend[]>,
  run: ConntrackRunner = runConntrack,
): Promise<void> {
  for (const args of staleUdpCalls(changes, before)) await run(args);
}
