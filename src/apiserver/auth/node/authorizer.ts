/** Lets a kubelet see and change only what its node and the pods on it need (plugin/pkg/auth/authorizer/node of v1.35). */
import type { KubeObject } from '../../../api/object.ts';
import type { PersistentVolume, Pod } from '../../../api/types/core-v1.ts';
import type { VolumeAttachment } from '../../../api/types/storage-v1.ts';
import type { Informer, InformerFactory } from '../../../client/contract.ts';
import type { Attributes, Authorizer, Decision } from '../contract.ts';
import { allow, noOpinion } from '../forbidden.ts';
import { nodeRules } from '../rbac/bootstrap/cluster-roles.ts';
import { ruleAllows } from '../rbac/rules.ts';
import { nodeNameOf } from '../users.ts';
import { createNodeGraph, edgesOfPod, isMirrorPod, type NodeGraph, type Vertex, vertex } from './graph.ts';

/** Keeps a graph current. `ready` resolves when the first lists are in. */
export interface GraphSource {
  readonly graph: NodeGraph;
  ready(): Promise<void>;
}

/** What a cache for the graph keeps of an object. */
interface Lean extends KubeObject {
  readonly node?: string | undefined;
  /** The object that `refersTo` hangs on; absent when nothing does. */
  readonly owner?: Vertex | undefined;
  readonly refersTo?: readonly Vertex[];
}

function leanPod(pod: Pod): Pick<Lean, 'node' | 'owner' | 'refersTo'> {
  const node = pod.spec?.nodeName;
  const owner = vertex('pod', pod.metadata.namespace ?? '', pod.metadata.name);
  return { node, owner, refersTo: !node || isMirrorPod(pod) ? [] : edgesOfPod(pod) };
}

/** Whoever uses a claim may read the volume that is bound to it, and the secrets of its driver. */
function leanVolume(volume: PersistentVolume): Pick<Lean, 'owner' | 'refersTo'> {
  const { claimRef, ...spec } = volume.spec ?? {};
  if (!claimRef) return {};
  const namespace = claimRef.namespace ?? '';
  const references = [
    spec.azureFile && { name: spec.azureFile.secretName, namespace: spec.azureFile.secretNamespace },
    ...[spec.cephfs, spec.cinder, spec.flexVolume, spec.iscsi, spec.rbd, spec.scaleIO].map(s => s?.secretRef),
    spec.storageos?.secretRef,
    spec.csi?.controllerPublishSecretRef,
    spec.csi?.nodePublishSecretRef,
    spec.csi?.nodeStageSecretRef,
    spec.csi?.nodeExpandSecretRef,
  ];
  const secrets = references.flatMap(r => (r?.name ? [vertex('secret', r.namespace || namespace, r.name)] : []));
  const refersTo = [vertex('pv', '', volume.metadata.name), ...secrets];
  return { owner: vertex('pvc', namespace, claimRef.name ?? ''), refersTo };
}

function leanAttachment(attachment: VolumeAttachment): Pick<Lean, 'node' | 'owner'> {
  const owner = vertex('volumeattachment', '', attachment.metadata.name);
  return { node: attachment.spec.nodeName, owner };
}

/** Give it to an informer factory, so that its caches hold names instead of pods. */
export function leanForGraph(obj: KubeObject): KubeObject {
  const { name, namespace, uid, resourceVersion } = obj.metadata;
  const metadata = {
    name,
    ...(namespace && { namespace }),
    ...(uid && { uid }),
    ...(resourceVersion && { resourceVersion }),
  };
  return { metadata, owner: undefined, ...edgesOf(obj) } as Lean;
}

function edgesOf(obj: KubeObject): Pick<Lean, 'node' | 'owner' | 'refersTo'> {
  if ('owner' in obj) return obj as Lean;
  if (obj.kind === 'PersistentVolume') return leanVolume(obj as PersistentVolume);
  return obj.kind === 'VolumeAttachment' ? leanAttachment(obj as VolumeAttachment) : leanPod(obj as Pod);
}

export function informerGraph(informers: InformerFactory): GraphSource {
  const graph = createNodeGraph();
  const put = (obj: KubeObject) => {
    const { owner, node, refersTo = [] } = edgesOf(obj);
    if (!owner) return;
    graph.setNode(owner, node);
    graph.setEdges(owner, refersTo);
  };
  const drop = (obj: KubeObject) => {
    const { owner } = edgesOf(obj);
    if (owner) graph.remove(owner);
  };
  const all = [
    informers.informer('v1/pods'),
    informers.informer('v1/persistentvolumes'),
    informers.informer('storage.k8s.io/v1/volumeattachments'),
  ];
  for (const informer of all as Informer<KubeObject>[])
    informer.addHandler({
      onAdd: put,
      onUpdate(obj, old) {
        if (edgesOf(old).owner !== edgesOf(obj).owner) drop(old);
        put(obj);
      },
      onDelete: drop,
    });
  return {
    graph,
    ready: async () => {
      await Promise.all(all.map(i => i.synced()));
    },
  };
}

const refuse = (reason: string): Decision => ({ result: 'no-opinion', reason });
const readVerbs = ['get', 'list', 'watch'];

/** get of what pods on the node refer to. */
const referenced: Readonly<Record<string, string>> = {
  '/persistentvolumeclaims': 'pvc',
  '/persistentvolumes': 'pv',
  'resource.k8s.io/resourceclaims': 'resourceclaim',
  'storage.k8s.io/volumeattachments': 'volumeattachment',
};

/**
 * `source` is asked for when the first kubelet comes, so that a cluster without kubelets keeps no graph.
 */
export function createNodeAuthorizer(source: () => GraphSource): Authorizer {
  let started: GraphSource | undefined;
  async function related(kind: string, a: Attributes, node: string): Promise<Decision> {
    if (!a.name) return refuse('no object name found');
    started ??= source();
    await started.ready();
    const found = started.graph.reaches(vertex(kind, a.namespace, a.name), node);
    return found ? allow() : refuse(`no relationship found between node '${node}' and this object`);
  }
  const readReferenced = (kind: string, a: Attributes, node: string) => {
    if (a.verb !== 'get') return refuse(`can only get individual resources of this type`);
    return a.subresource ? refuse('cannot read subresource') : related(kind, a, node);
  };
  /** Also list and watch, when restricted to one name. */
  const readNamed = (kind: string, a: Attributes, node: string) => {
    if (!readVerbs.includes(a.verb) || a.subresource) return refuse('can only read resources of this type');
    const name = a.name || /^metadata\.name==?([^,]+)$/.exec(a.fieldSelector ?? '')?.[1];
    return name ? related(kind, { ...a, name }, node) : refuse('no object name found');
  };

  async function decide(a: Attributes, node: string): Promise<Decision> {
    const key = `${a.group}/${a.resource}`;
    if (key === '/secrets') return readNamed('secret', a, node);
    if (key === '/configmaps') return readNamed('configmap', a, node);
    if (key === '/persistentvolumeclaims' && a.subresource === 'status')
      return ['get', 'update', 'patch'].includes(a.verb)
        ? related('pvc', a, node)
        : refuse('can only get/update/patch');
    const kind = referenced[key];
    if (kind) return readReferenced(kind, a, node);
    if (key === '/serviceaccounts') {
      if (a.subresource === 'token' && a.verb === 'create') return related('serviceaccount', a, node);
      if (a.subresource) return refuse('only allowed to create a token for a service account');
      return a.verb === 'get' ? related('serviceaccount', a, node) : refuse('can only get service accounts');
    }
    if (key === 'coordination.k8s.io/leases') return ownLease(a, node);
    if (key === 'storage.k8s.io/csinodes') return ownCsiNode(a, node);
    if (key === 'resource.k8s.io/resourceslices') return ownSlices(a, node);
    if (key === '/nodes') return ownNode(a, node);
    if (key === '/pods' && a.verb === 'get' && !a.subresource) return related('pod', a, node);
    if (key === '/pods') return ownPods(a, node);
    return nodeRules.some(rule => ruleAllows(rule, a)) ? allow() : noOpinion;
  }

  return {
    name: 'node',
    async authorize(attributes) {
      const node = nodeNameOf(attributes.user);
      if (!node) return noOpinion;
      if (attributes.isResource) return decide(attributes, node);
      return nodeRules.some(rule => ruleAllows(rule, attributes)) ? allow() : noOpinion;
    },
  };
}

function ownLease(a: Attributes, node: string): Decision {
  if (!['get', 'create', 'update', 'patch', 'delete'].includes(a.verb))
    return refuse('can only get, create, update, patch, or delete a node lease');
  if (a.namespace !== 'kube-node-lease')
    return refuse(`can only access leases in the "kube-node-lease" system namespace`);
  if (a.verb !== 'create' && a.name !== node)
    return refuse('can only access node lease with the same name as the requesting node');
  return a.subresource ? refuse('cannot access subresources of leases') : allow();
}

function ownCsiNode(a: Attributes, node: string): Decision {
  if (!['get', 'create', 'update', 'patch', 'delete'].includes(a.verb))
    return refuse('can only get, create, update, patch, or delete a CSINode');
  if (a.subresource) return refuse('cannot authorize CSINode subresources');
  if (a.verb !== 'create' && a.name !== node)
    return refuse('can only access CSINode with the same name as the requesting node');
  return allow();
}

const selects = (a: Attributes, requirement: string): boolean =>
  (a.fieldSelector ?? '').replaceAll('==', '=').split(',').includes(requirement);

function ownSlices(a: Attributes, node: string): Decision {
  if (a.subresource) return refuse('cannot authorize ResourceSlice subresources');
  if (a.verb === 'create') return allow();
  if (['get', 'update', 'patch', 'delete'].includes(a.verb)) return allow();
  if (!['list', 'watch', 'deletecollection'].includes(a.verb)) return refuse('only the verbs of a driver are allowed');
  return selects(a, `spec.nodeName=${node}`)
    ? allow()
    : refuse('can only list/watch/deletecollection resourceslices with nodeName field selector');
}

function ownNode(a: Attributes, node: string): Decision {
  if (a.subresource && a.subresource !== 'status') return noOpinion;
  if (a.verb === 'create' && !a.subresource) return allow();
  if (['get', 'update', 'patch'].includes(a.verb) && a.name)
    return a.name === node ? allow() : refuse(`node '${node}' cannot ${a.verb} node '${a.name}'`);
  if (['list', 'watch'].includes(a.verb) && !a.subresource)
    return a.name === node || selects(a, `metadata.name=${node}`)
      ? allow()
      : refuse(`node '${node}' can only list/watch its own node object`);
  return noOpinion;
}

function ownPods(a: Attributes, node: string): Decision {
  if (a.subresource) return nodeRules.some(rule => ruleAllows(rule, a)) ? allow() : noOpinion;
  if (['list', 'watch'].includes(a.verb))
    return selects(a, `spec.nodeName=${node}`)
      ? allow()
      : refuse(`can only list/watch pods with spec.nodeName field selector`);
  return nodeRules.some(rule => ruleAllows(rule, a)) ? allow() : noOpinion;
}
