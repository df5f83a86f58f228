/** Values as Go prints them, for messages that must be upstream's. */

const named: Readonly<Record<string, string>> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '"': '\\"',
  '\\': '\\\\',
};
const hex = (char: string, digits: number) => (char.codePointAt(0) ?? 0).toString(16).padStart(digits, '0');

function escaped(char: string): string {
  const short = named[char];
  if (short) return short;
  const code = char.codePointAt(0) ?? 0;
  if (code < 0x80) return `\\x${hex(char, 2)}`;
  return code < 0x10000 ? `\\u${hex(char, 4)}` : `\\U${hex(char, 8)}`;
}

/** A string in quotes (%q): what cannot be printed is escaped. */
export const goQuote = (text: string): string =>
  `"${text.replaceAll(/["\\]|[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, escaped)}"`;

/** JSON as encoding/json writes it, keys in the order they have: safe to embed in HTML and JavaScript. */
export const goJson = (value: unknown): string =>
  JSON.stringify(value ?? null).replaceAll(/[<>&\u2028\u2029]/g, char => `\\u${hex(char, 4)}`);

/** The same for values that have no type of their own: as maps, whose keys are sorted. */
export function goMapJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(goMapJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return goJson(value);
  const map = value as Readonly<Record<string, unknown>>;
  const members = Object.keys(map).sort();
  return `{${members.map(key => `${goJson(key)}:${goMapJson(map[key])}`).join(',')}}`;
}

/** A decoded document as fmt prints it (%v): bare strings, maps by sorted keys. */
export function goPrint(value: unknown): string {
  if (value === null || value === undefined) return '<nil>';
  if (Array.isArray(value)) return `[${value.map(goPrint).join(' ')}]`;
  if (typeof value !== 'object') return String(value);
  const map = value as Readonly<Record<string, unknown>>;
  const members = Object.keys(map).sort();
  return `map[${members.map(key => `${key}:${goPrint(map[key])}`).join(' ')}]`;
}

/** What Go's decoder calls a value that it cannot take. */
export function goWord(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}

/** The type of a decoded value (%T). */
export function goTypeOf(value: unknown): string {
  if (value === null || value === undefined) return '<nil>';
  if (Array.isArray(value)) return '[]interface {}';
  if (typeof value === 'object') return 'map[string]interface {}';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int64' : 'float64';
  return goWord(value);
}

/** A decoded value as Go source (%#v). */
export function goSyntax(value: unknown): string {
  if (value === null || value === undefined) return 'interface {}(nil)';
  if (Array.isArray(value)) return `[]interface {}{${value.map(goSyntax).join(', ')}}`;
  if (typeof value === 'string') return goQuote(value);
  if (typeof value !== 'object') return String(value);
  const map = value as Readonly<Record<string, unknown>>;
  const members = Object.keys(map).sort();
  return `map[string]interface {}{${members.map(key => `${goQuote(key)}:${goSyntax(map[key])}`).join(', ')}}`;
}
