/** JSON Patch (RFC 6902), with the behaviour and messages of evanphx/json-patch v4, which upstream's API server uses. */

import { goWord } from '../util/go-text.ts';
import { deepClone, deepEqual, getOwn, isObject, setOwn } from '../util/values.ts';
import { checkDepth, PatchError } from './errors.ts';

export interface JsonPatchOperation {
  op: string;
  path: string;
  from?: string;
  value?: unknown;
}

export const maxOperations = 10_000;
/** Bytes that `copy` operations may add in all. */
export const maxCopiedBytes = 3 * 1024 * 1024;

type Container = unknown[] | { [key: string]: unknown };
interface Place {
  readonly container: Container;
  readonly key: string;
}
interface State {
  readonly document: Container;
  copied: number;
}

const fail = (message: string) => new PatchError('unprocessable', message);
const missing = (message: string) => fail(`${message}: missing value`);

const notDecoded = (value: unknown, type: string) =>
  new PatchError(
    'malformed',
    `error decoding patch: json: cannot unmarshal ${goWord(value)} into Go value of type ${type}`,
  );

/** @throws PatchError when the body is not a list of operations or too long. */
export function parseJsonPatch(body: unknown): JsonPatchOperation[] {
  if (!Array.isArray(body)) {
    throw notDecoded(body, '[]handlers.jsonPatchOp');
  }
  if (body.length > maxOperations) {
    throw new PatchError(
      'tooLarge',
      `The allowed maximum operations in a JSON patch is ${maxOperations}, got ${body.length}`,
    );
  }
  for (const each of body) {
    if (!isObject(each)) throw notDecoded(each, 'handlers.jsonPatchOp');
  }
  return body as JsonPatchOperation[];
}

/** A new document; neither argument is changed. @throws PatchError */
export function applyJsonPatch<T>(document: T, patch: unknown): T {
  const operations = parseJsonPatch(patch);
  checkDepth(document, patch);
  const copy: unknown = deepClone(document);
  if (!isContainer(copy)) throw fail('the document is not an object or a list');
  const state: State = { document: copy, copied: 0 };
  for (const operation of operations) applyOperation(state, operation);
  return state.document as T;
}

const handlers = new Map<unknown, (state: State, operation: JsonPatchOperation) => void>([
  ['add', add],
  ['remove', remove],
  ['replace', replace],
  ['move', move],
  ['copy', copy],
  ['test', test],
]);

function applyOperation(state: State, operation: JsonPatchOperation): void {
  const op = getOwn(operation as unknown as Record<string, unknown>, 'op');
  const handle = handlers.get(op);
  if (!handle) throw fail(`Unexpected kind: ${typeof op === 'string' ? op : 'unknown'}`);
  handle(state, operation);
}

function isContainer(value: unknown): value is Container {
  return typeof value === 'object' && value !== null;
}

function textOf(operation: JsonPatchOperation, field: 'path' | 'from'): string {
  const value = getOwn(operation as unknown as Record<string, unknown>, field);
  if (typeof value !== 'string') throw missing(`${operation.op} operation failed to decode ${field}`);
  return value;
}

const operand = (operation: JsonPatchOperation): unknown =>
  deepClone(getOwn(operation as unknown as Record<string, unknown>, 'value') ?? null);

const decode = (part: string) => part.replace(/~1/g, '/').replace(/~0/g, '~');

/** The container that holds the last part of a path; the root itself has none. */
function find(document: Container, path: string): Place | undefined {
  const parts = path.split('/');
  if (parts.length < 2) return undefined;
  let container = document;
  for (const part of parts.slice(1, -1)) {
    const next = read(container, decode(part));
    if (!next.found || !isContainer(next.value)) return undefined;
    container = next.value;
  }
  return { container, key: decode(parts.at(-1) ?? '') };
}

type Read = { found: true; value: unknown } | { found: false; why: string };

function read(container: Container, key: string): Read {
  if (!Array.isArray(container)) {
    if (Object.hasOwn(container, key)) return { found: true, value: container[key] };
    return { found: false, why: `unable to get nonexistent key: ${key}: missing value` };
  }
  const at = indexIn(container.length, key);
  if (typeof at === 'string') return { found: false, why: at };
  return { found: true, value: container[at] };
}

/** Negative indexes count from the end. A text is the reason why it is none. */
function indexIn(length: number, key: string): number | string {
  if (!/^[-+]?[0-9]{1,15}$/.test(key)) return `strconv.Atoi: parsing ${JSON.stringify(key)}: invalid syntax`;
  const index = Number(key);
  if (index < -length || index >= length) return `Unable to access invalid index: ${index}: invalid index referenced`;
  return index < 0 ? index + length : index;
}

function insert({ container, key }: Place, value: unknown, context: string): void {
  if (!Array.isArray(container)) {
    setOwn(container, key, value);
    return;
  }
  if (key === '-') {
    container.push(value);
    return;
  }
  const at = indexIn(container.length + 1, key);
  if (typeof at === 'string') throw fail(`${context}: ${at}`);
  container.splice(at, 0, value);
}

function take({ container, key }: Place, context: string): void {
  if (!Array.isArray(container)) {
    if (!Object.hasOwn(container, key))
      throw fail(`${context}: Unable to remove nonexistent key: ${key}: missing value`);
    delete container[key];
    return;
  }
  const at = indexIn(container.length, key);
  if (typeof at === 'string') throw fail(`${context}: ${at}`);
  container.splice(at, 1);
}

function add(state: State, operation: JsonPatchOperation): void {
  const path = textOf(operation, 'path');
  const place = find(state.document, path);
  if (!place) throw missing(`add operation does not apply: doc is missing path: "${path}"`);
  insert(place, operand(operation), `error in add for path: '${path}'`);
}

function remove(state: State, operation: JsonPatchOperation): void {
  const path = textOf(operation, 'path');
  const place = find(state.document, path);
  if (!place) throw missing(`remove operation does not apply: doc is missing path: "${path}"`);
  take(place, `error in remove for path: '${path}'`);
}

function replace(state: State, operation: JsonPatchOperation): void {
  const path = textOf(operation, 'path');
  const place = find(state.document, path);
  if (!place) throw missing(`replace operation does not apply: doc is missing path: ${path}`);
  const { container, key } = place;
  if (!read(container, key).found) throw missing(`replace operation does not apply: doc is missing key: ${path}`);
  if (!Array.isArray(container)) {
    setOwn(container, key, operand(operation));
    return;
  }
  const at = indexIn(container.length, key);
  if (typeof at === 'number') container[at] = operand(operation);
}

function source(state: State, operation: JsonPatchOperation): { place: Place; value: unknown } {
  const from = textOf(operation, 'from');
  const place = find(state.document, from);
  if (!place) throw missing(`${operation.op} operation does not apply: doc is missing from path: ${from}`);
  const found = read(place.container, place.key);
  if (!found.found) throw fail(`error in ${operation.op} for path: '${from}': ${found.why}`);
  return { place, value: found.value };
}

function put(state: State, operation: JsonPatchOperation, value: unknown): void {
  const path = textOf(operation, 'path');
  const place = find(state.document, path);
  if (!place) throw missing(`${operation.op} operation does not apply: doc is missing destination path: ${path}`);
  insert(place, value, `error in ${operation.op} for path: '${path}'`);
}

function move(state: State, operation: JsonPatchOperation): void {
  const { place, value } = source(state, operation);
  take(place, `error in move for path: '${operation.from}'`);
  put(state, operation, value);
}

function copy(state: State, operation: JsonPatchOperation): void {
  const { value } = source(state, operation);
  state.copied += JSON.stringify(value ?? null).length;
  if (state.copied > maxCopiedBytes) {
    throw new PatchError(
      'tooLarge',
      `Unable to complete the copy, the accumulated size increase of copy is ${state.copied}, exceeding the limit ${maxCopiedBytes}`,
    );
  }
  put(state, operation, deepClone(value));
}

/** A missing value equals null. */
function test(state: State, operation: JsonPatchOperation): void {
  const path = textOf(operation, 'path');
  const place = find(state.document, path);
  if (!place) throw missing(`test operation does not apply: is missing path: ${path}`);
  const found = read(place.container, place.key);
  if (!found.found && Array.isArray(place.container)) throw fail(`error in test for path: '${path}': ${found.why}`);
  const actual = found.found ? (found.value ?? null) : null;
  if (!deepEqual(actual, operand(operation))) throw fail(`testing value ${path} failed: test failed`);
}
