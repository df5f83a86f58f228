/** Adds a cluster to the user's kubeconfig, and takes it out again, without touching anything else in it. */
import { existsSync, mkdirSync, readFileSync, realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { dump, load } from 'js-yaml';
import { writeFileAtomic } from './cluster.ts';

interface Named {
  name: string;
  [rest: string]: unknown;
}
interface Kubeconfig {
  apiVersion?: string;
  kind?: string;
  clusters?: Named[];
  contexts?: Named[];
  users?: Named[];
  'current-context'?: string;
  [rest: string]: unknown;
}

export interface Entry {
  /** Name of the context, the cluster and the user. */
  readonly name: string;
  readonly server: string;
  /** PEM. */
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}

/** The first file of $KUBECONFIG, else ~/.kube/config. */
export function userKubeconfig(environment: NodeJS.ProcessEnv = process.env): string {
  const first = environment['KUBECONFIG']?.split(':').find(path => path !== '');
  return first ?? join(homedir(), '.kube', 'config');
}

const base64 = (text: string) => Buffer.from(text).toString('base64');

/** Pure: the configuration with the entry in it and its context chosen. */
export function withEntry(config: Kubeconfig, entry: Entry): Kubeconfig {
  const { name } = entry;
  const others = (list: Named[] | undefined) => (list ?? []).filter(item => item.name !== name);
  return {
    ...config,
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      ...others(config.clusters),
      { name, cluster: { server: entry.server, 'certificate-authority-data': base64(entry.authority) } },
    ],
    users: [
      ...others(config.users),
      { name, user: { 'client-certificate-data': base64(entry.certificate), 'client-key-data': base64(entry.key) } },
    ],
    contexts: [...others(config.contexts), { name, context: { cluster: name, user: name } }],
    'current-context': name,
  };
}

/** Pure: the configuration without the entry. */
export function withoutEntry(config: Kubeconfig, name: string): Kubeconfig {
  const others = (list: Named[] | undefined) => (list ?? []).filter(item => item.name !== name);
  const contexts = others(config.contexts);
  const current = config['current-context'] === name ? (contexts[0]?.name ?? '') : (config['current-context'] ?? '');
  return {
    ...config,
    clusters: others(config.clusters),
    users: others(config.users),
    contexts,
    'current-context': current,
  };
}

/** Throws an Error that names the file when it is no kubeconfig. */
function read(path: string): Kubeconfig {
  if (!existsSync(path)) return {};
  const value = load(readFileSync(path, 'utf8')) as unknown;
  if (value === undefined || value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value))
    throw new Error(`${path} is not a kubeconfig; give another file with --kubeconfig`);
  return value as Kubeconfig;
}

function change(path: string, edit: (config: Kubeconfig) => Kubeconfig): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // A link stays a link: the file behind it is replaced.
  const target = existsSync(path) ? realpathSync(path) : path;
  writeFileAtomic(target, dump(edit(read(target)), { lineWidth: -1 }));
}

export function addToKubeconfig(path: string, entry: Entry): void {
  change(path, config => withEntry(config, entry));
}
export function removeFromKubeconfig(path: string, name: string): void {
  if (existsSync(path)) change(path, config => withoutEntry(config, name));
}
