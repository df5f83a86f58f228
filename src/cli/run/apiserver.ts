/** Assembles an API server process: store, certificates, security, sockets. */
import { existsSync, mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Draft } from '../../api/object.ts';
import type { Docs } from '../../api/openapi/source.ts';
import type { ClusterRoleBinding } from '../../api/types/rbac-v1.ts';
import { admissionPlugins } from '../../apiserver/admission/index.ts';
import { createTokenSigner } from '../../apiserver/auth/index.ts';
import { createNodeDialer } from '../../apiserver/http/dialer.ts';
import { gzipBody } from '../../apiserver/http/gzip.ts';
import { type HttpServer, listen } from '../../apiserver/http/server.ts';
import { createApiServer } from '../../apiserver/index.ts';
import { strategies } from '../../apiserver/registry/index.ts';
import { createSecurity } from '../../apiserver/security.ts';
import { createClient } from '../../client/index.ts';
import type { Environment } from '../../controller/contract.ts';
import { type ClusterPki, ensureClusterPki } from '../../pki/index.ts';
import type { Store } from '../../store/contract.ts';
import { fieldDocsUrl, storeWorkerUrl } from '../bundle.ts';
import { firstAddress } from '../ranges.ts';
import { renewRegularly } from './renewal.ts';

export interface ApiServerProcessOptions {
  readonly environment: Environment;
  /** Where the embedded store lives; unused with etcd. */
  readonly storeDirectory: string;
  readonly etcd?: {
    readonly endpoints: readonly string[];
    readonly ca?: string;
    readonly cert?: string;
    readonly key?: string;
    readonly prefix?: string;
  };
  /** Instead of the embedded store or etcd: a store that is open already. Closed with the server. */
  readonly store?: Store;
  readonly pkiDirectory: string;
  /** Addresses to listen on. */
  readonly bindAddresses: readonly string[];
  readonly port: number;
  /** What the `kubernetes` service leads to. */
  readonly advertiseAddress: string;
  readonly serviceCidrs: readonly string[];
  readonly clusterDomain: string;
  /** More names and addresses for the serving certificate. */
  readonly certificateNames?: readonly string[];
  readonly certificateAddresses?: readonly string[];
  readonly issuer?: string;
  readonly staticTokens?: string;
  readonly enableAdmission?: readonly string[];
  readonly disableAdmission?: readonly string[];
  readonly nodePortRange?: { readonly from: number; readonly to: number };
}

export interface RunningApiServer {
  readonly port: number;
  readonly pki: ClusterPki;
  close(): Promise<void>;
}

/** Time that requests in work have when the server stops. */
const closeGraceMs = 2_000;

const rbac = 'rbac.authorization.k8s.io';
/** Lets the server do at kubelets what it is asked to (logs, exec, proxying): their user is no administrator. */
const kubeletAccess: Draft<ClusterRoleBinding> = {
  apiVersion: `${rbac}/v1`,
  kind: 'ClusterRoleBinding',
  metadata: { name: 'tsukube:kube-apiserver-kubelet-client', labels: { 'app.kubernetes.io/managed-by': 'tsukube' } },
  roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: 'system:kubelet-api-admin' },
  subjects: [{ apiGroup: rbac, kind: 'User', name: 'kube-apiserver-kubelet-client' }],
};

/** Resolves when the server answers. */
export async function runApiServer(options: ApiServerProcessOptions): Promise<RunningApiServer> {
  const { environment } = options;
  const { clock, log } = environment;
  const pkiOptions = {
    clock,
    clusterDomain: options.clusterDomain,
    names: options.certificateNames ?? [],
    addresses: [
      ...new Set([
        ...options.serviceCidrs.map(firstAddress),
        options.advertiseAddress,
        ...(options.certificateAddresses ?? []),
      ]),
    ],
  };
  const pki = ensureClusterPki(options.pkiDirectory, pkiOptions);
  const store = options.store ?? (await openStore(options));
  const issuer = options.issuer ?? `https://kubernetes.default.svc.${options.clusterDomain}`;
  const signer = await createTokenSigner(pki.serviceAccount.key, [pki.serviceAccount.publicKey]);
  const { certificate: clientCert, key: clientKey } = pki.clients['apiserver-kubelet-client'];
  const dialer = createNodeDialer({ kubeletCa: pki.ca.certificate, clientCert, clientKey });
  const server = createApiServer({
    ...environment,
    store,
    strategies,
    gzip: gzipBody,
    atEndOfTurn: setImmediate,
    serviceCidrs: options.serviceCidrs,
    advertise: { address: options.advertiseAddress, port: options.port },
    docs: fieldDocs,
    dialer,
    ...(options.nodePortRange && { nodePortRange: options.nodePortRange }),
    security: createSecurity({
      signer,
      issuers: [issuer],
      audiences: [issuer],
      admission: admissionPlugins,
      frontProxyNames: ['front-proxy-client'],
      authenticationInfo: {
        clientCa: pki.ca.certificate,
        frontProxyCa: pki.frontProxyCa.certificate,
        frontProxyNames: ['front-proxy-client'],
      },
      ...(options.staticTokens !== undefined && { staticTokens: options.staticTokens }),
      enableAdmission: options.enableAdmission ?? [],
      disableAdmission: options.disableAdmission ?? [],
    }),
  });
  const files = (from: ClusterPki) => ({
    // The authority comes along, so that a joining node can compare it with the hash in its token.
    cert: `${from.apiserver.certificate}${from.ca.certificate}`,
    key: from.apiserver.key,
    clientCa: from.ca.certificate,
    frontProxyCa: from.frontProxyCa.certificate,
  });
  const sockets: HttpServer[] = [];
  const closeAll = async () => {
    // Watches end first, so that their connections are idle when the sockets close.
    await server.close();
    await Promise.all(sockets.map(socket => socket.close(closeGraceMs)));
    await dialer.close();
    await store.close();
  };
  try {
    // Nobody is let in before policies are loaded: a refusal would be wrong, and clients try again anyway.
    await server.start();
    await createClient(server.loopback)
      .clusterrolebindings()
      .apply(kubeletAccess, { fieldManager: 'tsukube', force: true });
    for (const host of options.bindAddresses) {
      sockets.push(
        await listen({ handle: server.handle, tls: files(pki), host, port: options.port || (sockets[0]?.port ?? 0) }),
      );
    }
  } catch (error) {
    await closeAll();
    throw error;
  }
  const renewal = renewRegularly(environment, () => {
    const fresh = ensureClusterPki(options.pkiDirectory, pkiOptions);
    if (fresh.written.length === 0) return;
    log.info('Certificates were renewed', { files: fresh.written });
    for (const socket of sockets) socket.setTls(files(fresh));
  });
  return {
    port: sockets[0]?.port ?? options.port,
    pki,
    async close() {
      renewal.cancel();
      await closeAll();
    },
  };
}

/** Texts of fields, as far as set-up collected them. */
async function fieldDocs(): Promise<Docs> {
  return existsSync(fieldDocsUrl) ? (JSON.parse(await readFile(fieldDocsUrl, 'utf8')) as Docs) : {};
}

async function openStore(options: ApiServerProcessOptions): Promise<Store> {
  if (options.etcd) {
    const { connectEtcdStore } = await import('../../store/etcd/index.ts');
    return connectEtcdStore({ ...options.environment, ...options.etcd });
  }
  const { openEmbeddedStore } = await import('../../store/embedded/index.ts');
  mkdirSync(options.storeDirectory, { recursive: true, mode: 0o700 });
  return openEmbeddedStore({ directory: options.storeDirectory, workerUrl: storeWorkerUrl, ...options.environment });
}
