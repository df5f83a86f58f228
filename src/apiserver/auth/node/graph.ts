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
  /** Does something on the node refer to the vertex, directly or through others? */
  reaches(target: Vertex, node: string): boolean;
}

/**
 * Searches from the node: it has some hundred pods at most, while one configuration map may have thousands of users.
 */
export function createNodeGraph(): NodeGraph {
  const outgoing = new Map<Vertex, readonly Vertex[]>();
  const nodes = new Map<Vertex, string>();
  const onNode = new Map<string, Set<Vertex>>();

  function setEdges(owner: Vertex, refersTo: readonly Vertex[]): void {
    if (refersTo.length > 0) outgoing.set(owner, refersTo);
    else outgoing.delete(owner);
  }
  function setNode(owner: Vertex, node: string | undefined): void {
    const before = nodes.get(owner);
    if (before === node) return;
    if (before !== undefined) {
      const set = onNode.get(before);
      set?.delete(owner);
      if (set?.size === 0) onNode.delete(before);
      nodes.delete(owner);
    }
    if (!node) return;
    nodes.set(owner, node);
    const set = onNode.get(node);
    if (set) set.add(owner);
    else onNode.set(node, new Set([owner]));
  }
  return {
    setEdges,
    setNode,
    remove(owner) {
      setEdges(owner, []);
      setNode(owner, undefined);
    },
    reaches(target, node) {
      const start = onNode.get(node);
      if (!start) return false;
      if (start.has(target)) return true;
      const seen = new Set<Vertex>();
      const stack = [...start];
      for (let v = stack.pop(); v !== undefined; v = stack.pop())
        for (const next of outgoing.get(v) ?? []) {
          if (next === target) return true;
          if (!outgoing.has(next) || seen.has(next)) continue;
          seen.add(next);
          stack.push(next);
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
