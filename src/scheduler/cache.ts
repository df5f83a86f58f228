/**
 * What the scheduler believes: the nodes, the pods on them, and the pods it has just placed there itself ("assumed") before the API server
 * says so. Changes are kept as a list and put into the snapshot between cycles, so a cycle that waits for an extender sees no change.
 */
import type { Node, Pod } from '../api/types/core-v1.ts';
import { type PodInfo, podInfoOf } from './framework/pod-info.ts';
import type { Lookup } from './snapshot/lookup.ts';
import { createSnapshot, type MutableSnapshot, type Snapshot } from './snapshot/snapshot.ts';

export interface Cache {
  setNode(node: Node): void;
  removeNode(name: string): void;
  /** An assigned pod, new or changed. */
  setPod(pod: Pod): void;
  removePod(key: string): void;
  assume(pod: PodInfo, node: string): void;
  /** The assumption was wrong. No effect once the API server confirmed it. */
  forget(pod: PodInfo): void;
  isAssumed(key: string): boolean;
  /** Nodes of which the cache knows. */
  hasNode(name: string): boolean;
  /** Brought up to date. Holds until the next call. */
  snapshot(): Snapshot;
  sizes(): { nodes: number; pods: number; assumed_pods: number };
  /** Labels of a namespace changed. */
  namespacesChanged(): void;
}

interface Placed {
  info: PodInfo;
  node: string;
  assumed: boolean;
}

/** Equal for pods that weigh the same on their node. */
const weightOf = (info: PodInfo): string => {
  let key = `${info.uid}|${info.groupKey}|${info.priority}|${info.requests.nonZeroCpu},${info.requests.nonZeroMemory}`;
  for (const [name, value] of info.requests.amounts) key += `,${name}=${value}`;
  return key;
};

export function createCache(lookup: Lookup): Cache {
  const snapshot: MutableSnapshot = createSnapshot(lookup);
  const pods = new Map<string, Placed>();
  const byNode = new Map<string, Set<string>>();
  const nodes = new Set<string>();
  let changes: (() => void)[] = [];

  function place(info: PodInfo, node: string, assumed: boolean): void {
    const known = pods.get(info.key);
    if (known && known.node !== node) unplace(info.key);
    pods.set(info.key, { info, node, assumed });
    const keys = byNode.get(node);
    if (keys) keys.add(info.key);
    else byNode.set(node, new Set([info.key]));
    changes.push(() => snapshot.addPod(node, info));
  }
  function unplace(key: string): void {
    const known = pods.get(key);
    if (!known) return;
    pods.delete(key);
    const keys = byNode.get(known.node);
    keys?.delete(key);
    if (keys?.size === 0) byNode.delete(known.node);
    changes.push(() => snapshot.removePod(known.node, key));
  }
  return {
    setNode(node) {
      const { name } = node.metadata;
      const isNew = !nodes.has(name);
      nodes.add(name);
      changes.push(() => snapshot.setNode(node));
      if (!isNew) return;
      // Pods may be seen before their node.
      for (const key of byNode.get(name) ?? []) {
        const placed = pods.get(key);
        if (placed) changes.push(() => snapshot.addPod(name, placed.info));
      }
    },
    removeNode(name) {
      nodes.delete(name);
      changes.push(() => snapshot.removeNode(name));
    },
    setPod(pod) {
      const info = podInfoOf(pod);
      const node = pod.spec.nodeName ?? '';
      const known = pods.get(info.key);
      if (known?.node === node && weightOf(known.info) === weightOf(info)) {
        known.assumed = false;
        return;
      }
      place(info, node, false);
    },
    removePod: unplace,
    assume: (info, node) => place(info, node, true),
    forget(info) {
      if (pods.get(info.key)?.assumed) unplace(info.key);
    },
    isAssumed: key => pods.get(key)?.assumed === true,
    hasNode: name => nodes.has(name),
    snapshot() {
      const todo = changes;
      changes = [];
      for (const change of todo) change();
      snapshot.terms.sweep();
      return snapshot;
    },
    namespacesChanged() {
      changes.push(() => snapshot.groups.forget());
    },
    sizes() {
      let assumed = 0;
      for (const placed of pods.values()) if (placed.assumed) assumed++;
      return { nodes: nodes.size, pods: pods.size, assumed_pods: assumed };
    },
  };
}
