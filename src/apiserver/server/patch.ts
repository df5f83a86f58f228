/** PATCH: JSON patch, merge patch, strategic merge patch and apply. */
import { DecodeError } from '../../api/codec/decode-error.ts';
import { kindProblem } from '../../api/codec/json.ts';
import type { Unstructured } from '../../api/object.ts';
import {
  applyJsonPatch,
  applyMergePatch,
  applyStrategicMergePatch,
  PatchError,
  patchErrorStatus,
} from '../../api/patch/index.ts';
import type { GroupVersionKind, ObjectSchema } from '../../api/schema.ts';
import type { ApiResponse } from '../../api/transport.ts';
import { errors } from '../../base/errors.ts';
import { field } from '../registry/field-errors.ts';
import { runApply } from './apply.ts';
import { identified, namedKind } from './body.ts';
import { type DecodedObject, type Document, decodeDocument, fitObject } from './codec.ts';
import { requireValid, type WriteParameters, writeParameters } from './options.ts';
import { assertObject, decodingPrefix, type PatchType, unfitPatch, unfitResult } from './patch-errors.ts';
import { negotiated, respondEntry, writeOffer } from './read.ts';
import type { Scope, Served } from './scope.ts';
import { checkName, runUpdate } from './update.ts';

const types = new Map<string, PatchType>([
  ['application/json-patch+json', 'json'],
  ['application/merge-patch+json', 'merge'],
  ['application/strategic-merge-patch+json', 'strategic'],
  ['application/apply-patch+yaml', 'apply'],
]);

export function patchType(scope: Scope, served: Served): PatchType {
  const header = (scope.request.headers['content-type'] ?? '').split(';')[0]?.trim() ?? '';
  const type = types.get(header);
  const accepted = [...types].flatMap(([name, t]) => (served.custom && t === 'strategic' ? [] : [name]));
  if (!type || (served.custom && type === 'strategic'))
    throw errors.unsupportedMediaType(
      `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
    );
  return type;
}

type OrdinaryPatch = Exclude<PatchType, 'apply'>;

/** Applies a patch to a value of a kind with a schema. Throws upstream's errors. */
function applyPatch(type: OrdinaryPatch, document: Unstructured, patch: unknown, schema: ObjectSchema): unknown {
  try {
    if (type === 'json') return applyJsonPatch(document, patch);
    if (patch !== null) assertObject(patch, decodingPrefix[type]);
    else if (type === 'merge') throw errors.badRequest('Invalid JSON Patch');
    if (type === 'merge') return applyMergePatch(document, patch);
    // Whatever kind the result says it is, it stays what it was.
    const { kind, apiVersion } = document;
    return { ...applyStrategicMergePatch(document, patch ?? {}, schema), kind, apiVersion };
  } catch (e) {
    throw e instanceof PatchError ? patchErrorStatus(e) : e;
  }
}

/**
 * What a patch makes of an object of a kind. That the result is no object of the kind is the patch's fault: Invalid, of the field
 * "patch" (upstream: applyPatchToCurrentObject). `copy` is asked for what is patched, and again for the complaint.
 */
export function patched(
  scope: Scope,
  type: OrdinaryPatch,
  copy: () => Unstructured,
  patch: Document,
  kind: GroupVersionKind,
  schema: ObjectSchema,
  { fieldValidation }: Pick<WriteParameters, 'fieldValidation'>,
): Unstructured {
  const result = () => applyPatch(type, copy(), patch.value, schema);
  const problems = type === 'json' ? patch.problems.map(problem => `json patch ${problem}`) : patch.problems;
  let decoded: DecodedObject;
  try {
    decoded = fitObject(result(), schema, fieldValidation, problems);
    const problem = schema.name === undefined ? undefined : kindProblem(namedKind(decoded.object, kind), kind);
    if (problem !== undefined) throw new DecodeError(problem);
  } catch (e) {
    if (!(e instanceof DecodeError)) throw e;
    throw type === 'strategic' ? unfitPatch(patch.value, e) : unfitResult(result(), e);
  }
  for (const warning of decoded.warnings) scope.warn(warning);
  return identified(decoded.object, kind, schema);
}

export function patchDocument(scope: Scope, type: PatchType): Document {
  const { body = new Uint8Array() } = scope.request;
  return decodeDocument(body, type === 'apply' ? 'yaml' : 'json', decodingPrefix[type]);
}

export async function patchObject(scope: Scope, served: Served): Promise<ApiResponse> {
  const media = negotiated(scope, served, writeOffer);
  const parameters = writeParameters(scope.request.query, scope.request.headers['user-agent'], 'PatchOptions');
  const type = patchType(scope, served);
  if (type !== 'apply' && parameters.force !== undefined)
    requireValid('PatchOptions', [field.forbidden('force', 'may not be specified for non-apply patch')]);
  const patch = patchDocument(scope, type);
  const result = await runPatch(scope, served, parameters, type, patch);
  return respondEntry(scope, served, result.created ? 201 : 200, result.entry, media);
}

async function runPatch(scope: Scope, served: Served, parameters: WriteParameters, type: PatchType, patch: Document) {
  if (type === 'apply') return runApply(scope, served, parameters, patch);
  return runUpdate(scope, served, parameters, {
    subresource: scope.info.subresource,
    operationOptions: 'PatchOptions',
    produce(copy) {
      const obj = patched(scope, type, copy, patch, served.info, served.info.schema, parameters);
      checkName(scope, served, obj);
      return obj;
    },
  });
}
