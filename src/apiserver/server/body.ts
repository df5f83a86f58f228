/** Request bodies to objects, checked against what the path says. */
import { otherKind, otherVersion } from '../../api/codec/json.ts';
import type { Unstructured } from '../../api/object.ts';
import { apiVersionOf, type GroupVersionKind, type ObjectSchema, parseApiVersion } from '../../api/schema.ts';
import { errors } from '../../base/errors.ts';
import { aggregate, field } from '../registry/field-errors.ts';
import { decodeObjectBody } from './codec.ts';
import { bodyFormat } from './negotiation.ts';
import type { WriteParameters } from './options.ts';
import type { Scope } from './scope.ts';

const shownProblems = 20;

/**
 * Decodes the body as `expected`. Unknown and duplicate fields are refused, warned of or ignored, as the client asked. `older` are other
 * versions of the kind that are taken for it (upstream: GroupVersionAcceptor).
 */
export function readBody(
  scope: Scope,
  expected: GroupVersionKind,
  schema: ObjectSchema,
  { fieldValidation }: Pick<WriteParameters, 'fieldValidation'>,
  older: readonly string[] = [],
): Unstructured {
  const { body = new Uint8Array(), headers } = scope.request;
  const format = bodyFormat(headers['content-type']);
  const { object, warnings } = decodeObjectBody(body, format, expected, schema, fieldValidation);
  for (const warning of warnings.slice(0, shownProblems)) scope.warn(warning);
  if (older.includes(object.apiVersion ?? '')) object.apiVersion = apiVersionOf(expected);
  if (schema.name === undefined) requireType(object, expected, body);
  return identified(object, expected, schema);
}

/** Only objects of built-in kinds may leave out what the path says. */
function requireType({ kind, apiVersion = '' }: Unstructured, expected: GroupVersionKind, body: Uint8Array): void {
  const { kind: named, version } = expected;
  if (!kind)
    throw errors.badRequest(
      `${named} in version "${version}" cannot be handled as a ${named}: Object 'Kind' is missing in '${new TextDecoder().decode(body)}'`,
    );
  if (apiVersion !== apiVersionOf(expected)) throw errors.badRequest(otherVersion(apiVersion, apiVersionOf(expected)));
}

/** Upstream decodes an object of any kind where a custom resource is expected, and then finds it invalid (ValidateTypeMeta). */
function requireOwnType(object: Unstructured, expected: GroupVersionKind): void {
  const { kind, apiVersion, metadata } = object;
  const version = apiVersionOf(expected);
  const found = [
    ...(kind === expected.kind ? [] : [field.invalid('kind', kind, `must be ${expected.kind}`)]),
    ...(apiVersion === version ? [] : [field.invalid('apiVersion', apiVersion, `must be ${version}`)]),
  ];
  if (found.length === 0) return;
  const { causes, message } = aggregate(found);
  throw errors.invalid(namedKind(object, expected), metadata.name, causes, message);
}

/** The kind that an object names; the expected one where it names none. */
export function namedKind({ kind, apiVersion }: Unstructured, expected: GroupVersionKind): GroupVersionKind {
  return { ...parseApiVersion(apiVersion || apiVersionOf(expected)), kind: kind || expected.kind };
}

/** Checks that the object is of the kind that is expected here; an object that names none becomes it. */
export function identified(object: Unstructured, expected: GroupVersionKind, schema: ObjectSchema): Unstructured {
  const problem = schema.name === undefined ? undefined : otherKind(namedKind(object, expected), expected);
  if (problem) throw problem;
  object.apiVersion ||= apiVersionOf(expected);
  object.kind ||= expected.kind;
  object.metadata ??= { name: '' };
  // Admission and strategies read it before anybody has asked for it.
  object.metadata.name ??= '';
  if (schema.name === undefined) requireOwnType(object, expected);
  return object;
}
