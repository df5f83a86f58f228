/** What JSON.parse does not tell: nesting, how many members there are, which keys repeat, integers that a double cannot hold. */

export interface Survey {
  /** Nesting is over the limit: nothing else is known. */
  tooDeep: boolean;
  /** Members of all objects, repeated ones included. */
  members: number;
  /** A run of 16 or more digits stands outside strings. */
  longNumbers: boolean;
}

/** Upstream allows 10,000. Values are walked recursively here, on stacks of one megabyte; no kind nests anywhere near as deep. */
export const maxDepth = 1000;

const quote = 0x22;
const backslash = 0x5c;

/** One pass over the bytes of a JSON text. The text need not be valid; JSON.parse decides that. */
export function survey(bytes: Uint8Array): Survey {
  const result = { tooDeep: false, members: 0, longNumbers: false };
  const length = bytes.length;
  let depth = 0;
  let digits = 0;
  for (let i = 0; i < length; i++) {
    const c = bytes[i] as number;
    if (c === quote) {
      i = endOfString(bytes, i + 1, length);
      digits = 0;
    } else if (c >= 0x30 && c <= 0x39) {
      if (++digits === 16) result.longNumbers = true;
    } else {
      digits = 0;
      if (c === 0x3a) result.members++;
      else if (c === 0x7b || c === 0x5b) {
        if (++depth > maxDepth) {
          result.tooDeep = true;
          return result;
        }
      } else if (c === 0x7d || c === 0x5d) depth--;
    }
  }
  return result;
}

/** The index of the closing quote. */
function endOfString(bytes: Uint8Array, start: number, length: number): number {
  let i = start;
  while (i < length) {
    const c = bytes[i];
    if (c === quote) return i;
    i += c === backslash ? 2 : 1;
  }
  return length;
}

/** Members of all objects of a parsed value; fewer than in the text when keys repeat. */
export function countMembers(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value) if (typeof item === 'object') count += countMembers(item);
    return count;
  }
  for (const key in value) {
    count++;
    const inner = (value as Record<string, unknown>)[key];
    if (typeof inner === 'object') count += countMembers(inner);
  }
  return count;
}

interface Frame {
  /** Keys seen; undefined in a list. */
  keys: Set<string> | undefined;
  key: string;
  index: number;
}

/** Upstream reports no more strict errors than these. */
export const maxProblems = 100;

/** Paths of repeated keys, in order of appearance, each once. The text must be valid JSON. */
export function duplicateKeys(text: string): string[] {
  const found = new Set<string>();
  const stack: Frame[] = [];
  const token = /"(?:[^"\\]|\\.)*"|[{}[\],:]/gs;
  let pending: string | undefined;
  for (let match = token.exec(text); match; match = token.exec(text)) {
    const top = stack.at(-1);
    const t = match[0];
    if (t === '{') stack.push({ keys: new Set(), key: '', index: 0 });
    else if (t === '[') stack.push({ keys: undefined, key: '', index: 0 });
    else if (t === '}' || t === ']') stack.pop();
    else if (t === ',') {
      if (top) top.index++;
    } else if (t === ':' && top?.keys && pending !== undefined) {
      top.key = pending;
      if (top.keys.has(pending)) {
        found.add(pathOf(stack));
        if (found.size === maxProblems) break;
      }
      top.keys.add(pending);
    } else if (t !== ':') pending = JSON.parse(t) as string;
  }
  return [...found];
}

function pathOf(stack: readonly Frame[]): string {
  let path = '';
  for (const frame of stack) path += frame.keys ? `${path ? '.' : ''}${frame.key}` : `[${frame.index}]`;
  return path;
}

/** The first integer literal outside strings that a double cannot hold exactly. */
export function unsafeInteger(text: string): string | undefined {
  const token = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/gs;
  for (let match = token.exec(text); match; match = token.exec(text)) {
    const t = match[0];
    if (t.length >= 16 && /^-?\d+$/.test(t) && !Number.isSafeInteger(Number(t))) return t;
  }
  return undefined;
}
