/**
 * Zone hints for services that ask for them by annotation: every zone gets endpoints for its share of the CPUs
 * (k8s.io/endpointslice/topologycache of v1.35). Pure.
 */
import { milliValueOf } from '../../api/quantity.ts';
import type { Node, Service } from '../../api/types/core-v1.ts';
import type { Endpoint } from '../../api/types/discovery-v1.ts';

/** Upstream's names: the deprecated one counts first. */
const modeAnnotations = ['service.kubernetes.io/topology-aware-hints', 'service.kubernetes.io/topology-mode'];
const zoneLabel = 'topology.kubernetes.io/zone';
const controlPlaneLabels = ['node-role.kubernetes.io/control-plane', 'node-role.kubernetes.io/master'];
/** How much more than its share an endpoint may get. */
const overload = 0.2;

export function wantsZoneHints({ metadata: { annotations = {} } }: Service): boolean {
  const mode = modeAnnotations.map(name => annotations[name]).find(value => value !== undefined);
  return mode === 'Auto' || mode === 'auto';
}

/** What of a node matters here, as text to compare. */
export const topologyOf = ({ metadata: { labels = {} }, status }: Node): string =>
  [
    labels[zoneLabel],
    controlPlaneLabels.some(label => label in labels),
    status?.conditions?.find(c => c.type === 'Ready')?.status,
    status?.allocatable?.['cpu'],
  ].join();

/** Each zone's share of the CPUs; undefined when a node does not tell zone or CPUs, or there is only one zone. */
export type Shares = ReadonlyMap<string, number> | undefined;

export function zoneShares(nodes: readonly Node[]): Shares {
  const cpus = new Map<string, number>();
  for (const { metadata, status } of nodes) {
    const { labels = {} } = metadata;
    if (controlPlaneLabels.some(label => label in labels)) continue;
    if (status?.conditions?.find(c => c.type === 'Ready')?.status !== 'True') continue;
    const zone = labels[zoneLabel];
    const cpu = milliValueOf(status?.allocatable?.['cpu'] ?? '0');
    if (!zone || cpu === 0) return undefined;
    cpus.set(zone, (cpus.get(zone) ?? 0) + cpu);
  }
  const total = [...cpus.values()].reduce((sum, cpu) => sum + cpu, 0);
  return cpus.size < 2 ? undefined : new Map([...cpus].map(([zone, cpu]) => [zone, cpu / total]));
}

interface Allocation {
  readonly maximum: number;
  readonly desired: number;
}

/** How many endpoints each zone is to have, or why that cannot be said. */
function allocate(count: number, shares: Shares): Map<string, Allocation> | string {
  if (!shares) return 'Insufficient Node information: allocatable CPU or zone not specified on one or more nodes';
  const numbers = `(${count} endpoints, ${shares.size} zones)`;
  if (shares.size > count) return `Insufficient number of endpoints ${numbers}`;
  const least = new Map([...shares].map(([zone, share]) => [zone, Math.ceil((share * count) / (1 + overload))]));
  const spare = count - [...least.values()].reduce((sum, n) => sum + n, 0);
  if (spare < 0)
    return `Unable to allocate minimum required endpoints to each zone without exceeding overload threshold ${numbers}`;
  return new Map(
    [...shares].map(([zone, share]) => {
      const minimum = least.get(zone) ?? 0;
      return [zone, { maximum: minimum + spare, desired: Math.max(share * count, minimum) }];
    }),
  );
}

/** Anything with endpoints: slices that are there, and drafts. */
export interface Hinted {
  endpoints?: Endpoint[];
}
export interface Spread<C extends Hinted, S extends Hinted> {
  readonly create: C[];
  readonly update: S[];
  /** Slices that stay as they are. */
  readonly keep: S[];
  /** Why there are no hints. */
  readonly why?: string;
}

/** Gives hints to slices that are written anyway, and to as few others as possible; takes them from all when it cannot be fair. */
export function spreadByZone<C extends Hinted, S extends Hinted>(slices: Spread<C, S>, shares: Shares): Spread<C, S> {
  const everything = [...slices.create, ...slices.update, ...slices.keep];
  const allocations = allocate(everything.flatMap(readyIn).length, shares);
  if (typeof allocations === 'string') return withoutHints(slices, allocations);
  const counts = new Map<string, number>();
  const keep: S[] = [];
  const update = [...slices.update];
  for (const slice of slices.keep) (takes(slice, counts, allocations) ? keep : update).push(slice);
  const open = [...slices.create, ...update].flatMap(readyIn);
  if (open.some(endpoint => !endpoint.zone))
    return withoutHints(slices, 'One or more endpoints do not have a zone specified');
  const zones = new Map(open.map(endpoint => [endpoint, endpoint.zone ?? '']));
  for (const zone of zones.values()) counts.set(zone, (counts.get(zone) ?? 0) + 1);
  redistribute(zones, ...exchange(allocations, counts));
  const hint = <T extends Hinted>(slice: T): T => ({ ...slice, endpoints: (slice.endpoints ?? []).map(give) });
  const give = ({ hints: _old, ...endpoint }: Endpoint, index: number, all: Endpoint[]): Endpoint => {
    const zone = zones.get(all[index] ?? endpoint);
    return zone === undefined ? endpoint : { ...endpoint, hints: { forZones: [{ name: zone }] } };
  };
  return { create: slices.create.map(hint), update: update.map(hint), keep };
}

const isReady = (endpoint: Endpoint) => endpoint.conditions?.ready === true;
const readyIn = ({ endpoints = [] }: Hinted) => endpoints.filter(isReady);

/** Adds a slice's hints to the counts, unless one is missing or a zone would get too many. */
function takes(slice: Hinted, counts: Map<string, number>, allocations: ReadonlyMap<string, Allocation>): boolean {
  const own = new Map<string, number>();
  for (const { hints } of readyIn(slice)) {
    const zones = hints?.forZones ?? [];
    if (zones.length === 0) return false;
    for (const { name } of zones) own.set(name, (own.get(name) ?? 0) + 1);
  }
  const fits = ([zone, n]: [string, number]) => n + (counts.get(zone) ?? 0) <= (allocations.get(zone)?.maximum ?? -1);
  if (![...own].every(fits)) return false;
  for (const [zone, n] of own) counts.set(zone, (counts.get(zone) ?? 0) + n);
  return true;
}

/** How many endpoints each zone gives away, and how many it gets. */
function exchange(
  allocations: ReadonlyMap<string, Allocation>,
  counts: ReadonlyMap<string, number>,
): [giving: Map<string, number>, receiving: Map<string, number>] {
  const over = new Map<string, number>();
  const under = new Map<string, number>();
  for (const [zone, { desired }] of allocations) {
    const difference = (counts.get(zone) ?? 0) - desired;
    if (difference > 0) over.set(zone, difference);
    else if (difference < 0) under.set(zone, -difference);
  }
  const giving = new Map<string, number>();
  const receiving = new Map<string, number>();
  for (;;) {
    const [giver, surplus] = largest(over);
    const [receiver, want] = largest(under);
    if ((surplus < 1 && want < 1) || surplus < 0.5 || want < 0.5) return [giving, receiving];
    giving.set(giver, (giving.get(giver) ?? 0) + 1);
    over.set(giver, surplus - 1);
    receiving.set(receiver, (receiving.get(receiver) ?? 0) + 1);
    under.set(receiver, want - 1);
  }
}

const largest = (zones: ReadonlyMap<string, number>): [string, number] =>
  [...zones].reduce<[string, number]>((a, b) => (b[1] > a[1] ? b : a), ['', 0]);

function redistribute(
  zones: Map<Endpoint, string>,
  giving: Map<string, number>,
  receiving: ReadonlyMap<string, number>,
): void {
  const wanted = [...receiving].flatMap(([zone, n]) => Array.from({ length: n }, () => zone));
  for (const [endpoint, zone] of zones) {
    const left = giving.get(zone) ?? 0;
    const receiver = left > 0 ? wanted.shift() : undefined;
    if (receiver === undefined) continue;
    giving.set(zone, left - 1);
    zones.set(endpoint, receiver);
  }
}

function withoutHints<C extends Hinted, S extends Hinted>(slices: Spread<C, S>, why: string): Spread<C, S> {
  const strip = <T extends Hinted>(slice: T): T => ({
    ...slice,
    endpoints: (slice.endpoints ?? []).map(({ hints: _old, ...endpoint }) => endpoint),
  });
  const hinted = (slice: Hinted) => (slice.endpoints ?? []).some(endpoint => endpoint.hints !== undefined);
  return {
    create: slices.create.map(strip),
    update: [...slices.update, ...slices.keep.filter(hinted)].map(strip),
    keep: slices.keep.filter(slice => !hinted(slice)),
    why,
  };
}
