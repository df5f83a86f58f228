/** Field selectors: `metadata.name=x,status.phase!=Running`. Semantics of k8s.io/apimachinery/pkg/fields. */
import { SelectorError } from './label-selector.ts';

export interface FieldRequirement {
  readonly field: string;
  readonly operator: '=' | '!=';
  readonly value: string;
}
export interface FieldSelector {
  readonly requirements: readonly FieldRequirement[];
  readonly everything: boolean;
  /** `get` gives a field's text; "" when the object has no such value. */
  matches(get: (field: string) => string): boolean;
  toString(): string;
}

/** Escapes `\`, `,` and `=` in a value. */
export function escapeFieldValue(value: string): string {
  return value.replace(/[\\,=]/g, '\\$&');
}

function unescapeValue(text: string): string {
  if (!/[\\,=]/.test(text)) return text;
  let out = '';
  const chars = text[Symbol.iterator]();
  for (let step = chars.next(); !step.done; step = chars.next()) {
    const char = step.value;
    if (char === ',' || char === '=') {
      throw new SelectorError(`invalid field selector: unescaped character in value: ${char.charCodeAt(0)}`);
    }
    if (char !== '\\') {
      out += char;
      continue;
    }
    const escaped = chars.next();
    const follower = escaped.done ? '' : escaped.value;
    if (follower !== '\\' && follower !== ',' && follower !== '=') {
      throw new SelectorError(`invalid field selector: invalid escape sequence: \\${follower}`);
    }
    out += follower;
  }
  return out;
}

/** Splits at commas that are not escaped. */
function splitTerms(text: string): string[] {
  const terms: string[] = [];
  let start = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === 0x5c) at++;
    else if (char === 0x2c) {
      terms.push(text.slice(start, at));
      start = at + 1;
    }
  }
  terms.push(text.slice(start));
  return terms;
}

const termShape = /^([^!=]*(?:!(?!=)[^!=]*)*)(!=|==|=)([\s\S]*)$/;

function parseTerm(term: string, whole: string): FieldRequirement {
  const match = termShape.exec(term);
  if (!match) throw new SelectorError(`invalid selector: '${whole}'; can't understand '${term}'`);
  const [, field = '', operator, value = ''] = match;
  return { field, operator: operator === '!=' ? '!=' : '=', value: unescapeValue(value) };
}

export function fieldSelectorOf(requirements: readonly FieldRequirement[]): FieldSelector {
  return {
    requirements,
    everything: requirements.length === 0,
    matches(get) {
      for (const { field, operator, value } of requirements) {
        if ((get(field) === value) !== (operator === '=')) return false;
      }
      return true;
    },
    toString: () => requirements.map(r => `${r.field}${r.operator}${escapeFieldValue(r.value)}`).join(','),
  };
}

/**
 * The empty text selects everything. `transform` renames or refuses fields (by throwing), as upstream's conversion functions do.
 * Linear in the text's length. @throws SelectorError
 */
export function parseFieldSelector(
  text: string,
  transform: (field: string, value: string) => { field: string; value: string } = (field, value) => ({ field, value }),
): FieldSelector {
  const terms = splitTerms(text).filter(term => term !== '');
  const parsed = terms.sort().map(term => parseTerm(term, text));
  return fieldSelectorOf(parsed.map(term => ({ ...term, ...transform(term.field, term.value) })));
}

/** The value that the field must have, when the selector says so: storage reads one key instead of all. */
export function exactField(selector: FieldSelector, field: string): string | undefined {
  return selector.requirements.find(each => each.field === field && each.operator === '=')?.value;
}
