/** The cluster as one scheduling cycle sees it: nodes in rows, their pods, and the counts that rules ask for. */
import type { Node, Taint } from '../../api/types/core-v1.ts';
import type { HostPort, PodInfo } from '../framework/pod-info.ts';
import { amountOf } from '../framework/pod-requests.ts';
import { type Columns, createColumns } from './columns.ts';
import { createGroups, type Groups } from './groups.ts';
import type { Lookup } from './lookup.ts';
import type { Frame } from './tally.ts';
import { createTermIndex, type TermIndex } from './term-index.ts';
import { buildTopology, type Topology } from './topology.ts';
import { createZoneOrder, zoneOf } from './zone-order.ts';

export interface NodeInfo {
  readonly row: number;
  readonly name: string;
  readonly node: Node;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
  readonly pods: ReadonlyMap<string, PodInfo>;
  /** Host ports in use by the pods. */
  readonly ports: readonly HostPort[];
  /** Sizes of the images on the node, by each of their names. */
  readonly images: ReadonlyMap<string, number>;
}

export interface Snapshot extends Frame {
  readonly lookup: Lookup;
  readonly columns: Columns;
  readonly nodes: readonly (NodeInfo | undefined)[];
  node(name: string): NodeInfo | undefined;
  /** Number of nodes that have an image of this name. */
  imageNodes(image: string): number;
  readonly groups: Groups;
  readonly terms: TermIndex;
  /** The same instance while the structure is the same. */
  memo<T>(key: string, make: () => T): T;
  /**
   * Runs `look` on a node that can be changed; everything is as before afterwards, also when it throws. `look` must be synchronous.
   */
  trial<T>(row: number, look: (trial: Trial) => T): T;
}

/** Changes of one node's pods that are taken back in the end. */
export interface Trial {
  add(pod: PodInfo): void;
  remove(pod: PodInfo): void;
}

export interface MutableSnapshot extends Snapshot {
  setNode(node: Node): void;
  removeNode(name: string): void;
  /** False when there is no such node. */
  addPod(node: string, pod: PodInfo): boolean;
  removePod(node: string, key: string): void;
}

interface Row {
  row: number;
  name: string;
  node: Node;
  labels: Readonly<Record<string, string>>;
  taints: readonly Taint[];
  pods: Map<string, PodInfo>;
  ports: HostPort[];
  images: ReadonlyMap<string, number>;
}

const noLabels = {};

export function createSnapshot(lookup: Lookup): MutableSnapshot {
  const nodes: (Row | undefined)[] = [];
  const byName = new Map<string, Row>();
  const free: number[] = [];
  const zones = createZoneOrder();
  const imageCounts = new Map<string, number>();
  let capacity = 16;
  const columns = createColumns(capacity);
  let structure = 1;
  let generation = 0;
  let order: Int32Array | undefined;
  let topologies = new Map<string, Topology>();
  let memos = new Map<string, unknown>();

  const frame: Frame = {
    get capacity() {
      return capacity;
    },
    get structure() {
      return structure;
    },
    get order() {
      return (order ??= zones.rows());
    },
    topology(key) {
      let topology = topologies.get(key);
      if (!topology) {
        topology = buildTopology(key, capacity, frame.order, row => nodes[row]?.labels ?? noLabels);
        topologies.set(key, topology);
      }
      return topology;
    },
  };
  const groups = createGroups(frame);
  const terms = createTermIndex(frame);

  function restructure(): void {
    structure++;
    order = undefined;
    topologies = new Map();
    memos = new Map();
  }
  const touch = (row: number) => {
    columns.generation[row] = ++generation;
  };
  function newRow(): number {
    const reused = free.pop();
    if (reused !== undefined) return reused;
    const row = nodes.length;
    nodes.push(undefined);
    if (row >= capacity) {
      capacity *= 2;
      columns.grow(capacity);
      restructure();
    }
    return row;
  }
  function account(row: Row, pod: PodInfo, delta: 1 | -1): void {
    const at = row.row;
    for (const [name, value] of pod.requests.amounts) {
      const { requested } = columns.column(name);
      requested[at] = (requested[at] ?? 0) + delta * value;
    }
    columns.nonZeroCpu[at] = (columns.nonZeroCpu[at] ?? 0) + delta * pod.requests.nonZeroCpu;
    columns.nonZeroMemory[at] = (columns.nonZeroMemory[at] ?? 0) + delta * pod.requests.nonZeroMemory;
    columns.pods[at] = (columns.pods[at] ?? 0) + delta;
    if (pod.ports.length > 0) {
      if (delta > 0) row.ports = [...row.ports, ...pod.ports];
      else row.ports = [...row.pods.values()].flatMap(p => p.ports);
    }
    groups.add(at, pod, delta);
    terms.add(at, pod, delta);
    touch(at);
  }
  function put(row: Row, pod: PodInfo): void {
    row.pods.set(pod.key, pod);
    account(row, pod, 1);
  }
  function take(row: Row, key: string): void {
    const pod = row.pods.get(key);
    if (!pod) return;
    row.pods.delete(key);
    account(row, pod, -1);
  }
  function countImages(images: ReadonlyMap<string, number>, delta: number): void {
    for (const name of images.keys()) imageCounts.set(name, (imageCounts.get(name) ?? 0) + delta);
  }
  function setAllocatable(row: number, node: Node): void {
    for (const column of columns.byName.values()) column.allocatable[row] = 0;
    columns.allowedPods[row] = 0;
    const allocatable = node.status?.allocatable ?? {};
    for (const name in allocatable) {
      const value = amountOf(name, allocatable[name] ?? '0');
      if (name === 'pods') columns.allowedPods[row] = value;
      else columns.column(name).allocatable[row] = value;
    }
  }
  function clearRow(row: number): void {
    for (const column of columns.byName.values()) {
      column.allocatable[row] = 0;
      column.requested[row] = 0;
    }
    columns.nonZeroCpu[row] = 0;
    columns.nonZeroMemory[row] = 0;
    columns.pods[row] = 0;
    columns.allowedPods[row] = 0;
  }
  function restructures(old: Row | undefined, node: Node): boolean {
    if (!old) return true;
    const { spec, metadata } = old.node;
    return (
      !sameLabels(metadata.labels, node.metadata.labels) ||
      spec.unschedulable !== node.spec.unschedulable ||
      JSON.stringify(spec.taints ?? []) !== JSON.stringify(node.spec.taints ?? [])
    );
  }
  const snapshot: MutableSnapshot = {
    get capacity() {
      return capacity;
    },
    get structure() {
      return structure;
    },
    get order() {
      return frame.order;
    },
    topology: frame.topology,
    lookup,
    columns,
    nodes,
    node: name => byName.get(name),
    imageNodes: image => imageCounts.get(image) ?? 0,
    groups,
    terms,
    memo<T>(key: string, make: () => T): T {
      if (!memos.has(key)) memos.set(key, make());
      return memos.get(key) as T;
    },
    trial(at, look) {
      const row = nodes[at];
      if (!row) throw new Error(`no node in row ${at}`);
      const before = columns.generation[at] ?? 0;
      const undo: (() => void)[] = [];
      const trial: Trial = {
        add(pod) {
          if (row.pods.has(pod.key)) return;
          put(row, pod);
          undo.push(() => take(row, pod.key));
        },
        remove(pod) {
          if (!row.pods.has(pod.key)) return;
          take(row, pod.key);
          undo.push(() => put(row, pod));
        },
      };
      try {
        return look(trial);
      } finally {
        for (const step of undo.reverse()) step();
        columns.generation[at] = before;
      }
    },
    setNode(node) {
      const name = node.metadata.name;
      const old = byName.get(name);
      const images = imagesOf(node);
      const changed = restructures(old, node);
      const oldZone = old && zoneOf(old.node);
      const row: Row = old ?? {
        row: newRow(),
        name,
        node,
        labels: noLabels,
        taints: [],
        pods: new Map(),
        ports: [],
        images,
      };
      if (old) countImages(old.images, -1);
      countImages(images, 1);
      Object.assign(row, { node, labels: node.metadata.labels ?? noLabels, taints: node.spec.taints ?? [], images });
      const zone = zoneOf(node);
      if (oldZone !== zone) {
        if (oldZone !== undefined) zones.remove(oldZone, row.row);
        zones.add(zone, row.row);
      }
      nodes[row.row] = row;
      byName.set(name, row);
      setAllocatable(row.row, node);
      touch(row.row);
      if (changed) restructure();
    },
    removeNode(name) {
      const row = byName.get(name);
      if (!row) return;
      for (const key of [...row.pods.keys()]) take(row, key);
      countImages(row.images, -1);
      zones.remove(zoneOf(row.node), row.row);
      byName.delete(name);
      nodes[row.row] = undefined;
      clearRow(row.row);
      free.push(row.row);
      restructure();
    },
    addPod(node, pod) {
      const row = byName.get(node);
      if (!row) return false;
      take(row, pod.key);
      put(row, pod);
      return true;
    },
    removePod(node, key) {
      const row = byName.get(node);
      if (row) take(row, key);
    },
  };
  return snapshot;
}

function imagesOf(node: Node): ReadonlyMap<string, number> {
  const images = new Map<string, number>();
  for (const { names = [], sizeBytes = 0 } of node.status?.images ?? [])
    for (const name of names) images.set(name, sizeBytes);
  return images;
}

function sameLabels(a: Readonly<Record<string, string>> = {}, b: Readonly<Record<string, string>> = {}): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every(key => a[key] === b[key]);
}
