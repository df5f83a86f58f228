/** Pods with the same namespace and labels, counted together; and counters of pods that match something, over them. */
import type { PodInfo } from '../framework/pod-info.ts';
import { createTally, type Frame, type Tally } from './tally.ts';

/** What a counter may look at. */
export interface GroupFacts {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly terminating: boolean;
}

interface Group extends GroupFacts {
  readonly byRow: Map<number, number>;
  total: number;
  readonly counters: Counter[];
}

interface Counter {
  readonly key: string;
  readonly matches: (group: GroupFacts) => boolean;
  readonly tally: Tally;
}

export interface Groups {
  add(row: number, pod: PodInfo, delta: 1 | -1): void;
  /** Pods that match, per node. Equal keys must mean equal predicates. */
  count(key: string, matches: (group: GroupFacts) => boolean): Tally;
  /** Forgets counters, for instance when labels of a namespace changed. */
  forget(): void;
}

/** Beyond this the counter that was not asked for longest is dropped. */
const counterLimit = 256;

export function createGroups(frame: Frame): Groups {
  const groups = new Map<string, Group>();
  const counters = new Map<string, Counter>();

  function groupOf(pod: PodInfo): Group {
    let group = groups.get(pod.groupKey);
    if (group) return group;
    const { namespace, labels, terminating } = pod;
    group = { namespace, labels, terminating, byRow: new Map(), total: 0, counters: [] };
    for (const counter of counters.values()) if (counter.matches(group)) group.counters.push(counter);
    groups.set(pod.groupKey, group);
    return group;
  }
  function drop(counter: Counter): void {
    counters.delete(counter.key);
    for (const group of groups.values()) {
      const at = group.counters.indexOf(counter);
      if (at >= 0) group.counters.splice(at, 1);
    }
  }
  return {
    add(row, pod, delta) {
      const group = groupOf(pod);
      const next = (group.byRow.get(row) ?? 0) + delta;
      if (next === 0) group.byRow.delete(row);
      else group.byRow.set(row, next);
      group.total += delta;
      for (const counter of group.counters) counter.tally.add(row, delta);
      if (group.total === 0) groups.delete(pod.groupKey);
    },
    count(key, matches) {
      const known = counters.get(key);
      if (known) {
        counters.delete(key);
        counters.set(key, known);
        return known.tally;
      }
      if (counters.size >= counterLimit) {
        const [oldest] = counters.values();
        if (oldest) drop(oldest);
      }
      const counter: Counter = { key, matches, tally: createTally(frame) };
      for (const group of groups.values()) {
        if (!matches(group)) continue;
        group.counters.push(counter);
        for (const [row, count] of group.byRow) counter.tally.add(row, count);
      }
      counters.set(key, counter);
      return counter.tally;
    },
    forget() {
      for (const counter of [...counters.values()]) drop(counter);
    },
  };
}
