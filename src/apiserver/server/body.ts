/** Request bodies to objects, checked against what the path says. */
import { otherKind } from '../../api/codec/json.ts';
import type { Unstructured } from '../../api/object.ts';
import { apiVersionOf, type GroupVersionKind, type ObjectSchema, parseApiVersion } from '../../api/schema.ts';
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
  return identified(object, expected);
}

/** The kind that an object names; the expected one where it names none. */
export function namedKind({ kind, apiVersion }: Unstructured, expected: GroupVersionKind): GroupVersionKind {
  return { ...parseApiVersion(apiVersion || apiVersionOf(expected)), kind: kind || expected.kind };
}

/** Checks that the object is of the kind that is expected here; an object that names none becomes it. */
export function identified(object: Unstructured, expected: GroupVersionKind): Unstructured {
  const problem = otherKind(namedKind(object, expected), expected);
  if (problem) throw problem;
  object.apiVersion ||= apiVersionOf(expected);
  object.kind ||= expected.kind;
  object.metadata ??= { name: '' };
  // Admission and strategies read it before anybody has asked for it.
  object.metadata.name ??= '';
  return object;
}
