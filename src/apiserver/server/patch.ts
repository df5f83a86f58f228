/** PATCH: JSON patch, merge patch, strategic merge patch and apply. */
import type { Unstructured } from '../../api/object.ts';
import {
  applyJsonPatch,
  applyMergePatch,
  applyStrategicMergePatch,
  PatchError,
  patchErrorStatus,
} from '../../api/patch/index.ts';
import type { ApiResponse } from '../../api/transport.ts';
import { errors } from '../../base/errors.ts';
import { runApply } from './apply.ts';
import { identified } from './body.ts';
import { type Document, decodeDocument, decodeObjectValue } from './codec.ts';
import { type WriteParameters, writeParameters } from './options.ts';
import { negotiated, respondEntry, writeOffer } from './read.ts';
import type { Scope, Served } from './scope.ts';
import { checkName, runUpdate } from './update.ts';

export type PatchType = 'json' | 'merge' | 'strategic' | 'apply';

const types: Record<string, PatchType> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
  'application/apply-patch+yaml': 'apply',
};

export function patchType(scope: Scope, served: Served): PatchType {
  const header = (scope.request.headers['content-type'] ?? '').split(';')[0]?.trim() ?? '';
  const type = types[header];
  const accepted = Object.keys(types).filter(t => !served.custom || types[t] !== 'strategic');
  if (!type || (served.custom && type === 'strategic'))
    throw errors.unsupportedMediaType(
      `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
    );
  return type;
}

/** Applies a patch to a value of a kind with a schema. Throws upstream's errors. */
export function applyPatch(
  type: Exclude<PatchType, 'apply'>,
  document: Unstructured,
  patch: unknown,
  schema: Served['info']['schema'],
): unknown {
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
      const live = copy();
      const patched = applyPatch(type, live, patch.value, served.info.schema);
      const { object, warnings } = decodeObjectValue(
        patched,
        served.info,
        served.info.schema,
        parameters.fieldValidation,
      );
      for (const warning of warnings) if (!scope.warnings.includes(warning)) scope.warn(warning);
      const obj = identified(object, served.info);
      checkName(scope, served, obj);
      return obj;
    },
  });
}
