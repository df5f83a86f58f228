/** Which node may see which object: edges from objects to the pods, claims and nodes that use them. Names only; no objects are kept. */
import type { KubeObject } from '../../../api/object.ts';
import type { EnvFromSource, EnvVar, Pod, Volume } from '../../../api/types/core-v1.ts';

export type Vertex = `${string}:${string}/${string}`;
/** Namespaced objects "kind:namespace/name"; cluster-scoped "kind:/name". */
export const vertex = (kind: string, namespace: string, name: string): Vertex => `${kind}:${namespace}/${name}`;

export interface NodeGraph {
  /** Replaces what `owner` refers to: each edge says that whoever may see `owner` may see the other. */
  setEdges(owner: Vertex, refersTo: readonly Vertex[]): void;
  /** Nodes that directly use the vertex. */
  setNode(owner: Vertex, node: string | undefined): void;
  remove(owner: Vertex): void;
  /** Is there a path from the vertex to the node? */
  reaches(from: Vertex, node: string): boolean;
}

export function createNodeGraph(): NodeGraph {
  const outgoing = new Map<Vertex, readonly Vertex[]>();
  const users = new Map<Vertex, Set<Vertex>>();
  const nodes = new Map<Vertex, string>();

  function setEdges(owner: Vertex, refersTo: readonly Vertex[]): void {
    for (const target of outgoing.get(owner) ?? []) {
      const set = users.get(target);
      set?.delete(owner);
      if (set?.size === 0) users.delete(target);
    }
    if (refersTo.length > 0) outgoing.set(owner, refersTo);
    else outgoing.delete(owner);
    for (const target of refersTo) {
      const set = users.get(target);
      if (set) set.add(owner);
      else users.set(target, new Set([owner]));
    }
  }
  return {
    setEdges,
    setNode(owner, node) {
      if (node) nodes.set(owner, node);
      else nodes.delete(owner);
    },
    remove(owner) {
      setEdges(owner, []);
      nodes.delete(owner);
    },
    reaches(from, node) {
      const seen = new Set<Vertex>([from]);
      const queue = [from];
      for (let v = queue.pop(); v !== undefined; v = queue.pop()) {
        if (nodes.get(v) === node) return true;
        for (const user of users.get(v) ?? [])
          if (!seen.has(user)) {
            seen.add(user);
            queue.push(user);
          }
      }
      return false;
    },
  };
}

function fromEnvironment(env: readonly EnvVar[], sources: readonly EnvFromSource[], add: Add): void {
  for (const { valueFrom } of env) {
    add('secret', valueFrom?.secretKeyRef?.name);
    add('configmap', valueFrom?.configMapKeyRef?.name);
  }
  for (const source of sources) {
    add('secret', source.secretRef?.name);
    add('configmap', source.configMapRef?.name);
  }
}

type Add = (kind: string, name: string | undefined) => void;

/** Secrets of the volume types that name one. */
function volumeSecrets(volume: Volume): (string | undefined)[] {
  return [
    volume.secret?.secretName,
    volume.azureFile?.secretName,
    volume.cephfs?.secretRef?.name,
    volume.cinder?.secretRef?.name,
    volume.flexVolume?.secretRef?.name,
    volume.iscsi?.secretRef?.name,
    volume.rbd?.secretRef?.name,
    volume.scaleIO?.secretRef?.name,
    volume.storageos?.secretRef?.name,
    volume.csi?.nodePublishSecretRef?.name,
  ];
}

function fromVolume(pod: Pod, volume: Volume, add: Add): void {
  for (const name of volumeSecrets(volume)) add('secret', name);
  add('configmap', volume.configMap?.name);
  add('pvc', volume.persistentVolumeClaim?.claimName);
  if (volume.ephemeral) add('pvc', `${pod.metadata.name}-${volume.name}`);
  for (const source of volume.projected?.sources ?? []) {
    add('secret', source.secret?.name);
    add('configmap', source.configMap?.name);
  }
}

/** Everything a kubelet needs to run the pod (plugin/pkg/auth/authorizer/node/graph.go, AddPod). */
export function edgesOfPod(pod: Pod): Vertex[] {
  const found = new Set<Vertex>();
  const add: Add = (kind, name) => {
    if (name) found.add(vertex(kind, pod.metadata.namespace ?? '', name));
  };
  const spec = pod.spec;
  add('serviceaccount', spec?.serviceAccountName);
  for (const reference of spec?.imagePullSecrets ?? []) add('secret', reference.name);
  const containers = [
    ...(spec?.containers ?? []),
    ...(spec?.initContainers ?? []),
    ...(spec?.ephemeralContainers ?? []),
  ];
  for (const c of containers) fromEnvironment(c.env ?? [], c.envFrom ?? [], add);
  for (const volume of spec?.volumes ?? []) fromVolume(pod, volume, add);
  const generated = new Map((pod.status?.resourceClaimStatuses ?? []).map(s => [s.name, s.resourceClaimName]));
  for (const claim of spec?.resourceClaims ?? [])
    add('resourceclaim', claim.resourceClaimName ?? generated.get(claim.name));
  add('resourceclaim', pod.status?.extendedResourceClaimStatus?.resourceClaimName);
  return [...found];
}

/** Static pods mirrored by a kubelet must not open doors: their specs are the node's own word. */
export function isMirrorPod(pod: KubeObject): boolean {
  return pod.metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined;
}
