/** The scale subresource: an autoscaling/v1 Scale in front of any kind that names its paths. */
import { applyPatch as applyTo } from '../../api/apply/index.ts';
import { schemaOf } from '../../api/catalog/index.ts';
import type { Unstructured } from '../../api/object.ts';
import { formatLabelSelector, selectorFromSet } from '../../api/selectors/index.ts';
import type { ApiResponse } from '../../api/transport.ts';
import type { LabelSelector } from '../../api/types/meta-v1.ts';
import { ApiError, errors, isNotFound } from '../../base/errors.ts';
import { ageColumn, nameColumn } from '../registry/columns.ts';
import { aggregate, field } from '../registry/field-errors.ts';
import { requireFieldManager, requireType } from './apply.ts';
import { identified, readBody } from './body.ts';
import { type Document, decodeObjectValue } from './codec.ts';
import { writeContext } from './managed-fields.ts';
import type { Negotiated } from './negotiation.ts';
import { AccessorError, integerAt, textAt, valueAt } from './nested.ts';
import { type WriteParameters, writeParameters } from './options.ts';
import { partialOf, respondValue, servedObject, toServed } from './output.ts';
import { patchDocument, patched, patchType } from './patch.ts';
import { groupResource, negotiated, readEntry, writeOffer } from './read.ts';
import type { Scope, Served } from './scope.ts';
import { includeObject, type Printer, table } from './table.ts';
import { runUpdate } from './update.ts';

interface Scale extends Unstructured {
  spec?: { replicas?: number };
  status?: { replicas: number; selector?: string };
}
const scaleKind = { group: 'autoscaling', version: 'v1', kind: 'Scale' };
const scaleSchema = () => schemaOf('autoscaling.v1.Scale');

/** @throws ApiError 500, as upstream, when the field has another type */
function readField<T>(read: () => T): T {
  try {
    return read();
  } catch (e) {
    throw e instanceof AccessorError ? new ApiError(500, undefined, e.message) : e;
  }
}

function setAt(obj: Unstructured, path: string, value: unknown): void {
  const keys = path.split('.').slice(1);
  const last = keys.pop();
  let at = obj as Record<string, unknown>;
  for (const key of keys) {
    if (typeof at[key] !== 'object' || at[key] === null) at[key] = {};
    at = at[key] as Record<string, unknown>;
  }
  if (last !== undefined) at[last] = value;
}

/** Custom resources have it as text. */
function selectorOf(served: Served, obj: Unstructured, path: string): string {
  if (served.custom) return readField(() => textAt(obj, path)) ?? '';
  const value = valueAt(obj, path);
  if (typeof value !== 'object' || value === null) return '';
  if ('matchLabels' in value || 'matchExpressions' in value) return formatLabelSelector(value as LabelSelector);
  return selectorFromSet(value as Record<string, string>).toString();
}

function pathsOf(served: Served) {
  if (served.strategy.scale) return served.strategy.scale;
  throw errors.unknownPath();
}

function scaleOf(served: Served, obj: Unstructured): Scale {
  const paths = pathsOf(served);
  const { name, namespace, uid, resourceVersion, creationTimestamp } = obj.metadata;
  const replicas = readField(() => integerAt(obj, paths.specReplicas));
  const ready = readField(() => integerAt(obj, paths.statusReplicas)) ?? 0;
  const selector = paths.selector ? selectorOf(served, obj, paths.selector) : '';
  const metadata = { name, ...(namespace && { namespace }), uid, resourceVersion, creationTimestamp };
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: metadata as Scale['metadata'],
    spec: replicas === undefined ? {} : { replicas },
    status: { replicas: ready, ...(selector && { selector }) },
  };
}

const scalePrinter: Printer = {
  columns: [
    nameColumn,
    { name: 'Desired', type: 'integer', cell: (scale: Scale) => scale.spec?.replicas ?? 0 },
    { name: 'Available', type: 'integer', cell: (scale: Scale) => scale.status?.replicas ?? 0 },
    ageColumn,
  ],
};

function respondScale({ request, core }: Scope, status: number, scale: Scale, media: Negotiated): ApiResponse {
  if (media.shape === 'partial') return respondValue(status, partialOf(scalePrinter, scale), media);
  if (media.shape !== 'table') return respondValue(status, scale, media);
  const { resourceVersion } = scale.metadata;
  const include = includeObject(request.query);
  return respondValue(status, table(scalePrinter, [scale], include, core.clock.now(), { resourceVersion }), media);
}

/** Upstream names the subresource when some kinds are not there. */
function missingScale(served: Served, name: string) {
  const { group, plural } = served.info;
  if (plural === 'deployments' || plural === 'replicasets')
    return errors.notFound({ group, resource: `${plural}/scale` }, name);
  if (plural === 'replicationcontrollers')
    return errors.notFound({ group: 'autoscaling', resource: `${plural}/scale` }, name);
  return errors.notFound(groupResource(served), name);
}

const replicasField = (served: Served) => `the spec replicas field ${JSON.stringify(pathsOf(served).specReplicas)}`;

export async function getScale(scope: Scope, served: Served): Promise<ApiResponse> {
  const media = negotiated(scope, served, writeOffer);
  try {
    const entry = await readEntry(scope, served);
    const scale = scaleOf(served, servedObject(served, entry));
    if (scale.spec?.replicas === undefined) throw errors.internal(`${replicasField(served)} does not exist`);
    return respondScale(scope, 200, scale, media);
  } catch (e) {
    throw isNotFound(e) ? missingScale(served, scope.info.name) : e;
  }
}

export async function updateScale(scope: Scope, served: Served): Promise<ApiResponse> {
  const parameters = writeParameters(scope.request.query, scope.request.headers['user-agent'], 'UpdateOptions');
  const scale = readBody(scope, scaleKind, scaleSchema(), parameters) as Scale;
  return writeScale(scope, served, parameters, 'UpdateOptions', () => scale);
}

export async function patchScale(scope: Scope, served: Served): Promise<ApiResponse> {
  const parameters = writeParameters(scope.request.query, scope.request.headers['user-agent'], 'PatchOptions');
  const type = patchType(scope, served);
  const document = patchDocument(scope, type);
  if (type === 'apply') return applyScale(scope, served, parameters, document);
  const produce = (live: () => Scale) =>
    patched(scope, type, live, document, scaleKind, scaleSchema(), parameters) as Scale;
  return writeScale(scope, served, parameters, 'PatchOptions', produce);
}

/** What is applied to the scale is applied to the field behind it: who sets the count owns that field, as the subresource's manager. */
async function applyScale(
  scope: Scope,
  served: Served,
  parameters: WriteParameters,
  document: Document,
): Promise<ApiResponse> {
  requireFieldManager(scope);
  requireType(scaleKind, document.value);
  const media = negotiated(scope, served, writeOffer);
  const { object } = decodeObjectValue(document.value, scaleKind, scaleSchema(), parameters.fieldValidation);
  const scale = identified(object, scaleKind, scaleSchema()) as Scale;
  const { entry } = await runUpdate(scope, served, parameters, {
    subresource: 'scale',
    operationOptions: 'PatchOptions',
    applied: true,
    produce(copy) {
      const live = copy();
      checkScale(scope, served, scale, live);
      const { name, namespace } = live.metadata;
      const applied: Unstructured = {
        apiVersion: live.apiVersion ?? '',
        kind: live.kind ?? '',
        metadata: { name, ...(namespace && { namespace }) },
      };
      if (scale.spec?.replicas !== undefined) setAt(applied, pathsOf(served).specReplicas, scale.spec.replicas);
      const context = writeContext(served, parameters.fieldManager, 'scale', scope.core.clock.now());
      return applyTo<Unstructured>({ ...context, live, applied, force: parameters.force ?? false }).object;
    },
  });
  return respondScale(scope, 200, scaleOf(served, toServed(served, servedObject(served, entry))), media);
}

async function writeScale(
  scope: Scope,
  served: Served,
  parameters: WriteParameters,
  operationOptions: string,
  produce: (live: () => Scale) => Scale,
): Promise<ApiResponse> {
  const media = negotiated(scope, served, writeOffer);
  const { entry } = await runUpdate(scope, served, parameters, {
    subresource: 'scale',
    operationOptions,
    produce(copy) {
      const live = copy();
      const scale = produce(() => scaleOf(served, live));
      checkScale(scope, served, scale, live);
      const { specReplicas } = pathsOf(served);
      const patching = operationOptions === 'PatchOptions';
      if (patching && scale.spec?.replicas === undefined && integerAt(live, specReplicas) === undefined)
        throw errors.badRequest(`${replicasField(served)} cannot be empty`);
      setAt(live, specReplicas, scale.spec?.replicas ?? 0);
      live.metadata.resourceVersion = scale.metadata.resourceVersion ?? '';
      return live;
    },
  });
  return respondScale(scope, 200, scaleOf(served, toServed(served, servedObject(served, entry))), media);
}

function checkScale(scope: Scope, served: Served, scale: Scale, live: Unstructured): void {
  const replicas = scale.spec?.replicas ?? 0;
  if (scale.metadata.name && scale.metadata.name !== scope.info.name)
    throw errors.badRequest(
      `the name of the object (${scale.metadata.name}) does not match the name on the URL (${scope.info.name})`,
    );
  if (scale.metadata.uid && scale.metadata.uid !== live.metadata.uid)
    throw errors.conflict(
      groupResource(served),
      live.metadata.name,
      `Precondition failed: UID in precondition: ${scale.metadata.uid}, UID in object meta: ${live.metadata.uid}`,
    );
  // The definition of a custom resource says where a wrong count stands.
  if (replicas >= 0 || served.custom) return;
  const { causes, message } = aggregate([
    field.invalid('spec.replicas', replicas, 'must be greater than or equal to 0'),
  ]);
  throw errors.invalid(scaleKind, scope.info.name, causes, message);
}
