/** Runs parsed JSONPath templates over JSON values (k8s.io/client-go/util/jsonpath). */
import { goMapJson } from '../util/go-text.ts';
import { getOwn, isObject } from '../util/values.ts';
import { type Block, JsonPathError, type PathNode, parseTemplate } from './parse.ts';

export interface JsonPathOptions {
  /** A field that is missing gives nothing instead of an error. */
  readonly allowMissingKeys?: boolean;
}
export interface JsonPath {
  /** The values found by each part of the template. @throws JsonPathError */
  find(data: unknown): unknown[][];
  /** The text kubectl prints. @throws JsonPathError */
  execute(data: unknown): string;
}

/** @throws JsonPathError */
export function compileJsonPath(template: string, options: JsonPathOptions = {}): JsonPath {
  const blocks = parseTemplate(template);
  const find = (data: unknown) => runBlocks(blocks, data, options);
  return { find, execute: data => find(data).map(formatResults).join('') };
}

function runBlocks(blocks: readonly Block[], data: unknown, options: JsonPathOptions): unknown[][] {
  const results: unknown[][] = [];
  for (const block of blocks) {
    if (block.kind === 'text') results.push([block.text]);
    else if (block.kind === 'action') results.push(walkAll([data], block.nodes, options));
    else
      for (const item of walkAll([data], block.nodes, options)) results.push(...runBlocks(block.body, item, options));
  }
  return results;
}

function walkAll(input: readonly unknown[], nodes: readonly PathNode[], options: JsonPathOptions): unknown[] {
  let current = [...input];
  for (const node of nodes) current = walk(current, node, options);
  return current;
}

function walk(input: readonly unknown[], node: PathNode, options: JsonPathOptions): unknown[] {
  switch (node.kind) {
    case 'text':
      return [node.text];
    case 'literal':
      return input.map(() => node.value);
    case 'field':
      return walkField(input, node.name, options);
    case 'array':
      return input.flatMap(value => slice(value, node));
    case 'filter':
      return input.flatMap(value => filter(value, node, options));
    case 'wildcard':
      return input.flatMap(childrenOf);
    case 'recursive':
      return descend(input);
    case 'union':
      return node.members.flatMap(member => walkAll(input, member, options));
    case 'identifier':
      return identifier(input, node.name);
  }
}

function identifier(input: readonly unknown[], name: string): unknown[] {
  if (name === 'range') return [...input];
  throw new JsonPathError(name === 'end' ? 'not in range, nothing to end' : `unrecognized identifier ${name}`);
}

function walkField(input: readonly unknown[], name: string, options: JsonPathOptions): unknown[] {
  const results: unknown[] = [];
  for (const value of input) {
    if (!isObject(value)) continue;
    const field = name === '' ? undefined : getOwn(value, name);
    if (field !== undefined) results.push(field);
  }
  // `{.}` is the object itself.
  if (name === '') return [...input];
  if (results.length === 0 && input.length > 0 && !options.allowMissingKeys)
    throw new JsonPathError(`${name} is not found`);
  return results;
}

function typeName(value: unknown): string {
  if (isObject(value)) return 'map[string]interface {}';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int64' : 'float64';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}

function slice(value: unknown, node: PathNode & { kind: 'array' }): unknown[] {
  if (value === null || value === undefined) return [];
  if (!Array.isArray(value)) throw new JsonPathError(`${typeName(value)} is not array or slice`);
  const { length } = value;
  const absolute = (index: number) => (index < 0 ? index + length : index);
  const start = absolute(node.start ?? 0);
  const end = node.end === 'next' ? start + 1 : absolute(node.end ?? length);
  if (start === end) return [];
  const outside = (index: number) => new JsonPathError(`array index out of bounds: index ${index}, length ${length}`);
  if (start >= length || start < 0) throw outside(start);
  if (end > length || end < 0) throw outside(end - 1);
  if (start > end) throw new JsonPathError(`starting index ${start} is greater than ending index ${end}`);
  const step = node.step ?? 1;
  if (step <= 0) throw new JsonPathError('step must be > 0');
  const out: unknown[] = [];
  for (let i = start; i < end; i += step) out.push(value[i]);
  return out;
}

function childrenOf(value: unknown): unknown[] {
  if (Array.isArray(value)) return value;
  return isObject(value) ? Object.keys(value).map(key => value[key]) : [];
}

/** Every object and list below, parents first. */
function descend(input: readonly unknown[]): unknown[] {
  const out: unknown[] = [];
  const visit = (value: unknown) => {
    const children = childrenOf(value);
    if (children.length === 0) return;
    out.push(value);
    for (const child of children) visit(child);
  };
  for (const value of input) visit(value);
  return out;
}

function filter(value: unknown, node: PathNode & { kind: 'filter' }, options: JsonPathOptions): unknown[] {
  if (!Array.isArray(value))
    throw new JsonPathError(`${formatValue(value)} is not array or slice and cannot be filtered`);
  return value.filter(item => (node.operator === 'exists' ? exists(item, node, options) : passes(item, node, options)));
}

function exists(item: unknown, node: PathNode & { kind: 'filter' }, options: JsonPathOptions): boolean {
  return walkAll([item], node.left, { ...options, allowMissingKeys: true }).length > 0;
}

function passes(item: unknown, node: PathNode & { kind: 'filter' }, options: JsonPathOptions): boolean {
  const left = walkAll([item], node.left, options);
  if (left.length === 0) return false;
  const right = walkAll([item], node.right, options);
  if (right.length === 0) return false;
  if (left.length > 1 || right.length > 1) throw new JsonPathError('can only compare one element at a time');
  return compare(left[0], node.operator, right[0]);
}

function compare(left: unknown, operator: string, right: unknown): boolean {
  if (typeof left === 'object' || typeof right === 'object') throw new JsonPathError('invalid type for comparison');
  if (typeof left !== typeof right) throw new JsonPathError('incompatible types for comparison');
  if (operator === '==') return left === right;
  if (operator === '!=') return left !== right;
  if (typeof left === 'boolean') throw new JsonPathError('invalid type for comparison');
  const [a, b] = [left as string, right as string];
  switch (operator) {
    case '<':
      return a < b;
    case '>':
      return a > b;
    case '<=':
      return a <= b;
    case '>=':
      return a >= b;
    default:
      throw new JsonPathError(`unrecognized filter operator ${operator}`);
  }
}

/** A value as text: scalars plainly, objects and lists as Go writes JSON (sorted keys, `<`, `>` and `&` escaped). */
export function formatValue(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'object') return goMapJson(value);
  return String(value);
}

function formatResults(results: readonly unknown[]): string {
  return results.map(formatValue).join(' ');
}
