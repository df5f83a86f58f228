/** Which resolvers a name is asked of: those of the longest domain that has its own, or the general ones. */
import { createForwarder, type Forwarder, type ForwarderOptions } from './forward.ts';

export interface Routes {
  readonly upstreams: readonly string[];
  /** Domain → its resolvers. */
  readonly stubDomains: ReadonlyMap<string, readonly string[]>;
}

export interface Forwarding extends Forwarder {
  /** Answers kept so far are forgotten when the resolvers are others now. */
  setRoutes(routes: Routes): void;
}

export function createForwarding(options: Omit<ForwarderOptions, 'upstreams'>, first: Routes): Forwarding {
  let made = '';
  let general: Forwarder;
  let special = new Map<string, Forwarder>();

  function setRoutes({ upstreams, stubDomains }: Routes): void {
    const wanted = JSON.stringify([upstreams, [...stubDomains]]);
    if (wanted === made) return;
    made = wanted;
    general = createForwarder({ ...options, upstreams });
    special = new Map(
      [...stubDomains].map(([domain, own]) => [domain, createForwarder({ ...options, upstreams: own })]),
    );
  }

  function forwarderFor(name: string): Forwarder {
    if (special.size === 0) return general;
    const labels = name.toLowerCase().split('.');
    for (let i = 0; i < labels.length; i++) {
      const found = special.get(labels.slice(i).join('.'));
      if (found) return found;
    }
    return general;
  }

  setRoutes(first);
  return { setRoutes, resolve: (name, type) => forwarderFor(name).resolve(name, type) };
}
