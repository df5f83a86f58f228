/** From a request that passed the filters to its handler. */
import type { ApiResponse } from '../../api/transport.ts';
import { type Awaitable, after } from '../../base/awaitable.ts';
import { errors } from '../../base/errors.ts';
import { createBinding } from './binding.ts';
import { componentStatusVerbs } from './component-status.ts';
import { compressed } from './compression.ts';
import { createObject } from './create.ts';
import { deleteCollection, deleteObject } from './delete.ts';
import type { Exchange } from './filters.ts';
import { patchObject } from './patch.ts';
import { getObject, listObjects } from './read.ts';
import type { RequestInfo } from './request-info.ts';
import type { Core, Scope, Served, VerbHandler } from './scope.ts';
import { subresourceHandler } from './subresources.ts';
import { unknownPath } from './unknown-path.ts';
import { updateObject } from './update.ts';
import { watchObjects } from './watch.ts';

const verbs: Readonly<Record<string, VerbHandler>> = {
  get: getObject,
  list: listObjects,
  watch: watchObjects,
  create: createObject,
  update: updateObject,
  patch: patchObject,
  delete: deleteObject,
  deletecollection: deleteCollection,
};

/** Kinds that are not stored and no reviews, by "group/plural". */
const unstored: Readonly<Record<string, Readonly<Record<string, VerbHandler>>>> = {
  '/bindings': { create: createBinding },
  '/componentstatuses': componentStatusVerbs,
};

const warningsLimit = 50;

function scopeOf(core: Core, exchange: Exchange): Scope {
  const { request, info, user, warnings, annotations } = exchange;
  return {
    core,
    request,
    info,
    user,
    warnings,
    annotations,
    warn(text) {
      if (warnings.length < warningsLimit && !warnings.includes(text)) warnings.push(text);
    },
  };
}

/** Serves a request for a resource. Throws 404 and 405 for what there is not. */
export function serveResource(core: Core, exchange: Exchange): Awaitable<ApiResponse> {
  const { info } = exchange;
  const served = core.resources.find(info.group, info.version, info.resource);
  if (!served || outOfScope(served, info)) return unknownPath(core.resources, info.path);
  const scope = scopeOf(core, exchange);
  if (served.strategy.deprecation) tellDeprecated(scope, served.strategy.deprecation);
  const refused = () =>
    served.custom
      ? errors.methodNotSupported({ group: info.group, resource: info.resource }, info.verb)
      : errors.methodNotAllowed();
  // Routes of built-in kinds are for GET only.
  if (exchange.request.method === 'HEAD' && !served.custom && info.subresource !== 'proxy') throw refused();
  if (info.subresource) {
    const handler = subresourceHandler(served, info, exchange.request.method);
    if (handler) return handler(scope, served);
    if (Object.hasOwn(served.info.subresources, info.subresource)) throw refused();
    throw served.custom
      ? errors.notFound({ group: info.group, resource: info.resource }, info.name)
      : errors.unknownPath();
  }
  const handlers = served.store ? verbs : (unstored[`${info.group}/${info.resource}`] ?? verbs);
  const handler = handlers[info.verb];
  if (!handler || !served.info.verbs.includes(info.verb) || misplaced(served, info)) throw refused();
  const answer = handler(scope, served);
  if (info.verb !== 'get' && info.verb !== 'list') return answer;
  return after(answer, response => compressed(scope, response));
}

function tellDeprecated(scope: Scope, text: string): void {
  scope.warn(text);
  const { group, version, resource, subresource } = scope.info;
  scope.core.metrics
    .gauge('apiserver_requested_deprecated_apis', 'Deprecated kinds that somebody asked for.')
    .set(1, { group, version, resource, subresource, removed_release: '' });
}

/** Namespaced objects have a namespace in their path, and others none. */
function outOfScope({ info: { namespaced, plural } }: Served, { namespace, name, verb }: RequestInfo): boolean {
  if (namespaced) return namespace === '' && name !== '' && !listVerbs.has(verb);
  return namespace !== '' && plural !== 'namespaces';
}

/** Collections are created in, objects are written and deleted: no other way round, and not across namespaces. */
function misplaced(served: Served, { verb, name, namespace }: RequestInfo): boolean {
  if (verb === 'create') return name !== '' || (served.info.namespaced && namespace === '');
  return (verb === 'update' || verb === 'patch') && name === '';
}

const listVerbs = new Set(['list', 'watch', 'deletecollection']);
