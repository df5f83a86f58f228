/**
 * The rules, written down a second time over plain objects and without any cleverness: what the cycle is compared with. Nothing is shared with the
 * scheduler but the parsing of quantities and label selectors.
 */
import { milliValueOf, unitsOf } from '../../../src/api/quantity.ts';
import { selectorFromObject } from '../../../src/api/selectors/index.ts';
import type {
  Node,
  NodeSelectorTerm,
  Pod,
  PodAffinityTerm,
  Taint,
  Toleration,
} from '../../../src/api/types/core-v1.ts';

export interface ReferenceCluster {
  readonly nodes: readonly Node[];
  /** On nodes. */
  readonly pods: readonly Pod[];
}

const hostname = 'kubernetes.io/hostname';
const labelsOf = (object: Node | Pod) => object.metadata.labels ?? {};
const request = (pod: Pod, name: 'cpu' | 'memory') =>
  pod.spec.containers.reduce((sum, c) => {
    const text = c.resources?.requests?.[name] ?? '0';
    return sum + (name === 'cpu' ? milliValueOf(text) : unitsOf(text));
  }, 0);
const scored = (pod: Pod, name: 'cpu' | 'memory') =>
  pod.spec.containers.reduce((sum, c) => {
    const text = c.resources?.requests?.[name] ?? (name === 'cpu' ? '100m' : String(200 * 1024 * 1024));
    return sum + (name === 'cpu' ? milliValueOf(text) : unitsOf(text));
  }, 0);
const capacity = (node: Node, name: 'cpu' | 'memory') =>
  name === 'cpu'
    ? milliValueOf(node.status?.allocatable?.['cpu'] ?? '0')
    : unitsOf(node.status?.allocatable?.['memory'] ?? '0');

function tolerated(taint: Taint, tolerations: readonly Toleration[] = []): boolean {
  return tolerations.some(t => {
    if (t.effect && t.effect !== taint.effect) return false;
    if (t.key && t.key !== taint.key) return false;
    return t.operator === 'Exists' || (t.value ?? '') === (taint.value ?? '');
  });
}

function termSelects(term: NodeSelectorTerm, node: Node): boolean {
  const expressions = term.matchExpressions ?? [];
  if (expressions.length === 0) return false;
  return expressions.every(({ key, operator, values = [] }) => {
    const value = labelsOf(node)[key];
    if (operator === 'In') return value !== undefined && values.includes(value);
    if (operator === 'NotIn') return value === undefined || !values.includes(value);
    return operator === 'Exists' ? value !== undefined : value === undefined;
  });
}

function selectedByPod(pod: Pod, node: Node): boolean {
  const wanted = Object.entries(pod.spec.nodeSelector ?? {});
  if (!wanted.every(([key, value]) => labelsOf(node)[key] === value)) return false;
  const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return !required || required.nodeSelectorTerms.some(term => termSelects(term, node));
}

const selects = (term: PodAffinityTerm, pod: Pod) => selectorFromObject(term.labelSelector).matches(labelsOf(pod));
const nodeOf = (cluster: ReferenceCluster, pod: Pod) => cluster.nodes.find(n => n.metadata.name === pod.spec.nodeName);
const podsOn = (cluster: ReferenceCluster, node: Node) =>
  cluster.pods.filter(p => p.spec.nodeName === node.metadata.name);
/** Pods on nodes with the same value of the label. */
function podsBeside(cluster: ReferenceCluster, node: Node, key: string): Pod[] {
  const value = labelsOf(node)[key];
  if (value === undefined) return [];
  return cluster.pods.filter(p => labelsOf(nodeOf(cluster, p) ?? node)[key] === value && nodeOf(cluster, p));
}
const requiredAnti = (pod: Pod) =>
  pod.spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
const requiredAffinity = (pod: Pod) =>
  pod.spec.affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];

function affinityHolds(cluster: ReferenceCluster, pod: Pod, node: Node): boolean {
  const terms = requiredAffinity(pod);
  if (terms.length === 0) return true;
  if (terms.some(t => labelsOf(node)[t.topologyKey] === undefined)) return false;
  const friends = cluster.pods.filter(p => nodeOf(cluster, p) && terms.every(t => selects(t, p)));
  const near = (t: PodAffinityTerm) =>
    friends.some(p => labelsOf(nodeOf(cluster, p) ?? node)[t.topologyKey] === labelsOf(node)[t.topologyKey]);
  if (terms.every(near)) return true;
  const anywhere = friends.some(p =>
    terms.some(t => labelsOf(nodeOf(cluster, p) ?? node)[t.topologyKey] !== undefined),
  );
  return !anywhere && terms.every(t => selects(t, pod));
}

function spreads(cluster: ReferenceCluster, pod: Pod, node: Node): 'yes' | 'no' | 'missing' {
  const hard = (pod.spec.topologySpreadConstraints ?? []).filter(c => c.whenUnsatisfiable === 'DoNotSchedule');
  for (const { topologyKey, maxSkew, labelSelector, minDomains = 1 } of hard) {
    const mine = labelsOf(node)[topologyKey];
    if (mine === undefined) return 'missing';
    const selector = selectorFromObject(labelSelector);
    const counted = cluster.nodes.filter(
      n => selectedByPod(pod, n) && hard.every(c => labelsOf(n)[c.topologyKey] !== undefined),
    );
    const counts = new Map<string, number>();
    for (const n of counted) {
      const domain = labelsOf(n)[topologyKey] ?? '';
      const here = podsOn(cluster, n).filter(p => selector.matches(labelsOf(p))).length;
      counts.set(domain, (counts.get(domain) ?? 0) + here);
    }
    const min = counts.size < minDomains ? 0 : Math.min(...counts.values());
    const self = selector.matches(labelsOf(pod)) ? 1 : 0;
    if ((counts.get(mine) ?? 0) + self - min > maxSkew) return 'no';
  }
  return 'yes';
}

/** "Plugin: reasons" of the first rule that the node breaks, or undefined. */
export function whyNot(cluster: ReferenceCluster, pod: Pod, node: Node): string | undefined {
  const { tolerations } = pod.spec;
  const cordoned = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };
  if (node.spec.unschedulable && !tolerated(cordoned, tolerations))
    return 'NodeUnschedulable: node(s) were unschedulable';
  const hard = (node.spec.taints ?? []).filter(t => t.effect !== 'PreferNoSchedule');
  if (hard.some(t => !tolerated(t, tolerations))) return 'TaintToleration: node(s) had untolerated taint(s)';
  if (!selectedByPod(pod, node)) return "NodeAffinity: node(s) didn't match Pod's node affinity/selector";
  const ports = (p: Pod) => p.spec.containers.flatMap(c => c.ports ?? []).map(c => c.hostPort);
  const here = podsOn(cluster, node);
  if (ports(pod).some(port => here.some(p => ports(p).includes(port))))
    return "NodePorts: node(s) didn't have free ports for the requested pod ports";
  const short: string[] = [];
  if (here.length + 1 > unitsOf(node.status?.allocatable?.['pods'] ?? '0')) short.push('Too many pods');
  for (const name of ['cpu', 'memory'] as const) {
    const used = here.reduce((sum, p) => sum + request(p, name), 0);
    if (request(pod, name) > 0 && used + request(pod, name) > capacity(node, name)) short.push(`Insufficient ${name}`);
  }
  if (short.length > 0) return `NodeResourcesFit: ${short.join(', ')}`;
  const spread = spreads(cluster, pod, node);
  const sentence = "PodTopologySpread: node(s) didn't match pod topology spread constraints";
  if (spread !== 'yes') return spread === 'no' ? sentence : `${sentence} (missing required label)`;
  if (!affinityHolds(cluster, pod, node)) return "InterPodAffinity: node(s) didn't match pod affinity rules";
  if (requiredAnti(pod).some(t => podsBeside(cluster, node, t.topologyKey).some(p => selects(t, p))))
    return "InterPodAffinity: node(s) didn't match pod anti-affinity rules";
  for (const other of cluster.pods)
    for (const term of requiredAnti(other)) {
      const at = nodeOf(cluster, other);
      const value = at && labelsOf(at)[term.topologyKey];
      if (value !== undefined && value === labelsOf(node)[term.topologyKey] && selects(term, pod))
        return "InterPodAffinity: node(s) didn't satisfy existing pods anti-affinity rules";
    }
  return undefined;
}

const floor = Math.floor;
function leastAllocated(cluster: ReferenceCluster, pod: Pod, node: Node): number {
  const part = (name: 'cpu' | 'memory') => {
    const all = capacity(node, name);
    const used = podsOn(cluster, node).reduce((sum, p) => sum + scored(p, name), scored(pod, name));
    return used > all ? 0 : floor(((all - used) * 100) / all);
  };
  return floor((part('cpu') + part('memory')) / 2);
}

function balancedAllocation(cluster: ReferenceCluster, pod: Pod, node: Node): number {
  if (request(pod, 'cpu') === 0 && request(pod, 'memory') === 0) return 0;
  const part = (name: 'cpu' | 'memory') =>
    Math.min(
      1,
      podsOn(cluster, node).reduce((sum, p) => sum + request(p, name), request(pod, name)) / capacity(node, name),
    );
  return Math.trunc((1 - Math.abs((part('cpu') - part('memory')) / 2)) * 100);
}

function interPod(cluster: ReferenceCluster, pod: Pod, node: Node): number {
  let score = 0;
  const preferred = (p: Pod, kind: 'podAffinity' | 'podAntiAffinity') =>
    p.spec.affinity?.[kind]?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  for (const [kind, sign] of [
    ['podAffinity', 1],
    ['podAntiAffinity', -1],
  ] as const) {
    for (const { weight, podAffinityTerm: t } of preferred(pod, kind))
      score += sign * weight * podsBeside(cluster, node, t.topologyKey).filter(p => selects(t, p)).length;
  }
  for (const other of cluster.pods) {
    const at = nodeOf(cluster, other);
    if (!at) continue;
    const near = (t: PodAffinityTerm) =>
      labelsOf(at)[t.topologyKey] !== undefined &&
      labelsOf(at)[t.topologyKey] === labelsOf(node)[t.topologyKey] &&
      selects(t, pod);
    for (const t of requiredAffinity(other)) if (near(t)) score += 1;
    for (const { weight, podAffinityTerm } of preferred(other, 'podAffinity'))
      if (near(podAffinityTerm)) score += weight;
    for (const { weight, podAffinityTerm } of preferred(other, 'podAntiAffinity'))
      if (near(podAffinityTerm)) score -= weight;
  }
  return score;
}

function spreadScore(cluster: ReferenceCluster, pod: Pod, feasible: readonly Node[]): number[] | undefined {
  const soft = (pod.spec.topologySpreadConstraints ?? []).filter(c => c.whenUnsatisfiable === 'ScheduleAnyway');
  if (soft.length === 0) return undefined;
  const hasAll = (n: Node) => soft.every(c => labelsOf(n)[c.topologyKey] !== undefined);
  const counted = feasible.filter(hasAll);
  const raw = feasible.map(node => {
    if (!hasAll(node)) return undefined;
    let score = 0;
    for (const { topologyKey, maxSkew, labelSelector } of soft) {
      const selector = selectorFromObject(labelSelector);
      const value = labelsOf(node)[topologyKey];
      const domains =
        topologyKey === hostname ? counted.length : new Set(counted.map(n => labelsOf(n)[topologyKey])).size;
      const among =
        topologyKey === hostname
          ? [node]
          : cluster.nodes.filter(n => labelsOf(n)[topologyKey] === value && selectedByPod(pod, n) && hasAll(n));
      const count = among.flatMap(n => podsOn(cluster, n)).filter(p => selector.matches(labelsOf(p))).length;
      score += count * Math.log(domains + 2) + (maxSkew - 1);
    }
    return Math.round(score);
  });
  const known = raw.filter(s => s !== undefined);
  const [min, max] = [Math.min(...known), Math.max(...known)];
  return raw.map(s => (s === undefined ? 0 : max === 0 ? 100 : floor((100 * (max + min - s)) / max)));
}

const toMax = (raw: readonly number[]) => {
  const max = Math.max(0, ...raw);
  return raw.map(s => (max === 0 ? 0 : floor((100 * s) / max)));
};

/** Total scores of nodes that fit, in their order. */
export function totals(cluster: ReferenceCluster, pod: Pod, feasible: readonly Node[]): number[] {
  const taints = toMax(
    feasible.map(
      n =>
        (n.spec.taints ?? []).filter(t => t.effect === 'PreferNoSchedule' && !tolerated(t, pod.spec.tolerations))
          .length,
    ),
  ).map(s => 100 - s);
  const wanted = pod.spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  const affinity = toMax(
    feasible.map(n =>
      wanted.reduce((sum, { weight, preference }) => sum + (termSelects(preference, n) ? weight : 0), 0),
    ),
  );
  const near = feasible.map(n => interPod(cluster, pod, n));
  const [low, high] = [Math.min(...near), Math.max(...near)];
  const inter = near.map(s => (high > low ? Math.trunc((100 * (s - low)) / (high - low)) : 0));
  const spread = spreadScore(cluster, pod, feasible);
  return feasible.map(
    (node, i) =>
      3 * (taints[i] ?? 0) +
      2 * (affinity[i] ?? 0) +
      leastAllocated(cluster, pod, node) +
      balancedAllocation(cluster, pod, node) +
      2 * (spread?.[i] ?? 0) +
      2 * (inter[i] ?? 0),
  );
}
