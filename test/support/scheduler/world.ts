/** A cluster as plain objects, and the cycle over it: for tests. */
import type { Node, Pod, PodSpec } from '../../../src/api/types/core-v1.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { seededRandom } from '../../../src/base/random.ts';
import { virtualClock } from '../../../src/base/virtual-clock.ts';
import { createCache } from '../../../src/scheduler/cache.ts';
import { buildProfiles } from '../../../src/scheduler/config/profiles.ts';
import type { SchedulerConfiguration } from '../../../src/scheduler/config/types.ts';
import { type CycleInput, choose, findFeasible } from '../../../src/scheduler/cycle/cycle.ts';
import { createEvaluations } from '../../../src/scheduler/cycle/evaluations.ts';
import { fitMessage } from '../../../src/scheduler/cycle/message.ts';
import { runPostFilters } from '../../../src/scheduler/cycle/post-filter.ts';
import type { PluginFactory, PluginHandle } from '../../../src/scheduler/framework/plugin.ts';
import { podInfoOf } from '../../../src/scheduler/framework/pod-info.ts';
import { builtInPlugins } from '../../../src/scheduler/plugins/index.ts';
import { createNominations } from '../../../src/scheduler/queue/nominations.ts';
import { lookupOver } from '../../../src/scheduler/snapshot/lookup.ts';

type Objects = NonNullable<Parameters<typeof lookupOver>[0]>;

export interface NodeOptions {
  readonly labels?: Record<string, string>;
  readonly taints?: NonNullable<Node['spec']['taints']>;
  readonly unschedulable?: boolean;
  readonly resources?: Record<string, string>;
  readonly images?: NonNullable<Node['status']>['images'];
}

export function makeNode(name: string, options: NodeOptions = {}): Node {
  const allocatable = { cpu: '4', memory: '8Gi', pods: '110', ...options.resources };
  return {
    metadata: { name, uid: name, labels: { 'kubernetes.io/hostname': name, ...options.labels } },
    spec: {
      ...(options.taints && { taints: options.taints }),
      ...(options.unschedulable && { unschedulable: true }),
    },
    status: { allocatable, capacity: allocatable, ...(options.images && { images: options.images }) },
  };
}

export interface PodOptions {
  readonly labels?: Record<string, string>;
  readonly requests?: Record<string, string>;
  readonly ports?: NonNullable<PodSpec['containers'][number]['ports']>;
  readonly node?: string;
  readonly spec?: Partial<PodSpec>;
  readonly status?: Pod['status'];
  readonly owner?: { kind: string; name: string };
  readonly image?: string;
}

export function makePod(name: string, options: PodOptions = {}): Pod {
  const { labels = {}, requests = {}, ports = [], node, spec, status, owner } = options;
  return {
    metadata: {
      name,
      namespace: 'default',
      uid: `uid-${name}`,
      labels,
      ...(owner && { ownerReferences: [{ apiVersion: 'apps/v1', uid: owner.name, controller: true, ...owner }] }),
    },
    spec: {
      containers: [{ name: 'c', image: options.image ?? 'pause', resources: { requests }, ports }],
      ...(node && { nodeName: node }),
      ...spec,
    },
    ...(status && { status }),
  };
}

export interface WorldOptions {
  readonly nodes?: readonly Node[];
  /** Pods on nodes. */
  readonly pods?: readonly Pod[];
  readonly objects?: Objects;
  readonly configuration?: SchedulerConfiguration;
  readonly plugins?: readonly PluginFactory[];
  readonly seed?: number;
}

export interface Outcome {
  /** The chosen node. */
  readonly node?: string;
  /** Nodes that fit. */
  readonly feasible: readonly string[];
  /** Totals of the nodes that fit. */
  readonly totals: ReadonlyMap<string, number>;
  /** By plugin, normalised and before the weight, by node. */
  readonly scores: ReadonlyMap<string, ReadonlyMap<string, number>>;
  /** "Plugin: reason, reason" by node that does not fit. */
  readonly rejected: ReadonlyMap<string, string>;
  /** What the event would say. */
  readonly message?: string;
  /** Preemption: where, and who leaves. */
  readonly nominated?: string;
  readonly victims: readonly string[];
}

export function createWorld(options: WorldOptions = {}) {
  const { nodes = [], pods = [], objects = {}, configuration = {}, plugins = [], seed = 1 } = options;
  const namespaces = [{ metadata: { name: 'default', labels: {} }, spec: {} }];
  const lookup = lookupOver({ 'v1/namespaces': namespaces, ...objects });
  const random = seededRandom(seed);
  const handle = { clock: virtualClock(), random, log: silentLogger, lookup } as unknown as PluginHandle;
  const profiles = buildProfiles(configuration, [...builtInPlugins, ...plugins], handle);
  const cache = createCache(lookup);
  const evaluations = createEvaluations();
  const nominations = createNominations();
  for (const node of nodes) cache.setNode(node);
  for (const pod of pods) cache.setPod(pod);

  function schedule(pod: Pod, start = 0): Outcome {
    const profile = profiles.get(pod.spec.schedulerName ?? 'default-scheduler');
    if (!profile) throw new Error('no such profile');
    const snapshot = cache.snapshot();
    const input: CycleInput = {
      profile,
      snapshot,
      pod: podInfoOf(pod),
      start,
      random,
      evaluations,
      nominated: nominations.on,
      hasNominations: nominations.size > 0,
      details: true,
    };
    const found = findFeasible(input);
    const choice = choose(input, found);
    const quick = choose({ ...input, details: false }, found);
    if (String(quick?.totals) !== String(choice?.totals)) throw new Error('details change the totals');
    const rejected = new Map<string, string>();
    found.diagnosis.rejections.forEach((rejection, row) => {
      const name = snapshot.nodes[row]?.name;
      if (rejection && name) rejected.set(name, `${rejection.plugin}: ${rejection.reasons.join(', ')}`);
    });
    const feasible = found.nodes.map(n => n.name);
    const byNode = (values: Float64Array) => new Map(feasible.map((name, i) => [name, values[i] ?? 0]));
    const post = choice ? undefined : runPostFilters(input, found);
    return {
      ...(choice && { node: choice.node.name }),
      feasible,
      totals: byNode(choice?.totals ?? new Float64Array()),
      scores: new Map((choice?.scores ?? []).map(s => [s.plugin, byNode(s.scores)])),
      rejected,
      ...(post && { message: fitMessage(found.diagnosis, post.message) }),
      ...(post?.room && { nominated: post.room.node }),
      victims: (post?.room?.evict.victims ?? []).map(v => v.pod.metadata.name),
    };
  }
  return { cache, nominations, schedule, profiles };
}
