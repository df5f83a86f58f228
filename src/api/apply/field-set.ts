/**
 * Sets of field paths, kept in their wire form (FieldsV1): a tree of objects whose keys are path elements, `f:name`, `k:{…}`, `v:…`
 * and `i:0`. A node is a member when it is empty or has the key ".". The empty root is the empty set. Values are never changed in
 * place, and unchanged parts are shared, so that sets can be used straight from a decoded object.
 */
import { getOwn, isObject } from '../util/values.ts';

export interface FieldSet {
  readonly [element: string]: FieldSet;
}
/** A set under construction. */
export interface MutableFieldSet {
  [element: string]: MutableFieldSet;
}

export const emptySet: FieldSet = Object.freeze({});
const leaf: FieldSet = emptySet;

export function isEmptySet(set: FieldSet): boolean {
  for (const _ in set) return false;
  return true;
}

/** Whether the node itself is in the set. Not for roots. */
export function isMember(node: FieldSet): boolean {
  return '.' in node || isEmptySet(node);
}

/** The node under an element, or undefined. */
export function childOf(set: FieldSet, element: string): FieldSet | undefined {
  // Elements are prefixed, so none can be the name of an inherited property; "." is none either.
  return set[element];
}

/** Reads a FieldsV1 from the wire. Undefined when it is not one. Accepts depth up to 1,000. */
export function decodeFieldSet(value: unknown, depth = 0): FieldSet | undefined {
  if (!isObject(value) || depth > 1000) return undefined;
  for (const key in value) {
    if (key === '.') continue;
    if (!isElement(key) || decodeFieldSet(value[key], depth + 1) === undefined) return undefined;
  }
  return value as unknown as FieldSet;
}

function isElement(key: string): boolean {
  switch (key.slice(0, 2)) {
    case 'f:':
      return true;
    case 'i:':
      return /^i:-?[0-9]+$/.test(key);
    case 'k:':
    case 'v:':
      return parses(key.slice(2));
    default:
      return false;
  }
}
function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * Adds a path to a set under construction, with `subtree` below it when given. `inner` are nodes known to have children: to look for
 * a child takes as long as there are many.
 */
export function insertPath(
  root: MutableFieldSet,
  path: readonly string[],
  subtree?: MutableFieldSet,
  inner?: Set<MutableFieldSet>,
): void {
  let node = root;
  let fresh = true;
  const last = path.length - 1;
  for (let i = 0; i <= last; i++) {
    const element = path[i] as string;
    // An existing empty node is a member; say so before it gets children.
    if (!fresh && !inner?.has(node)) {
      if (isEmptySet(node)) node['.'] = {};
      inner?.add(node);
    }
    let next = node[element];
    fresh = next === undefined;
    if (next === undefined) {
      next = (i === last ? subtree : undefined) ?? {};
      node[element] = next;
      if (i === last) return;
    }
    node = next;
  }
  if (!fresh && !isEmptySet(node)) node['.'] = {};
  if (subtree) Object.assign(node, unionNodes(node, subtree, false));
}

/** A set of the paths, each a list of elements. */
export function setOf(...paths: readonly (readonly string[])[]): FieldSet {
  const root: MutableFieldSet = {};
  for (const path of paths) insertPath(root, path);
  return root;
}

export function hasPath(set: FieldSet, path: readonly string[]): boolean {
  let node: FieldSet | undefined = set;
  for (const element of path) {
    node = node[element];
    if (node === undefined) return false;
  }
  return isMember(node);
}

function build(member: boolean, children: MutableFieldSet, root: boolean): FieldSet | undefined {
  if (isEmptySet(children)) return member ? leaf : root ? emptySet : undefined;
  if (member) children['.'] = {};
  return children;
}

export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b || isEmptySet(b)) return a;
  return isEmptySet(a) ? b : unionNodes(a, b, true);
}
function unionNodes(a: FieldSet, b: FieldSet, root: boolean): FieldSet {
  if (a === b) return a;
  const out: MutableFieldSet = {};
  for (const key in a) if (key !== '.') out[key] = a[key] as MutableFieldSet;
  for (const key in b) {
    if (key === '.') continue;
    const mine = out[key];
    const theirs = b[key] as FieldSet;
    out[key] = (mine === undefined ? theirs : unionNodes(mine, theirs, false)) as MutableFieldSet;
  }
  return build(!root && (isMember(a) || isMember(b)), out, root) ?? emptySet;
}

/** Paths of `a` that are not in `b`; children of paths in `b` stay. Gives `a` itself when nothing is taken away. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  return intersects(a, b) ? (differenceNodes(a, b, true) ?? emptySet) : a;
}
function differenceNodes(a: FieldSet, b: FieldSet, root: boolean): FieldSet | undefined {
  const out: MutableFieldSet = {};
  for (const key in a) {
    if (key === '.') continue;
    const mine = a[key] as FieldSet;
    const theirs = b[key];
    const left = theirs === undefined ? mine : differenceNodes(mine, theirs, false);
    if (left !== undefined) out[key] = left as MutableFieldSet;
  }
  return build(!root && isMember(a) && !isMember(b), out, root);
}

/** Takes away the paths of `b` with everything below them. */
export function recursiveDifference(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmptySet(b)) return a;
  return recursiveNodes(a, b, true) ?? emptySet;
}
function recursiveNodes(a: FieldSet, b: FieldSet, root: boolean): FieldSet | undefined {
  if (!root && isMember(b)) return undefined;
  const out: MutableFieldSet = {};
  for (const key in a) {
    if (key === '.') continue;
    const theirs = b[key];
    const left = theirs === undefined ? a[key] : recursiveNodes(a[key] as FieldSet, theirs, false);
    if (left !== undefined) out[key] = left as MutableFieldSet;
  }
  return build(!root && isMember(a), out, root);
}

export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  return intersectNodes(a, b, true) ?? emptySet;
}
function intersectNodes(a: FieldSet, b: FieldSet, root: boolean): FieldSet | undefined {
  const out: MutableFieldSet = {};
  for (const key in a) {
    const theirs = b[key];
    if (key === '.' || theirs === undefined) continue;
    const both = intersectNodes(a[key] as FieldSet, theirs, false);
    if (both !== undefined) out[key] = both as MutableFieldSet;
  }
  return build(!root && isMember(a) && isMember(b), out, root);
}

/** Whether some path is in both; allocates nothing. */
export function intersects(a: FieldSet, b: FieldSet, root = true): boolean {
  if (!root && isMember(a) && isMember(b)) return true;
  for (const key in a) {
    const theirs = b[key];
    if (key !== '.' && theirs !== undefined && intersects(a[key] as FieldSet, theirs, false)) return true;
  }
  return false;
}

export function setsEqual(a: FieldSet, b: FieldSet, root = true): boolean {
  if (a === b) return true;
  if (!root && isMember(a) !== isMember(b)) return false;
  let count = 0;
  for (const key in a) {
    if (key === '.') continue;
    const theirs = b[key];
    if (theirs === undefined || !setsEqual(a[key] as FieldSet, theirs, false)) return false;
    count++;
  }
  for (const key in b) if (key !== '.') count--;
  return count === 0;
}

/** All paths, members of a level before those below it, in the order of the elements. */
export function pathsOf(set: FieldSet): string[][] {
  const out: string[][] = [];
  const walk = (node: FieldSet, path: readonly string[]) => {
    const keys = Object.keys(node)
      .filter(key => key !== '.')
      .sort();
    for (const key of keys) if (isMember(node[key] as FieldSet)) out.push([...path, key]);
    for (const key of keys) walk(node[key] as FieldSet, [...path, key]);
  };
  walk(set, []);
  return out;
}

/** The wire form, with sorted elements. Gives the set itself when it is in order, as parts nearly always are. */
export function encodeFieldSet(set: FieldSet): FieldSet {
  if (isOrdered(set)) return set;
  const out: MutableFieldSet = {};
  for (const key of Object.keys(set).sort()) out[key] = encodeFieldSet(set[key] as FieldSet) as MutableFieldSet;
  return out;
}
function isOrdered(set: FieldSet): boolean {
  let last = '';
  for (const key in set) {
    if (key < last || !isOrdered(set[key] as FieldSet)) return false;
    last = key;
  }
  return true;
}

/** A path as messages show it: `.spec.containers[name="x"].image`. */
export function formatPath(path: readonly string[]): string {
  return path.map(formatElement).join('');
}
function formatElement(element: string): string {
  const rest = element.slice(2);
  switch (element.slice(0, 2)) {
    case 'k:': {
      const keys = JSON.parse(rest) as Record<string, unknown>;
      const pairs = Object.keys(keys).map(key => `${key}=${JSON.stringify(getOwn(keys, key))}`);
      return `[${pairs.join(',')}]`;
    }
    case 'v:':
      return `[=${rest}]`;
    case 'i:':
      return `[${rest}]`;
    default:
      return `.${rest}`;
  }
}
