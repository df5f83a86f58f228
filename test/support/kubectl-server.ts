/** An API server in memory behind TLS, and the real kubectl as its administrator. */
import { execFile, execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { kubeconfig } from '../../src/pki/index.ts';
import { startTlsServer } from './tls-server.ts';

export interface KubectlOutput {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface KubectlServer {
  kubectl(args: readonly string[], input?: string): Promise<KubectlOutput>;
  /** Rejects with what kubectl said unless it succeeds; gives standard output. */
  ok(...args: string[]): Promise<string>;
  close(): Promise<void>;
}

/** Why tests with kubectl cannot run here, or false when they can. */
export function whyNoKubectl(): string | false {
  try {
    execFileSync('kubectl', ['version', '--client'], { stdio: 'ignore' });
    return false;
  } catch {
    return 'needs kubectl';
  }
}

export async function startKubectlServer(): Promise<KubectlServer> {
  const { address, pki, folder, close } = await startTlsServer({
    advertiseAddress: '127.0.0.1',
    serviceCidrs: ['10.96.0.0/16'],
  });
  const config = join(folder, 'config');
  writeFileSync(
    config,
    kubeconfig({
      server: address,
      authority: pki.ca.certificate,
      user: 'admin',
      credentials: pki.clients.admin,
    }),
  );
  const env = { ...process.env, KUBECONFIG: config, HOME: folder };
  const kubectl: KubectlServer['kubectl'] = (args, input = '') =>
    new Promise(resolve => {
      const child = execFile('kubectl', args, { env, timeout: 60_000, maxBuffer: 16 << 20 }, (error, out, err) =>
        resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : 1, out, err }),
      );
      child.stdin?.on('error', () => {}).end(input);
    });
  return {
    kubectl,
    async ok(...args) {
      const { code, out, err } = await kubectl(args);
      if (code !== 0) throw new Error(`kubectl ${args.join(' ')} ended with ${code}:\n${out}${err}`);
      return out;
    },
    close,
  };
}
