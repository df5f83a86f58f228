/**
 * The proxy for hosts without a packet filter: it listens on every frontend that has backends and copies bytes. A frontend without backends has
 * no listener, so that the kernel refuses its clients. SCTP is not forwarded, and backends see this node's address instead of the client's.
 */
import type { Clock } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { ProxyBackend } from '../index.ts';
import type { Frontend } from '../model.ts';
import { type Balancer, createBalancer } from './balancer.ts';
import type { Relay, RelaySockets } from './relay.ts';

export interface UserspaceProxyOptions {
  readonly sockets: RelaySockets;
  /** Pod ranges of the whole cluster: their traffic is internal. */
  readonly podCidrs: readonly string[];
  readonly clock: Clock;
  readonly log: Logger;
}

export interface UserspaceProxy extends ProxyBackend {
  /** The ports in use, by "address protocol port" of the frontend; "*" stands for every address of the node. */
  ports(): ReadonlyMap<string, number>;
}

interface Open {
  readonly balancer: Balancer;
  readonly relay: Relay;
}

const keyOf = (f: Frontend) => `${f.address ?? `*${f.family}`} ${f.protocol} ${f.port}`;
const isUsable = (f: Frontend) => f.backends.length > 0 || (f.internalBackends ?? []).length > 0;

export function createUserspaceProxy(options: UserspaceProxyOptions): UserspaceProxy {
  const { sockets, clock, log } = options;
  /** Service → its frontends, in order of arrival: the first to ask for an address owns it. */
  const services = new Map<string, readonly Frontend[]>();
  const open = new Map<string, Open>();
  const complained = new Set<string>();
  let turn: Promise<void> = Promise.resolve();

  function wanted(): Map<string, Frontend> {
    const out = new Map<string, Frontend>();
    for (const frontends of services.values()) {
      for (const frontend of frontends) {
        const key = keyOf(frontend);
        if (isUsable(frontend) && !out.has(key)) out.set(key, frontend);
      }
    }
    return out;
  }

  async function start(key: string, frontend: Frontend): Promise<void> {
    if (frontend.protocol === 'sctp') return complain(key, 'SCTP is not forwarded in user space');
    const balancer = createBalancer(frontend, options.podCidrs, clock);
    try {
      const relay = await sockets[frontend.protocol](frontend, balancer.choose);
      open.set(key, { balancer, relay });
      complained.delete(key);
    } catch (error) {
      complain(key, messageOf(error));
    }
  }
  function complain(key: string, reason: string): void {
    if (complained.has(key)) return;
    complained.add(key);
    log.warn('a service address cannot be served in user space', { frontend: key, reason });
  }

  async function apply(): Promise<void> {
    const next = wanted();
    const gone = [...open].filter(([key]) => !next.has(key));
    for (const [key] of gone) open.delete(key);
    for (const key of complained) if (!next.has(key)) complained.delete(key);
    await Promise.all(gone.map(([, { relay }]) => relay.close(false)));
    await Promise.all(
      [...next].map(async ([key, frontend]) => {
        const known = open.get(key);
        if (!known) return start(key, frontend);
        known.balancer.set(frontend);
        known.relay.retain(known.balancer.backends());
      }),
    );
  }
  /** One change at a time: two must not open the same address. */
  function inTurn(change: () => void): Promise<void> {
    const result = turn.then(() => {
      change();
      return apply();
    });
    turn = result.catch(() => {});
    return result;
  }
  function change(changes: ReadonlyMap<string, readonly Frontend[]>): void {
    for (const [service, frontends] of changes) {
      if (frontends.length === 0) services.delete(service);
      else services.set(service, frontends);
    }
  }

  return {
    load: all =>
      inTurn(() => {
        services.clear();
        change(all);
      }),
    update: changes => inTurn(() => change(changes)),
    async remove() {
      await turn;
      const all = [...open.values()];
      open.clear();
      services.clear();
      await Promise.all(all.map(({ relay }) => relay.close(true)));
    },
    ports: () => new Map([...open].map(([key, { relay }]) => [key, relay.port])),
  };
}
