/** GET of one object and of lists. */
import { apiVersionOf } from '../../api/schema.ts';
import type { ApiResponse } from '../../api/transport.ts';
import { goQuote } from '../../api/util/go-text.ts';
import { type Awaitable, after } from '../../base/awaitable.ts';
import { ApiError, errors } from '../../base/errors.ts';
import { utf8 } from '../storage/encoding.ts';
import type { Entry } from '../storage/kind-cache.ts';
import { type ListResult, listEntries } from '../storage/list.ts';
import { protobufList } from './codec.ts';
import { encodedItems, type ItemWriter, listBody, sharedListBody } from './list-body.ts';
import { type Negotiated, negotiate, type Offer, representations, wantsPretty } from './negotiation.ts';
import { type ListParameters, listParameters, parseRevision } from './options.ts';
import { type EntryEncoder, entryEncoder, partialOf, respond, respondValue, servedObject } from './output.ts';
import type { Scope, Served } from './scope.ts';
import { selectionOf } from './selection.ts';
import { columnDefinitions, includeObject, table, tableRow } from './table.ts';

const builtinFormats = ['json', 'yaml', 'protobuf'] as const;
const customFormats = ['json', 'yaml'] as const;
export const objectOffer: Offer = {
  shapes: ['object', 'table', 'partial'],
  formats: builtinFormats,
  produces: representations.one,
};
export const listOffer: Offer = {
  shapes: ['object', 'table', 'partial', 'partial-list'],
  formats: builtinFormats,
  produces: representations.list,
};
export const writeOffer = objectOffer;

export function offerFor(served: Served, base: Offer): Offer {
  return served.custom ? (base === listOffer ? customList : customObject) : base;
}
const customList: Offer = { shapes: listOffer.shapes, formats: customFormats };
const customObject: Offer = { shapes: objectOffer.shapes, formats: customFormats };

export function negotiated(scope: Scope, served: Served, base: Offer): Negotiated {
  const { headers, query } = scope.request;
  return negotiate(headers['accept'], wantsPretty(query, headers), offerFor(served, base));
}

export function storeOf(served: Served) {
  if (served.store) return served.store;
  throw errors.methodNotSupported({ group: served.info.group, resource: served.info.plural }, 'get');
}

export const groupResource = (served: Served) => ({ group: served.info.group, resource: served.info.plural });

/** Validation knows the internal type only, which is of the group that a kind is stored in. */
export const internalKind = ({ info: { group, kind }, strategy: { storedAs } }: Served) => ({
  group: storedAs === undefined ? group : (storedAs.split('/')[0] ?? ''),
  kind,
});

/** The answer of a request about one object, in the negotiated shape. */
export function respondEntry(
  scope: Scope,
  served: Served,
  status: number,
  entry: Entry,
  media: Negotiated,
): ApiResponse {
  if (media.shape !== 'table') return respond(status, media.contentType, entryEncoder(served, media).encode(entry));
  const obj = servedObject(served, entry);
  const { resourceVersion } = obj.metadata;
  const include = includeObject(scope.request.query);
  return respondValue(status, table(served, [obj], include, scope.core.clock.now(), { resourceVersion }), media);
}

export function getObject(scope: Scope, served: Served): Awaitable<ApiResponse> {
  const media = negotiated(scope, served, objectOffer);
  return after(readEntry(scope, served), entry => respondEntry(scope, served, 200, entry, media));
}

const notRevision = (text: string, why: string) => `resourceVersion: Invalid value: ${goQuote(text)}: ${why}`;

export function readEntry(scope: Scope, served: Served): Awaitable<Entry> {
  const { info, request } = scope;
  const revision = parseRevision(
    request.query.get('resourceVersion') ?? undefined,
    // Upstream has no better answer here.
    why => new ApiError(500, undefined, notRevision(request.query.get('resourceVersion') ?? '', why)),
  );
  const namespace = served.info.namespaced ? info.namespace : '';
  return after(storeOf(served).get(namespace, info.name, revision), entry => {
    if (!entry) throw errors.notFound(groupResource(served), info.name);
    return entry;
  });
}

export async function queryEntries(scope: Scope, served: Served, parameters: ListParameters): Promise<ListResult> {
  const { core } = scope;
  const { cache } = storeOf(served);
  const { start, end, exactKey, unfiltered, matches } = selectionOf(scope, served, cache, parameters);
  return listEntries(core.cacher, cache, core.store, {
    start,
    end,
    exactKey,
    unfiltered,
    matches,
    limit: parameters.limit,
    continueToken: parameters.continueToken,
    resourceVersion: parseRevision(parameters.resourceVersion, why =>
      errors.badRequest(`invalid resource version: ${notRevision(parameters.resourceVersion ?? '', why)}`),
    ),
    match: parameters.resourceVersionMatch,
  });
}

export async function listObjects(scope: Scope, served: Served): Promise<ApiResponse> {
  const media = negotiated(scope, served, listOffer);
  if (media.shape === 'partial') throw notAList(served);
  const parameters = listParameters(scope.request.query, false);
  return respondList(scope, served, media, await queryEntries(scope, served, parameters));
}

/** Upstream names the list by its Go type. */
function notAList({ info, custom, listKind }: Served): ApiError {
  const type = custom
    ? 'unstructured.UnstructuredList'
    : `${info.group.split('.')[0] || 'core'}.${listKind ?? `${info.kind}List`}`;
  return errors.notAcceptable(`you requested PartialObjectMetadata, but the requested object is a list (*${type})`);
}

/** Entries in the shape and format that was negotiated. */
export function respondList(scope: Scope, served: Served, media: Negotiated, result: ListResult): ApiResponse {
  const metadata = listMetadata(result);
  if (media.shape === 'table') return respondTable(scope, served, media, result, metadata);
  const partial = media.shape === 'partial' || media.shape === 'partial-list';
  // Lists of custom resources are not of a type that could leave it out.
  if (served.custom && !partial) metadata['continue'] ??= '';
  const kind = partial ? 'PartialObjectMetadataList' : listKind(served);
  const apiVersion = partial ? 'meta.k8s.io/v1' : apiVersionOf(served.info);
  const encoder = entryEncoder(served, { ...media, pretty: false });
  if (media.format === 'protobuf')
    return respond(
      200,
      media.contentType,
      protobufList(apiVersion, kind, metadata, result.items.map(encoder.message ?? encoder.encode)),
    );
  if (media.format === 'yaml' || media.pretty) {
    const objects = result.items.map(entry => servedObject(served, entry));
    const items = partial ? objects.map(obj => partialOf(served, obj)) : objects;
    return respondValue(200, { kind, apiVersion, metadata, items }, media);
  }
  const head = `{"kind":${JSON.stringify(kind)},"apiVersion":${JSON.stringify(apiVersion)},"metadata":${JSON.stringify(metadata)},"items":[`;
  const parts = { head: utf8(head), tail: utf8(']}\n'), separator: utf8(',') };
  return respond(200, media.contentType, sharedListBody(parts, result.items, itemWriter(encoder), encoder.name));
}

function itemWriter(encoder: EntryEncoder): ItemWriter<Entry> {
  const { size, write } = encoder;
  return size && write ? { size, write } : encodedItems(encoder.encode);
}

function listKind(served: Served): string {
  return served.listKind ?? `${served.info.kind}List`;
}

function listMetadata(result: ListResult): Record<string, unknown> {
  return {
    resourceVersion: String(result.revision),
    ...(result.continueToken && { continue: result.continueToken }),
    ...(result.remaining !== undefined && { remainingItemCount: result.remaining }),
  };
}

function respondTable(
  scope: Scope,
  served: Served,
  media: Negotiated,
  result: ListResult,
  metadata: object,
): ApiResponse {
  const include = includeObject(scope.request.query);
  const now = scope.core.clock.now();
  const row = (entry: Entry) => tableRow(served, servedObject(served, entry), include, now);
  if (media.format !== 'json' || media.pretty || served.strategy.compareRows) {
    const objects = result.items.map(entry => servedObject(served, entry));
    return respondValue(200, table(served, objects, include, now, metadata), media);
  }
  const head = `{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":${JSON.stringify(metadata)},"columnDefinitions":${JSON.stringify(columnDefinitions(served))},"rows":[`;
  const parts = { head: utf8(head), tail: utf8(']}\n'), separator: utf8(',') };
  return respond(
    200,
    media.contentType,
    listBody(
      parts,
      result.items,
      encodedItems(entry => utf8(JSON.stringify(row(entry)))),
    ),
  );
}
