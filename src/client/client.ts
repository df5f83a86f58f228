import type { KubeObject, List } from '../api/object.ts';
import { apiVersionOf } from '../api/schema.ts';
import type { Transport } from '../api/transport.ts';
import type { Clock } from '../base/clock.ts';
import type {
  Client,
  DeleteCallOptions,
  ListOptions,
  PatchOptions,
  PatchType,
  ResourceClient,
  ResourceDescriptor,
  ResourceName,
  TypeOf,
  WatchOptions,
  WriteOptions,
} from './contract.ts';
import { createRequester, type Requester } from './request.ts';
import { collectionPath, descriptorOf, shorthands } from './resources.ts';
import { watchEvents } from './watch.ts';

export interface ClientOptions {
  userAgent?: string;
  /** Sent with every request (authorization, for instance). */
  headers?: Record<string, string>;
  /** Objects come with their metadata only (PartialObjectMetadata), for whoever reads many of all kinds. */
  metadataOnly?: boolean;
  /** With a clock, answers that carry Retry-After are tried again. */
  clock?: Clock;
}

const patchTypes: Record<PatchType, string> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
};

/** Lists and what is in them have names of their own: not every server finds the one that fits. */
const partial = (as: string) => `application/json;as=${as};g=meta.k8s.io;v=v1,application/json`;
const partialList = { accept: partial('PartialObjectMetadataList') };

/** The generic typed client over any transport. */
export function createClient(transport: Transport, options: ClientOptions = {}): Client {
  const { metadataOnly = false } = options;
  const headers = {
    'user-agent': options.userAgent ?? 'tsukube',
    ...(metadataOnly && { accept: partial('PartialObjectMetadata') }),
    ...options.headers,
  };
  const requester = createRequester(transport, headers, options.clock);
  const client = {
    transport,
    resource<R extends ResourceName | ResourceDescriptor>(resource: R, namespace?: string): ResourceClient<TypeOf<R>> {
      return resourceClient<TypeOf<R>>(requester, descriptorOf(resource), namespace, metadataOnly ? partialList : {});
    },
    request: requester.json,
    open: requester.ok,
    with({ userAgent, impersonate, headers: extra, metadataOnly: less }: Parameters<Client['with']>[0]) {
      const merged = { ...options.headers, ...extra };
      if (impersonate) {
        merged['impersonate-user'] = impersonate.user;
        if (impersonate.groups?.length) merged['impersonate-group'] = impersonate.groups.join(', ');
      }
      return createClient(transport, {
        ...options,
        headers: merged,
        ...(userAgent && { userAgent }),
        ...(less && { metadataOnly: true }),
      });
    },
  };
  const short: Record<string, (namespace?: string) => unknown> = {};
  for (const [plural, name] of shorthands) short[plural] = namespace => client.resource(name, namespace);
  return Object.assign(short, client) as unknown as Client;
}

function resourceClient<T extends KubeObject>(
  requester: Requester,
  resource: ResourceDescriptor,
  namespace: string | undefined,
  listHeaders: Record<string, string>,
): ResourceClient<T> {
  const base = collectionPath(resource, namespace);
  const path = (name: string, subresource = '') => {
    if (!name) throw new Error(`a ${resource.kind} needs a name`);
    return `${base}/${encodeURIComponent(name)}${subresource && `/${subresource}`}`;
  };
  const identify = (obj: object) => ({ apiVersion: apiVersionOf(resource), kind: resource.kind, ...obj });
  const put = (obj: T, subresource: string, options: WriteOptions = {}) => {
    const own = scoped(obj);
    return requester.json<T>('PUT', `${own}/${encodeURIComponent(obj.metadata.name)}${subresource}`, {
      query: writeQuery(options),
      body: identify(obj),
      signal: options.signal,
    });
  };
  /** Items of Kubernetes' own lists leave out what the list says of them. */
  const name = (item: T) => {
    item.kind ??= resource.kind;
    item.apiVersion ??= apiVersionOf(resource);
  };
  /** An object that names its namespace is written there even when the client was made for all of them. */
  const scoped = (obj: { metadata: { namespace?: string } }) =>
    namespace || !obj.metadata.namespace ? base : collectionPath(resource, obj.metadata.namespace);

  const patch = (at: string, type: PatchType, body: unknown, options: PatchOptions = {}) => {
    const query = writeQuery(options);
    if (options.force) query.set('force', 'true');
    const headers = { 'content-type': patchTypes[type] };
    const target = options.subresource ? `${at}/${options.subresource}` : at;
    return requester.json<T>('PATCH', target, { query, body, headers, signal: options.signal });
  };
  return {
    get: (name, options = {}) =>
      requester.json<T>('GET', path(name), {
        query: options.resourceVersion === undefined ? {} : { resourceVersion: options.resourceVersion },
        signal: options.signal,
      }),
    async list(options = {}) {
      const list = await requester.json<List<T>>('GET', base, {
        query: listQuery(options),
        headers: listHeaders,
        signal: options.signal,
      });
      list.items ??= [];
      if (list.kind === `${resource.kind}List`) for (const item of list.items) name(item);
      return list;
    },
    watch: (options = {}) => watchEvents<T>(requester, base, watchQuery(options), options.signal),
    create: (obj, options = {}) =>
      requester.json<T>('POST', scoped(obj), {
        query: writeQuery(options),
        body: identify(obj),
        signal: options.signal,
      }),
    update: (obj, options) => put(obj, '', options),
    updateStatus: (obj, options) => put(obj, '/status', options),
    patch: (name, type, body, options) => patch(path(name), type, body, options),
    apply(obj, options) {
      const name = obj.metadata.name ?? '';
      if (!name) throw new Error('apply needs a name');
      return patch(`${scoped(obj)}/${encodeURIComponent(name)}`, 'apply', identify(obj), options);
    },
    async delete(name, options = {}) {
      const answer = await requester.json<T | { kind: 'Status' }>('DELETE', path(name), deletion(options));
      return answer && answer.kind !== 'Status' ? (answer as T) : undefined;
    },
    async deleteCollection(options = {}) {
      const { body, signal } = deletion(options);
      await requester.json('DELETE', base, { query: listQuery(options), body, signal });
    },
    getSubresource: (name, subresource, options = {}) => requester.json('GET', path(name, subresource), options),
    updateSubresource: (name, subresource, body, options = {}) =>
      requester.json('PUT', path(name, subresource), { query: writeQuery(options), body, signal: options.signal }),
    createSubresource: (name, subresource, body, options = {}) =>
      requester.json('POST', path(name, subresource), { query: writeQuery(options), body, signal: options.signal }),
  };
}

function writeQuery(options: WriteOptions): URLSearchParams {
  const query = new URLSearchParams();
  if (options.dryRun) query.set('dryRun', 'All');
  if (options.fieldManager) query.set('fieldManager', options.fieldManager);
  if (options.fieldValidation) query.set('fieldValidation', options.fieldValidation);
  return query;
}

function listQuery(options: ListOptions): URLSearchParams {
  const query = new URLSearchParams();
  if (options.labelSelector) query.set('labelSelector', options.labelSelector);
  if (options.fieldSelector) query.set('fieldSelector', options.fieldSelector);
  if (options.limit) query.set('limit', String(options.limit));
  if (options.continue) query.set('continue', options.continue);
  if (options.resourceVersion !== undefined) query.set('resourceVersion', options.resourceVersion);
  if (options.resourceVersionMatch) query.set('resourceVersionMatch', options.resourceVersionMatch);
  return query;
}

function watchQuery(options: WatchOptions): URLSearchParams {
  const query = listQuery(options);
  query.set('watch', 'true');
  if (options.allowWatchBookmarks) query.set('allowWatchBookmarks', 'true');
  if (options.sendInitialEvents !== undefined) query.set('sendInitialEvents', String(options.sendInitialEvents));
  if (options.timeoutSeconds) query.set('timeoutSeconds', String(options.timeoutSeconds));
  return query;
}

function deletion(options: DeleteCallOptions): { body: object | undefined; signal: AbortSignal | undefined } {
  const { dryRun, signal, gracePeriodSeconds, orphanDependents, preconditions, propagationPolicy } = options;
  const fields = {
    ...(dryRun && { dryRun: ['All'] }),
    ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }),
    ...(orphanDependents !== undefined && { orphanDependents }),
    ...(preconditions && { preconditions }),
    ...(propagationPolicy && { propagationPolicy }),
  };
  const body = Object.keys(fields).length > 0 ? { kind: 'DeleteOptions', apiVersion: 'v1', ...fields } : undefined;
  return { body, signal };
}
