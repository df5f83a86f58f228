import type { Docs } from '../api/openapi/index.ts';
import type { ApiResponse, Handler, Transport, UserInfo } from '../api/transport.ts';
import type { Awaitable } from '../base/awaitable.ts';
import { errors } from '../base/errors.ts';
import { uuid } from '../base/random.ts';
import { createClient } from '../client/client.ts';
import { inProcessTransport } from '../client/in-process.ts';
import type { Environment } from '../controller/contract.ts';
import type { Store } from '../store/contract.ts';
import { ensureSystemPriorityClasses } from './admission/priority.ts';
import {
  anonymousAuthenticator,
  authenticate,
  certificateAuthenticator,
  peerAuthenticator,
} from './auth/authenticators/basic.ts';
import { privilegedGroupAuthorizer } from './auth/forbidden.ts';
import { ensureSystemNamespaces } from './bootstrap.ts';
import type { Dialer } from './connect/dialer.ts';
import { apiServiceSync } from './extensions/api-services.ts';
import { createDefinitionController } from './extensions/controller.ts';
import { definitionHooks } from './extensions/hooks.ts';
import { signingRequestHooks } from './registry/certificates/hooks.ts';
import { claimHooks, claimTemplateHooks } from './registry/resource/hooks.ts';
import type { Strategy } from './registry/strategy.ts';
import { createBookmarks } from './server/bookmarks.ts';
import { createBroadcasts } from './server/broadcast.ts';
import { builtinServed, corePlurals, storageFor } from './server/builtin.ts';
import { serveResource } from './server/dispatch.ts';
import { createFairness, defaultFairness } from './server/fairness.ts';
import { type AuditSink, chain, type Exchange } from './server/filters.ts';
import type { SizeOf } from './server/flow-control/width.ts';
import { followFlowControl } from './server/follow-flow-control.ts';
import { allHealthPaths, createHealthServer, type HealthCheck, startHooks } from './server/health.ts';
import { buildInfo, type NonResourceInputs, serveNonResource, versionInfo } from './server/nonresource.ts';
import { createOpenApiServer } from './server/openapi.ts';
import { createResourceTable } from './server/resources.ts';
import type { Core, Hooks, Virtual } from './server/scope.ts';
import type { Security, SecurityEnvironment } from './server/security-contract.ts';
import { defaultServiceCidrs, serviceMachinery } from './services/index.ts';
import { defaultNodePorts, type PortRange } from './services/ports.ts';
import { createCacher } from './storage/cacher.ts';
import { leaseManager } from './storage/leases.ts';

export interface ApiServerOptions extends Environment {
  readonly store: Store;
  readonly strategies: readonly Strategy[];
  /** Absent: client certificates and the loopback user, and only system:masters may do anything. */
  readonly security?: (environment: SecurityEnvironment) => Security | Promise<Security>;
  readonly audit?: AuditSink;
  readonly gzip?: Core['gzip'];
  /** When watchers are told: once everything at hand has been seen to, so that it goes out together. Default: at once. */
  readonly atEndOfTurn?: (fn: () => void) => void;
  /** Ranges of cluster IPs, the first family first; default 10.96.0.0/16. */
  readonly serviceCidrs?: readonly string[];
  readonly nodePortRange?: PortRange;
  /** What the `kubernetes` service leads to. Absent: it is not kept. */
  readonly advertise?: { readonly address: string; readonly port: number };
  /** Field texts for `kubectl explain`. */
  readonly docs?: () => Promise<Docs>;
  /** Reaches nodes, pods and services; absent: logs, exec and proxies answer 503. */
  readonly dialer?: Dialer;
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
    authenticate: request =>
      authenticate([peerAuthenticator, certificateAuthenticator, anonymousAuthenticator()], request),
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
    broadcasts: createBroadcasts(options.atEndOfTurn ?? queueMicrotask),
    get admission() {
      return security.admission;
    },
    get authorizer() {
      return security.authorizer;
    },
    identity: uuid(random),
    loopback: request => handle(request),
    gzip: options.gzip,
    dialer: options.dialer,
    get issueToken() {
      return security.issueToken;
    },
    stopping: stopping.signal,
  };
  const loopback = inProcessTransport(core.loopback, loopbackUser);
  const client = createClient(loopback);
  const services = serviceMachinery({ core, client, storage, range: options.nodePortRange ?? defaultNodePorts });
  const hooks: Readonly<Record<string, Hooks>> = {
    'apiextensions.k8s.io/customresourcedefinitions': definitionHooks,
    'certificates.k8s.io/certificatesigningrequests': signingRequestHooks,
    'resource.k8s.io/resourceclaims': claimHooks,
    'resource.k8s.io/resourceclaimtemplates': claimTemplateHooks,
    '/services': services.hooks,
  };
  const syncApiServices = apiServiceSync(core, client);
  const secure = options.security;
  const starting = startHooks([
    {
      name: 'start-apiextensions-controllers',
      run: () => createDefinitionController({ core, client, storage, syncApiServices }).start(),
    },
    { name: 'start-system-namespaces-controller', run: () => ensureSystemNamespaces(client) },
    { name: 'scheduling/bootstrap-system-priority-classes', run: () => ensureSystemPriorityClasses(client) },
    {
      name: 'priority-and-fairness-config-consumer',
      async run() {
        await followFlowControl(options, client, fairness, stopping.signal);
        fairness.start(stopping.signal);
      },
    },
    { name: 'kube-apiserver-autoregistration', run: syncApiServices },
    {
      name: 'bootstrap-controller',
      run: () => services.start({ ...options, serviceCidrs: options.serviceCidrs ?? defaultServiceCidrs }),
    },
    ...(secure ? [{ name: 'rbac/bootstrap-roles', run: () => bootstrapSecurity(secure) }] : []),
  ]);
  async function bootstrapSecurity(make: NonNullable<typeof secure>): Promise<void> {
    const made = await make({ clock, random, log, metrics, client });
    await made.start?.();
    security = made;
  }
  const checks = healthChecks(core, starting.checks);
  const inputs: NonResourceInputs = {
    core,
    checks,
    health: createHealthServer(checks, log),
    openApi: createOpenApiServer(resources, versionInfo.gitVersion, options.docs),
    advertised: advertisedAt(options.advertise),
    documents: () => security.documents ?? {},
  };
  const review: Virtual = (obj, scope) => {
    const { group, resource } = scope.info;
    const answer = security.reviews?.[`${group}/${resource}`];
    if (!answer) throw errors.methodNotSupported({ group, resource }, 'create');
    return answer(obj, scope);
  };
  /** The size of one object stands for all. */
  const sizeOf: SizeOf = ({ group, version, resource }) => {
    const root = resources.find(group, version, resource)?.store?.cache.root;
    const [first] = root?.values('', undefined, 1) ?? [];
    return root && first && { count: root.size, average: first.value.length };
  };
  const fairness = createFairness(options, { ...defaultFairness, sizeOf });
  const handle = chain(
    {
      clock,
      random,
      log,
      metrics,
      isServed: ({ group, version, resource }) => resources.find(group, version, resource) !== undefined,
      authenticate: request => security.authenticate(request),
      authorizer: () => security.authorizer,
      fairness,
      audit: options.audit,
    },
    exchange => route(inputs, exchange),
  );
  metrics.gauge('kubernetes_build_info', 'The version, as labels.').set(1, buildInfo);
  const objects = metrics.gauge('apiserver_storage_objects', 'Stored objects by resource.');
  metrics.onCollect(() => {
    for (const { info, store: kept } of resources.all())
      if (kept)
        objects.set(kept.cache.root.size, { resource: info.group ? `${info.plural}.${info.group}` : info.plural });
  });
  return {
    handle,
    loopback,
    async start() {
      await cacher.start();
      for (const served of builtinServed({ strategies: options.strategies, hooks, review, storage }))
        resources.set(served);
      await starting.run();
    },
    async close() {
      stopping.abort(new Error('the server is stopping'));
      security.close?.();
      await loopback.close();
      await cacher.close();
    },
  };
}

/** A port that the system chooses is not known here. */
function advertisedAt(advertise: ApiServerOptions['advertise']): string | undefined {
  if (!advertise?.port) return undefined;
  const { address, port } = advertise;
  return `${address.includes(':') ? `[${address}]` : address}:${port}`;
}

function route(inputs: NonResourceInputs, exchange: Exchange): Awaitable<ApiResponse> {
  return exchange.info.isResource ? serveResource(inputs.core, exchange) : serveNonResource(inputs, exchange);
}

function healthChecks({ store, cacher, stopping }: Core, hooks: readonly HealthCheck[]): HealthCheck[] {
  const always = async () => {};
  const stored = () => store.health();
  return [
    { name: 'ping', paths: allHealthPaths, check: always },
    { name: 'log', paths: allHealthPaths, check: always },
    { name: 'etcd', paths: allHealthPaths, check: stored },
    { name: 'etcd-readiness', paths: ['readyz'], check: stored },
    {
      name: 'informer-sync',
      paths: ['readyz'],
      async check() {
        if (!cacher.ready) throw new Error('the caches are not loaded');
      },
    },
    ...hooks,
    {
      name: 'shutdown',
      paths: ['readyz'],
      async check() {
        if (stopping.aborted) throw new Error('process is shutting down');
      },
    },
  ];
}

export type { Security, SecurityEnvironment } from './server/security-contract.ts';
