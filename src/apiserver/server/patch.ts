/** PATCH: JSON patch, merge patch, strategic merge patch and apply. */
import { DecodeError } from '../../api/codec/decode-error.ts';
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
import { aggregate, field } from '../registry/field-errors.ts';
import { runApply } from './apply.ts';
import { identified } from './body.ts';
import { type DecodedObject, type Document, decodeDocument, fitObject } from './codec.ts';
import { type WriteParameters, writeParameters } from './options.ts';
import { negotiated, respondEntry, writeOffer } from './read.ts';
import type { Scope, Served } from './scope.ts';
import { checkName, runUpdate } from './update.ts';

export type PatchType = 'json' | 'merge' | 'strategic' | 'apply';

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
    if (typeof patch !== 'object' || patch === null || Array.isArray(patch))
      throw errors.badRequest('error decoding patch: the patch must be an object');
    if (type === 'merge') return applyMergePatch(document, patch);
    return applyStrategicMergePatch(document, patch, schema);
  } catch (e) {
    throw e instanceof PatchError ? patchErrorStatus(e) : e;
  }
}

/**
 * What a patch makes of an object of a kind. May change `live`. That the result is no object of the kind is the patch's fault:
 * Invalid, of the field "patch" (upstream: applyPatchToCurrentObject).
 */
export function patched(
  scope: Scope,
  type: OrdinaryPatch,
  live: Unstructured,
  patch: Document,
  kind: GroupVersionKind,
  schema: ObjectSchema,
  { fieldValidation }: Pick<WriteParameters, 'fieldValidation'>,
): Unstructured {
  const result = applyPatch(type, live, patch.value, schema);
  const problems = type === 'json' ? patch.problems.map(problem => `json patch ${problem}`) : patch.problems;
  let decoded: DecodedObject;
  try {
    decoded = fitObject(result, schema, fieldValidation, problems);
  } catch (e) {
    if (!(e instanceof DecodeError)) throw e;
    const shown = type === 'strategic' ? goText(patch.value) : JSON.stringify(result);
    const { causes, message } = aggregate([field.invalid('patch', shown, e.message)]);
    throw errors.invalid({ group: '', kind: '' }, '', causes, message);
  }
  for (const warning of decoded.warnings) scope.warn(warning);
  return identified(decoded.object, kind);
}

/** A value as Go's %v prints it. */
function goText(value: unknown): string {
  if (value === null) return '<nil>';
  if (typeof value !== 'object') return String(value);
  if (Array.isArray(value)) return `[${value.map(goText).join(' ')}]`;
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `map[${members.map(([key, member]) => `${key}:${goText(member)}`).join(' ')}]`;
}

export function patchDocument(scope: Scope, type: PatchType): Document {
  const { body } = scope.request;
  if (!body || body.length === 0) throw errors.badRequest('the body of the request must not be empty');
  return decodeDocument(body, type === 'apply' ? 'yaml' : 'json');
}

export async function patchObject(scope: Scope, served: Served): Promise<ApiResponse> {
  const media = negotiated(scope, served, writeOffer);
  const parameters = writeParameters(scope.request.query, scope.request.headers['user-agent'], 'PatchOptions');
  const type = patchType(scope, served);
  if (type !== 'apply' && parameters.force !== undefined)
    throw errors.invalid(
      { group: 'meta.k8s.io', kind: 'PatchOptions' },
      '',
      [
        {
          reason: 'FieldValueForbidden',
          message: 'Forbidden: may not be specified for non-apply patch',
          field: 'force',
        },
      ],
      'force: Forbidden: may not be specified for non-apply patch',
    );
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
      const obj = patched(scope, type, copy(), patch, served.info, served.info.schema, parameters);
      checkName(scope, served, obj);
      return obj;
    },
  });
}
