/** Nodes in turn from each zone, so that a sample of them is fair to zones (pkg/scheduler/backend/cache/node_tree.go). */
import type { Node } from '../../api/types/core-v1.ts';

export function zoneOf(node: Node): string {
  const labels = node.metadata.labels ?? {};
  const region = labels['topology.kubernetes.io/region'] ?? labels['failure-domain.beta.kubernetes.io/region'] ?? '';
  const zone = labels['topology.kubernetes.io/zone'] ?? labels['failure-domain.beta.kubernetes.io/zone'] ?? '';
  return region === '' && zone === '' ? '' : `${region}:\u0000:${zone}`;
}

export interface ZoneOrder {
  add(zone: string, row: number): void;
  remove(zone: string, row: number): void;
  /** All rows, zone by zone in turn. */
  rows(): Int32Array;
}

export function createZoneOrder(): ZoneOrder {
  const zones = new Map<string, number[]>();
  return {
    add(zone, row) {
      const rows = zones.get(zone);
      if (rows) rows.push(row);
      else zones.set(zone, [row]);
    },
    remove(zone, row) {
      const rows = zones.get(zone) ?? [];
      const at = rows.indexOf(row);
      if (at >= 0) rows.splice(at, 1);
      if (rows.length === 0) zones.delete(zone);
    },
    rows() {
      const lists = [...zones.values()];
      const longest = lists.reduce((most, list) => Math.max(most, list.length), 0);
      const out: number[] = [];
      for (let i = 0; i < longest; i++)
        for (const list of lists) {
          const row = list[i];
          if (row !== undefined) out.push(row);
        }
      return Int32Array.from(out);
    },
  };
}
