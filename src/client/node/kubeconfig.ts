import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, dirname, isAbsolute, join } from 'node:path';
import { load } from 'js-yaml';
import { type Clock, systemClock } from '../../base/clock.ts';
import { createClient } from '../client.ts';
import type { Client } from '../contract.ts';
import type { CredentialSource } from './credentials.ts';
import { type ExecConfig, execCredentials } from './exec-plugin.ts';
import { http2Transport, type TransportOptions } from './transport.ts';

export interface KubeconfigCluster {
  server: string;
  'certificate-authority'?: string;
  'certificate-authority-data'?: string;
  'insecure-skip-tls-verify'?: boolean;
  'tls-server-name'?: string;
  'proxy-url'?: string;
}
export interface KubeconfigUser {
  'client-certificate'?: string;
  'client-certificate-data'?: string;
  'client-key'?: string;
  'client-key-data'?: string;
  token?: string;
  tokenFile?: string;
  username?: string;
  password?: string;
  as?: string;
  'as-groups'?: string[];
  exec?: ExecConfig;
}
export interface KubeconfigContext {
  cluster: string;
  user: string;
  namespace?: string;
}
export interface Kubeconfig {
  clusters: Map<string, KubeconfigCluster>;
  users: Map<string, KubeconfigUser>;
  contexts: Map<string, KubeconfigContext>;
  currentContext: string;
}
interface KubeconfigFile {
  clusters?: { name: string; cluster: KubeconfigCluster }[];
  users?: { name: string; user: KubeconfigUser }[];
  contexts?: { name: string; context: KubeconfigContext }[];
  'current-context'?: string;
}

/** $KUBECONFIG, a list of paths, or ~/.kube/config. */
export function defaultKubeconfigPaths(env: NodeJS.ProcessEnv = process.env): string[] {
  const listed = (env['KUBECONFIG'] ?? '').split(delimiter).filter(Boolean);
  return listed.length > 0 ? [...new Set(listed)] : [join(homedir(), '.kube', 'config')];
}

/** Reads and merges: the first file that names something decides it. Missing files are skipped; file names in one are relative to it. */
export function loadKubeconfig(paths: readonly string[] = defaultKubeconfigPaths()): Kubeconfig {
  const merged: Kubeconfig = { clusters: new Map(), users: new Map(), contexts: new Map(), currentContext: '' };
  for (const path of paths) {
    if (!existsSync(path)) continue;
    mergeInto(merged, (load(readFileSync(path, 'utf8')) ?? {}) as KubeconfigFile, dirname(path));
  }
  return merged;
}

function mergeInto(merged: Kubeconfig, file: KubeconfigFile, folder: string): void {
  const absolute = <T extends object>(value: T, keys: readonly string[]): T => {
    const copy = { ...value } as Record<string, unknown>;
    for (const key of keys) {
      const path = copy[key];
      if (typeof path === 'string' && path && !isAbsolute(path)) copy[key] = join(folder, path);
    }
    return copy as T;
  };
  const first = <T>(map: Map<string, T>, name: string, value: T) => map.has(name) || map.set(name, value);
  for (const { name, cluster } of file.clusters ?? [])
    first(merged.clusters, name, absolute(cluster ?? { server: '' }, ['certificate-authority']));
  for (const { name, user } of file.users ?? [])
    first(merged.users, name, absolute(user ?? {}, ['client-certificate', 'client-key', 'tokenFile']));
  for (const { name, context } of file.contexts ?? []) first(merged.contexts, name, context);
  merged.currentContext ||= file['current-context'] ?? '';
}

/** One context's connection. */
export interface ResolvedContext {
  readonly cluster: KubeconfigCluster;
  readonly user: KubeconfigUser;
  /** "default" when the context names none. */
  readonly namespace: string;
}

/** Throws when the context, or what it refers to, is not there (kubectl's messages). */
export function resolveContext(config: Kubeconfig, name = config.currentContext): ResolvedContext {
  if (!name) throw new Error('current-context is not set');
  const context = config.contexts.get(name);
  if (!context) throw new Error(`context "${name}" does not exist`);
  const cluster = config.clusters.get(context.cluster);
  if (!cluster) throw new Error(`cluster "${context.cluster}" does not exist`);
  return { cluster, user: config.users.get(context.user) ?? {}, namespace: context.namespace || 'default' };
}

const inline = (data: string | undefined, path: string | undefined): string | undefined =>
  data ? Buffer.from(data, 'base64').toString('utf8') : path ? readFileSync(path, 'utf8') : undefined;

/** What a transport needs, with files read and credential plugins prepared. */
export function transportOptionsOf({ cluster, user }: ResolvedContext, clock: Clock = systemClock): TransportOptions {
  const ca = inline(cluster['certificate-authority-data'], cluster['certificate-authority']);
  const cert = inline(user['client-certificate-data'], user['client-certificate']);
  const key = inline(user['client-key-data'], user['client-key']);
  const { token, tokenFile, username, password, exec } = user;
  const credentials = exec
    ? execCredentials(exec, cluster, clock)
    : tokenFile
      ? fileCredentials(tokenFile, clock)
      : undefined;
  return {
    server: cluster.server,
    clock,
    ...(ca && { ca }),
    ...(cluster['insecure-skip-tls-verify'] && { insecureSkipTlsVerify: true }),
    ...(cluster['tls-server-name'] && { tlsServerName: cluster['tls-server-name'] }),
    ...(cluster['proxy-url'] && { proxy: cluster['proxy-url'] }),
    ...(cert && { cert }),
    ...(key && { key }),
    ...(token && { token }),
    ...(username && { basic: { username, password: password ?? '' } }),
    ...(credentials && { credentials }),
  };
}

/** A token that is rotated in its file (projected service-account tokens): read again every minute, as client-go does. */
export function fileCredentials(path: string, clock: Clock): CredentialSource {
  let kept: { token: string; until: number } | undefined;
  return {
    async get() {
      if (!kept || clock.monotonic() >= kept.until) {
        const token = (await readFile(path, 'utf8')).trim();
        kept = { token, until: clock.monotonic() + 60_000 };
      }
      return { token: kept.token };
    },
    refused() {
      kept = undefined;
      return true;
    },
  };
}

export interface ConnectOptions {
  readonly context?: string;
  readonly userAgent?: string;
  readonly clock?: Clock;
}

/** A client for a context (default: the current one). Close its `transport` when done. */
export function clientFromKubeconfig(config: Kubeconfig, options: ConnectOptions = {}): Client {
  const resolved = resolveContext(config, options.context || config.currentContext);
  const clock = options.clock ?? systemClock;
  const client = createClient(http2Transport(transportOptionsOf(resolved, clock)), {
    clock,
    ...(options.userAgent && { userAgent: options.userAgent }),
  });
  const { as: user, 'as-groups': groups } = resolved.user;
  return user ? client.with({ impersonate: { user, ...(groups && { groups }) } }) : client;
}

const serviceAccountFolder = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Connection facts of a pod, or undefined outside of a cluster. */
export function inClusterOptions(
  env: NodeJS.ProcessEnv = process.env,
  clock: Clock = systemClock,
): TransportOptions | undefined {
  const host = env['KUBERNETES_SERVICE_HOST'];
  const port = env['KUBERNETES_SERVICE_PORT'];
  const tokenPath = join(serviceAccountFolder, 'token');
  if (!host || !port || !existsSync(tokenPath)) return undefined;
  const caPath = join(serviceAccountFolder, 'ca.crt');
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    credentials: fileCredentials(tokenPath, clock),
    clock,
    ...(existsSync(caPath) && { ca: readFileSync(caPath, 'utf8') }),
  };
}

/** As client-go decides: a kubeconfig when there is one, else the pod's own service account. */
export function defaultClient(options: ConnectOptions = {}): Client {
  const config = loadKubeconfig();
  if (config.currentContext || options.context) return clientFromKubeconfig(config, options);
  const inside = inClusterOptions(process.env, options.clock);
  if (!inside) throw new Error('no configuration has been provided: set KUBECONFIG, or run in a cluster');
  return createClient(http2Transport(inside), { ...(options.userAgent && { userAgent: options.userAgent }) });
}
