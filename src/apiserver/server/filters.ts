/** Every request passes these filters, in this order. */

import type { ApiRequest, ApiResponse, UserInfo } from '../../api/transport.ts';
import { ApiError, errors, messageOf } from '../../base/errors.ts';
import { uuid } from '../../base/random.ts';
import type { Environment } from '../../controller/contract.ts';
import { healthPaths } from '../auth/authenticators/basic.ts';
import type { Attributes, Authorizer } from '../auth/contract.ts';
import { forbiddenError } from '../auth/forbidden.ts';
import { impersonate } from '../auth/impersonation.ts';
import { toApiError } from '../storage/object-store.ts';
import type { Fairness } from './fairness.ts';
import { guardFilter } from './guard.ts';

import { type Negotiated, negotiate, wantsPretty } from './negotiation.ts';
import { plainJson, statusResponse } from './output.ts';
import { type RequestInfo, requestInfo } from './request-info.ts';

/** What filters learn about a request on its way in. */
export interface Exchange {
  readonly request: ApiRequest;
  readonly id: string;
  readonly info: RequestInfo;
  readonly user: UserInfo;
  /** The user who authenticated, when another one is impersonated. */
  readonly impersonator?: UserInfo;
  readonly warnings: string[];
  readonly annotations: Map<string, string>;
  /** Sent with the response, whatever it is. */
  readonly headers: Record<string, string>;
}
export type Handle = (exchange: Exchange) => Promise<ApiResponse>;
export interface Filter {
  readonly name: string;
  wrap(next: Handle): Handle;
}

/** The seam for audit: called when a response is ready or a request failed. */
export interface AuditSink {
  record(exchange: Exchange, status: number, elapsedMs: number): void;
}

export interface FilterInputs extends Environment {
  /** Throws 401. */
  authenticate(request: ApiRequest): Promise<UserInfo>;
  readonly authorizer: () => Authorizer;
  readonly fairness: Fairness;
  readonly audit: AuditSink | undefined;
}

const nobody: UserInfo = { name: '', groups: [] };

function filters(inputs: FilterInputs): readonly Filter[] {
  return [
    requestInfoFilter,
    guardFilter(inputs, (request, thrown) => errorResponse(request, thrown, inputs)),
    timeoutFilter(inputs),
    authenticationFilter(inputs),
    auditFilter(inputs),
    impersonationFilter(inputs),
    inputs.fairness.filter,
    authorizationFilter(inputs),
  ];
}

/** The chain as one function. Never rejects. */
export function chain(inputs: FilterInputs, last: Handle): (request: ApiRequest) => Promise<ApiResponse> {
  let handle = last;
  for (const filter of [...filters(inputs)].reverse()) handle = filter.wrap(handle);
  const idOf = auditIds(inputs);
  return async request => {
    const warnings: string[] = [];
    const id = idOf(request);
    try {
      const headers = {};
      const annotations = new Map();
      const exchange: Exchange = { request, id, info: noInfo, user: nobody, warnings, annotations, headers };
      const response = await handle(exchange);
      Object.assign(response.headers, headers);
      return finish(response, warnings, id);
    } catch (e) {
      return finish(errorResponse(request, e, inputs), warnings, id);
    }
  };
}

const noInfo: RequestInfo = {
  isResource: false,
  verb: '',
  prefix: '',
  group: '',
  version: '',
  namespace: '',
  resource: '',
  subresource: '',
  name: '',
  rest: [],
  path: '',
};

/** Ids that are unique to this server's life: random once, then counted. */
function auditIds({ random }: Environment): (request: ApiRequest) => string {
  const base = uuid(random).slice(0, 24);
  let count = random.int(2 ** 31);
  return request => {
    const given = request.headers['audit-id'];
    if (given && /^[\w-]{1,64}$/.test(given)) return given;
    count += 1;
    return base + count.toString(16).padStart(12, '0');
  };
}

function finish(response: ApiResponse, warnings: readonly string[], id: string): ApiResponse {
  const { headers } = response;
  headers['audit-id'] ??= id;
  headers['cache-control'] ??= 'no-cache, private';
  if (warnings.length > 0) headers['warning'] = warnings.map(warningHeader).join(', ');
  return response;
}

const warningLimit = 256;
function warningHeader(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: header values may not hold them
  const clean = text.replace(/[\x00-\x1f\x7f]+/g, ' ').replace(/[^\x20-\x7e]/g, '?');
  const cut = clean.length > warningLimit * 4 ? `${clean.slice(0, warningLimit * 4)}...` : clean;
  return `299 - ${JSON.stringify(cut)}`;
}

function errorMedia(request: ApiRequest): Negotiated {
  try {
    return negotiate(request.headers['accept'], wantsPretty(request.query, request.headers), {
      shapes: ['object', 'table', 'partial', 'partial-list', 'discovery'],
      formats: ['json', 'yaml', 'protobuf'],
    });
  } catch {
    return plainJson;
  }
}

function errorResponse(request: ApiRequest, thrown: unknown, { log }: Environment): ApiResponse {
  const e = toApiError(thrown);
  if (e instanceof ApiError) return statusResponse(e.status, errorMedia(request));
  if (!request.signal.aborted)
    log.error('a request failed unexpectedly', {
      method: request.method,
      path: request.path,
      error: e instanceof Error ? (e.stack ?? e.message) : String(e),
    });
  return statusResponse(errors.internal(messageOf(e)).status, errorMedia(request));
}

const requestInfoFilter: Filter = {
  name: 'request-info',
  wrap: next => exchange => next({ ...exchange, info: requestInfo(exchange.request) }),
};

const requestTimeoutMs = 60_000;
const longRunning = new Set(['exec', 'attach', 'portforward', 'proxy', 'log']);

/** Requests that are not long-running get an answer within a minute. */
function timeoutFilter({ clock }: FilterInputs): Filter {
  return {
    name: 'timeout',
    wrap: next => exchange => {
      const { info } = exchange;
      if (info.verb === 'watch' || longRunning.has(info.subresource)) return next(exchange);
      return new Promise((resolve, reject) => {
        const timer = clock.setTimer(
          () => reject(errors.timeout('request did not complete within the allotted timeout')),
          requestTimeoutMs,
          { background: true },
        );
        next(exchange).then(
          response => {
            timer.cancel();
            resolve(response);
          },
          e => {
            timer.cancel();
            reject(e);
          },
        );
      });
    },
  };
}

function authenticationFilter({ authenticate }: FilterInputs): Filter {
  return {
    name: 'authentication',
    wrap: next => async exchange => {
      const user = await authenticate(exchange.request);
      return next({ ...exchange, user });
    },
  };
}

function auditFilter({ audit, clock }: FilterInputs): Filter {
  return {
    name: 'audit',
    wrap: next => {
      if (!audit) return next;
      return async exchange => {
        const started = clock.monotonic();
        let status = 500;
        try {
          const response = await next(exchange);
          status = response.status;
          return response;
        } catch (e) {
          status = e instanceof ApiError ? e.code : 500;
          throw e;
        } finally {
          audit.record(exchange, status, clock.monotonic() - started);
        }
      };
    },
  };
}

function impersonationFilter({ authorizer }: FilterInputs): Filter {
  return {
    name: 'impersonation',
    wrap: next => async exchange => {
      const user = await impersonate(exchange.request, exchange.user, authorizer());
      return next(user ? { ...exchange, user, impersonator: exchange.user } : exchange);
    },
  };
}

const alwaysAllowed = new Set(healthPaths);

function attributesOf(user: UserInfo, info: RequestInfo, query: URLSearchParams): Attributes {
  const fieldSelector = query.get('fieldSelector');
  const labelSelector = query.get('labelSelector');
  return {
    user,
    verb: info.verb,
    group: info.group,
    version: info.version,
    resource: info.resource,
    subresource: info.subresource,
    namespace: info.namespace,
    name: info.name,
    isResource: info.isResource,
    path: info.path,
    ...(fieldSelector && { fieldSelector }),
    ...(labelSelector && { labelSelector }),
  };
}

function authorizationFilter({ authorizer }: FilterInputs): Filter {
  return {
    name: 'authorization',
    wrap: next => async exchange => {
      const { info, user, request } = exchange;
      if (!info.isResource && alwaysAllowed.has(info.path)) return next(exchange);
      const attributes = attributesOf(user, info, request.query);
      const { result, reason } = await authorizer().authorize(attributes);
      if (result !== 'allow') throw forbiddenError(attributes, reason);
      return next(exchange);
    },
  };
}
