/**
 * An immutable ordered map from strings to values: a B+ tree whose updates copy one path and share the rest. Keys are ordered by their
 * UTF-8 bytes (equally: by code point). Lookups, updates and counts cost O(log n); keeping an old version costs the changed paths only.
 */

const maxEntries = 32;
const minEntries = 12;

interface Node<V> {
  /** A leaf's keys; in an inner node the least key of each child. */
  readonly keys: string[];
  /** Set in leaves. */
  readonly values: V[] | undefined;
  /** Set in inner nodes. */
  readonly children: Node<V>[] | undefined;
  /** Entries below. */
  readonly size: number;
}

/** Matches the code units for which UTF-16 and UTF-8 disagree about order. */
const unordered = /[\ud800-\uffff]/;

/** Compares as the UTF-8 encodings compare. */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

/** Surrogates stand for code points above U+FFFF, so they move behind U+E000 to U+FFFF. */
function rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit >= 0xe000 ? unit - 0x800 : unit + 0x2000;
}

function leaf<V>(keys: string[], values: V[]): Node<V> {
  return { keys, values, children: undefined, size: keys.length };
}

function inner<V>(children: Node<V>[]): Node<V> {
  let size = 0;
  const keys: string[] = [];
  for (const child of children) {
    size += child.size;
    keys.push(child.keys[0] as string);
  }
  return { keys, values: undefined, children, size };
}

const isLess = (a: string, b: string, exact: boolean) => (exact ? compareKeys(a, b) < 0 : a < b);

/** Index of the first key that is not less than `key`. */
function lowerBound(keys: readonly string[], key: string, exact: boolean): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const at = keys[middle] as string;
    if (isLess(at, key, exact)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Index of the child whose span holds `key`. */
function childIndex(keys: readonly string[], key: string, exact: boolean): number {
  const at = lowerBound(keys, key, exact);
  return keys[at] === key || at === 0 ? at : at - 1;
}

/** By hand: `splice` would make room for many more. */
function withInserted<T>(items: readonly T[], index: number, item: T): T[] {
  const copy = new Array<T>(items.length + 1);
  for (let i = 0; i < index; i++) copy[i] = items[i] as T;
  copy[index] = item;
  for (let i = index; i < items.length; i++) copy[i + 1] = items[i] as T;
  return copy;
}
function withReplaced<T>(items: readonly T[], index: number, item: T): T[] {
  const copy = items.slice();
  copy[index] = item;
  return copy;
}
function without<T>(items: readonly T[], index: number): T[] {
  const copy = items.slice();
  copy.splice(index, 1);
  return copy;
}

/** The halves of a node that grew too large. */
function split<V>(node: Node<V>): [Node<V>, Node<V>] {
  const middle = node.keys.length >>> 1;
  if (node.children) return [inner(node.children.slice(0, middle)), inner(node.children.slice(middle))];
  const values = node.values as V[];
  return [
    leaf(node.keys.slice(0, middle), values.slice(0, middle)),
    leaf(node.keys.slice(middle), values.slice(middle)),
  ];
}

function merged<V>(a: Node<V>, b: Node<V>): Node<V> {
  if (a.children) return inner([...a.children, ...(b.children as Node<V>[])]);
  return leaf([...a.keys, ...b.keys], [...(a.values as V[]), ...(b.values as V[])]);
}

/** The node with `key` set. It may hold one entry too many: its parent splits it. */
function inserted<V>(node: Node<V>, key: string, value: V, exact: boolean): Node<V> {
  if (!node.children) {
    const values = node.values as V[];
    const at = lowerBound(node.keys, key, exact);
    if (node.keys[at] === key) return leaf(node.keys, withReplaced(values, at, value));
    return leaf(withInserted(node.keys, at, key), withInserted(values, at, value));
  }
  const at = childIndex(node.keys, key, exact);
  const child = inserted(node.children[at] as Node<V>, key, value, exact);
  if (child.keys.length > maxEntries) {
    const children = node.children.slice();
    children.splice(at, 1, ...split(child));
    return inner(children);
  }
  return withChild(node, at, child);
}

function withChild<V>(node: Node<V>, at: number, child: Node<V>): Node<V> {
  const before = (node.children as Node<V>[])[at] as Node<V>;
  const low = child.keys[0] as string;
  return {
    keys: node.keys[at] === low ? node.keys : withReplaced(node.keys, at, low),
    values: undefined,
    children: withReplaced(node.children as Node<V>[], at, child),
    size: node.size + child.size - before.size,
  };
}

/** The node without `key`, or the same node when it is not there. It may hold too few entries: its parent merges it. */
function removed<V>(node: Node<V>, key: string, exact: boolean): Node<V> {
  if (!node.children) {
    const at = lowerBound(node.keys, key, exact);
    if (node.keys[at] !== key) return node;
    return leaf(without(node.keys, at), without(node.values as V[], at));
  }
  const at = childIndex(node.keys, key, exact);
  const before = node.children[at] as Node<V>;
  const child = removed(before, key, exact);
  if (child === before) return node;
  if (child.keys.length >= minEntries) return withChild(node, at, child);
  return inner(rebalanced(node.children, at, child));
}

/** The children with `child`, too small, at `at` joined to a neighbour. */
function rebalanced<V>(children: readonly Node<V>[], at: number, child: Node<V>): Node<V>[] {
  const copy = children.slice();
  if (copy.length === 1) return child.keys.length === 0 ? [] : [child];
  const left = at === 0 ? 0 : at - 1;
  const pair = at === 0 ? merged(child, copy[1] as Node<V>) : merged(copy[left] as Node<V>, child);
  copy.splice(left, 2, ...(pair.keys.length > maxEntries ? split(pair) : [pair]));
  return copy;
}

/** A key and its new value; undefined removes it. */
type Change<V> = readonly [key: string, value: V | undefined];

/** What comes in the node's place when these changes, in order and all within its span, are made: nodes of the same depth, or none. */
function updated<V>(node: Node<V>, changes: readonly Change<V>[], exact: boolean): Node<V>[] {
  if (!node.children) return evenly(mergedEntries(node, changes, exact), maxEntries).map(leafOf);
  const children: Node<V>[] = [];
  let from = 0;
  for (const [i, child] of node.children.entries()) {
    const bound = node.keys[i + 1];
    let to = from;
    while (to < changes.length && (bound === undefined || isLess((changes[to] as Change<V>)[0], bound, exact))) to += 1;
    if (to === from) children.push(child);
    else children.push(...updated(child, changes.slice(from, to), exact));
    from = to;
  }
  return evenly(withoutSmall(children), maxEntries).map(inner);
}

function mergedEntries<V>(node: Node<V>, changes: readonly Change<V>[], exact: boolean): [string, V][] {
  const values = node.values as V[];
  const out: [string, V][] = [];
  let at = 0;
  for (const [key, value] of changes) {
    while (at < node.keys.length && isLess(node.keys[at] as string, key, exact)) {
      out.push([node.keys[at] as string, values[at] as V]);
      at += 1;
    }
    if (node.keys[at] === key) at += 1;
    if (value !== undefined) out.push([key, value]);
  }
  for (; at < node.keys.length; at++) out.push([node.keys[at] as string, values[at] as V]);
  return out;
}

function leafOf<V>(entries: readonly (readonly [string, V])[]): Node<V> {
  return leaf(
    entries.map(entry => entry[0]),
    entries.map(entry => entry[1]),
  );
}

/** The nodes with those that hold too few joined to a neighbour. */
function withoutSmall<V>(nodes: readonly Node<V>[]): Node<V>[] {
  const out: Node<V>[] = [];
  for (const node of nodes) {
    const last = out.at(-1);
    if (!last || (last.keys.length >= minEntries && node.keys.length >= minEntries)) out.push(node);
    else {
      const pair = merged(last, node);
      out.splice(-1, 1, ...(pair.keys.length > maxEntries ? split(pair) : [pair]));
    }
  }
  return out;
}

/** Number of keys less than `key`. */
function rankOf<V>(root: Node<V>, key: string, exact: boolean): number {
  let node = root;
  let before = 0;
  while (node.children) {
    const at = childIndex(node.keys, key, exact);
    for (let i = 0; i < at; i++) before += (node.children[i] as Node<V>).size;
    node = node.children[at] as Node<V>;
  }
  return before + lowerBound(node.keys, key, exact);
}

/** Visits entries in order from `start`; false when `visit` stopped it. */
function visitFrom<V>(
  node: Node<V>,
  start: string,
  exact: boolean,
  visit: (key: string, value: V) => boolean,
): boolean {
  if (node.children) {
    const first = start === '' ? 0 : childIndex(node.keys, start, exact);
    for (let i = first; i < node.children.length; i++) {
      if (!visitFrom(node.children[i] as Node<V>, i === first ? start : '', exact, visit)) return false;
    }
    return true;
  }
  const values = node.values as V[];
  for (let i = start === '' ? 0 : lowerBound(node.keys, start, exact); i < node.keys.length; i++) {
    if (!visit(node.keys[i] as string, values[i] as V)) return false;
  }
  return true;
}

function* entriesFrom<V>(node: Node<V>, start: string, exact: boolean): Generator<[string, V]> {
  if (node.children) {
    const first = start === '' ? 0 : childIndex(node.keys, start, exact);
    for (let i = first; i < node.children.length; i++) {
      yield* entriesFrom(node.children[i] as Node<V>, i === first ? start : '', exact);
    }
    return;
  }
  const values = node.values as V[];
  for (let i = start === '' ? 0 : lowerBound(node.keys, start, exact); i < node.keys.length; i++) {
    yield [node.keys[i] as string, values[i] as V];
  }
}

/** The tree over nodes of the same depth, in order. */
function rootOf<V>(nodes: Node<V>[], fill: number): Node<V> {
  let level = nodes;
  while (level.length > 1) level = evenly(level, fill).map(inner);
  let root = level[0] ?? leaf<V>([], []);
  while (root.children?.length === 1) root = root.children[0] as Node<V>;
  return root;
}

export class PersistentMap<V> {
  readonly #root: Node<V>;
  /** Two keys may need the exact comparison: then the engine's own `<` on strings is not enough. */
  readonly #exact: boolean;

  private constructor(root: Node<V>, exact: boolean) {
    this.#root = root;
    this.#exact = exact;
  }

  static empty<V>(): PersistentMap<V> {
    return new PersistentMap<V>(leaf<V>([], []), false);
  }

  /** Builds from entries in ascending order without duplicates, in linear time. */
  static fromSorted<V>(entries: readonly (readonly [string, V])[]): PersistentMap<V> {
    const fill = maxEntries - 4;
    const exact = entries.some(([key]) => unordered.test(key));
    return new PersistentMap(rootOf(evenly(entries, fill).map(leafOf), fill), exact);
  }

  get size(): number {
    return this.#root.size;
  }

  get(key: string): V | undefined {
    let node = this.#root;
    while (node.children) node = node.children[childIndex(node.keys, key, this.#exact)] as Node<V>;
    const at = lowerBound(node.keys, key, this.#exact);
    return node.keys[at] === key ? (node.values as V[])[at] : undefined;
  }

  has(key: string): boolean {
    let node = this.#root;
    while (node.children) node = node.children[childIndex(node.keys, key, this.#exact)] as Node<V>;
    return node.keys[lowerBound(node.keys, key, this.#exact)] === key;
  }

  set(key: string, value: V): PersistentMap<V> {
    const exact = this.#exact || unordered.test(key);
    const root = inserted(this.#root, key, value, exact);
    return new PersistentMap(root.keys.length > maxEntries ? inner(split(root)) : root, exact);
  }

  /** The map without `key`; the same map when it is not there. */
  delete(key: string): PersistentMap<V> {
    let root = removed(this.#root, key, this.#exact);
    if (root === this.#root) return this;
    while (root.children?.length === 1) root = root.children[0] as Node<V>;
    return new PersistentMap(root, root.size > 0 && this.#exact);
  }

  /** The map after many changes, where undefined removes a key: each part that they touch is copied once only. */
  update(changes: ReadonlyMap<string, V | undefined>): PersistentMap<V> {
    const exact = this.#exact || [...changes.keys()].some(key => unordered.test(key));
    const ordered = [...changes].sort(([a], [b]) => (isLess(a, b, exact) ? -1 : 1));
    const root = rootOf(updated(this.#root, ordered, exact), maxEntries);
    return new PersistentMap(root, root.size > 0 && exact);
  }

  /** Number of keys in [start, end); without `end`, from `start` on. */
  count(start = '', end?: string): number {
    const upTo = end === undefined ? this.#root.size : rankOf(this.#root, end, this.#exact);
    return Math.max(0, upTo - (start === '' ? 0 : rankOf(this.#root, start, this.#exact)));
  }

  /** Calls `visit` for each entry in [start, end) in order, until it returns false. The fast way to iterate. */
  scan(visit: (key: string, value: V) => boolean | undefined, start = '', end?: string): void {
    const exact = this.#exact;
    visitFrom(this.#root, start, exact, (key, value) => {
      if (end !== undefined && (exact ? compareKeys(key, end) >= 0 : key >= end)) return false;
      return visit(key, value) !== false;
    });
  }

  /** Entries in [start, end), in order. */
  *entries(start = '', end?: string): Generator<[string, V]> {
    for (const entry of entriesFrom(this.#root, start, this.#exact)) {
      if (end !== undefined && (this.#exact ? compareKeys(entry[0], end) >= 0 : entry[0] >= end)) return;
      yield entry;
    }
  }

  /** Values in [start, end), in order, at most `limit`. */
  values(start = '', end?: string, limit = Number.POSITIVE_INFINITY): V[] {
    const out: V[] = [];
    if (limit <= 0) return out;
    this.scan(
      (_, value) => {
        out.push(value);
        return out.length < limit;
      },
      start,
      end,
    );
    return out;
  }

  [Symbol.iterator](): Generator<[string, V]> {
    return this.entries();
  }
}

/** Cuts into runs of at most `most`, all nearly equally long, so that none is below the tree's minimum. */
function evenly<T>(items: readonly T[], most: number): T[][] {
  const parts = Math.ceil(items.length / most);
  const out: T[][] = [];
  for (let i = 0; i < parts; i++) {
    out.push(items.slice(Math.floor((i * items.length) / parts), Math.floor(((i + 1) * items.length) / parts)));
  }
  return out;
}
