/** ConfigMaps and Secrets that pods name: fetched when needed, kept for a moment, and served from memory while the API server is away. */
import type { ConfigMap, Secret, Service } from '../api/types/core-v1.ts';
import type { Clock } from '../base/clock.ts';
import { isForbidden, isNotFound } from '../base/errors.ts';
import type { Client } from '../client/contract.ts';
import type { ObjectSource } from './pod/env.ts';

const freshMs = 2000;
const limit = 1000;

function cached<T>(clock: Clock, fetch: (namespace: string, name: string) => Promise<T>) {
  const known = new Map<string, { at: number; value: Promise<T | undefined> }>();
  return (namespace: string, name: string): Promise<T | undefined> => {
    const key = `${namespace}/${name}`;
    const entry = known.get(key);
    if (entry && clock.monotonic() - entry.at < freshMs) return entry.value;
    const value = fetch(namespace, name).catch((e: unknown) => {
      if (isNotFound(e)) return undefined;
      known.delete(key);
      if (entry && !isForbidden(e)) return entry.value;
      throw e;
    });
    known.delete(key);
    known.set(key, { at: clock.monotonic(), value });
    const [oldest] = known.keys();
    if (known.size > limit && oldest !== undefined) known.delete(oldest);
    return value;
  };
}

export function createObjectSource(
  client: Client,
  clock: Clock,
  services: (namespace: string) => readonly Service[],
): ObjectSource {
  const configMap = cached<ConfigMap>(clock, (ns, name) => client.resource('v1/configmaps', ns).get(name));
  const secret = cached<Secret>(clock, (ns, name) => client.resource('v1/secrets', ns).get(name));
  return { configMap, secret, services };
}
