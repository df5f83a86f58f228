/** Puts authentication, authorization, reviews and admission together over the server's own loopback client. */
import { type KubeObject, keyOf, type Unstructured } from '../api/object.ts';
import type {
  AuthenticationTokenRequest,
  ClusterRole,
  ClusterRoleBinding,
  LocalSubjectAccessReview,
  RoleBinding,
  SelfSubjectAccessReview,
  SelfSubjectReview,
  SelfSubjectRulesReview,
  ServiceAccount,
  SubjectAccessReview,
  TokenReview,
} from '../api/types/index.ts';
import type { Client, Informer, InformerFactory, ResourceName } from '../client/contract.ts';
import { createInformerFactory } from '../client/informer.ts';
import type { Environment } from '../controller/contract.ts';
import type { AdmissionPlugin, AdmissionPluginFactory } from './admission/contract.ts';
import type { Authorizer } from './auth/contract.ts';
import {
  type AuthenticationInfo,
  createAuthentication,
  createAuthorization,
  createToken,
  discoveryDocument,
  ensureAuthenticationInfo,
  keySet,
  leanForGraph,
  reconcileDefaultPolicy,
  reviewLocalSubjectAccess,
  reviewOwnAccess,
  reviewOwnRules,
  reviewSelf,
  reviewSubjectAccess,
  reviewToken,
  type TokenRequestOptions,
  type TokenSigner,
} from './auth/index.ts';
import { type DefaultPolicy, defaultPolicy } from './auth/rbac/bootstrap/reconcile.ts';
import { checkBinding, checkRole } from './auth/rbac/escalation.ts';
import type { RbacSource } from './auth/rbac/source.ts';
import type { Security } from './index.ts';
import type { Virtual } from './server/scope.ts';

export interface SecurityOptions {
  readonly signer: TokenSigner;
  /** The first one issues; all are accepted. */
  readonly issuers: readonly string[];
  readonly audiences: readonly string[];
  /** Content of a static token file. */
  readonly staticTokens?: string;
  readonly frontProxyNames?: readonly string[];
  /** Published in kube-system for extension API servers. */
  readonly authenticationInfo?: AuthenticationInfo;
  readonly admission: readonly AdmissionPluginFactory[];
  /** Names of plugins to switch on or off besides their defaults. */
  readonly enableAdmission?: readonly string[];
  readonly disableAdmission?: readonly string[];
  /** Part of the default policy besides upstream's: kept up to date, and in force before the server lets anybody in. */
  readonly grants?: readonly ClusterRoleBinding[];
}

/** For `ApiServerOptions.security`. */
export function createSecurity(options: SecurityOptions): (environment: Environment & { client: Client }) => Security {
  return environment => {
    const { client, clock, random } = environment;
    const stopping = new AbortController();
    const informers = createInformerFactory(client, environment);
    const authentication = createAuthentication({ ...options, clock, client });
    const graphInformers = createInformerFactory(client, { ...environment, transform: leanForGraph });
    const { authorizer, rbac } = createAuthorization(informers, graphInformers);
    const admissionInformers = createInformerFactory(client, environment);
    const plugins = choosePlugins(options).map(factory =>
      factory.create({ ...environment, client, informers: admissionInformers, authorizer }),
    );
    const policy = policyWith(options.grants);
    const tokenOptions: TokenRequestOptions = { ...authentication.serviceAccounts, random };
    return {
      authenticate: request => authentication.authenticate(request),
      documents: {
        '/.well-known/openid-configuration': discoveryDocument(
          options.issuers[0] ?? '',
          `${options.issuers[0] ?? ''}/openid/v1/jwks`,
          options.signer,
        ),
        '/openid/v1/jwks': keySet(options.signer),
      },
      authorizer,
      admission: [...plugins, escalationPlugin(rbac, authorizer)],
      reviews: reviews(authentication, authorizer, rbac, options.audiences),
      issueToken: (account, request) =>
        createToken(
          account as unknown as ServiceAccount,
          request as unknown as AuthenticationTokenRequest,
          tokenOptions,
        ) as Promise<unknown> as Promise<Unstructured>,
      async start() {
        informers.start(stopping.signal);
        graphInformers.start(stopping.signal);
        admissionInformers.start(stopping.signal);
        await informers.synced();
        await reconcileDefaultPolicy(client, policy);
        if (options.authenticationInfo) await ensureAuthenticationInfo(client, options.authenticationInfo);
        await admissionInformers.synced();
        await policySeen(informers, policy);
      },
      close: () => stopping.abort(new Error('the server is stopping')),
    };
  };
}

function policyWith(grants: readonly ClusterRoleBinding[] = []): DefaultPolicy {
  const policy = defaultPolicy();
  return { ...policy, clusterRoleBindings: [...policy.clusterRoleBindings, ...grants] };
}

/** Until the caches show the default policy, nobody but system:masters could do all that it grants. */
async function policySeen(informers: InformerFactory, policy: DefaultPolicy): Promise<void> {
  const { clusterRoles, clusterRoleBindings, roles, roleBindings } = policy;
  const at = (plural: string) => informers.informer(`rbac.authorization.k8s.io/v1/${plural}` as ResourceName);
  await Promise.all([
    allSeen(at('clusterroles'), clusterRoles),
    allSeen(at('clusterrolebindings'), clusterRoleBindings),
    allSeen(at('roles'), roles),
    allSeen(at('rolebindings'), roleBindings),
  ]);
}

async function allSeen(informer: Informer<KubeObject>, objects: readonly KubeObject[]): Promise<void> {
  const missing = new Set(objects.map(keyOf).filter(key => !informer.store.get(key)));
  if (missing.size === 0) return;
  await new Promise<void>(resolve => {
    const stop = informer.addHandler({
      onAdd(obj) {
        if (!missing.delete(keyOf(obj)) || missing.size > 0) return;
        queueMicrotask(() => stop());
        resolve();
      },
    });
  });
}

function choosePlugins(options: SecurityOptions): AdmissionPluginFactory[] {
  const known = new Set(options.admission.map(factory => factory.name));
  for (const name of [...(options.enableAdmission ?? []), ...(options.disableAdmission ?? [])]) {
    if (!known.has(name)) throw new Error(`admission plugin "${name}" is unknown; known are ${[...known].join(', ')}`);
  }
  const on = new Set(options.enableAdmission);
  const off = new Set(options.disableAdmission);
  return options.admission.filter(
    factory => !off.has(factory.name) && (on.has(factory.name) || !factory.disabledByDefault),
  );
}

function reviews(
  authentication: ReturnType<typeof createAuthentication>,
  authorizer: Authorizer,
  rbac: RbacSource,
  audiences: readonly string[],
): Record<string, Virtual> {
  const answer =
    <T>(review: (obj: T, scope: Parameters<Virtual>[1]) => Promise<T> | T): Virtual =>
    async (sent, scope) => {
      // All but the review of oneself have a spec, which is empty when it is left out.
      const obj = scope.info.resource === 'selfsubjectreviews' ? sent : { ...sent, spec: sent['spec'] ?? {} };
      const answered = (await review(obj as unknown as T, scope)) as unknown as Unstructured;
      const { name, ...metadata } = answered.metadata;
      return name ? answered : ({ ...answered, metadata } as Unstructured);
    };
  return {
    'authentication.k8s.io/tokenreviews': answer<TokenReview>(obj =>
      reviewToken(obj, authentication.tokens, audiences),
    ),
    'authentication.k8s.io/selfsubjectreviews': answer<SelfSubjectReview>((obj, scope) =>
      reviewSelf(obj, scope.user, scope.core.clock.now()),
    ),
    'authorization.k8s.io/subjectaccessreviews': answer<SubjectAccessReview>(obj =>
      reviewSubjectAccess(obj, authorizer),
    ),
    'authorization.k8s.io/localsubjectaccessreviews': answer<LocalSubjectAccessReview>((obj, scope) =>
      reviewLocalSubjectAccess(obj, scope.info.namespace, authorizer),
    ),
    'authorization.k8s.io/selfsubjectaccessreviews': answer<SelfSubjectAccessReview>((obj, scope) =>
      reviewOwnAccess(obj, scope.user, authorizer),
    ),
    'authorization.k8s.io/selfsubjectrulesreviews': answer<SelfSubjectRulesReview>((obj, scope) =>
      reviewOwnRules(obj, scope.user, rbac),
    ),
  };
}

const rbacGroup = 'rbac.authorization.k8s.io';

/** Roles and bindings are checked against what their author holds, after everything else has had its say. */
function escalationPlugin(source: RbacSource, authorizer: Authorizer): AdmissionPlugin {
  const sameRules = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);
  return {
    name: 'RBACEscalation',
    handles: operation => operation === 'CREATE' || operation === 'UPDATE',
    resources: ['roles', 'clusterroles', 'rolebindings', 'clusterrolebindings'].map(name => `${rbacGroup}/${name}`),
    async validate({ resource, subresource, object, oldObject, user, namespace, name }) {
      if (subresource !== '' || !object) return;
      const context = { source, authorizer, user, namespace };
      if (resource.plural === 'roles' || resource.plural === 'clusterroles') {
        const [role, old] = [object as unknown as ClusterRole, oldObject as unknown as ClusterRole | undefined];
        if (old && sameRules(old.rules, role.rules) && sameRules(old.aggregationRule, role.aggregationRule)) return;
        await checkRole(context, resource.plural, {
          name,
          rules: role.rules ?? [],
          aggregated: role.aggregationRule !== undefined,
        });
      } else if (resource.plural === 'rolebindings' || resource.plural === 'clusterrolebindings') {
        const [binding, old] = [object as unknown as RoleBinding, oldObject as unknown as RoleBinding | undefined];
        if (old && sameRules(old.subjects, binding.subjects)) return;
        await checkBinding(context, resource.plural, { name, roleRef: binding.roleRef });
      }
    },
  };
}
