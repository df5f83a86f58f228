/** The table of everything that is served now, built-in and custom. */
import { apiVersionOf } from '../../api/schema.ts';
import type { Served } from './scope.ts';

export interface ResourceTable {
  find(group: string, version: string, plural: string): Served | undefined;
  findKind(group: string, version: string, kind: string): Served | undefined;
  /** Any version of a resource. */
  anyVersion(group: string, plural: string): Served | undefined;
  /** Sorted by group, version priority and plural. */
  all(): readonly Served[];
  hasGroupVersion(group: string, version: string): boolean;
  /** Adds or replaces. */
  set(served: Served): void;
  remove(group: string, version: string, plural: string): void;
  /** Changes with each set and remove, for memos. */
  readonly generation: number;
}

export function createResourceTable(): ResourceTable {
  const byPath = new Map<string, Served>();
  const versions = new Map<string, number>();
  let sorted: Served[] | undefined;
  let generation = 0;
  const pathOf = (group: string, version: string, plural: string) => `${group}/${version}/${plural}`;
  const all = () => (sorted ??= [...byPath.values()].sort(compareServed));
  return {
    find: (group, version, plural) => byPath.get(pathOf(group, version, plural)),
    findKind: (group, version, kind) =>
      all().find(s => s.info.kind === kind && s.info.group === group && s.info.version === version),
    anyVersion: (group, plural) => all().find(s => s.info.group === group && s.info.plural === plural),
    all,
    hasGroupVersion: (group, version) => (versions.get(apiVersionOf({ group, version })) ?? 0) > 0,
    set(served) {
      const { group, version, plural } = served.info;
      const path = pathOf(group, version, plural);
      const gv = apiVersionOf(served.info);
      if (!byPath.has(path)) versions.set(gv, (versions.get(gv) ?? 0) + 1);
      byPath.set(path, served);
      sorted = undefined;
      generation += 1;
    },
    remove(group, version, plural) {
      if (!byPath.delete(pathOf(group, version, plural))) return;
      const gv = apiVersionOf({ group, version });
      versions.set(gv, (versions.get(gv) ?? 1) - 1);
      sorted = undefined;
      generation += 1;
    },
    get generation() {
      return generation;
    },
  };
}

function compareServed(a: Served, b: Served): number {
  return (
    compareText(a.info.group, b.info.group) ||
    compareVersions(a.info.version, b.info.version) ||
    compareText(a.info.plural, b.info.plural)
  );
}
const compareText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** Upstream's version priority: GA before beta before alpha, higher before lower, anything else after, by name. */
export function compareVersions(a: string, b: string): number {
  const x = parseVersion(a);
  const y = parseVersion(b);
  if (!x || !y) return x ? -1 : y ? 1 : compareText(a, b);
  return y.stage - x.stage || y.major - x.major || y.minor - x.minor;
}
function parseVersion(text: string): { stage: number; major: number; minor: number } | undefined {
  const match = /^v([1-9][0-9]*)(?:(alpha|beta)([1-9][0-9]*))?$/.exec(text);
  if (!match) return undefined;
  const stage = match[2] === undefined ? 2 : match[2] === 'beta' ? 1 : 0;
  return { stage, major: Number(match[1]), minor: Number(match[3] ?? 0) };
}
