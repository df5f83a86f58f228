/**
 * The scheduling framework: a plugin is an object that takes part in the extension points it has functions for (KEP-624; names as upstream's).
 * PreFilter, Filter, PostFilter, PreScore, Score and NormalizeScore are pure functions of the snapshot and the pod, and synchronous.
 * Reserve, Permit, PreBind, Bind and PostBind have effects.
 */
import type { KubeObject } from '../../api/object.ts';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import type { Client, EventRecorder } from '../../client/contract.ts';
import type { Lookup } from '../snapshot/lookup.ts';
import type { NodeInfo, Snapshot } from '../snapshot/snapshot.ts';
import type { PodInfo } from './pod-info.ts';
import type { Rejection } from './status.ts';

export interface QueuedPod {
  readonly info: PodInfo;
  /** When it was last put into the queue, in milliseconds of the wall clock. */
  readonly queuedAt: number;
  readonly attempts: number;
}

/** What PreFilter says. `state` is what Filter gets. */
export type PreFilterOutcome<S> =
  | { readonly skip: true }
  | { readonly reject: Rejection }
  | { readonly state: S /** Only these nodes can do. */; readonly nodes?: ReadonlySet<string> };

export type PreScoreOutcome<S> = { readonly skip: true } | { readonly state: S };

/** How a change in the cluster may help a pod that the plugin rejected. */
export type Hint = 'queue' | 'skip';
export interface ClusterEvent {
  /** As the API names it: "Pod" for one that was assigned, "TargetPod" for the pending pod itself. */
  readonly resource: string;
  readonly action: 'add' | 'update' | 'delete';
  /** Missing when the event stands for many (a change of leader, a forced flush). */
  readonly object?: KubeObject;
  readonly old?: KubeObject;
}
export interface EventInterest {
  readonly resource: string;
  readonly actions: readonly ClusterEvent['action'][];
  /** Default: any such event may help. */
  readonly hint?: (pod: PodInfo, event: ClusterEvent) => Hint;
}

export interface PostFilterContext {
  readonly profile: string;
  readonly snapshot: Snapshot;
  readonly pod: PodInfo;
  /** By row: why a node was rejected. */
  readonly rejections: readonly (Rejection | undefined)[];
  /** Runs all filters on a node as it is in a trial (with pods that have a claim on it); undefined when it fits. */
  fits(node: NodeInfo): Rejection | undefined;
  readonly random: Random;
  nominated(node: string): readonly PodInfo[];
}
/** What making room takes. Done by the caller: a PostFilter itself changes nothing. */
export interface Evict {
  readonly victims: readonly PodInfo[];
  run(context: { client: Client; recorder: EventRecorder; signal: AbortSignal }): Promise<void>;
}
/** A node where room could be made. */
export interface Candidate {
  readonly node: NodeInfo;
  /** Most important first. */
  readonly victims: readonly PodInfo[];
  /** Victims that a disruption budget protects. */
  readonly violations: number;
}
export interface Room {
  readonly node: string;
  readonly evict: Evict;
  /** What the choice was made from: extenders may leave fewer candidates, or spare victims. */
  readonly among?: { readonly candidates: readonly Candidate[]; choose(left: readonly Candidate[]): Room | undefined };
}
export type PostFilterOutcome =
  | Room
  /** `clear`: a nomination the pod has is of no more use. */
  | { readonly message: string; readonly clear?: boolean };

export interface EffectContext {
  readonly client: Client;
  readonly signal: AbortSignal;
  readonly pod: PodInfo;
  readonly node: NodeInfo;
  readonly snapshot: Snapshot;
}
export type PermitOutcome = { readonly wait: number } | { readonly reject: Rejection } | undefined;

export interface Plugin<S = unknown, P = unknown> {
  readonly name: string;
  /**
   * The plugin's verdict on a node depends on nothing but this text, the node and its pods: it is kept until the node changes and reused for
   * every pod with the same text. Without it the plugin is asked each time.
   */
  readonly signature?: (pod: PodInfo, snapshot: Snapshot) => string;
  /** A pod that is rejected does not enter the active queue. */
  readonly preEnqueue?: (pod: PodInfo) => Rejection | undefined;
  /** QueueSort: whether `a` goes first. */
  readonly less?: (a: QueuedPod, b: QueuedPod) => boolean;
  readonly preFilter?: (pod: PodInfo, snapshot: Snapshot) => PreFilterOutcome<S>;
  readonly filter?: (state: S, node: NodeInfo, pod: PodInfo, snapshot: Snapshot) => Rejection | undefined;
  readonly postFilter?: (context: PostFilterContext) => PostFilterOutcome;
  readonly preScore?: (pod: PodInfo, snapshot: Snapshot, nodes: readonly NodeInfo[]) => PreScoreOutcome<P>;
  /** Any number; 0 to 100 when there is no `normalize`. */
  readonly score?: (state: P, node: NodeInfo, pod: PodInfo, snapshot: Snapshot) => number;
  /** Brings the scores of all nodes, in place, between 0 and 100. */
  readonly normalize?: (
    state: P,
    scores: Float64Array,
    nodes: readonly NodeInfo[],
    pod: PodInfo,
    snapshot: Snapshot,
  ) => void;
  readonly reserve?: (context: EffectContext) => Rejection | undefined;
  readonly unreserve?: (context: EffectContext) => void;
  /** `wait`: milliseconds to wait for `allow` or `reject` (the handle's waitingPods). */
  readonly permit?: (context: EffectContext) => PermitOutcome;
  /** Whether PreBind has anything to do. Default: yes. */
  readonly needsPreBind?: (context: EffectContext) => boolean;
  readonly preBind?: (context: EffectContext) => Promise<Rejection | undefined>;
  /** The first binder that does not skip binds. */
  readonly bind?: (context: EffectContext) => Promise<'bound' | 'skip' | Rejection>;
  readonly postBind?: (context: EffectContext) => void;
  /** Events that may make a pod schedulable that this plugin rejected. Missing: all. */
  readonly events?: readonly EventInterest[];
}

/** What a plugin is made with. */
export interface PluginHandle {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly client: Client;
  readonly lookup: Lookup;
  readonly recorder: EventRecorder;
  /** Pods that wait at Permit. */
  readonly waitingPods: {
    allow(key: string, plugin: string): void;
    reject(key: string, plugin: string, message: string): void;
    list(): readonly PodInfo[];
  };
}

/** `args` is what the configuration gives under pluginConfig. */
export interface PluginFactory {
  readonly name: string;
  create(args: Readonly<Record<string, unknown>>, handle: PluginHandle): Plugin;
}

/** Keeps a plugin's own types where it is written. */
export function definePlugin<S, P = unknown>(plugin: Plugin<S, P>): Plugin {
  return plugin as unknown as Plugin;
}
