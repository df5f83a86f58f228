/** YAML bodies in, and YAML as kubectl prints it out. */
import { DecodeError } from './decode-error.ts';
import { type Decoded, type DecodeOptions, decodeValue, unrecognized } from './json.ts';
import { type ParsedYaml, parseFirstYaml, resolvePlain } from './yaml-parse.ts';

export { type ParsedYaml, parseFirstYaml, parseYaml } from './yaml-parse.ts';

/** Decodes the first document. @throws ApiError 400 */
export function decodeYaml(bytes: Uint8Array, options: DecodeOptions): Decoded {
  let parsed: ParsedYaml | undefined;
  try {
    parsed = parseFirstYaml(bytes, options.mode !== 'ignore');
  } catch (e) {
    throw e instanceof DecodeError ? unrecognized(e.message, bytes, options.kind) : e;
  }
  const repeated = parsed?.duplicates ?? [];
  const problems = repeated.length > 0 ? [`yaml: unmarshal errors:\n  ${repeated.join('\n  ')}`] : [];
  return decodeValue(parsed?.value ?? {}, options, problems);
}

/** A value as kubectl prints it: keys sorted, lists not indented, lines folded at 80 columns. */
export function encodeYaml(value: unknown): string {
  const out: string[] = [];
  const inline = emit(JSON.parse(JSON.stringify(value)), 0, out);
  return inline === undefined ? `${out.join('\n')}\n` : `${inline}\n`;
}

/** Appends lines for a block collection at `indent`; returns the text instead when the value stands on one line. */
function emit(value: unknown, indent: number, out: string[]): string | undefined {
  if (Array.isArray(value)) return value.length === 0 ? '[]' : emitList(value, indent, out);
  if (typeof value === 'object' && value !== null)
    return Object.keys(value).length === 0 ? '{}' : emitMap(value as Record<string, unknown>, indent, out);
  if (typeof value === 'string') return scalar(value, indent, 0);
  return String(value);
}

function emitList(list: unknown[], indent: number, out: string[]): undefined {
  const pad = ' '.repeat(indent);
  for (const item of list) {
    if (typeof item === 'string') {
      out.push(`${pad}- ${scalar(item, indent, indent + 2)}`);
      continue;
    }
    const lines: string[] = [];
    const inline = emit(item, indent + 2, lines);
    if (inline !== undefined) out.push(`${pad}- ${inline}`);
    else {
      out.push(`${pad}- ${(lines[0] ?? '').slice(indent + 2)}`);
      for (let i = 1; i < lines.length; i++) out.push(lines[i] ?? '');
    }
  }
  return undefined;
}

function emitMap(map: Record<string, unknown>, indent: number, out: string[]): undefined {
  const pad = ' '.repeat(indent);
  for (const key of Object.keys(map).sort(compareKeys)) {
    const value = map[key];
    const name = scalar(key, indent, -1);
    if (typeof value === 'string') {
      out.push(`${pad}${name}: ${scalar(value, indent, indent + name.length + 2)}`);
      continue;
    }
    const at = out.length;
    out.push('');
    const inline = emit(value, Array.isArray(value) ? indent : indent + 2, out);
    out[at] = `${pad}${name}:${inline === undefined ? '' : ` ${inline}`}`;
  }
  return undefined;
}

/** Digits compare as numbers and come before letters (goyaml's order of keys). */
function compareKeys(a: string, b: string): number {
  const left = Array.from(a);
  const right = Array.from(b);
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const x = left[i] ?? '';
    const y = right[i] ?? '';
    if (x === y) continue;
    return compareAt(left, right, i, x, y);
  }
  return left.length - right.length;
}

function compareAt(left: string[], right: string[], i: number, x: string, y: string): number {
  const letterX = /\p{L}/u.test(x);
  const letterY = /\p{L}/u.test(y);
  if (letterX && letterY) return x < y ? -1 : 1;
  if (letterX || letterY) {
    const inNumber = /\d/.test(left[i - 1] ?? '');
    return letterX === inNumber ? -1 : 1;
  }
  const numberX = /^\d+/.exec(left.slice(i).join(''))?.[0];
  const numberY = /^\d+/.exec(right.slice(i).join(''))?.[0];
  if (numberX && numberY && Number(numberX) !== Number(numberY)) return Number(numberX) - Number(numberY);
  return x < y ? -1 : 1;
}

/** A string as a scalar. `column` is where it begins; negative for a key, which is never folded nor a block. */
function scalar(text: string, indent: number, column: number): string {
  if (text.includes('\n') && column >= 0 && blockAllowed(text)) return literal(text, indent);
  if (isSpecial(text)) return JSON.stringify(text).replaceAll('\\u00a0', '\\_');
  let resolved: unknown = text;
  try {
    resolved = resolvePlain(text);
  } catch {
    resolved = undefined;
  }
  if (resolved !== text || isOtherType(text)) return JSON.stringify(text);
  const quoted = plainAllowed(text) ? text : `'${text.replaceAll("'", "''")}'`;
  return column < 0 ? quoted : fold(quoted, indent + 2, column);
}

/** Whether goyaml takes a plain scalar for something else than text: nothing, a merge, a number or a time. */
const isOtherType = (text: string) => text === '' || text === '<<' || isBase60(text) || isTimestamp(text);
const isBase60 = (text: string) => /^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$/.test(text);
/** What goyaml reads as a time when it is not quoted. */
const isTimestamp = (text: string) =>
  /^\d{4}-\d{1,2}-\d{1,2}(?:(?:[Tt]\d{1,2}:\d{1,2}:\d{1,2}(?:\.\d+)?(?:Z|[-+]\d\d:\d\d))| \d{1,2}:\d{1,2}:\d{1,2}(?:\.\d+)?)?$/.test(
    text,
  );
/** Cannot stand outside double quotes. */
function isSpecial(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return /[\u0000-\u001f\u007f-\u0084\u0086-\u009f\ufeff\ufffe\uffff]/.test(text) || text.includes('\n');
}
function blockAllowed(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return !/[\u0000-\u0009\u000b-\u001f\u007f]| \n| $/.test(text);
}
function plainAllowed(text: string): boolean {
  if (/^[\s]|[\s]$|^[-?:](?:\s|$)|^[,[\]{}#&*!|>'"%@`]|^---|^\.\.\.|: |:$| #/.test(text)) return false;
  return true;
}

function literal(text: string, indent: number): string {
  const hint = /^[ \n]/.test(text) ? '2' : '';
  const chomp = !text.endsWith('\n') ? '-' : text === '\n' || text.endsWith('\n\n') ? '+' : '';
  const body = text.endsWith('\n') ? text.slice(0, -1) : text;
  const pad = ' '.repeat(indent + 2);
  return `|${hint}${chomp}\n${body
    .split('\n')
    .map(line => (line === '' ? '' : pad + line))
    .join('\n')}`;
}

/** Breaks at a single space once the line is longer than 80 columns, as libyaml's emitter does. */
function fold(text: string, indent: number, start: number): string {
  if (start + text.length <= 80) return text;
  const pad = `\n${' '.repeat(indent)}`;
  let out = '';
  let column = start;
  for (let i = 0; i < text.length; i++) {
    const c = text[i] ?? '';
    const alone = c === ' ' && i > 0 && i < text.length - 1 && text[i - 1] !== ' ' && text[i + 1] !== ' ';
    if (alone && column > 80) {
      out += pad;
      column = indent;
    } else {
      out += c;
      column++;
    }
  }
  return out;
}
