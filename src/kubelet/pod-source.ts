/** Where a kubelet's pods come from. Thousands of simulated nodes share one informer; a real node has its own, for its pods only. */
import type { Pod } from '../api/types/core-v1.ts';
import type { EventHandler, Informer, InformerFactory } from '../client/contract.ts';

export interface PodSource {
  /** Pods bound to this node: those that are there at once, then changes. */
  subscribe(nodeName: string, handler: PodHandler): () => void;
  get(key: string): Pod | undefined;
  synced(): Promise<void>;
}
export interface PodHandler {
  set(pod: Pod): void;
  /** The pod is gone from the API. */
  remove(pod: Pod): void;
}

export function nodePodSource(informers: InformerFactory, nodeName: string): PodSource {
  return fromInformer(informers.informer('v1/pods', { fieldSelector: `spec.nodeName=${nodeName}` }));
}

/** One informer over all pods, handed out by node name. */
export function sharedPodSource(informers: InformerFactory): PodSource {
  return fromInformer(informers.informer('v1/pods'));
}

function fromInformer(informer: Informer<Pod>): PodSource {
  const handlers = new Map<string, PodHandler>();
  const tell = (pod: Pod, what: keyof PodHandler) => handlers.get(pod.spec.nodeName ?? '')?.[what](pod);
  informer.addIndex('node', pod => (pod.spec.nodeName ? [pod.spec.nodeName] : []));
  informer.addHandler({
    onAdd: pod => tell(pod, 'set'),
    onUpdate(pod, old) {
      if (old.metadata.uid !== pod.metadata.uid) tell(old, 'remove');
      tell(pod, 'set');
    },
    onDelete: pod => tell(pod, 'remove'),
  } satisfies EventHandler<Pod>);
  return {
    subscribe(nodeName, handler) {
      handlers.set(nodeName, handler);
      for (const pod of informer.store.byIndex('node', nodeName)) handler.set(pod);
      return () => void handlers.delete(nodeName);
    },
    get: key => informer.store.get(key),
    synced: () => informer.synced(),
  };
}
