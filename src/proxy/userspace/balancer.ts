/** Which backend a client of a frontend gets, in user space: in turn, or the one it had (session affinity). Pure but for the clock it is given. */
import ipaddr from 'ipaddr.js';
import type { Clock } from '../../base/clock.ts';
import type { Backend, Frontend } from '../model.ts';

export interface Caller {
  /** The client's address. */
  readonly client: string;
  /** The address of this node that the client called. */
  readonly local: string;
}

export interface Balancer {
  /** Takes the frontend as it is now; clients that affinity keeps stay where their backend still exists. */
  set(frontend: Frontend): void;
  /** The backend for a caller, passing by those that could not be reached. Undefined: refuse. */
  choose(caller: Caller, failed: readonly Backend[]): Backend | undefined;
  /** Every backend a flow may have now. */
  backends(): readonly Backend[];
}

/** Clients remembered per frontend; the one seen longest ago is forgotten first. */
const maxClients = 10_000;

export const sameBackend = (a: Backend, b: Backend) => a.ip === b.ip && a.port === b.port;

export function createBalancer(initial: Frontend, podCidrs: readonly string[], clock: Clock): Balancer {
  const kept = new Map<string, { backend: Backend; seen: number }>();
  let frontend = initial;
  let next = 0;

  function remembered(client: string, among: readonly Backend[]): Backend | undefined {
    const entry = kept.get(client);
    if (!entry || frontend.affinitySeconds === undefined) return undefined;
    if (clock.monotonic() - entry.seen > frontend.affinitySeconds * 1000) return undefined;
    return among.find(backend => sameBackend(backend, entry.backend));
  }
  function remember(client: string, backend: Backend): void {
    if (frontend.affinitySeconds === undefined) return;
    kept.delete(client);
    kept.set(client, { backend, seen: clock.monotonic() });
    for (const oldest of kept.keys()) {
      if (kept.size <= maxClients) break;
      kept.delete(oldest);
    }
  }
  return {
    set(changed) {
      frontend = changed;
      if (changed.affinitySeconds === undefined) kept.clear();
    },
    choose({ client, local }, failed) {
      const { sources, internalBackends = [] } = frontend;
      if (sources && !sources.some(range => inRange(client, range))) return undefined;
      const inside =
        internalBackends.length > 0 && (client === local || podCidrs.some(range => inRange(client, range)));
      const all = inside ? internalBackends : frontend.backends;
      const left = all.filter(backend => !failed.some(other => sameBackend(other, backend)));
      if (left.length === 0) return undefined;
      const backend = remembered(client, left) ?? left[next++ % left.length];
      if (backend) remember(client, backend);
      return backend;
    },
    backends: () => [...frontend.backends, ...(frontend.internalBackends ?? [])],
  };
}

/** False for an address of the other family and for text that is no address. */
export function inRange(address: string, range: string): boolean {
  if (!ipaddr.isValid(address) || !ipaddr.isValidCIDR(range)) return false;
  const parsed = ipaddr.process(address);
  const [network, bits] = ipaddr.parseCIDR(range);
  return parsed.kind() === network.kind() && parsed.match([network, bits]);
}
