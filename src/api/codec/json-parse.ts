/** JSON texts into values, within the limits. */
import { DecodeError } from './decode-error.ts';
import { countMembers, duplicateKeys, maxDepth, survey, unsafeInteger } from './scan.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export interface Parsed {
  value: unknown;
  /** `duplicate field "a.b"` */
  duplicates: string[];
}

/** Parses a JSON text within the limits. @throws DecodeError */
export function parseJson(bytes: Uint8Array, findDuplicates = false): Parsed {
  const found = survey(bytes);
  if (found.tooDeep) throw new DecodeError(`json: exceeded max depth of ${maxDepth}`);
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    throw new DecodeError('json: invalid UTF-8 in the body');
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (e) {
    throw new DecodeError(syntaxMessage(e, text));
  }
  const unsafe = found.longNumbers ? unsafeInteger(text) : undefined;
  if (unsafe) throw new DecodeError(`json: cannot unmarshal number ${unsafe}: integers beyond 2^53 are not supported`);
  const repeated = findDuplicates && countMembers(value) !== found.members;
  return { value, duplicates: repeated ? duplicateKeys(text).map(path => `duplicate field "${path}"`) : [] };
}

/** Go's words where they can be told from V8's. */
function syntaxMessage(e: unknown, text: string): string {
  const message = e instanceof Error ? e.message : String(e);
  if (/end of JSON input|Unterminated/.test(message) || text.trim() === '') return 'unexpected end of JSON input';
  const at = /position (\d+)/.exec(message)?.[1];
  if (at !== undefined && Number(at) >= text.length) return 'unexpected end of JSON input';
  const c = at === undefined ? /token '(.)'/u.exec(message)?.[1] : text[Number(at)];
  return c === undefined ? `json: ${message}` : `invalid character '${c}' looking for beginning of value`;
}
