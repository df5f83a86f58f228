/** A daemon's pod and the node it is for. */
import type { Draft } from '../../api/object.ts';
import type { DaemonSet } from '../../api/types/apps-v1.ts';
import type { Affinity, Node, NodeSelectorTerm, Pod, PodSpec, Toleration } from '../../api/types/core-v1.ts';
import { revisionHashLabel } from '../support/history.ts';
import { fitsAffinity, untolerated } from '../support/node-fit.ts';
import { podFromTemplate } from '../support/pod-control.ts';

export const kind = { apiVersion: 'apps/v1', kind: 'DaemonSet' };

/** Daemons are meant to run on nodes that are in trouble, too. */
function withDaemonTolerations({ tolerations = [], hostNetwork }: PodSpec): Toleration[] {
  const exists = (key: string, effect: string): Toleration => ({
    key: `node.kubernetes.io/${key}`,
    operator: 'Exists',
    effect,
  });
  const added = [
    exists('not-ready', 'NoExecute'),
    exists('unreachable', 'NoExecute'),
    exists('disk-pressure', 'NoSchedule'),
    exists('memory-pressure', 'NoSchedule'),
    exists('pid-pressure', 'NoSchedule'),
    exists('unschedulable', 'NoSchedule'),
    ...(hostNetwork ? [exists('network-unavailable', 'NoSchedule')] : []),
  ];
  const known = (t: Toleration) =>
    tolerations.some(o => o.key === t.key && o.effect === t.effect && o.operator === t.operator && !o.value);
  return [...tolerations, ...added.filter(t => !known(t))];
}

const daemonSpec = (set: DaemonSet): PodSpec => {
  const spec = set.spec.template.spec ?? { containers: [] };
  return { ...spec, tolerations: withDaemonTolerations(spec) };
};

export interface Fit {
  /** A missing pod is made. */
  readonly run: boolean;
  /** A pod that is there may stay. */
  readonly stay: boolean;
}

export function fitOf(set: DaemonSet, node: Node): Fit {
  const spec = daemonSpec(set);
  if ((spec.nodeName && spec.nodeName !== node.metadata.name) || !fitsAffinity(node, spec))
    return { run: false, stay: false };
  const { tolerations = [] } = spec;
  const stay = !untolerated(node, tolerations, ['NoExecute']);
  return { run: stay && !untolerated(node, tolerations, ['NoSchedule']), stay };
}

/** The node that a pod runs on, or is meant for. */
export function targetNode(pod: Pod): string | undefined {
  if (pod.spec.nodeName) return pod.spec.nodeName;
  const terms =
    pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  for (const { matchFields = [] } of terms)
    for (const { key, operator, values } of matchFields)
      if (key === 'metadata.name' && operator === 'In' && values?.length === 1) return values[0];
  return undefined;
}

/** How many templates the set has had, for clients of older versions. */
function generationLabel({ metadata }: DaemonSet): Record<string, string> {
  const generation = metadata.annotations?.['deprecated.daemonset.template.generation'];
  return generation === undefined ? {} : { 'pod-template-generation': generation };
}

export function newPod(set: DaemonSet, node: string, hash: string): Draft<Pod> {
  const pod = podFromTemplate(set.spec.template, kind, set);
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      labels: { ...pod.metadata.labels, ...generationLabel(set), [revisionHashLabel]: hash },
    },
    spec: { ...daemonSpec(set), affinity: boundTo(pod.spec.affinity, node) },
  };
}

/** The scheduler binds it, but only to this node: the name takes the place of what the template asks of nodes. */
function boundTo(affinity: Affinity | undefined, node: string): Affinity {
  const matchFields = [{ key: 'metadata.name', operator: 'In', values: [node] }];
  const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const terms: NodeSelectorTerm[] = required?.nodeSelectorTerms.map(() => ({ matchFields })) ?? [{ matchFields }];
  const requiredDuringSchedulingIgnoredDuringExecution = { nodeSelectorTerms: terms.slice(0, 1) };
  return { ...affinity, nodeAffinity: { ...affinity?.nodeAffinity, requiredDuringSchedulingIgnoredDuringExecution } };
}
