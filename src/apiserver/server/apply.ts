/** Server-side apply. */
import { type ApplyObject, applyPatch, checkTyped } from '../../api/apply/index.ts';
import type { Unstructured } from '../../api/object.ts';
import { apiVersionOf, type GroupVersionKind, parseApiVersion } from '../../api/schema.ts';
import { errors } from '../../base/errors.ts';
import { field } from '../registry/field-errors.ts';
import { identified } from './body.ts';
import { type Document, decodeObjectValue } from './codec.ts';
import { writeContext } from './managed-fields.ts';
import { requireValid, type WriteParameters } from './options.ts';
import { assertObject, decodingPrefix } from './patch-errors.ts';
import { groupResource } from './read.ts';
import type { Scope, Served } from './scope.ts';
import { checkName, namelessObject, runUpdate, type UpdateOutcome } from './update.ts';

/** Upstream's YAML goes through JSON. */
const fromYaml = 'error unmarshaling JSON: while decoding JSON: ';

export function requireFieldManager(scope: Scope): void {
  if (scope.request.query.get('fieldManager')) return;
  requireValid('PatchOptions', [field.required('fieldManager', 'is required for apply patch')]);
}

/** What is applied must say that it is of the kind and version of the request. */
export function requireType(expected: GroupVersionKind, applied: unknown): void {
  if (applied !== null) assertObject(applied, `${decodingPrefix.apply}${fromYaml}`);
  const { apiVersion, kind } = (applied ?? {}) as Partial<Record<string, unknown>>;
  if (apiVersion === apiVersionOf(expected) && kind === expected.kind) return;
  const { group, version } = parseApiVersion(typeof apiVersion === 'string' ? apiVersion : '');
  throw errors.badRequest(`invalid object type: ${group}/${version}, Kind=${typeof kind === 'string' ? kind : ''}`);
}

export async function runApply(
  scope: Scope,
  served: Served,
  parameters: WriteParameters,
  document: Document,
): Promise<UpdateOutcome> {
  requireFieldManager(scope);
  const { info } = scope;
  requireType(served.info, document.value);
  const { schema } = served.info;
  checkTyped({ schema, apiVersion: apiVersionOf(served.info), applied: document.value as ApplyObject });
  const { object, warnings } = decodeObjectValue(document.value, served.info, schema, parameters.fieldValidation);
  for (const warning of warnings) scope.warn(warning);
  const applied = identified(object, served.info, schema);
  const { name } = applied.metadata;
  applied.metadata.name ||= info.name;
  checkName(scope, served, applied);
  function merge(live: Unstructured | undefined): Unstructured {
    const { object: merged } = applyPatch<Unstructured>({
      ...writeContext(served, parameters.fieldManager, info.subresource, scope.core.clock.now()),
      live,
      applied: structuredClone(applied),
      force: parameters.force ?? false,
    });
    checkDuplicates(scope, parameters, document);
    return merged;
  }
  return runUpdate(scope, served, parameters, {
    subresource: info.subresource,
    operationOptions: 'PatchOptions',
    applied: true,
    produce: live => merge(live()),
    ...(info.subresource === '' && { missing: async () => newObject(served, named(scope, merge(undefined), name)) }),
  });
}

/** Members that the document has twice. */
function checkDuplicates(scope: Scope, { fieldValidation }: WriteParameters, { problems }: Document): void {
  if (problems.length === 0 || fieldValidation === 'Ignore') return;
  if (fieldValidation === 'Strict') {
    const lines = problems.map(line => `\n  ${line}`).join('');
    const why = `error converting YAML to JSON: yaml: unmarshal errors:${lines}`;
    throw errors.badRequest(`error strict decoding YAML: ${why}`);
  }
  for (const line of problems) scope.warn(line);
}

/** A new object has no name but that of its configuration. */
function named(scope: Scope, obj: Unstructured, name: string): Unstructured {
  if (!name) throw namelessObject(scope);
  return obj;
}

function newObject(served: Served, obj: Unstructured): Unstructured {
  if (obj.metadata.uid)
    throw errors.conflict(
      groupResource(served),
      obj.metadata.name,
      `uid mismatch: the provided object specified uid ${obj.metadata.uid}, and no existing object was found`,
    );
  return obj;
}
