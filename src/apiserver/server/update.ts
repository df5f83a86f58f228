/** PUT, and what every kind of update has in common. */
import { sameButTimes } from '../../api/apply/index.ts';
import type { Unstructured } from '../../api/object.ts';
import type { ApiResponse } from '../../api/transport.ts';
import { errors } from '../../base/errors.ts';
import { aggregate, bounded, type FieldError, field } from '../registry/field-errors.ts';
import type { RequestContext, SubresourceStrategy } from '../registry/strategy.ts';
import type { Entry } from '../storage/kind-cache.ts';
import type { Change, Stored } from '../storage/object-store.ts';
import { admissionRequest, admit, deepFreeze, validateAdmission } from './admission.ts';
import { readBody } from './body.ts';
import { createFrom, requestContext, toStored, wantsGeneration } from './create.ts';
import { equalObjects } from './equality.ts';
import { trackUpdate } from './managed-fields.ts';
import { type WriteParameters, writeParameters } from './options.ts';
import { toServed } from './output.ts';
import { dedupeOwners } from './owner-references.ts';
import { groupResource, internalKind, negotiated, respondEntry, storeOf, writeOffer } from './read.ts';
import type { Scope, Served, Undo } from './scope.ts';

/** How an update makes the new object. Both sides are in the served version; `live` gives a copy that may be changed. */
export interface UpdatePlan {
  readonly subresource: string;
  produce(live: () => Unstructured): Promise<Unstructured> | Unstructured;
  /** Asked when there is no object; absent: 404. */
  readonly missing?: () => Promise<Unstructured>;
  /** Set by apply, which keeps its own account of managed fields. */
  readonly applied?: boolean;
  /** The object that admission sees, when it is not the whole (Scale). */
  admissionView?(obj: Unstructured): Unstructured;
  readonly operationOptions: string;
}

export interface UpdateOutcome {
  readonly entry: Entry;
  readonly created: boolean;
}

export async function updateObject(scope: Scope, served: Served): Promise<ApiResponse> {
  const media = negotiated(scope, served, writeOffer);
  const parameters = writeParameters(scope.request.query, scope.request.headers['user-agent'], 'UpdateOptions');
  const { info } = scope;
  const obj = readBody(scope, served.info, served.info.schema, parameters);
  checkName(scope, served, obj);
  let fresh: Unstructured | undefined = obj;
  const creates = served.strategy.allowCreateOnUpdate && info.subresource === '';
  const result = await runUpdate(scope, served, parameters, {
    subresource: info.subresource,
    produce() {
      // The first attempt consumes the decoded body; others decode it again.
      const body = fresh ?? readBody(scope, served.info, served.info.schema, parameters);
      fresh = undefined;
      checkName(scope, served, body);
      dedupeOwners(scope, body, 'sent');
      return body;
    },
    operationOptions: 'UpdateOptions',
    ...(creates && { missing: async () => obj }),
  });
  return respondEntry(scope, served, result.created ? 201 : 200, result.entry, media);
}

export const namelessObject = ({ info }: Scope) =>
  errors.badRequest(`the name of the object (${info.name} based on URL) was undeterminable: name must be provided`);

export function checkName(scope: Scope, served: Served, obj: Unstructured): void {
  const { info } = scope;
  if (!obj.metadata.name) throw namelessObject(scope);
  if (obj.metadata.name !== info.name)
    throw errors.badRequest(
      `the name of the object (${obj.metadata.name}) does not match the name on the URL (${info.name})`,
    );
  if (!served.info.namespaced) {
    delete obj.metadata.namespace;
    return;
  }
  obj.metadata.namespace ||= info.namespace;
  if (obj.metadata.namespace !== info.namespace)
    throw errors.badRequest(
      `the namespace of the object (${obj.metadata.namespace}) does not match the namespace on the request (${info.namespace})`,
    );
}

export async function runUpdate(
  scope: Scope,
  served: Served,
  parameters: WriteParameters,
  plan: UpdatePlan,
): Promise<UpdateOutcome> {
  const store = storeOf(served);
  const undo: Undo[] = [];
  const done: Undo[] = [];
  const namespace = served.info.namespaced ? scope.info.namespace : '';
  try {
    if (plan.missing && !(await store.get(namespace, scope.info.name))) {
      const obj = await plan.missing();
      // Upstream does not ask of which revision something is that is not there.
      delete obj.metadata.resourceVersion;
      const entry = await createFrom(scope, served, obj, parameters, plan.applied);
      return { entry, created: true };
    }
    const result = await store.update(
      namespace,
      scope.info.name,
      async current => {
        for (const step of undo.splice(0).reverse()) await step();
        done.length = 0;
        return changeFor(scope, served, parameters, plan, current, { undo, done });
      },
      { dryRun: parameters.dryRun },
    );
    if (parameters.dryRun) for (const step of undo.splice(0).reverse()) await step();
    else for (const step of done) await step();
    return { entry: result.entry, created: false };
  } catch (e) {
    for (const step of undo.splice(0).reverse()) await step();
    throw e;
  }
}

/** The stored object as strategies see it. */
export function liveObject(served: Served, current: Stored): Unstructured {
  const live = current.decode();
  if (served.read) return served.read(live);
  if (!served.conversion) live.apiVersion = served.storedApiVersion;
  return live;
}

async function changeFor(
  scope: Scope,
  served: Served,
  parameters: WriteParameters,
  plan: UpdatePlan,
  current: Stored,
  { undo, done }: { undo: Undo[]; done: Undo[] },
): Promise<Change> {
  const { core } = scope;
  const { strategy, hooks } = served;
  const live = deepFreeze(liveObject(served, current));
  const produced = await plan.produce(() => toServed(served, liveObject(served, current)));
  if (plan.operationOptions === 'PatchOptions') checkSameUid(served, produced, live);
  checkPreconditions(served, produced, live);
  const obj = toStored(served, produced);
  keepSystemMetadata(obj, live);
  if (!plan.applied) trackUpdate(served, live, obj, parameters.fieldManager, plan.subresource, core.clock.now());
  const request = admissionRequest(scope, served, {
    operation: 'UPDATE',
    subresource: plan.subresource,
    name: scope.info.name,
    object: obj,
    oldObject: live,
    options: {
      kind: plan.operationOptions,
      apiVersion: 'meta.k8s.io/v1',
      ...(parameters.dryRun && { dryRun: ['All'] }),
    },
    dryRun: parameters.dryRun,
  });
  await admit(core.admission, request);
  dedupeOwners(scope, obj, 'admitted');
  const context = requestContext(scope, parameters.dryRun, plan.subresource);
  const sub = plan.subresource === '' ? undefined : subresourceStrategy(served, plan.subresource);
  if (sub) sub.prepareForUpdate?.(obj, live, context);
  else strategy.prepareForUpdate?.(obj, live, context);
  if (wantsGeneration(served)) countGeneration(served, obj, live);
  if (hooks.beginUpdate && plan.subresource === '') {
    const step = await hooks.beginUpdate(obj, live, scope, parameters.dryRun);
    if (step) {
      undo.push(() => step.undo());
      if (step.done) done.push(step.done);
    }
  }
  check(
    served,
    obj,
    bounded(() => validateUpdate(served, sub, obj, live, context)),
  );
  for (const text of (sub ? sub.warnings?.(obj, live) : strategy.warnings?.(obj, live)) ?? []) scope.warn(text);
  strategy.canonicalize?.(obj);
  const undoAdmission = await validateAdmission(core.admission, request);
  if (undoAdmission) undo.push(undoAdmission);
  return decide(served, obj, live, strategy.ttlSeconds?.(obj));
}

function decide(served: Served, obj: Unstructured, live: Unstructured, ttlSeconds: number | undefined): Change {
  const { deletionTimestamp, deletionGracePeriodSeconds, finalizers } = obj.metadata;
  if (deletionTimestamp && !finalizers?.length && !deletionGracePeriodSeconds && !pendingFinalizers(served, obj))
    return { type: 'delete', last: obj };
  if (unchanged(obj, live)) return { type: 'none' };
  return { type: 'put', object: served.write?.(obj) ?? obj, ttlSeconds };
}

function unchanged(obj: Unstructured, live: Unstructured): boolean {
  const { managedFields: now, ...metadata } = obj.metadata;
  const { managedFields: before, ...oldMetadata } = live.metadata;
  return equalObjects({ ...obj, metadata }, { ...live, metadata: oldMetadata }) && sameButTimes(now, before);
}

/** Namespaces also have finalizers in their spec. */
export function pendingFinalizers(served: Served, obj: Unstructured): boolean {
  if (served.info.group !== '' || served.info.plural !== 'namespaces') return false;
  return ((obj['spec'] as { finalizers?: string[] } | undefined)?.finalizers?.length ?? 0) > 0;
}

function check(served: Served, obj: Unstructured, invalid: readonly FieldError[]): void {
  if (invalid.length === 0) return;
  const { causes, message } = aggregate(invalid);
  throw errors.invalid(internalKind(served), obj.metadata.name, causes, message);
}

function validateUpdate(
  served: Served,
  sub: SubresourceStrategy<Unstructured> | undefined,
  obj: Unstructured,
  live: Unstructured,
  context: RequestContext,
): FieldError[] {
  if (sub) return sub.validateUpdate?.(obj, live, context) ?? [];
  return served.strategy.validateUpdate?.(obj, live, context) ?? [];
}

function checkPreconditions(served: Served, obj: Unstructured, live: Unstructured): void {
  const { uid, resourceVersion, name } = { ...obj.metadata, name: live.metadata.name };
  if (uid && uid !== live.metadata.uid)
    throw errors.conflict(
      groupResource(served),
      name,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${live.metadata.uid}`,
    );
  if (resourceVersion && resourceVersion !== live.metadata.resourceVersion)
    throw errors.conflict(
      groupResource(served),
      name,
      'the object has been modified; please apply your changes to the latest version and try again',
    );
  if (!resourceVersion && served.strategy.allowUnconditionalUpdate === false) {
    const { causes, message } = aggregate([
      field.invalid('metadata.resourceVersion', 0, 'must be specified for an update'),
    ]);
    // Upstream names the resource where the kind belongs.
    const { group, resource: kind } = groupResource(served);
    throw errors.invalid({ group, kind }, name, causes, message);
  }
}

/** A patch is no precondition: it may not change the uid. */
function checkSameUid(served: Served, { metadata }: Unstructured, live: Unstructured): void {
  if (metadata.uid && metadata.uid !== live.metadata.uid)
    check(served, live, [field.invalid('metadata.uid', metadata.uid, 'field is immutable')]);
}

/** What a client may leave out of an update stays as it was (upstream: ValidateObjectMetaUpdate and BeforeUpdate). */
function keepSystemMetadata(obj: Unstructured, live: Unstructured): void {
  const { metadata } = obj;
  const old = live.metadata;
  metadata.resourceVersion = old.resourceVersion ?? '';
  metadata.uid ||= old.uid ?? '';
  metadata.creationTimestamp ||= old.creationTimestamp ?? '';
  if (old.generation === undefined) delete metadata.generation;
  else metadata.generation = old.generation;
  if (old.deletionTimestamp && !metadata.deletionTimestamp) metadata.deletionTimestamp = old.deletionTimestamp;
  if (old.deletionGracePeriodSeconds !== undefined)
    metadata.deletionGracePeriodSeconds ??= old.deletionGracePeriodSeconds;
  delete metadata.selfLink;
}

function countGeneration(served: Served, obj: Unstructured, live: Unstructured): void {
  const { metadata: _a, status: newStatus, ...now } = obj;
  const { metadata: _c, status: oldStatus, ...before } = live;
  // Without a status subresource the status is a field like any other.
  const plainStatus = served.custom !== undefined && !('status' in served.info.subresources);
  if (plainStatus && !equalObjects(newStatus, oldStatus)) now['status'] = newStatus;
  const old = live.metadata.generation ?? 0;
  if (obj.metadata.generation !== live.metadata.generation) return;
  obj.metadata.generation = equalObjects(now, before) ? old || 1 : old + 1;
}

/** Status writes change the status and nothing else, unless the kind says otherwise. */
const statusStrategy: SubresourceStrategy<Unstructured> = {
  prepareForUpdate(obj, old) {
    for (const key of Object.keys(obj)) if (key !== 'status' && !(key in old)) delete obj[key];
    for (const [key, value] of Object.entries(old))
      if (key !== 'status' && key !== 'metadata') obj[key] = structuredClone(value);
    const { managedFields, resourceVersion } = obj.metadata;
    obj.metadata = structuredClone(old.metadata);
    if (managedFields) obj.metadata.managedFields = managedFields;
    if (resourceVersion) obj.metadata.resourceVersion = resourceVersion;
  },
};

function subresourceStrategy(served: Served, name: string): SubresourceStrategy<Unstructured> | undefined {
  const own = served.strategy.subresources?.[name] as SubresourceStrategy<Unstructured> | undefined;
  return own ?? (name === 'status' ? statusStrategy : undefined);
}
