/** Keeps the kernel's tables equal to what the services ask for: one transaction per batch of changes, a full load when one fails. */
import { spawn } from 'node:child_process';
import { messageOf } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { Metrics } from '../../base/metrics.ts';
import type { Frontend } from '../model.ts';
import {
  chainScript,
  differenceScript,
  elementsOf,
  type Family,
  type MapName,
  type PickChain,
  type TableOptions,
  tableScript,
} from './rules.ts';

/** Feeds a script to nft as one transaction. Rejects with nft's words. */
export type NftRunner = (script: string) => Promise<void>;

export const runNft: NftRunner = script =>
  new Promise((resolve, reject) => {
    const child = spawn('nft', ['-f', '-'], { stdio: ['pipe', 'ignore', 'pipe'] });
    let complaint = '';
    child.stderr.on('data', (chunk: Buffer) => {
      complaint = (complaint + chunk.toString()).slice(0, 2000);
    });
    child.once('error', reject);
    child.once('close', code => (code === 0 ? resolve() : reject(new Error(`nft: ${complaint.trim()}`))));
    child.stdin.on('error', () => {});
    child.stdin.end(script);
  });

export interface ServiceTable {
  /** Replaces the table in the kernel with an empty one, keeping nothing of an earlier run. */
  load(services: ReadonlyMap<string, readonly Frontend[]>): Promise<void>;
  /** Applies changes: a key with no frontends is removed. */
  update(changes: ReadonlyMap<string, readonly Frontend[]>): Promise<void>;
  /** Removes the tables. */
  remove(): Promise<void>;
}

export interface ServiceTableOptions extends TableOptions {
  readonly families: readonly Family[];
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly run?: NftRunner;
}

type Changes = ReadonlyMap<string, readonly Frontend[]>;
type Contribution = ReadonlyMap<MapName, ReadonlyMap<string, string>>;

/** Elements of one family with the services that ask for each: the first to ask owns it, the next takes over when it goes. */
class Merged {
  readonly contributions = new Map<string, Contribution>();
  /** Element → services that ask for it, in order of arrival. */
  private readonly owners = new Map<string, string[]>();

  /** Changes one service and records the elements touched. */
  set(service: string, next: Contribution, touched: Map<MapName, Map<string, { before: string | undefined }>>): void {
    const old = this.contributions.get(service);
    const note = (map: MapName, key: string) => {
      const inner = touched.get(map) ?? new Map<string, { before: string | undefined }>();
      if (!inner.has(key)) inner.set(key, { before: this.valueOf(map, key) });
      touched.set(map, inner);
    };
    for (const [map, elements] of old ?? []) {
      for (const [key, value] of elements) {
        if (next.get(map)?.get(key) !== value) note(map, key);
      }
    }
    for (const [map, elements] of next) {
      for (const [key, value] of elements) {
        if (old?.get(map)?.get(key) !== value) note(map, key);
      }
    }
    this.reown(service, old, next);
    if (next.size > 0) this.contributions.set(service, next);
    else this.contributions.delete(service);
  }

  valueOf(map: MapName, key: string): string | undefined {
    const owner = this.owners.get(`${map}|${key}`)?.[0];
    return owner === undefined ? undefined : this.contributions.get(owner)?.get(map)?.get(key);
  }

  private reown(service: string, old: Contribution | undefined, next: Contribution): void {
    for (const [map, elements] of old ?? []) {
      for (const key of elements.keys()) {
        if (next.get(map)?.has(key)) continue;
        const list = (this.owners.get(`${map}|${key}`) ?? []).filter(name => name !== service);
        if (list.length > 0) this.owners.set(`${map}|${key}`, list);
        else this.owners.delete(`${map}|${key}`);
      }
    }
    for (const [map, elements] of next) {
      for (const key of elements.keys()) {
        const list = this.owners.get(`${map}|${key}`);
        if (!list) this.owners.set(`${map}|${key}`, [service]);
        else if (!list.includes(service)) list.push(service);
      }
    }
  }
}

export function createServiceTable(options: ServiceTableOptions): ServiceTable {
  const { families, log } = options;
  const run = options.run ?? runNft;
  const transactions = options.metrics.counter(
    'tsukube_proxy_nft_transactions_total',
    'Transactions handed to nft, by result.',
  );
  let merged = new Map<Family, Merged>();
  let chains = new Map<Family, Set<string>>();

  async function transact(script: string): Promise<void> {
    try {
      await run(script);
      transactions.inc({ result: 'ok' });
    } catch (error) {
      transactions.inc({ result: 'error' });
      throw error;
    }
  }

  function missingChains(family: Family, wanted: readonly PickChain[]): string[] {
    const known = chains.get(family) ?? new Set<string>();
    chains.set(family, known);
    return wanted.flatMap(chain => {
      if (known.has(chain.name)) return [];
      known.add(chain.name);
      return [chainScript(family, options.table, chain)];
    });
  }

  function scriptFor(family: Family, changes: ReadonlyMap<string, readonly Frontend[]>): string {
    const state = merged.get(family) ?? new Merged();
    merged.set(family, state);
    const touched = new Map<MapName, Map<string, { before: string | undefined }>>();
    const newChains: string[] = [];
    for (const [service, frontends] of changes) {
      const { elements, chains: wanted } = elementsOf(frontends, family);
      newChains.push(...missingChains(family, wanted));
      state.set(service, elements, touched);
    }
    const before = new Map<MapName, Map<string, string>>();
    const after = new Map<MapName, Map<string, string>>();
    for (const [map, keys] of touched) {
      const old = new Map<string, string>();
      const next = new Map<string, string>();
      for (const [key, was] of keys) {
        if (was.before !== undefined) old.set(key, was.before);
        const value = state.valueOf(map, key);
        if (value !== undefined) next.set(key, value);
      }
      before.set(map, old);
      after.set(map, next);
    }
    return [...newChains, differenceScript(family, options.table, before, after)]
      .filter(text => text !== '')
      .join('\n');
  }

  /** The whole table anew, with what `all` holds. */
  async function reload(): Promise<void> {
    merged = new Map();
    chains = new Map();
    await transact(families.map(family => `${tableScript(family, options)}\n${scriptFor(family, all)}`).join('\n'));
  }

  /** Changes in one transaction; what is remembered follows only when the kernel took them. */
  async function commit(changes: Changes): Promise<void> {
    const previous = new Map([...changes.keys()].map(key => [key, all.get(key) ?? []]));
    const knownChains = new Map([...chains].map(([family, names]) => [family, new Set(names)]));
    const script = families.map(family => scriptFor(family, changes)).join('\n');
    try {
      if (script.trim() !== '') await transact(script);
    } catch (error) {
      for (const family of families) scriptFor(family, previous);
      chains = knownChains;
      throw error;
    }
    for (const [key, frontends] of changes) {
      if (frontends.length === 0) all.delete(key);
      else all.set(key, frontends);
    }
  }

  /** By halves where nft refuses changes together: a service that it cannot take must not keep the others out. Resolves with the refused. */
  async function commitApart(changes: Changes): Promise<Map<string, unknown>> {
    try {
      await commit(changes);
      return new Map();
    } catch (error) {
      const list = [...changes];
      const [[key] = ['']] = list;
      if (list.length < 2) return new Map([[key, error]]);
      const half = list.length >> 1;
      const first = await commitApart(new Map(list.slice(0, half)));
      return new Map([...first, ...(await commitApart(new Map(list.slice(half))))]);
    }
  }

  /** Throws when nothing was taken: then it is not the services. */
  async function commitMost(changes: Changes): Promise<void> {
    const refused = await commitApart(changes);
    if (refused.size > 0 && refused.size === changes.size) throw [...refused.values()][0];
    for (const [service, error] of refused)
      log.error('the packet filter refuses a service, which stays as it was', { service, error: messageOf(error) });
  }
  const all = new Map<string, readonly Frontend[]>();

  return {
    async load(services) {
      all.clear();
      for (const [key, frontends] of services) all.set(key, frontends);
      try {
        await reload();
      } catch (error) {
        log.warn('the service table cannot be loaded at once', { error: messageOf(error) });
        all.clear();
        await reload();
        await commitMost(services);
      }
    },
    async update(changes) {
      try {
        await commit(changes);
      } catch (error) {
        log.warn('a change of the service table failed, loading it anew', { error: messageOf(error) });
        await reload();
        await commitMost(changes);
      }
    },
    async remove() {
      await transact(
        families
          .map(family => `add table ${family} ${options.table}\ndelete table ${family} ${options.table}`)
          .join('\n'),
      );
    },
  };
}
