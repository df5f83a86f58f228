/** Who owns whom, in memory, over all kinds. Edges may point to objects that are not known (yet, or any more). */
import type { KubeObject } from '../../api/object.ts';
import type { OwnerReference } from '../../api/types/meta-v1.ts';
import { deepEqual } from '../../api/util/values.ts';
import type { ResourceDescriptor } from '../../client/contract.ts';

export const orphanFinalizer = 'orphan';
export const foregroundFinalizer = 'foregroundDeletion';

export interface GraphNode {
  readonly uid: string;
  readonly resource: ResourceDescriptor;
  readonly namespace: string;
  readonly name: string;
  readonly owners: readonly OwnerReference[];
  readonly finalizers: readonly string[];
  readonly deleting: boolean;
}
export const isOrphaning = (n: GraphNode): boolean => n.deleting && n.finalizers.includes(orphanFinalizer);
/** Waits until its blocking dependents are gone. */
export const isForeground = (n: GraphNode): boolean => n.deleting && n.finalizers.includes(foregroundFinalizer);

export interface Graph {
  get(uid: string): GraphNode | undefined;
  dependents(uid: string): GraphNode[];
  /** Uids whose situation a change may have altered. */
  put(node: GraphNode): Iterable<string>;
  remove(uid: string): Iterable<string>;
  nodes(): Iterable<GraphNode>;
}

export function nodeOf(resource: ResourceDescriptor, { metadata }: KubeObject): GraphNode {
  const { uid = '', namespace = '', name, ownerReferences = [], finalizers = [], deletionTimestamp } = metadata;
  return {
    uid,
    resource,
    namespace,
    name,
    owners: ownerReferences,
    finalizers,
    deleting: deletionTimestamp !== undefined,
  };
}

const sameEdges = (a: GraphNode, b: GraphNode) =>
  a.deleting === b.deleting && deepEqual(a.owners, b.owners) && deepEqual(a.finalizers, b.finalizers);

export function createGraph(): Graph {
  const nodes = new Map<string, GraphNode>();
  /** By owner's uid. */
  const edges = new Map<string, Set<string>>();
  const link = (owner: string, dependent: string) => {
    const known = edges.get(owner) ?? new Set<string>();
    edges.set(owner, known.add(dependent));
  };
  const unlink = (owner: string, dependent: string) => {
    const known = edges.get(owner);
    known?.delete(dependent);
    if (known?.size === 0) edges.delete(owner);
  };
  const waitingOwners = (owners: readonly OwnerReference[]) =>
    owners.map(o => o.uid).filter(uid => nodes.get(uid)?.deleting);
  return {
    get: uid => nodes.get(uid),
    nodes: () => nodes.values(),
    dependents: uid => [...(edges.get(uid) ?? [])].flatMap(d => nodes.get(d) ?? []),
    put(node) {
      const old = nodes.get(node.uid);
      nodes.set(node.uid, node);
      for (const { uid } of old?.owners ?? []) unlink(uid, node.uid);
      for (const { uid } of node.owners) link(uid, node.uid);
      const concerned = new Set<string>();
      // Reports of an object that touch neither its owners nor its going change nothing here.
      const news = !old || !sameEdges(old, node);
      if (news && (node.owners.length > 0 || isOrphaning(node) || isForeground(node))) concerned.add(node.uid);
      // It let go of an owner, or began to block one.
      if (news) for (const uid of waitingOwners([...(old?.owners ?? []), ...node.owners])) concerned.add(uid);
      if (isForeground(node) && !(old && isForeground(old)))
        for (const uid of edges.get(node.uid) ?? []) concerned.add(uid);
      return concerned;
    },
    remove(uid) {
      const old = nodes.get(uid);
      if (!old) return [];
      nodes.delete(uid);
      for (const owner of old.owners) unlink(owner.uid, uid);
      return [...(edges.get(uid) ?? []), ...waitingOwners(old.owners)];
    },
  };
}
