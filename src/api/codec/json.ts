/**
 * JSON bodies in and out. Decoding follows upstream's serializer (k8s.io/apimachinery/pkg/runtime/serializer/json) with two
 * stricter rules: invalid UTF-8 is refused instead of replaced, and integers that a double cannot hold are refused instead of
 * kept, because values live as JavaScript numbers here.
 */
import { type ApiError, errors } from '../../base/errors.ts';
import { schemaOfKind } from '../catalog/index.ts';
import { apiVersionOf, type GroupVersionKind, type ObjectSchema, parseApiVersion } from '../schema.ts';
import { coerce } from './coerce.ts';
import { DecodeError } from './decode-error.ts';
import { type Parsed, parseJson } from './json-parse.ts';

export { type Parsed, parseJson } from './json-parse.ts';

/** What to do about unknown and repeated fields (the fieldValidation parameter). */
export type FieldValidation = 'strict' | 'warn' | 'ignore';

export const jsonPrefix = "couldn't get version/kind; json parse error: ";

export interface DecodeOptions {
  schema: ObjectSchema;
  mode: FieldValidation;
  /** The kind that the request's path asks for: named in errors, and used when the body names none. */
  kind: GroupVersionKind;
  /** An empty list of managed fields is kept: a request asks with it to forget all managers. */
  keepsReset?: boolean;
}
export interface Decoded<T = Record<string, unknown>> {
  value: T;
  /** In mode "warn": one text per unknown or repeated field. Empty otherwise. */
  warnings: string[];
}

/**
 * Decodes a body of one kind; null says nothing about any field. Custom resources (a schema without a name) are pruned, with their
 * metadata checked; their values are checked later against the structural schema.
 * @throws ApiError 400 with upstream's message.
 */
export function decodeJson(bytes: Uint8Array, options: DecodeOptions): Decoded {
  let parsed: Parsed;
  try {
    parsed = parseJson(bytes, options.mode !== 'ignore');
  } catch (e) {
    throw e instanceof DecodeError ? unrecognized(`${jsonPrefix}${e.message}`, bytes, options.kind) : e;
  }
  return decodeValue(parsed.value ?? {}, options, parsed.duplicates);
}

/** The same for a value that was parsed from another format; `problems` are strict errors found while parsing. */
export function decodeValue(parsed: unknown, options: DecodeOptions, problems: readonly string[] = []): Decoded {
  const kind = bodyKind(parsed, options.kind);
  try {
    return fitValue(parsed, options, problems);
  } catch (e) {
    if (!(e instanceof DecodeError)) throw e;
    throw otherKind(kind, options.kind) ?? cannotHandle(kind, options.kind, e.message);
  }
}

/** The same for a value that the server made itself. @throws DecodeError with what is wrong of it. */
export function fitValue(
  parsed: unknown,
  { schema, mode, keepsReset }: Omit<DecodeOptions, 'kind'>,
  problems: readonly string[],
): Decoded {
  const found: string[] = [...problems];
  const value = coerce(parsed, schema, { unknown: mode === 'ignore' ? undefined : found, keepsReset });
  if (found.length === 0 || mode === 'ignore') return { value, warnings: [] };
  if (mode === 'warn') return { value, warnings: found };
  throw new DecodeError(`strict decoding error: ${found.join(', ')}`);
}

/** Where upstream's internal types of a group are. Events are those of the core, in both groups. */
const internalPackage = (group: string) => (group === '' || group === 'events.k8s.io' ? 'core' : group.split('.')[0]);

/** The error for a body of another kind or version: it is told so, rather than what its fields lack of this kind. */
export function otherKind(body: GroupVersionKind, expected: GroupVersionKind): ApiError | undefined {
  const problem = kindProblem(body, expected);
  if (problem === undefined) return undefined;
  return body.kind === expected.kind ? errors.badRequest(problem) : cannotHandle(body, expected, problem);
}

/** Why what is of one kind is not of the other; undefined when it is. */
export function kindProblem(body: GroupVersionKind, expected: GroupVersionKind): string | undefined {
  const version = apiVersionOf(body);
  if (body.kind !== expected.kind) {
    const scheme = 'in scheme "pkg/api/legacyscheme/scheme.go:30"';
    const unknown = `no kind "${body.kind}" is registered for version "${version}" ${scheme}`;
    const internal = `${internalPackage(expected.group)}.${expected.kind}`;
    const conversion = `converting (${body.version}.${body.kind}) to (${internal}): unknown conversion`;
    return schemaOfKind(body) ? conversion : unknown;
  }
  if (version === apiVersionOf(expected) || body.kind.endsWith('Options')) return undefined;
  return otherVersion(version, apiVersionOf(expected));
}

export function otherVersion(version: string, expected: string): string {
  return `the API version in the data (${version}) does not match the expected API version (${expected})`;
}

function bodyKind(value: unknown, expected: GroupVersionKind): GroupVersionKind {
  if (typeof value !== 'object' || value === null) return expected;
  const { kind, apiVersion } = value as { kind?: unknown; apiVersion?: unknown };
  checkIsText('kind', kind, expected);
  checkIsText('apiVersion', apiVersion, expected);
  const gv = typeof apiVersion === 'string' && apiVersion ? parseApiVersion(apiVersion) : expected;
  return { group: gv.group, version: gv.version, kind: typeof kind === 'string' && kind ? kind : expected.kind };
}

function checkIsText(name: string, found: unknown, expected: GroupVersionKind): void {
  if (found === undefined || found === null || typeof found === 'string') return;
  const what = Array.isArray(found) ? 'array' : typeof found === 'boolean' ? 'bool' : typeof found;
  const why = `${jsonPrefix}json: cannot unmarshal ${what} into Go struct field .${name} of type string`;
  throw errors.badRequest(`the object provided is unrecognized (must be of type ${expected.kind}): ${why}`);
}

function cannotHandle(body: GroupVersionKind, expected: GroupVersionKind, why: string): ApiError {
  return errors.badRequest(`${body.kind} in version "${body.version}" cannot be handled as a ${expected.kind}: ${why}`);
}

/** The body could not be read at all. */
export function unrecognized(why: string, bytes: Uint8Array, expected: GroupVersionKind): ApiError {
  return errors.badRequest(
    `the object provided is unrecognized (must be of type ${expected.kind}): ${why} (${summary(bytes)})`,
  );
}

/** The beginning of a body, for messages. */
export function summary(bytes: Uint8Array, max = 30): string {
  if (bytes.length === 0) return '<empty>';
  const head = bytes.subarray(0, max);
  const more = bytes.length > max ? ' ...' : '';
  if (bytes[0] === 0x7b) return new TextDecoder().decode(head) + more;
  return Array.from(head, b => b.toString(16).padStart(2, '0')).join('') + more;
}
export { encodeJson } from './encode.ts';
