/** Nodes on which room was made for pods that are not there yet. */
import type { PodInfo } from '../framework/pod-info.ts';

export interface Nominations {
  set(pod: PodInfo, node: string): void;
  delete(key: string): void;
  on(node: string): readonly PodInfo[];
  nodeOf(key: string): string | undefined;
  readonly size: number;
}

const none: readonly PodInfo[] = [];

export function createNominations(): Nominations {
  const nodeByPod = new Map<string, string>();
  const byNode = new Map<string, Map<string, PodInfo>>();
  const remove = (key: string): void => {
    const node = nodeByPod.get(key);
    if (node === undefined) return;
    nodeByPod.delete(key);
    const pods = byNode.get(node);
    pods?.delete(key);
    if (pods?.size === 0) byNode.delete(node);
  };
  return {
    set(pod, node) {
      remove(pod.key);
      nodeByPod.set(pod.key, node);
      const pods = byNode.get(node);
      if (pods) pods.set(pod.key, pod);
      else byNode.set(node, new Map([[pod.key, pod]]));
    },
    delete: remove,
    on(node) {
      const pods = byNode.get(node);
      return pods ? [...pods.values()] : none;
    },
    nodeOf: key => nodeByPod.get(key),
    get size() {
      return nodeByPod.size;
    },
  };
}
