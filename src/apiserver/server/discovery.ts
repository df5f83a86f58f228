/** What there is to ask for: legacy and aggregated discovery, both derived from the table of served resources. */
import { apiVersionOf, type GroupVersionKind } from '../../api/schema.ts';
import type { ApiResponse } from '../../api/transport.ts';
import { errors } from '../../base/errors.ts';
import type { Exchange } from './filters.ts';
import { groupRank } from './group-priorities.ts';
import { type Negotiated, negotiate, type Offer, representations, wantsPretty } from './negotiation.ts';
import { respondValue } from './output.ts';
import { compareVersions, type ResourceTable } from './resources.ts';
import type { Served } from './scope.ts';
import { storageVersionHash } from './storage-version-hash.ts';
import { unknownPath } from './unknown-path.ts';

export interface GroupFacts {
  readonly name: string;
  /** Preferred first. */
  readonly versions: readonly string[];
}

export function groupsOf(resources: ResourceTable): GroupFacts[] {
  const versions = new Map<string, Set<string>>();
  for (const { info } of resources.all()) {
    const known = versions.get(info.group);
    if (known) known.add(info.version);
    else versions.set(info.group, new Set([info.version]));
  }
  return [...versions]
    .map(([name, set]) => ({ name, versions: [...set].sort(compareVersions) }))
    .sort((a, b) => groupRank(b.name) - groupRank(a.name) || (a.name < b.name ? -1 : 1));
}

function apiGroup({ name, versions }: GroupFacts): object {
  const list = versions.map(version => ({ groupVersion: `${name}/${version}`, version }));
  return { name, versions: list, preferredVersion: list[0] };
}

const sortedVerbs = (verbs: readonly string[]) => [...verbs].sort();
/** Those of custom resources come in this order, and fewer while their definition goes. */
const customVerbs = ['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update', 'watch'];
const goingVerbs = ['delete', 'deletecollection', 'get', 'list', 'watch'];
function verbsOf({ info, custom }: Served): readonly string[] {
  if (!custom) return sortedVerbs(info.verbs);
  return custom.acceptsCreates ? customVerbs : goingVerbs;
}

function legacyResources(resources: ResourceTable, served: Served): object[] {
  const { info } = served;
  const { plural, singular, namespaced, kind, shortNames, categories } = info;
  const hash = storageVersionHash(resources, served);
  const main = {
    name: plural,
    singularName: singular,
    namespaced,
    kind,
    verbs: verbsOf(served),
    ...(shortNames?.length && { shortNames }),
    ...(categories?.length && { categories }),
    ...(hash && { storageVersionHash: hash }),
  };
  const subs = Object.entries(info.subresources).map(([name, sub]) => ({
    name: `${plural}/${name}`,
    singularName: '',
    namespaced,
    ...((sub.group !== info.group || sub.version !== info.version) && { group: sub.group, version: sub.version }),
    kind: sub.kind,
    verbs: sortedVerbs(sub.verbs),
  }));
  return [main, ...subs];
}

function aggregatedResource(served: Served): object {
  const { info, custom } = served;
  const { group, version, kind, plural, singular, namespaced, shortNames, categories } = info;
  // Built-in kinds leave out the group version that they stand under (ConvertGroupVersionIntoToDiscovery).
  const responseKind = (of: GroupVersionKind) =>
    !custom && of.group === group && of.version === version
      ? { group: '', version: '', kind: of.kind }
      : { group: of.group, version: of.version, kind: of.kind };
  const subresources = Object.entries(info.subresources).map(([subresource, sub]) => ({
    subresource,
    responseKind: responseKind(sub),
    verbs: sortedVerbs(sub.verbs),
  }));
  return {
    resource: plural,
    responseKind: responseKind({ group, version, kind }),
    scope: namespaced ? 'Namespaced' : 'Cluster',
    singularResource: singular,
    verbs: verbsOf(served),
    ...(shortNames?.length && { shortNames }),
    ...(categories?.length && { categories }),
    ...(subresources.length > 0 && { subresources }),
  };
}

function aggregated(resources: ResourceTable, legacy: boolean): object {
  const groups = groupsOf(resources).filter(g => (g.name === '') === legacy);
  const items = groups.map(({ name, versions }) => ({
    metadata: name ? { name } : {},
    versions: versions.map(version => ({
      version,
      resources: resources
        .all()
        .filter(({ info }) => info.group === name && info.version === version)
        .map(aggregatedResource),
      freshness: 'Current',
    })),
  }));
  return { kind: 'APIGroupDiscoveryList', apiVersion: 'apidiscovery.k8s.io/v2', metadata: {}, items };
}

const offer: Offer = { shapes: ['object'], formats: ['json', 'yaml', 'protobuf'], produces: representations.one };
const rootOffer: Offer = { ...offer, shapes: ['object', 'discovery'] };

function chosen({ request }: Exchange, from: Offer): Negotiated {
  return negotiate(request.headers['accept'], wantsPretty(request.query, request.headers), from);
}

/**
 * Answers for /api, /apis and below, down to the lists of resources. Undefined for other paths. `advertised` is what clients are told to
 * dial; absent: what this one did.
 */
export function serveDiscovery(
  resources: ResourceTable,
  exchange: Exchange,
  advertised: string | undefined,
): ApiResponse | undefined {
  const answer = discoveryAt(resources, exchange, advertised);
  const reads = exchange.request.method === 'GET' || exchange.request.method === 'HEAD';
  if (answer && answer.status < 400 && !reads) throw errors.methodNotAllowed();
  return answer;
}

function discoveryAt(
  resources: ResourceTable,
  exchange: Exchange,
  advertised: string | undefined,
): ApiResponse | undefined {
  const parts = exchange.request.path.split('/').filter(part => part !== '');
  const [root, second, third] = parts;
  if (root !== 'api' && root !== 'apis') return undefined;
  if (parts.length === 1)
    return root === 'api' ? serveCore(resources, exchange, advertised) : serveGroups(resources, exchange);
  if (root === 'api') return parts.length === 2 ? serveVersion(resources, exchange, '', second ?? '') : undefined;
  if (parts.length === 2) return serveGroup(resources, exchange, second ?? '');
  return parts.length === 3 ? serveVersion(resources, exchange, second ?? '', third ?? '') : undefined;
}

/** JSON of the oldest answers goes without a version; protobuf always says it. */
function respondMeta(value: object, media: Negotiated): ApiResponse {
  return respondValue(200, media.format === 'protobuf' ? { apiVersion: 'v1', ...value } : value, media);
}

function serveCore(resources: ResourceTable, exchange: Exchange, advertised: string | undefined): ApiResponse {
  const media = chosen(exchange, rootOffer);
  if (media.shape === 'discovery') return withEtag(exchange, respondValue(200, aggregated(resources, true), media));
  const serverAddress = advertised ?? exchange.request.headers['host'] ?? '';
  return respondMeta(
    { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress }] },
    media,
  );
}

function serveGroups(resources: ResourceTable, exchange: Exchange): ApiResponse {
  const media = chosen(exchange, rootOffer);
  if (media.shape === 'discovery') return withEtag(exchange, respondValue(200, aggregated(resources, false), media));
  const groups = groupsOf(resources).filter(g => g.name !== '');
  return respondMeta({ kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map(apiGroup) }, media);
}

function serveGroup(resources: ResourceTable, exchange: Exchange, name: string): ApiResponse {
  const facts = groupsOf(resources).find(g => g.name === name);
  if (!facts) return unknownPath(resources, exchange.request.path);
  return respondMeta({ kind: 'APIGroup', apiVersion: 'v1', ...apiGroup(facts) }, chosen(exchange, offer));
}

function serveVersion(resources: ResourceTable, exchange: Exchange, group: string, version: string): ApiResponse {
  if (!resources.hasGroupVersion(group, version)) return unknownPath(resources, exchange.request.path);
  const list = resources.all().filter(({ info }) => info.group === group && info.version === version);
  const value = {
    kind: 'APIResourceList',
    // The oldest group's list goes without.
    ...(group && { apiVersion: 'v1' }),
    groupVersion: apiVersionOf({ group, version }),
    resources: list.flatMap(served => legacyResources(resources, served)),
  };
  return respondMeta(value, chosen(exchange, offer));
}

/** FNV-1a, twice with different seeds: clients only compare. */
function hash(bytes: Uint8Array): string {
  let a = 0x811c9dc5;
  let b = 0x01000193;
  for (const byte of bytes) {
    a = Math.imul(a ^ byte, 0x01000193);
    b = Math.imul(b ^ byte, 0x85ebca6b);
  }
  return (a >>> 0).toString(16).padStart(8, '0') + (b >>> 0).toString(16).padStart(8, '0');
}

/** Lets clients skip what they know: 304 for a matching If-None-Match. */
function withEtag({ request }: Exchange, response: ApiResponse): ApiResponse {
  if (!(response.body instanceof Uint8Array)) return response;
  const caching = {
    etag: `"${hash(response.body).toUpperCase()}"`,
    vary: 'Accept',
    'cache-control': 'public',
  };
  if (request.headers['if-none-match'] === caching.etag) return { status: 304, headers: caching };
  return { ...response, headers: { ...response.headers, ...caching } };
}
