/** Everything that is not a resource: discovery, version, health, metrics, documents. */
import type { ApiResponse } from '../../api/transport.ts';
import { errors } from '../../base/errors.ts';
import { utf8 } from '../storage/encoding.ts';
import { compressed } from './compression.ts';
import { groupsOf, serveDiscovery } from './discovery.ts';
import type { Exchange } from './filters.ts';
import type { HealthCheck, HealthServer } from './health.ts';
import { type Negotiated, negotiate, type Offer, wantsPretty } from './negotiation.ts';
import type { OpenApiServer } from './openapi.ts';
import { respond, respondValue } from './output.ts';
import type { Core } from './scope.ts';
import { unknownPath } from './unknown-path.ts';

export const versionInfo = {
  major: '1',
  minor: '35',
  emulationMajor: '1',
  emulationMinor: '35',
  minCompatibilityMajor: '1',
  minCompatibilityMinor: '34',
  gitVersion: 'v1.35.0',
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '2025-12-17T00:00:00Z',
  goVersion: '',
  compiler: '',
  platform: 'linux/amd64',
} as const;

/** The same as the labels of upstream's metric. */
export const buildInfo = {
  major: versionInfo.major,
  minor: versionInfo.minor,
  git_version: versionInfo.gitVersion,
  git_commit: versionInfo.gitCommit,
  git_tree_state: versionInfo.gitTreeState,
  build_date: versionInfo.buildDate,
  go_version: versionInfo.goVersion,
  compiler: versionInfo.compiler,
  platform: versionInfo.platform,
};

export interface NonResourceInputs {
  readonly core: Core;
  readonly checks: readonly HealthCheck[];
  readonly health: HealthServer;
  readonly openApi: OpenApiServer;
  /** HOST:PORT that clients are told to dial. */
  readonly advertised: string | undefined;
  /** Fixed JSON documents by path (OpenID discovery and keys). */
  readonly documents: () => Readonly<Record<string, object>>;
}

const plainOffer: Offer = { shapes: ['object'], formats: ['json'] };

function json(exchange: Exchange): Negotiated {
  const { headers, query } = exchange.request;
  const accept = /json/.test(headers['accept'] ?? '') ? headers['accept'] : undefined;
  return negotiate(accept, wantsPretty(query, headers), plainOffer);
}

export async function serveNonResource(inputs: NonResourceInputs, exchange: Exchange): Promise<ApiResponse> {
  const { core } = inputs;
  const { request } = exchange;
  const path = request.path === '/' ? '/' : request.path.replace(/\/+$/, '');
  const health = await inputs.health.serve(path, request.query);
  if (health) return health;
  if (path === '/version' && request.method !== 'GET' && request.method !== 'HEAD') throw errors.methodNotAllowed();
  if (path === '/version') return respondValue(200, versionInfo, { ...json(exchange), pretty: true });
  if (path === '/metrics') return compressed({ core, request }, exposition(core.metrics.text()));
  if (path === '/metrics/slis') return exposition(inputs.health.text());
  const discovery = serveDiscovery(core.resources, exchange, inputs.advertised);
  if (discovery) return discovery;
  const openApi = await inputs.openApi.serve(exchange, path);
  if (openApi) return path === '/openapi/v2' ? compressed({ core, request }, openApi) : openApi;
  const document = inputs.documents()[path];
  if (document) return openId(path, document, exchange);
  if (path === '/') return respondValue(200, { paths: knownPaths(inputs) }, { ...json(exchange), pretty: true });
  return unknownPath(core.resources, path);
}

/** What tells how tokens are verified may be kept for an hour. */
function openId(path: string, document: object, exchange: Exchange): ApiResponse {
  const keys = path.endsWith('/jwks');
  const media = { ...json(exchange), ...(keys && { contentType: 'application/jwk-set+json' }) };
  const response = respondValue(200, document, media);
  return { ...response, headers: { ...response.headers, 'cache-control': 'public, max-age=3600' } };
}

const exposition = (text: string) => respond(200, 'text/plain; version=0.0.4; charset=utf-8', utf8(text));

function knownPaths({ core, checks, documents }: NonResourceInputs): string[] {
  const paths = [
    '/api',
    '/api/v1',
    '/apis',
    '/apis/',
    '/metrics',
    '/metrics/slis',
    '/openapi/v2',
    '/openapi/v3',
    '/openapi/v3/',
    '/version',
  ];
  for (const { name, versions } of groupsOf(core.resources)) {
    if (name === '') continue;
    paths.push(`/apis/${name}`, ...versions.map(v => `/apis/${name}/${v}`));
  }
  for (const root of ['healthz', 'livez', 'readyz'] as const) {
    paths.push(`/${root}`);
    for (const check of checks) if (check.paths.includes(root)) paths.push(`/${root}/${check.name}`);
  }
  return [...paths, ...Object.keys(documents())].sort();
}
