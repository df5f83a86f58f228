/** The API server: one function from requests to responses, over a store. Sockets are the business of `http/`. */
import type { Unstructured } from '../api/object.ts';
import type { ApiRequest, ApiResponse, Handler, Transport, UserInfo } from '../api/transport.ts';
import { errors } from '../base/errors.ts';
import { uuid } from '../base/random.ts';
import { createClient } from '../client/client.ts';
import type { Client } from '../client/contract.ts';
import { inProcessTransport } from '../client/in-process.ts';
import type { Environment } from '../controller/contract.ts';
import type { Store } from '../store/contract.ts';
import type { AdmissionPlugin } from './admission/contract.ts';
import { certificateAuthenticator, peerAuthenticator } from './auth/authenticators/basic.ts';
import type { Authenticator, Authorizer } from './auth/contract.ts';
import { privilegedGroupAuthorizer } from './auth/forbidden.ts';
import type { Strategy } from './registry/strategy.ts';
import { createBookmarks } from './server/bookmarks.ts';
import { builtinServed, corePlurals, storageFor } from './server/builtin.ts';
import { serveResource } from './server/dispatch.ts';
import { createFairness } from './server/fairness.ts';
import { type AuditSink, chain, type Exchange } from './server/filters.ts';
import { createResourceTable } from './server/resources.ts';
import type { Core, Virtual } from './server/scope.ts';
import { createCacher } from './storage/cacher.ts';
import { leaseManager } from './storage/leases.ts';

/** What decides who may do what. Built when the server starts, over its own loopback client. */
export interface Security {
  readonly authenticators: readonly Authenticator[];
  readonly authorizer: Authorizer;
  readonly admission: readonly AdmissionPlugin[];
  /** Answers for kinds that are not stored, by "group/plural". */
  readonly reviews?: Readonly<Record<string, Virtual>>;
  /** Answers serviceaccounts/token: the account and the TokenRequest to the TokenRequest with its status. */
  readonly issueToken?: (account: Unstructured, request: Unstructured) => Promise<Unstructured>;
  /** Called when the kinds are served: fills what decisions are made from. Until it resolves the server is not ready. */
  readonly start?: () => Promise<void>;
  readonly close?: () => void;
}

export interface ApiServerOptions extends Environment {
  readonly store: Store;
  readonly strategies: readonly Strategy[];
  /** Absent: client certificates and the loopback user, and only system:masters may do anything. */
  readonly security?: (environment: Environment & { client: Client }) => Security | Promise<Security>;
  readonly audit?: AuditSink;
  readonly gzip?: Core['gzip'];
}

export interface ApiServer {
  readonly handle: Handler;
  /** In-process, as system:apiserver in system:masters. */
  readonly loopback: Transport;
  /** Loads the store. Requests before that are answered with 503. */
  start(): Promise<void>;
  close(): Promise<void>;
}

export const loopbackUser: UserInfo = { name: 'system:apiserver', groups: ['system:masters'] };

export function createApiServer(options: ApiServerOptions): ApiServer {
  const { store, clock, random, log, metrics } = options;
  const stopping = new AbortController();
  const cacher = createCacher({ store, clock, log, corePlurals });
  const resources = createResourceTable();
  const storage = storageFor({ store, cacher, lease: leaseManager(store, clock) });
  let security: Security = {
    authenticators: [peerAuthenticator, certificateAuthenticator],
    authorizer: privilegedGroupAuthorizer,
    admission: [],
  };
  const core: Core = {
    clock,
    random,
    log,
    metrics,
    store,
    cacher,
    resources,
    bookmarks: createBookmarks(clock),
    get admission() {
      return security.admission;
    },
    get authorizer() {
      return security.authorizer;
    },
    identity: uuid(random),
    loopback: request => handle(request),
    gzip: options.gzip,
    stopping: stopping.signal,
  };
  const fairness = createFairness(options);
  const handle = chain(
    {
      clock,
      random,
      log,
      metrics,
      authenticators: () => security.authenticators,
      authorizer: () => security.authorizer,
      fairness,
      audit: options.audit,
    },
    exchange => route(core, exchange),
  );
  const loopback = inProcessTransport(handle, loopbackUser);
  return {
    handle,
    loopback,
    async start() {
      await cacher.start();
      const client = createClient(loopback);
      if (options.security) security = await options.security({ clock, random, log, metrics, client });
      const { strategies } = options;
      for (const served of builtinServed({ strategies, hooks: {}, virtual: security.reviews ?? {}, storage }))
        resources.set(served);
      await security.start?.();
    },
    async close() {
      stopping.abort(new Error('the server is stopping'));
      security.close?.();
      await loopback.close();
      await cacher.close();
    },
  };
}

async function route(core: Core, exchange: Exchange): Promise<ApiResponse> {
  if (exchange.info.isResource) return serveResource(core, exchange);
  throw errors.unknownPath();
}

export type { ApiRequest };
