/** POST of an object. */
import type { Unstructured } from '../../api/object.ts';
import type { ApiResponse } from '../../api/transport.ts';
import { type Awaitable, after } from '../../base/awaitable.ts';
import { rfc3339 } from '../../base/clock.ts';
import { errors, isAlreadyExists } from '../../base/errors.ts';
import { nameSuffix, uuid } from '../../base/random.ts';
import { aggregate, bounded } from '../registry/field-errors.ts';
import type { RequestContext } from '../registry/strategy.ts';
import type { Entry } from '../storage/kind-cache.ts';
import { admissionRequest, admit, validateAdmission } from './admission.ts';
import { readBody } from './body.ts';
import { trackCreate } from './managed-fields.ts';
import { type WriteParameters, writeParameters } from './options.ts';
import { respondValue } from './output.ts';
import { dedupeOwners } from './owner-references.ts';
import { groupResource, internalKind, negotiated, respondEntry, storeOf, writeOffer } from './read.ts';
import type { Scope, Served, Undo } from './scope.ts';

const generatedNameTries = 8;
const maxGeneratedPrefix = 58;
const terminating = 'create not allowed while custom resource definition is terminating';

export function createObject(scope: Scope, served: Served): Awaitable<ApiResponse> {
  const media = negotiated(scope, served, writeOffer);
  const parameters = writeParameters(scope.request.query, scope.request.headers['user-agent'], 'CreateOptions');
  const obj = readBody(scope, served.info, served.info.schema, parameters);
  dedupeOwners(scope, obj, 'sent');
  if (served.virtual) {
    checkNamespace(scope, served, obj);
    return after(served.virtual(obj, scope), answer => respondValue(201, answer, media));
  }
  return createFrom(scope, served, obj, parameters).then(entry => respondEntry(scope, served, 201, entry, media));
}

/** Carries out a creation of an object in the served version. `applied`: its managed fields are already accounted for. */
export function createFrom(
  scope: Scope,
  served: Served,
  obj: Unstructured,
  parameters: WriteParameters,
  applied = false,
): Promise<Entry> {
  checkNamespace(scope, served, obj);
  if (obj.metadata.resourceVersion)
    throw errors.badRequest('resourceVersion should not be set on objects to be created');
  const { name, generateName } = obj.metadata;
  const attempt = (object: Unstructured) => createOnce(scope, served, object, parameters, applied);
  return !name && generateName ? createGenerated(scope, obj, generateName, attempt) : attempt(obj);
}

async function createGenerated(
  { core }: Scope,
  obj: Unstructured,
  prefix: string,
  attempt: (object: Unstructured) => Promise<Entry>,
): Promise<Entry> {
  for (let i = 1; ; i++) {
    const named = structuredClone(obj);
    named.metadata.name = prefix.slice(0, maxGeneratedPrefix) + nameSuffix(core.random);
    try {
      return await attempt(named);
    } catch (e) {
      if (!isAlreadyExists(e) || i === generatedNameTries) throw e;
    }
  }
}

/** Fills the namespace from the path. Throws BadRequest when the two disagree. */
export function checkNamespace(scope: Scope, served: Served, obj: Unstructured): void {
  const { namespace } = scope.info;
  if (!served.info.namespaced) {
    if (obj.metadata.namespace && served.info.plural !== 'namespaces')
      throw errors.badRequest('namespace may not be set on a cluster-scoped object');
    delete obj.metadata.namespace;
    return;
  }
  if (!namespace) throw errors.badRequest('an empty namespace may not be set during creation');
  if (!obj.metadata.namespace) obj.metadata.namespace = namespace;
  else if (obj.metadata.namespace !== namespace)
    throw errors.badRequest('the namespace of the provided object does not match the namespace sent on the request');
}

export function requestContext(scope: Scope, dryRun: boolean, subresource = scope.info.subresource): RequestContext {
  const { core, user, info } = scope;
  return { user, namespace: info.namespace, dryRun, clock: core.clock, random: core.random, subresource };
}

/** The object in the version that strategies see, with defaults: the stored one, or of custom resources the one of the request. */
export function toStored(served: Served, obj: Unstructured): Unstructured {
  const stored = (served.conversion?.toStorage(obj) ?? obj) as Unstructured;
  if (!served.write) stored.apiVersion = served.storedApiVersion;
  served.strategy.default?.(stored);
  return stored;
}

async function createOnce(
  scope: Scope,
  served: Served,
  requested: Unstructured,
  parameters: WriteParameters,
  applied: boolean,
): Promise<Entry> {
  const { core } = scope;
  const { strategy, hooks } = served;
  const { dryRun } = parameters;
  const obj = toStored(served, requested);
  const context = requestContext(scope, dryRun, '');
  fillSystemMetadata(scope, served, obj);
  // What admission and the kind itself add belongs to no manager.
  if (!applied) trackCreate(served, obj, parameters.fieldManager, core.clock.now());
  const request = admissionRequest(scope, served, {
    operation: 'CREATE',
    subresource: '',
    name: obj.metadata.name,
    object: obj,
    oldObject: undefined,
    options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1', ...(dryRun && { dryRun: ['All'] }) },
    dryRun,
  });
  if (served.custom && !served.custom.acceptsCreates)
    throw errors.forbidden(groupResource(served), obj.metadata.name, terminating);
  const admission = admit(core.admission, request);
  if (admission) await admission;
  dedupeOwners(scope, obj, 'admitted');
  strategy.prepareForCreate?.(obj, context);
  if (wantsGeneration(served) && obj.metadata.generation === undefined) obj.metadata.generation = 1;
  const reservation = await hooks.beginCreate?.(obj, scope, dryRun);
  let undoAdmission: Undo | undefined;
  try {
    const invalid = bounded(() => strategy.validate?.(obj, context) ?? []);
    if (invalid.length > 0) {
      const { causes, message } = aggregate(invalid);
      throw errors.invalid(internalKind(served), obj.metadata.name ?? '', causes, message);
    }
    for (const text of strategy.warnings?.(obj, undefined) ?? []) scope.warn(text);
    strategy.canonicalize?.(obj);
    undoAdmission = await validateAdmission(core.admission, request);
    const ttlSeconds = strategy.ttlSeconds?.(obj);
    const stored = served.write?.(obj) ?? obj;
    const entry = await storeOf(served).create(stored, { dryRun, ...(ttlSeconds !== undefined && { ttlSeconds }) });
    if (reservation) await (dryRun ? reservation.undo() : reservation.done?.());
    return entry;
  } catch (e) {
    await undoAdmission?.();
    await reservation?.undo();
    throw e;
  }
}

/** What only the server sets, before admission sees the object. */
function fillSystemMetadata(scope: Scope, served: Served, obj: Unstructured): void {
  const { metadata } = obj;
  metadata.uid = uuid(scope.core.random);
  metadata.creationTimestamp = rfc3339(scope.core.clock.now());
  delete metadata.deletionTimestamp;
  delete metadata.deletionGracePeriodSeconds;
  delete metadata.selfLink;
  if (wantsGeneration(served)) delete metadata.generation;
}

/** Whether the pipeline counts generations for this kind. */
export function wantsGeneration(served: Served): boolean {
  return served.strategy.generation ?? 'status' in served.info.subresources;
}
