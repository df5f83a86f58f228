/** Every request passes these filters, in this order. */

import { parseGoDuration } from '../../api/duration.ts';
import type { ApiRequest, ApiResponse, Handler, UserInfo } from '../../api/transport.ts';
import { type Awaitable, after, settle } from '../../base/awaitable.ts';
import { ApiError, errors, messageOf } from '../../base/errors.ts';
import { uuid } from '../../base/random.ts';
import type { Environment } from '../../controller/contract.ts';
import { healthPaths } from '../auth/authenticators/basic.ts';
import type { Attributes, Authorizer } from '../auth/contract.ts';
import { forbiddenError } from '../auth/forbidden.ts';
import { impersonate } from '../auth/impersonation.ts';
import { toApiError } from '../storage/object-store.ts';
import type { Fairness } from './fairness.ts';
import { type GuardInputs, guardFilter } from './guard.ts';

import { type Negotiated, negotiate, type Offer, wantsPretty } from './negotiation.ts';
import { plainJson, statusResponse } from './output.ts';
import { type RequestInfo, requestInfo } from './request-info.ts';

/** What filters learn about a request on its way in. Only they change it, each the part that it is about. */
export interface Exchange {
  readonly request: ApiRequest;
  readonly id: string;
  info: RequestInfo;
  user: UserInfo;
  /** The user who authenticated, when another one is impersonated. */
  impersonator: UserInfo | undefined;
  readonly warnings: string[];
  readonly annotations: Map<string, string>;
  /** Sent with the response, whatever it is. */
  readonly headers: Record<string, string>;
}
export type Handle = (exchange: Exchange) => Awaitable<ApiResponse>;
export interface Filter {
  readonly name: string;
  wrap(next: Handle): Handle;
}

/** The seam for audit: called when a response is ready or a request failed. */
export interface AuditSink {
  record(exchange: Exchange, status: number, elapsedMs: number): void;
}

export interface FilterInputs extends GuardInputs {
  /** Throws 401. */
  authenticate(request: ApiRequest): Awaitable<UserInfo>;
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
export function chain(inputs: FilterInputs, last: Handle): Handler {
  let handle = last;
  for (const filter of [...filters(inputs)].reverse()) handle = filter.wrap(handle);
  const idOf = auditIds(inputs);
  return request => {
    const warnings: string[] = [];
    const id = idOf(request);
    const headers = {};
    const exchange: Exchange = {
      request,
      id,
      info: noInfo,
      user: nobody,
      impersonator: undefined,
      warnings,
      annotations: new Map(),
      headers,
    };
    return settle(
      () => handle(exchange),
      response => {
        Object.assign(response.headers, headers);
        return finish(response, warnings, id);
      },
      e => finish(errorResponse(request, e, inputs), warnings, id),
    );
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

/** A Status is never transformed (responsewriters.ErrorNegotiated). */
const statusOffer: Offer = { shapes: ['object'], formats: ['json', 'yaml', 'protobuf'] };

function errorMedia(request: ApiRequest): Negotiated {
  try {
    return negotiate(request.headers['accept'], wantsPretty(request.query, request.headers), statusOffer);
  } catch {
    return { ...plainJson, pretty: true };
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
  wrap: next => exchange => {
    exchange.info = requestInfo(exchange.request);
    return next(exchange);
  },
};

const requestTimeoutMs = 60_000;
const longRunning = new Set(['exec', 'attach', 'portforward', 'proxy', 'log']);

/** Clients may ask for less time, never for more (WithRequestDeadline). Throws 400. */
function timeLimit(query: URLSearchParams): number {
  const asked = query.get('timeout');
  if (!asked) return requestTimeoutMs;
  try {
    const ms = parseGoDuration(asked);
    return ms > 0 && ms < requestTimeoutMs ? ms : requestTimeoutMs;
  } catch (e) {
    throw errors.badRequest(`invalid timeout specified in the request URL - ${messageOf(e)}`);
  }
}

/** Requests that are not long-running get an answer within a minute. */
function timeoutFilter({ clock }: FilterInputs): Filter {
  return {
    name: 'timeout',
    wrap: next => exchange => {
      const { info } = exchange;
      if (info.verb === 'watch' || longRunning.has(info.subresource)) return next(exchange);
      const limit = timeLimit(exchange.request.query);
      const answer = next(exchange);
      if (!(answer instanceof Promise)) return answer;
      return new Promise((resolve, reject) => {
        const timer = clock.setTimer(
          () => reject(errors.timeout('request did not complete within the allotted timeout')),
          limit,
          { background: true },
        );
        answer.then(
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
    wrap: next => exchange =>
      after(authenticate(exchange.request), user => {
        exchange.user = user;
        return next(exchange);
      }),
  };
}

function auditFilter({ audit, clock }: FilterInputs): Filter {
  return {
    name: 'audit',
    wrap: next => {
      if (!audit) return next;
      return exchange => {
        const started = clock.monotonic();
        const record = (status: number) => audit.record(exchange, status, clock.monotonic() - started);
        return settle(
          () => next(exchange),
          response => {
            record(response.status);
            return response;
          },
          e => {
            record(e instanceof ApiError ? e.code : 500);
            throw e;
          },
        );
      };
    },
  };
}

function impersonationFilter({ authorizer }: FilterInputs): Filter {
  return {
    name: 'impersonation',
    wrap: next => exchange =>
      after(impersonate(exchange.request, exchange.user, authorizer()), user => {
        if (user) {
          exchange.impersonator = exchange.user;
          exchange.user = user;
        }
        return next(exchange);
      }),
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
    wrap: next => exchange => {
      const { info, user, request } = exchange;
      if (!info.isResource && alwaysAllowed.has(info.path)) return next(exchange);
      const attributes = attributesOf(user, info, request.query);
      return after(authorizer().authorize(attributes), ({ result, reason }) => {
        if (result !== 'allow') throw forbiddenError(attributes, reason);
        return next(exchange);
      });
    },
  };
}
