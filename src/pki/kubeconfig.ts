/** Writes kubeconfig files (client.authentication: certificate or token). */
import { writeFileSecurely } from './files.ts';

export interface KubeconfigSpec {
  /** Such as "https://127.0.0.1:6443". */
  readonly server: string;
  /** PEM of the authority that signed the server's certificate. */
  readonly authority: string;
  readonly cluster?: string;
  readonly user: string;
  readonly credentials: { readonly certificate: string; readonly key: string } | { readonly token: string };
  readonly namespace?: string;
  readonly tlsServerName?: string;
}

const base64 = (text: string) => Buffer.from(text).toString('base64');
/** JSON strings are YAML strings. */
const text = (value: string) => JSON.stringify(value);

export function kubeconfig(spec: KubeconfigSpec): string {
  const cluster = spec.cluster ?? 'tsukube';
  const context = `${spec.user}@${cluster}`;
  const credentials =
    'token' in spec.credentials
      ? [`    token: ${text(spec.credentials.token)}`]
      : [
          `    client-certificate-data: ${base64(spec.credentials.certificate)}`,
          `    client-key-data: ${base64(spec.credentials.key)}`,
        ];
  return [
    'apiVersion: v1',
    'kind: Config',
    'clusters:',
    `- name: ${text(cluster)}`,
    '  cluster:',
    `    certificate-authority-data: ${base64(spec.authority)}`,
    `    server: ${text(spec.server)}`,
    ...(spec.tlsServerName ? [`    tls-server-name: ${text(spec.tlsServerName)}`] : []),
    'users:',
    `- name: ${text(spec.user)}`,
    '  user:',
    ...credentials,
    'contexts:',
    `- name: ${text(context)}`,
    '  context:',
    `    cluster: ${text(cluster)}`,
    ...(spec.namespace ? [`    namespace: ${text(spec.namespace)}`] : []),
    `    user: ${text(spec.user)}`,
    `current-context: ${text(context)}`,
    '',
  ].join('\n');
}

/** Mode 0600; replaced atomically; left alone when it already says the same. */
export function writeKubeconfig(path: string, spec: KubeconfigSpec): void {
  writeFileSecurely(path, kubeconfig(spec), 0o600);
}
