/** PreFilter and Filter: which nodes can take the pod. */
import type { Plugin } from '../framework/plugin.ts';
import type { PodInfo } from '../framework/pod-info.ts';
import { type Rejection, rejections } from '../framework/status.ts';
import type { NodeInfo, Snapshot } from '../snapshot/snapshot.ts';
import type { Evaluation } from './evaluations.ts';
import type { Profile } from './profile.ts';

export interface Prepared {
  readonly pod: PodInfo;
  readonly snapshot: Snapshot;
  /** Filters that have something to do, with PreFilter's state. The first `local` of them depend on one node only. */
  readonly filters: readonly { readonly plugin: Plugin; readonly state: unknown }[];
  readonly local: number;
  readonly allowed: ReadonlySet<string> | undefined;
  /** Which plugins restricted the nodes to `allowed`. */
  readonly restrictedBy: readonly string[];
}

export type PrepareOutcome = { readonly reject: Rejection } | { readonly prepared: Prepared };

/** Runs PreFilter. */
export function prepare(profile: Profile, snapshot: Snapshot, pod: PodInfo): PrepareOutcome {
  const states = new Map<Plugin, unknown>();
  const skipped = new Set<Plugin>();
  let allowed: ReadonlySet<string> | undefined;
  const restrictedBy: string[] = [];
  for (const plugin of profile.preFilter) {
    const outcome = plugin.preFilter?.(pod, snapshot);
    if (!outcome) continue;
    if ('reject' in outcome) return outcome;
    if ('skip' in outcome) {
      skipped.add(plugin);
      continue;
    }
    states.set(plugin, outcome.state);
    if (!outcome.nodes) continue;
    restrictedBy.push(plugin.name);
    allowed = allowed ? new Set([...allowed].filter(name => outcome.nodes?.has(name))) : outcome.nodes;
    if (allowed.size === 0) return { reject: nothingLeft(restrictedBy) };
  }
  const filters: { plugin: Plugin; state: unknown }[] = [];
  let local = 0;
  let leading = true;
  for (const plugin of profile.filter) {
    if (skipped.has(plugin)) continue;
    filters.push({ plugin, state: states.get(plugin) });
    if (!plugin.signature) leading = false;
    if (leading) local++;
  }
  return { prepared: { pod, snapshot, filters, local, allowed, restrictedBy } };
}

const reject = rejections('');
function nothingLeft(plugins: readonly string[]): Rejection {
  const [only] = plugins;
  const reason =
    plugins.length === 1
      ? `node(s) didn't satisfy plugin ${only}`
      : `node(s) didn't satisfy plugin(s) [${plugins.join(' ')}] simultaneously`;
  return { ...reject('UnschedulableAndUnresolvable', reason), plugin: only ?? '' };
}

export function notAllowed(restrictedBy: readonly string[]): Rejection {
  const reason = `node(s) didn't satisfy plugin(s) [${restrictedBy.join(' ')}]`;
  return { ...reject('UnschedulableAndUnresolvable', reason), plugin: restrictedBy[0] ?? '' };
}

/** Runs the filters `from` … `to` on one node; the first that says no decides. */
export function runFilters(prepared: Prepared, node: NodeInfo, from: number, to: number): Rejection | undefined {
  const { filters, pod, snapshot } = prepared;
  for (let i = from; i < to; i++) {
    const each = filters[i];
    const rejection = each?.plugin.filter?.(each.state, node, pod, snapshot);
    if (rejection) return rejection;
  }
  return undefined;
}

/** The verdict on a node as it is, with what is known from equal pods. */
export function judge(prepared: Prepared, node: NodeInfo, known: Evaluation): Rejection | undefined {
  const { row } = node;
  const generation = prepared.snapshot.columns.generation[row] ?? 0;
  let rejection: Rejection | undefined;
  if (known.generation[row] === generation) rejection = known.rejection[row];
  else {
    rejection = runFilters(prepared, node, 0, prepared.local);
    known.generation[row] = generation;
    known.rejection[row] = rejection;
  }
  if (rejection || prepared.local === prepared.filters.length) return rejection;
  return runFilters(prepared, node, prepared.local, prepared.filters.length);
}

/** All filters, without what is known from equal pods: for a node that is being tried out. */
export function runAll(prepared: Prepared, node: NodeInfo): Rejection | undefined {
  return runFilters(prepared, node, 0, prepared.filters.length);
}
