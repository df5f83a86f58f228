import { spawn } from 'node:child_process';
import type { Clock } from '../../base/clock.ts';
import { ApiError } from '../../base/errors.ts';
import type { CredentialSource, Credentials } from './credentials.ts';

/** `users[].user.exec` of a kubeconfig. */
export interface ExecConfig {
  readonly apiVersion: string;
  readonly command: string;
  readonly args?: readonly string[];
  readonly env?: readonly { name: string; value: string }[];
  readonly installHint?: string;
  readonly provideClusterInfo?: boolean;
  readonly interactiveMode?: 'Never' | 'IfAvailable' | 'Always';
}
export interface ExecCluster {
  readonly server: string;
  readonly 'certificate-authority-data'?: string;
  readonly 'insecure-skip-tls-verify'?: boolean;
  readonly 'tls-server-name'?: string;
  readonly config?: unknown;
}
interface ExecStatus {
  token?: string;
  clientCertificateData?: string;
  clientKeyData?: string;
  expirationTimestamp?: string;
}

/** Runs a credential plugin (client.authentication.k8s.io) and keeps what it gave until it expires or the server refuses it. */
export function execCredentials(config: ExecConfig, cluster: ExecCluster, clock: Clock): CredentialSource {
  let kept: { credentials: Credentials; expires: number } | undefined;
  let running: Promise<Credentials> | undefined;
  async function refresh(): Promise<Credentials> {
    const status = await runPlugin(config, cluster);
    const credentials: Credentials = {
      ...(status.token && { token: status.token }),
      ...(status.clientCertificateData && { cert: status.clientCertificateData }),
      ...(status.clientKeyData && { key: status.clientKeyData }),
    };
    const expires = status.expirationTimestamp ? Date.parse(status.expirationTimestamp) : Number.POSITIVE_INFINITY;
    kept = { credentials, expires };
    return credentials;
  }
  return {
    get() {
      if (kept && clock.now() < kept.expires) return Promise.resolve(kept.credentials);
      running ??= refresh().finally(() => {
        running = undefined;
      });
      return running;
    },
    refused() {
      kept = undefined;
      return true;
    },
  };
}

async function runPlugin(config: ExecConfig, cluster: ExecCluster): Promise<ExecStatus> {
  const request = {
    apiVersion: config.apiVersion,
    kind: 'ExecCredential',
    spec: { interactive: false, ...(config.provideClusterInfo && { cluster }) },
  };
  const output = await run(config, JSON.stringify(request));
  const answer = parse(output) as { kind?: string; apiVersion?: string; status?: ExecStatus };
  if (answer.kind !== 'ExecCredential' || answer.apiVersion !== config.apiVersion)
    throw failure(
      `exec plugin is configured to use API version ${config.apiVersion}, plugin returned version ${answer.apiVersion}`,
    );
  if (!answer.status) throw failure("exec plugin didn't return a status field");
  if (!answer.status.token && !answer.status.clientCertificateData)
    throw failure("exec plugin didn't return a token or cert/key pair");
  return answer.status;
}

function parse(output: string): unknown {
  try {
    return JSON.parse(output);
  } catch {
    throw failure('decoding stdout: the exec plugin did not print JSON');
  }
}

function run(config: ExecConfig, info: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, KUBERNETES_EXEC_INFO: info };
    for (const { name, value } of config.env ?? []) Object.assign(env, { [name]: value });
    const child = spawn(config.command, [...(config.args ?? [])], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    child.on('error', e =>
      reject(failure(`exec: ${e.message}${config.installHint ? `\n\n${config.installHint}` : ''}`)),
    );
    child.on('close', code => {
      if (code === 0) resolve(output);
      else reject(failure(`exec: executable ${config.command} failed with exit code ${code}`));
    });
  });
}

const failure = (message: string) => new ApiError(401, 'Unauthorized', `getting credentials: ${message}`);
