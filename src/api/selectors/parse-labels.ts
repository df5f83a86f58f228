/** The text form of label selectors: `a=b,c in (d,e),!f,g>5`. Grammar and complaints of k8s.io/apimachinery/pkg/labels. */
import { isLabelKey } from '../validation/names.ts';
import {
  newRequirement,
  type Operator,
  type Requirement,
  type Selector,
  SelectorError,
  selectorOf,
} from './label-selector.ts';

type TokenKind = 'end' | ')' | ',' | '!' | '==' | '=' | '>' | '<' | '!=' | '(' | 'in' | 'notin' | 'identifier';
interface Token {
  readonly kind: TokenKind;
  readonly text: string;
}

const space = new Set([' ', '\t', '\r', '\n']);
const special = new Set(['=', '!', '(', ')', ',', '>', '<']);

function scan(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    const char = text.charAt(at);
    if (space.has(char)) at++;
    else if (special.has(char)) {
      const pair = text.slice(at, at + 2);
      const kind = pair === '==' || pair === '!=' ? pair : char;
      tokens.push({ kind: kind as TokenKind, text: kind });
      at += kind.length;
    } else {
      const start = at;
      while (at < text.length && !space.has(text.charAt(at)) && !special.has(text.charAt(at))) at++;
      const word = text.slice(start, at);
      tokens.push({ kind: word === 'in' || word === 'notin' ? word : 'identifier', text: word });
    }
  }
  tokens.push({ kind: 'end', text: '' });
  return tokens;
}

const binaryOperators: Partial<Record<TokenKind, Operator>> = {
  in: 'in',
  notin: 'notin',
  '=': '=',
  '==': '==',
  '!=': '!=',
  '>': 'gt',
  '<': 'lt',
};

class Parser {
  readonly #tokens: Token[];
  #at = 0;
  constructor(text: string) {
    this.#tokens = scan(text);
  }

  /** Where a value or key may stand, `in` and `notin` are ordinary words. */
  #peek(): Token {
    const token = this.#raw(this.#at);
    return token.kind === 'in' || token.kind === 'notin' ? { kind: 'identifier', text: token.text } : token;
  }
  #next(): Token {
    const token = this.#peek();
    this.#at++;
    return token;
  }
  #raw(at: number): Token {
    return this.#tokens[at] ?? { kind: 'end', text: '' };
  }

  parse(): Requirement[] {
    const requirements: Requirement[] = [];
    if (this.#peek().kind === 'end') return requirements;
    const { kind, text } = this.#peek();
    if (kind !== 'identifier' && kind !== '!') {
      throw new SelectorError(`found '${text}', expected: !, identifier, or 'end of string'`);
    }
    for (;;) {
      requirements.push(this.#requirement());
      const separator = this.#next();
      if (separator.kind === 'end') return requirements;
      if (separator.kind !== ',')
        throw new SelectorError(`found '${separator.text}', expected: ',' or 'end of string'`);
      const after = this.#peek();
      if (after.kind !== 'identifier' && after.kind !== '!') {
        throw new SelectorError(`found '${after.text}', expected: identifier after ','`);
      }
    }
  }

  #requirement(): Requirement {
    try {
      return this.#readRequirement();
    } catch (e) {
      if (e instanceof SelectorError) throw new SelectorError(`unable to parse requirement: ${e.message}`);
      throw e;
    }
  }

  #readRequirement(): Requirement {
    const negated = this.#peek().kind === '!';
    if (negated) this.#at++;
    const { kind, text: key } = this.#next();
    if (kind !== 'identifier') throw new SelectorError(`found '${key}', expected: identifier`);
    const bad = isLabelKey(key);
    if (bad.length > 0) throw new SelectorError(`<nil>: Invalid value: ${JSON.stringify(key)}: ${bad.join('; ')}`);
    const after = this.#peek().kind;
    if (negated) return newRequirement(key, '!', []);
    if (after === 'end' || after === ',') return newRequirement(key, 'exists', []);
    const operator = this.#operator();
    const values = operator === 'in' || operator === 'notin' ? this.#values() : [this.#value()];
    return newRequirement(key, operator, values);
  }

  #operator(): Operator {
    const token = this.#raw(this.#at++);
    const operator = binaryOperators[token.kind];
    if (!operator) throw new SelectorError(`found '${token.text}', expected: in, notin, =, ==, !=, gt, lt`);
    return operator;
  }

  #value(): string {
    const ahead = this.#peek().kind;
    if (ahead === 'end' || ahead === ',') return '';
    const { kind, text } = this.#next();
    if (kind !== 'identifier') throw new SelectorError(`found '${text}', expected: identifier`);
    return text;
  }

  #values(): string[] {
    const open = this.#next();
    if (open.kind !== '(') throw new SelectorError(`found '${open.text}' expected: '('`);
    const first = this.#peek();
    if (first.kind === ')') {
      this.#at++;
      return [''];
    }
    if (first.kind !== 'identifier' && first.kind !== ',') {
      throw new SelectorError(`found '${first.text}', expected: ',', ')' or identifier`);
    }
    const values = this.#identifiers();
    this.#at++;
    return [...values].sort();
  }

  /** Up to, not including, the closing parenthesis. Empty places between commas stand for the empty value. */
  #identifiers(): Set<string> {
    const values = new Set<string>();
    for (;;) {
      const { kind, text } = this.#next();
      const ahead = this.#peek();
      if (kind === 'identifier') {
        values.add(text);
        if (ahead.kind === ')') return values;
        if (ahead.kind !== ',') throw new SelectorError(`found '${ahead.text}', expected: ',' or ')'`);
      } else if (kind === ',') {
        if (values.size === 0 || ahead.kind === ')' || ahead.kind === ',') values.add('');
        if (ahead.kind === ')') return values;
      } else throw new SelectorError(`found '${text}', expected: ',', or identifier`);
    }
  }
}

/** The empty text selects everything. Linear in its length. @throws SelectorError */
export function parseLabelSelector(text: string): Selector {
  return selectorOf(new Parser(text).parse());
}
