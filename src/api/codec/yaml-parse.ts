/**
 * YAML as Go's sigs.k8s.io/yaml reads it: YAML 1.1 booleans (yes, on, y), Go's integer forms, timestamps as strings, keys of any
 * scalar type as strings, merge keys; then JSON values. Aliases are expanded within a budget.
 */
import {
  CORE_SCHEMA,
  constructFromEvents,
  defineMappingTag,
  defineScalarTag,
  EVENT_ID,
  type Event,
  mergeTag,
  NOT_RESOLVED,
  parseEvents,
  type Schema,
} from 'js-yaml';
import { setOwn } from './coerce.ts';
import { DecodeError } from './decode-error.ts';
import { parseJson } from './json-parse.ts';
import { maxDepth } from './scan.ts';

const tagPrefix = 'tag:yaml.org,2002:';
const booleans = new Map<string, boolean>();
for (const word of ['y', 'yes', 'true', 'on', 'n', 'no', 'false', 'off']) {
  const value = ['y', 'yes', 'true', 'on'].includes(word);
  for (const form of [word, word.toUpperCase(), (word[0] ?? '').toUpperCase() + word.slice(1)])
    booleans.set(form, value);
}
const nulls = new Set(['', '~', 'null', 'Null', 'NULL']);
const floatShape = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;
const specialFloats = new Set([
  '.nan',
  '.NaN',
  '.NAN',
  ...['', '+', '-'].flatMap(s => [`${s}.inf`, `${s}.Inf`, `${s}.INF`]),
]);

/** What a plain scalar means; a string unless it looks like something else. */
export function resolvePlain(text: string): string | number | boolean | null {
  if (nulls.has(text)) return null;
  const first = text.charCodeAt(0);
  const numeric = (first >= 0x30 && first <= 0x39) || first === 0x2b || first === 0x2d || first === 0x2e;
  if (!numeric) return booleans.get(text) ?? text;
  return goInteger(text) ?? goFloat(text) ?? text;
}

/** strconv.ParseInt with base 0, after underscores are taken out. */
function goInteger(source: string): number | undefined {
  const match = /^([-+]?)(0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+|0|[1-9][0-9]*)$/.exec(source.replaceAll('_', ''));
  if (!match) return undefined;
  const digits = match[2] ?? '';
  const text = /^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits;
  const value = Number(text) * (match[1] === '-' ? -1 : 1);
  if (!Number.isSafeInteger(value) && digits.length <= 20)
    throw new DecodeError(`cannot unmarshal number ${source}: integers beyond 2^53 are not supported`);
  return Number.isSafeInteger(value) ? value || 0 : undefined;
}

function goFloat(source: string): number | undefined {
  const plain = source.replaceAll('_', '');
  if (floatShape.test(plain)) return Number(plain);
  if (specialFloats.has(source)) throw new DecodeError(`json: unsupported value: ${source}`);
  return undefined;
}

let lastSource = '';
let lastResolved: ReturnType<typeof resolvePlain> = null;
/** The tags below ask about each scalar in turn. */
function resolveOnce(source: string): ReturnType<typeof resolvePlain> {
  if (source !== lastSource) {
    lastResolved = resolvePlain(source);
    lastSource = source;
  }
  return lastResolved;
}

const typed = (name: string, accepts: (value: unknown) => boolean) =>
  defineScalarTag(tagPrefix + name, {
    implicit: true,
    resolve: source => {
      const value = resolveOnce(source);
      return accepts(value) ? value : NOT_RESOLVED;
    },
    identify: () => false,
  });
const mapping = defineMappingTag<Record<string, unknown>>(`${tagPrefix}map`, {
  create: () => ({}),
  addPair(carrier, key, value) {
    if (key === null || typeof key === 'object') return 'unsupported map key';
    setOwn(carrier, String(key), value);
    return '';
  },
  // Repeated keys are found by their own pass; the last one wins here.
  has: () => false,
  keys: Object.keys,
  get: (result, key) => result[String(key)],
  identify: () => false,
});
const schema: Schema = CORE_SCHEMA.withTags(
  typed('null', v => v === null),
  typed('bool', v => typeof v === 'boolean'),
  typed('int', v => Number.isInteger(v)),
  typed('float', v => typeof v === 'number'),
  mergeTag,
  mapping,
);

export interface ParsedYaml {
  value: unknown;
  /** `line 3: key "a" already set in map` */
  duplicates: string[];
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** The first document of a text: what a body is. Others are not looked at. @throws DecodeError */
export function parseFirstYaml(input: Uint8Array, findDuplicates: boolean): ParsedYaml | undefined {
  return parseYaml(firstDocument(decodeText(input)), findDuplicates)[0];
}

const onlyPrologue = /^(?:[\t ]*(?:#.*)?(?:\r\n?|\n)|%.*(?:\r\n?|\n))*$/;

/** Up to the marker that ends the first document. No document can have a marker at the beginning of a line inside. */
function firstDocument(text: string): string {
  const marker = /^(?:---|\.\.\.)(?=[\s]|$)/gm;
  for (let found = marker.exec(text); found; found = marker.exec(text))
    if (found.index > 0 && !onlyPrologue.test(text.slice(0, found.index))) return text.slice(0, found.index);
  return text;
}

function decodeText(input: Uint8Array): string {
  try {
    return utf8.decode(input);
  } catch {
    throw new DecodeError('yaml: invalid UTF-8 in the body');
  }
}

/** All documents of a text. @throws DecodeError */
export function parseYaml(input: Uint8Array | string, findDuplicates = false): ParsedYaml[] {
  const text = typeof input === 'string' ? input : decodeText(input);
  const json = /^\s*\{/.test(text) ? asJson(text) : undefined;
  if (json) return [json];
  let values: unknown[];
  let duplicates: string[][] = [];
  try {
    const events = parseEvents(text, { maxDepth });
    values = constructFromEvents(events, { source: text, schema, json: true });
    if (findDuplicates) duplicates = repeatedKeys(events, text);
  } catch (e) {
    if (e instanceof DecodeError) throw e;
    throw new DecodeError(`yaml: ${e instanceof Error ? (e.message.split('\n')[0] ?? '') : String(e)}`);
  }
  const shared = /(^|[\s,[{])\*\S/.test(text);
  return values.map((value, i) => ({
    value: shared ? expand(value, { left: 1_000_000 }, 0) : value,
    duplicates: duplicates[i] ?? [],
  }));
}

/** JSON is YAML, and much faster to read as JSON. Whatever is wrong with it, YAML's reader will say. */
function asJson(text: string): ParsedYaml | undefined {
  try {
    const { value, duplicates } = parseJson(new TextEncoder().encode(text), true);
    return duplicates.length === 0 ? { value, duplicates } : undefined;
  } catch (e) {
    if (e instanceof DecodeError) return undefined;
    throw e;
  }
}

/** A tree without shared parts. Go's parser refuses documents whose aliases blow up; so does the budget. */
function expand(value: unknown, budget: { left: number }, depth: number): unknown {
  if (depth > maxDepth) throw new DecodeError('yaml: exceeded max depth, or an anchor contains itself');
  if (--budget.left < 0) throw new DecodeError('yaml: document contains excessive aliasing');
  if (Array.isArray(value)) return value.map(item => expand(item, budget, depth + 1));
  if (typeof value !== 'object' || value === null) return value;
  const out: Record<string, unknown> = {};
  for (const [key, inner] of Object.entries(value)) setOwn(out, key, expand(inner, budget, depth + 1));
  return out;
}

interface Frame {
  keys: Set<string> | undefined;
  atKey: boolean;
}

/** So many repeated keys are named, for each document. */
const shownRepeats = 100;

/** Per document, the repeated keys of its mappings. */
function repeatedKeys(events: readonly Event[], text: string): string[][] {
  const documents: string[][] = [];
  const stack: Frame[] = [];
  const lineAt = lineCounter(text);
  for (const event of events) {
    if (event.type === EVENT_ID.POP) {
      stack.pop();
      continue;
    }
    const top = stack.at(-1);
    if (event.type === EVENT_ID.DOCUMENT) documents.push([]);
    else if (top?.keys) {
      const key = top.atKey ? keyText(event, text) : undefined;
      const found = documents.at(-1) ?? [];
      if (key !== undefined && key !== '<<' && top.keys.has(key) && found.length < shownRepeats)
        found.push(`line ${lineAt(event)}: key ${JSON.stringify(key)} already set in map`);
      if (key !== undefined) top.keys.add(key);
      top.atKey = !top.atKey;
    }
    if (event.type === EVENT_ID.MAPPING) stack.push({ keys: new Set(), atKey: true });
    else if (event.type === EVENT_ID.SEQUENCE || event.type === EVENT_ID.DOCUMENT)
      stack.push({ keys: undefined, atKey: false });
  }
  return documents;
}

function keyText(event: Event, text: string): string | undefined {
  return event.type === EVENT_ID.SCALAR ? text.slice(event.valueStart, event.valueEnd) : undefined;
}

/** Lines of scalars that are asked for in the order of the text. */
function lineCounter(text: string): (event: Event) => number {
  let line = 1;
  let next = text.indexOf('\n');
  return event => {
    const at = event.type === EVENT_ID.SCALAR ? event.valueStart : 0;
    for (; next >= 0 && next < at; next = text.indexOf('\n', next + 1)) line += 1;
    return line;
  };
}
