import { type Selector, selectorFromObject } from '../../api/selectors/index.ts';
import type { Node, Pod, TopologySpreadConstraint } from '../../api/types/core-v1.ts';
import { definePlugin, type PluginFactory } from '../framework/plugin.ts';
import type { PodInfo } from '../framework/pod-info.ts';
import { rejections } from '../framework/status.ts';
import { withLabelKeys } from '../framework/terms.ts';
import type { NodeInfo, Snapshot } from '../snapshot/snapshot.ts';
import type { Eligibility, View } from '../snapshot/tally.ts';
import { defaultSelector } from './default-selector.ts';
import { requiredNodeKey, requiredNodeSelection } from './node-selector.ts';
import { maxNodeScore } from './normalize.ts';
import { untolerated } from './taints.ts';

const name = 'PodTopologySpread';
const reject = rejections(name);
const tooSkewed = reject('Unschedulable', "node(s) didn't match pod topology spread constraints");
const missingLabel = reject(
  'UnschedulableAndUnresolvable',
  "node(s) didn't match pod topology spread constraints (missing required label)",
);
const hostname = 'kubernetes.io/hostname';

interface Constraint {
  readonly topologyKey: string;
  readonly maxSkew: number;
  readonly minDomains: number;
  readonly selector: Selector;
  readonly honorAffinity: boolean;
  readonly honorTaints: boolean;
}

interface HardConstraint {
  readonly constraint: Constraint;
  readonly view: View;
  /** 1 when the pod counts itself. */
  readonly self: number;
  min: number;
  version: number;
}

interface SoftConstraint {
  readonly constraint: Constraint;
  readonly view: View;
  readonly byRow: Int32Array | undefined;
  readonly weight: number;
}
interface ScoreState {
  readonly soft: readonly SoftConstraint[];
  readonly ignored: ReadonlySet<number>;
}

/** What applies to pods that say nothing themselves. */
const systemDefaults: readonly TopologySpreadConstraint[] = [
  { topologyKey: hostname, maxSkew: 5, whenUnsatisfiable: 'ScheduleAnyway' },
  { topologyKey: 'topology.kubernetes.io/zone', maxSkew: 3, whenUnsatisfiable: 'ScheduleAnyway' },
];

interface Args {
  defaultingType?: 'System' | 'List';
  defaultConstraints?: readonly TopologySpreadConstraint[];
}

function read(pod: PodInfo, c: TopologySpreadConstraint, selector?: Selector): Constraint {
  return {
    topologyKey: c.topologyKey,
    maxSkew: c.maxSkew,
    minDomains: c.minDomains ?? 1,
    selector: selector ?? selectorFromObject(withLabelKeys(pod.pod, c.labelSelector, c.matchLabelKeys)),
    honorAffinity: (c.nodeAffinityPolicy ?? 'Honor') === 'Honor',
    honorTaints: c.nodeTaintsPolicy === 'Honor',
  };
}

/** Nodes whose pods count: that the pod may go to, as far as the policies say, and with all the keys. */
function eligibility(
  pod: PodInfo,
  { honorAffinity, honorTaints }: Constraint,
  keys: readonly string[],
  snapshot: Snapshot,
): Eligibility {
  const required = honorAffinity ? requiredNodeSelection(pod.pod) : undefined;
  const tolerations = pod.pod.spec.tolerations;
  const key = [
    keys.join(','),
    required ? requiredNodeKey(pod.pod) : '',
    honorTaints ? JSON.stringify(tolerations ?? 0) : '-',
  ].join('|');
  const includes = (node: NodeInfo) =>
    keys.every(k => node.labels[k] !== undefined) &&
    (!required || required(node)) &&
    (!honorTaints || !untolerated(node.taints, tolerations));
  const build = () => {
    const rows = new Uint8Array(snapshot.capacity);
    for (const row of snapshot.order) {
      const node = snapshot.nodes[row];
      if (node && includes(node)) rows[row] = 1;
    }
    return rows;
  };
  return { key, rows: () => snapshot.memo(`spread ${key}`, build) };
}

function tallyOf(pod: PodInfo, { selector }: Constraint, snapshot: Snapshot) {
  const key = `spread ${pod.namespace} ${selector.nothing ? 'nothing' : selector.toString()}`;
  return snapshot.groups.count(
    key,
    group => !group.terminating && group.namespace === pod.namespace && selector.matches(group.labels),
  );
}

function smallest({ constraint, view }: HardConstraint): number {
  let min = Infinity;
  let domains = 0;
  const { counts, nodes } = view;
  for (let d = 0; d < counts.length; d++) {
    if (nodes[d] === 0) continue;
    domains++;
    const count = counts[d] ?? 0;
    if (count < min) min = count;
  }
  return domains < constraint.minDomains ? 0 : min;
}

function hardConstraints(pod: PodInfo, constraints: readonly Constraint[], snapshot: Snapshot): HardConstraint[] {
  const keys = constraints.map(c => c.topologyKey);
  return constraints.map(constraint => {
    const view = tallyOf(pod, constraint, snapshot).view(
      constraint.topologyKey,
      eligibility(pod, constraint, keys, snapshot),
    );
    const self = constraint.selector.matches(pod.labels) ? 1 : 0;
    return { constraint, view, self, min: 0, version: -1 };
  });
}

function scoreState(
  pod: PodInfo,
  constraints: readonly Constraint[],
  needsAll: boolean,
  nodes: readonly NodeInfo[],
  snapshot: Snapshot,
): ScoreState {
  const keys = constraints.map(c => c.topologyKey);
  const ignored = new Set<number>();
  if (needsAll) for (const node of nodes) if (keys.some(key => node.labels[key] === undefined)) ignored.add(node.row);
  const counted = ignored.size === 0 ? nodes : nodes.filter(n => !ignored.has(n.row));
  const soft = constraints.map(constraint => {
    const tally = tallyOf(pod, constraint, snapshot);
    const isHost = constraint.topologyKey === hostname;
    const view = tally.view(constraint.topologyKey, eligibility(pod, constraint, needsAll ? keys : [], snapshot));
    const size = isHost ? counted.length : domainsAmong(counted, view);
    return { constraint, view, byRow: isHost ? tally.byRow : undefined, weight: Math.log(size + 2) };
  });
  return { soft, ignored };
}

function domainsAmong(nodes: readonly NodeInfo[], { topology }: View): number {
  const seen = new Uint8Array(topology.size);
  let size = 0;
  for (const { row } of nodes) {
    const domain = topology.domainOf[row] ?? -1;
    if (domain < 0 || seen[domain] === 1) continue;
    seen[domain] = 1;
    size++;
  }
  return size;
}

function normalize({ ignored }: ScoreState, scores: Float64Array, nodes: readonly NodeInfo[]): void {
  let min = Infinity;
  let max = 0;
  for (let i = 0; i < scores.length; i++) {
    if (ignored.size > 0 && ignored.has(nodes[i]?.row ?? -1)) continue;
    const score = scores[i] ?? 0;
    if (score < min) min = score;
    if (score > max) max = score;
  }
  for (let i = 0; i < scores.length; i++) {
    if (ignored.size > 0 && ignored.has(nodes[i]?.row ?? -1)) scores[i] = 0;
    else if (max === 0) scores[i] = maxNodeScore;
    else scores[i] = Math.floor((maxNodeScore * (max + min - (scores[i] ?? 0))) / max);
  }
}

/** Pods evenly over zones, nodes and other domains. */
export const podTopologySpread: PluginFactory = {
  name,
  create({ defaultingType = 'System', defaultConstraints = [] }: Args) {
    const defaults = defaultingType === 'List' ? defaultConstraints : systemDefaults;
    function constraintsOf(pod: PodInfo, action: string, snapshot: Snapshot): Constraint[] {
      const own = pod.pod.spec.topologySpreadConstraints ?? [];
      if (own.length > 0) return own.filter(c => c.whenUnsatisfiable === action).map(c => read(pod, c));
      const wanted = defaults.filter(c => c.whenUnsatisfiable === action);
      if (wanted.length === 0) return [];
      const selector = defaultSelector(pod, snapshot);
      return selector.everything ? [] : wanted.map(c => read(pod, c, selector));
    }
    return definePlugin<HardConstraint[], ScoreState>({
      name,
      preFilter(pod, snapshot) {
        const hard = constraintsOf(pod, 'DoNotSchedule', snapshot);
        return hard.length === 0 ? { skip: true } : { state: hardConstraints(pod, hard, snapshot) };
      },
      filter(state, { row }) {
        for (const each of state) {
          const { view, constraint } = each;
          const domain = view.topology.domainOf[row] ?? -1;
          if (domain < 0) return missingLabel;
          if (each.version !== view.version) {
            each.min = smallest(each);
            each.version = view.version;
          }
          if ((view.counts[domain] ?? 0) + each.self - each.min > constraint.maxSkew) return tooSkewed;
        }
        return undefined;
      },
      preScore(pod, snapshot, nodes) {
        const soft = constraintsOf(pod, 'ScheduleAnyway', snapshot);
        if (soft.length === 0) return { skip: true };
        const needsAll = (pod.pod.spec.topologySpreadConstraints ?? []).length > 0 || defaultingType === 'List';
        return { state: scoreState(pod, soft, needsAll, nodes, snapshot) };
      },
      score({ soft, ignored }, { row }) {
        if (ignored.size > 0 && ignored.has(row)) return 0;
        let score = 0;
        for (const { constraint, view, byRow, weight } of soft) {
          const domain = view.topology.domainOf[row] ?? -1;
          if (domain < 0) continue;
          const count = (byRow ? byRow[row] : view.counts[domain]) ?? 0;
          score += count * weight + (constraint.maxSkew - 1);
        }
        return Math.round(score);
      },
      normalize,
      events: [
        {
          resource: 'Pod',
          actions: ['add', 'update', 'delete'],
          hint: (pod, { object, old }) => {
            const counts = (other: Pod | undefined) =>
              other !== undefined &&
              other.metadata.namespace === pod.namespace &&
              (pod.pod.spec.topologySpreadConstraints ?? []).some(c =>
                selectorFromObject(c.labelSelector).matches(other.metadata.labels),
              );
            const isDefaulted = (pod.pod.spec.topologySpreadConstraints ?? []).length === 0;
            return isDefaulted || counts(object as Pod) || counts(old as Pod | undefined) ? 'queue' : 'skip';
          },
        },
        {
          resource: 'Node',
          actions: ['add', 'update', 'delete'],
          hint: (pod, { object, old }) => {
            const keys = (pod.pod.spec.topologySpreadConstraints ?? []).map(c => c.topologyKey);
            const has = (node: Node | undefined) => node !== undefined && keys.every(k => node.metadata.labels?.[k]);
            return has(object as Node) || has(old as Node | undefined) ? 'queue' : 'skip';
          },
        },
        { resource: 'TargetPod', actions: ['update'] },
      ],
    });
  },
};
