/** DELETE of one object and of collections (upstream: k8s.io/apiserver/pkg/registry/generic/registry/store.go). */
import { schemaOf } from '../../api/catalog/index.ts';
import type { Unstructured } from '../../api/object.ts';
import type { ApiResponse } from '../../api/transport.ts';
import type { DeleteOptions } from '../../api/types/meta-v1.ts';
import { rfc3339 } from '../../base/clock.ts';
import { errors, isConflict, isNotFound } from '../../base/errors.ts';
import { validateDryRun, validatePropagation } from '../registry/meta/options.ts';
import type { Entry } from '../storage/kind-cache.ts';
import type { Change, Stored } from '../storage/object-store.ts';
import { admissionRequest, admit, deepFreeze, validateAdmission } from './admission.ts';
import { decodeOptions } from './codec.ts';
import { equalObjects } from './equality.ts';
import { bodyFormat } from './negotiation.ts';
import { integer, listParameters, requireValid } from './options.ts';
import { respondValue } from './output.ts';
import {
  groupResource,
  listOffer,
  negotiated,
  queryEntries,
  respondEntry,
  respondList,
  storeOf,
  writeOffer,
} from './read.ts';
import { isTrue } from './request-info.ts';
import type { Scope, Served } from './scope.ts';
import { liveObject, pendingFinalizers } from './update.ts';

export interface DeleteRequest {
  readonly gracePeriodSeconds: number | undefined;
  readonly propagation: 'Orphan' | 'Background' | 'Foreground' | undefined;
  /** Asked for with `orphanDependents: false`: then an answer that comes before the end is 202. */
  readonly legacyCascade: boolean;
  readonly uid: string | undefined;
  readonly resourceVersion: string | undefined;
  readonly dryRun: boolean;
  readonly options: Readonly<Record<string, unknown>>;
}

const deleteKind = { group: 'meta.k8s.io', version: 'v1', kind: 'DeleteOptions' };

/** Options come in the body or in the query. */
function deleteRequest(scope: Scope): DeleteRequest {
  const { body, headers, query } = scope.request;
  const options: Partial<DeleteOptions> =
    body && body.length > 0 ? fromBody(body, headers['content-type']) : fromQuery(query);
  const { propagationPolicy, orphanDependents, gracePeriodSeconds, preconditions, dryRun = [] } = options;
  requireValid('DeleteOptions', [
    ...validatePropagation(propagationPolicy, orphanDependents),
    ...validateDryRun(dryRun),
  ]);
  const legacy = orphanDependents === undefined ? undefined : orphanDependents ? 'Orphan' : 'Background';
  return {
    gracePeriodSeconds: gracePeriodSeconds !== undefined && gracePeriodSeconds < 0 ? 1 : gracePeriodSeconds,
    propagation: (propagationPolicy as 'Orphan' | undefined) ?? legacy,
    legacyCascade: orphanDependents === false,
    uid: preconditions?.uid,
    resourceVersion: preconditions?.resourceVersion,
    dryRun: dryRun.length > 0 || query.getAll('dryRun').includes('All'),
    options: { ...options, kind: 'DeleteOptions', apiVersion: 'meta.k8s.io/v1' },
  };
}

function fromBody(body: Uint8Array, contentType: string | undefined): Partial<DeleteOptions> {
  const schema = schemaOf('meta.v1.DeleteOptions');
  return decodeOptions(body, bodyFormat(contentType), deleteKind, schema);
}

function fromQuery(query: URLSearchParams): Partial<DeleteOptions> {
  const grace = integer(query, 'gracePeriodSeconds');
  const orphan = query.get('orphanDependents');
  const policy = query.get('propagationPolicy');
  return {
    ...(grace !== undefined && { gracePeriodSeconds: grace }),
    ...(orphan !== null && { orphanDependents: isTrue(orphan) }),
    ...(policy && { propagationPolicy: policy }),
    ...(query.has('dryRun') && { dryRun: query.getAll('dryRun') }),
  };
}

export async function deleteObject(scope: Scope, served: Served): Promise<ApiResponse> {
  const media = negotiated(scope, served, writeOffer);
  const request = deleteRequest(scope);
  const result = await runDelete(scope, served, scope.info.name, request);
  if (!result.gone || served.returnsDeleted)
    return respondEntry(scope, served, !result.gone && request.legacyCascade ? 202 : 200, result.entry, media);
  const { name, uid } = result.object.metadata;
  const { group, resource } = groupResource(served);
  const details = { name, ...(group && { group }), kind: resource, uid };
  const status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details };
  return respondValue(200, status, { ...media, shape: 'object', contentType: media.contentType.split(';')[0] ?? '' });
}

interface DeleteResult {
  readonly entry: Entry;
  readonly object: Unstructured;
  /** False when it waits for finalizers or its grace period. */
  readonly gone: boolean;
}

export async function runDelete(
  scope: Scope,
  served: Served,
  name: string,
  request: DeleteRequest,
): Promise<DeleteResult> {
  const namespace = served.info.namespaced ? scope.info.namespace : '';
  let gone = false;
  let object: Unstructured | undefined;
  const { entry } = await storeOf(served).update(
    namespace,
    name,
    async current => {
      const live = liveObject(served, current);
      object = live;
      await admitDelete(scope, served, name, deepFreeze(structuredClone(live)), request);
      const change = await deletionOf(scope, served, live, request, current);
      gone = change.type === 'delete';
      return change.type === 'put' && served.write ? { ...change, object: served.write(change.object) } : change;
    },
    { dryRun: request.dryRun },
  );
  if (!object) throw errors.internal('nothing was read before the deletion');
  if (gone && !request.dryRun) await served.hooks.afterDelete?.(object, scope);
  return { entry, object, gone };
}

async function admitDelete(
  scope: Scope,
  served: Served,
  name: string,
  live: Unstructured,
  request: DeleteRequest,
): Promise<void> {
  const admission = admissionRequest(scope, served, {
    operation: 'DELETE',
    name,
    object: undefined,
    oldObject: live,
    options: request.options,
    dryRun: request.dryRun,
  });
  await admit(scope.core.admission, admission);
  await validateAdmission(scope.core.admission, admission);
}

function checkPreconditions(served: Served, live: Unstructured, request: DeleteRequest): void {
  const { name, uid, resourceVersion } = live.metadata;
  const failed = (what: string) => errors.conflict(groupResource(served), name, `Precondition failed: ${what}`);
  if (request.uid !== undefined && request.uid !== uid)
    throw failed(`UID in precondition: ${request.uid}, UID in object meta: ${uid}`);
  if (request.resourceVersion !== undefined && request.resourceVersion !== resourceVersion)
    throw failed(
      `ResourceVersion in precondition: ${request.resourceVersion}, ResourceVersion in object meta: ${resourceVersion}`,
    );
}

/** What a deletion makes of the object: nothing, a mark, or its end. */
async function deletionOf(
  scope: Scope,
  served: Served,
  live: Unstructured,
  request: DeleteRequest,
  current: Stored,
): Promise<Change> {
  checkPreconditions(served, live, request);
  await served.hooks.beforeDelete?.(live, scope);
  const fresh = () => (served.read ? liveObject(served, current) : current.decode());
  const obj = fresh();
  const { metadata } = obj;
  if (served.hooks.firstDelete && !metadata.deletionTimestamp) {
    served.hooks.firstDelete(obj, scope.core.clock.now());
    return { type: 'put', object: obj };
  }
  const finalizers = finalizersFor(served, obj, request);
  if (finalizers.length > 0) metadata.finalizers = finalizers;
  else delete metadata.finalizers;
  const grace = graceFor(served, live, request);
  const now = scope.core.clock.now();
  if (metadata.deletionTimestamp) {
    if (grace !== undefined && metadata.deletionGracePeriodSeconds !== undefined) {
      if (grace >= metadata.deletionGracePeriodSeconds && grace > 0) return unchangedOr(obj, fresh());
      shorten(obj, grace);
    }
  } else if (grace !== undefined && grace > 0) {
    mark(served, obj, now, grace);
    return { type: 'put', object: obj };
  }
  if (finalizers.length === 0 && !pendingFinalizers(served, obj) && !stillTerminating(obj, grace))
    return grace === undefined ? { type: 'delete' } : { type: 'delete', last: lastState(served, obj, now) };
  if (!metadata.deletionTimestamp) mark(served, obj, now, 0);
  else if (finalizers.length === 0) return unchangedOr(obj, fresh());
  else if (!isNamespace(served) && (grace === undefined || grace === 0)) metadata.deletionGracePeriodSeconds = 0;
  return unchangedOr(obj, fresh());
}

/** A graceful deletion goes on until somebody deletes with a grace period of zero. */
function stillTerminating(obj: Unstructured, grace: number | undefined): boolean {
  return (obj.metadata.deletionGracePeriodSeconds ?? 0) > 0 && grace !== undefined && grace > 0;
}

function unchangedOr(obj: Unstructured, before: Unstructured): Change {
  return equalObjects(obj, before) ? { type: 'none' } : { type: 'put', object: obj };
}

/** Seconds of Go's longest duration, 292 years: clients may ask for more than there are dates. */
const longestGrace = 9_223_372_036;
const deadline = (from: number, grace: number) => rfc3339(from + Math.min(grace, longestGrace) * 1_000);

function mark(served: Served, obj: Unstructured, now: number, grace: number): void {
  obj.metadata.deletionTimestamp = deadline(now, grace);
  // Namespaces end in their own way, without a grace period.
  if (isNamespace(served)) {
    obj['status'] = { ...(obj['status'] as object), phase: 'Terminating' };
    return;
  }
  obj.metadata.deletionGracePeriodSeconds = grace;
  if (obj.metadata.generation) obj.metadata.generation += 1;
}

/** What could have ended gracefully is given back as it would be after its grace period. */
function lastState(served: Served, obj: Unstructured, now: number): Unstructured {
  if (obj.metadata.deletionTimestamp) obj.metadata.deletionGracePeriodSeconds = 0;
  else mark(served, obj, now, 0);
  return obj;
}

const isNamespace = ({ info }: Served) => info.group === '' && info.plural === 'namespaces';

/** A second, shorter deletion: the clock still runs from the first. */
function shorten(obj: Unstructured, grace: number): void {
  const { metadata } = obj;
  const granted = Math.min(metadata.deletionGracePeriodSeconds ?? 0, longestGrace);
  const started = Date.parse(metadata.deletionTimestamp ?? '') - granted * 1_000;
  metadata.deletionTimestamp = deadline(started, grace);
  metadata.deletionGracePeriodSeconds = grace;
}

function graceFor(served: Served, live: Unstructured, request: DeleteRequest): number | undefined {
  return served.strategy.gracePeriod?.(live, request.gracePeriodSeconds);
}

const orphanFinalizer = 'orphan';
const foregroundFinalizer = 'foregroundDeletion';

/** Finalizers after a deletion with this propagation (upstream: deletionFinalizersForGarbageCollection). */
function finalizersFor(served: Served, obj: Unstructured, request: DeleteRequest): string[] {
  const present = obj.metadata.finalizers ?? [];
  const others = present.filter(f => f !== orphanFinalizer && f !== foregroundFinalizer);
  if (request.propagation === 'Orphan') return [...others, orphanFinalizer];
  if (request.propagation === 'Foreground') return [...others, foregroundFinalizer];
  if (request.propagation === 'Background') return others;
  if (present.includes(orphanFinalizer)) return [...others, orphanFinalizer];
  if (present.includes(foregroundFinalizer)) return [...others, foregroundFinalizer];
  return served.strategy.defaultPropagation === 'orphan' ? [...others, orphanFinalizer] : others;
}

const deleteWorkers = 10;

/** Answered, as upstream does, with what was there. */
export async function deleteCollection(scope: Scope, served: Served): Promise<ApiResponse> {
  const media = negotiated(scope, served, listOffer);
  const request = deleteRequest(scope);
  const result = await queryEntries(scope, served, listParameters(scope.request.query, false));
  const pending = [...result.items];
  const one = async () => {
    for (let entry = pending.shift(); entry; entry = pending.shift()) await deleteEntry(scope, served, entry, request);
  };
  await Promise.all(Array.from({ length: Math.min(deleteWorkers, pending.length) }, one));
  return respondList(scope, served, media, result);
}

async function deleteEntry(scope: Scope, served: Served, entry: Entry, request: DeleteRequest): Promise<void> {
  const slash = served.info.namespaced ? entry.key.indexOf('/') : -1;
  const namespace = slash < 0 ? '' : entry.key.slice(0, slash);
  const name = entry.key.slice(slash + 1);
  const inner: Scope = { ...scope, info: { ...scope.info, namespace: namespace || scope.info.namespace, name } };
  try {
    await runDelete(inner, served, name, request);
  } catch (e) {
    if (!isNotFound(e) && !(isConflict(e) && request.uid !== undefined)) throw e;
  }
}
