/** kubectl's JSONPath templates, parsed (k8s.io/client-go/util/jsonpath). */

/** The template is wrong, or does not fit the data. Messages are upstream's. */
export class JsonPathError extends Error {
  override readonly name = 'JsonPathError';
}

export type PathNode =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'literal'; readonly value: number | boolean }
  | { readonly kind: 'field'; readonly name: string }
  | {
      readonly kind: 'array';
      readonly start: number | undefined;
      readonly end: number | 'next' | undefined;
      readonly step: number | undefined;
    }
  | {
      readonly kind: 'filter';
      readonly left: readonly PathNode[];
      readonly operator: string;
      readonly right: readonly PathNode[];
    }
  | { readonly kind: 'wildcard' }
  | { readonly kind: 'recursive' }
  | { readonly kind: 'union'; readonly members: readonly (readonly PathNode[])[] }
  | { readonly kind: 'identifier'; readonly name: string };

/** A template: text, actions in braces, and ranges with what they repeat. */
export type Block =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly nodes: readonly PathNode[] }
  | { readonly kind: 'range'; readonly nodes: readonly PathNode[]; readonly body: readonly Block[] };

const maxNesting = 64;
const terminators = new Set([' ', '\t', '\r', '\n', '.', ',', '[', ']', '$', '@', '{', '}']);
const word = /^[\p{L}\p{Nd}_]/u;
const digit = /^\p{Nd}/u;

class Parser {
  readonly #input: string;
  readonly #depth: number;
  #at = 0;
  constructor(input: string, depth: number) {
    if (depth > maxNesting) throw new JsonPathError('the expression is nested too deeply');
    this.#input = input;
    this.#depth = depth;
  }

  /** Texts and actions, ranges not yet nested. */
  template(): Block[] {
    const blocks: Block[] = [];
    while (this.#at < this.#input.length) {
      const brace = this.#input.indexOf('{', this.#at);
      const end = brace < 0 ? this.#input.length : brace;
      if (end > this.#at) blocks.push({ kind: 'text', text: this.#input.slice(this.#at, end) });
      this.#at = end;
      if (brace < 0) break;
      this.#at++;
      blocks.push({ kind: 'action', nodes: this.action() });
    }
    return blocks;
  }

  /** Up to and past the closing brace. */
  action(): PathNode[] {
    const nodes: PathNode[] = [];
    for (;;) {
      if (this.#skip('}')) return nodes;
      if (this.#skip('[?(')) nodes.push(this.#filter());
      else if (this.#skip('..')) this.#recursive(nodes);
      else this.#step(nodes);
    }
  }

  #skip(prefix: string): boolean {
    if (!this.#input.startsWith(prefix, this.#at)) return false;
    this.#at += prefix.length;
    return true;
  }

  #step(nodes: PathNode[]): void {
    const char = this.#input.charAt(this.#at);
    if (char === '' || char === '\r' || char === '\n') throw new JsonPathError('unclosed action');
    if (char === ' ' || char === '@' || char === '$') this.#at++;
    else if (char === '[') nodes.push(...this.#array());
    else if (char === '"' || char === "'") nodes.push(this.#quoted(char));
    else if (char === '.') {
      this.#at++;
      nodes.push(this.#field());
    } else nodes.push(this.#word());
  }

  #word(): PathNode {
    const rest = this.#input.slice(this.#at, this.#at + 2);
    if (rest.startsWith('+') || rest.startsWith('-') || digit.test(rest)) return this.#number();
    if (!word.test(rest)) {
      const code = (this.#input.codePointAt(this.#at) ?? 0).toString(16).toUpperCase().padStart(4, '0');
      throw new JsonPathError(
        `unrecognized character in action: U+${code} '${String.fromCodePoint(Number.parseInt(code, 16))}'`,
      );
    }
    const start = this.#at;
    while (this.#at < this.#input.length && !terminators.has(this.#input.charAt(this.#at))) this.#at++;
    const name = this.#input.slice(start, this.#at);
    if (name === 'true' || name === 'false') return { kind: 'literal', value: name === 'true' };
    return { kind: 'identifier', name };
  }

  #number(): PathNode {
    const found = /^[-+]?[0-9.]*/.exec(this.#input.slice(this.#at, this.#at + 400))?.[0] ?? '';
    this.#at += found.length || 1;
    if (!/^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)$/.test(found)) throw new JsonPathError(`cannot parse number ${found}`);
    return { kind: 'literal', value: Number(found) };
  }

  #recursive(nodes: PathNode[]): void {
    if (nodes.at(-1)?.kind === 'recursive') throw new JsonPathError('invalid multiple recursive descent');
    nodes.push({ kind: 'recursive' });
    if (word.test(this.#input.slice(this.#at, this.#at + 2))) nodes.push(this.#field());
  }

  #field(): PathNode {
    const start = this.#at;
    while (this.#at < this.#input.length) {
      const char = this.#input.charAt(this.#at);
      if (char === '\\') this.#at++;
      else if (terminators.has(char)) break;
      this.#at++;
    }
    const name = this.#input.slice(start, this.#at);
    return name === '*' ? { kind: 'wildcard' } : { kind: 'field', name: name.replaceAll('\\', '') };
  }

  #quoted(quote: string): PathNode {
    const start = this.#at++;
    for (; ; this.#at++) {
      const char = this.#input.charAt(this.#at);
      if (char === '' || char === '\n') throw new JsonPathError('unterminated quoted string');
      if (char === quote && this.#input.charAt(this.#at - 1) !== '\\') break;
    }
    this.#at++;
    return { kind: 'text', text: unquote(this.#input.slice(start + 1, this.#at - 1)) };
  }

  #array(): PathNode[] {
    const start = this.#at;
    const end = /[\]\n]/.exec(this.#input.slice(start))?.index;
    if (end === undefined || this.#input.charAt(start + end) === '\n') throw new JsonPathError('unterminated array');
    this.#at = start + end + 1;
    const inside = this.#input.slice(start + 1, start + end);
    const members = inside.split(',');
    if (members.length > 1) {
      return [{ kind: 'union', members: members.map(each => this.#nested(`[${each.replace(/^ +| +$/g, '')}]`)) }];
    }
    const key = /^'([^']*)'$/.exec(inside);
    if (key) return this.#nested(`.${key[1]}`);
    return [arrayOf(inside === '*' ? ':' : inside)];
  }

  #nested(text: string): PathNode[] {
    return new Parser(`${text}}`, this.#depth + 1).action();
  }

  #filter(): PathNode {
    const start = this.#at;
    this.#findFilterEnd();
    const text = this.#input.slice(start, this.#at - 1);
    if (!this.#skip(']')) throw new JsonPathError('unclosed array expect ]');
    const split = /^([^!<>=]+)([!<>=]+)([^\n]+)$/.exec(text);
    if (!split) return { kind: 'filter', left: this.#nested(text), operator: 'exists', right: [] };
    const [, left = '', operator = '', right = ''] = split;
    return { kind: 'filter', left: this.#nested(left), operator, right: this.#nested(right) };
  }

  /** Past the parenthesis that closes the filter; those inside a quoted string do not. */
  #findFilterEnd(): void {
    let quote = '';
    let closed = false;
    for (; ; this.#at++) {
      const char = this.#input.charAt(this.#at);
      if (char === '' || char === '\n') throw new JsonPathError('unterminated filter');
      if (char === '"' || char === "'") {
        if (quote === '') quote = char;
        else if (char === quote && this.#input.charAt(this.#at - 1) !== '\\') closed = true;
      } else if (char === ')' && (quote !== '') === closed) break;
    }
    this.#at++;
  }
}

function arrayOf(text: string): PathNode {
  const match = /^(-?[0-9]*)(:-?[0-9]*)?(:-?[0-9]*)?$/.exec(text);
  if (!match) throw new JsonPathError(`invalid array index ${text}`);
  const start = indexOf(match[1] ?? '');
  const second = match[2];
  const end = second === undefined ? 'next' : indexOf(second.slice(1));
  return { kind: 'array', start, end, step: indexOf(match[3]?.slice(1) ?? '') };
}

function indexOf(text: string): number | undefined {
  if (text === '') return undefined;
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new JsonPathError(`array index ${text} is not a number`);
  return value;
}

const escapes: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
};

function unquote(text: string): string {
  return text.replace(
    /\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|[\s\S]|$)/g,
    (whole, escaped: string) => {
      if (Object.hasOwn(escapes, escaped)) return escapes[escaped] ?? '';
      const octal = /^[0-7]{3}$/.test(escaped);
      const code = octal ? Number.parseInt(escaped, 8) : Number.parseInt(escaped.slice(1), 16);
      if ((!octal && escaped.length < 3) || !(code <= 0x10ffff))
        throw new JsonPathError(`unquote string ${whole} error invalid syntax`);
      return String.fromCodePoint(code);
    },
  );
}

const startsRange = (nodes: readonly PathNode[]) =>
  nodes.some(node => node.kind === 'identifier' && node.name === 'range');
const endsRange = (nodes: readonly PathNode[]) => nodes.some(node => node.kind === 'identifier' && node.name === 'end');

/** Puts what follows a `{range}` into it, up to its `{end}` or the end of the template. */
function nestRanges(blocks: readonly Block[]): Block[] {
  const root: Block[] = [];
  const open: Block[][] = [];
  let current = root;
  for (const block of blocks) {
    if (block.kind === 'action' && startsRange(block.nodes)) {
      const body: Block[] = [];
      current.push({ kind: 'range', nodes: block.nodes, body });
      open.push(current);
      current = body;
      if (open.length > maxNesting) throw new JsonPathError('ranges are nested too deeply');
    } else if (block.kind === 'action' && endsRange(block.nodes)) {
      const outer = open.pop();
      if (outer) current = outer;
      // Refused when it is run, as upstream does.
      else current.push(block);
    } else current.push(block);
  }
  return root;
}

/** @throws JsonPathError */
export function parseTemplate(template: string): Block[] {
  return nestRanges(new Parser(template, 0).template());
}
