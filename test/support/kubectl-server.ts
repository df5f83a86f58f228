/** The real, unmodified kubectl as the administrator of an API server in memory behind TLS, alone or in a whole cluster. */
import { execFile, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { kubeconfig } from '../../src/pki/index.ts';
import { type ClusterOptions, createCluster } from '../../src/testing/index.ts';
import { startTlsServer } from './tls-server.ts';

export interface KubectlOutput {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface Kubectl {
  /** For manifests; kubectl's home, working directory and place for temporary files, too. Removed at the end. */
  readonly folder: string;
  kubectl(
    args: readonly string[],
    input?: string,
    environment?: Readonly<Record<string, string>>,
  ): Promise<KubectlOutput>;
  /** Rejects with what kubectl said unless it succeeds; gives standard output. */
  ok(...args: string[]): Promise<string>;
  /** The same with something on standard input. */
  given(input: string | object, ...args: string[]): Promise<string>;
  /** Rejects unless kubectl fails; gives standard error. */
  refused(...args: string[]): Promise<string>;
  /** Standard output as it comes. kubectl ends with the loop. */
  lines(...args: string[]): AsyncIterable<string>;
}

export interface KubectlServer extends Kubectl {
  close(): Promise<void>;
}

/** Why tests with kubectl 1.MINOR or later cannot run here, or false when they can. Debian's own is 1.20. */
export function whyNoKubectl(minor = 20): string | false {
  try {
    const text = execFileSync('kubectl', ['version', '--client', '-o', 'json'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const found = Number.parseInt(JSON.parse(text.toString()).clientVersion.minor, 10);
    return found >= minor ? false : `needs kubectl 1.${minor}, and this is 1.${found}`;
  } catch {
    return 'needs kubectl';
  }
}

function kubectlWith(folder: string, config: string): Kubectl {
  const path = join(folder, 'config');
  writeFileSync(path, config);
  const own = { ...process.env, KUBECONFIG: path, HOME: folder, TMPDIR: folder };
  const kubectl: Kubectl['kubectl'] = (args, input = '', environment = {}) => {
    const options = { cwd: folder, env: { ...own, ...environment }, timeout: 120_000, maxBuffer: 16 << 20 };
    return new Promise(resolve => {
      const child = execFile('kubectl', args, options, (error, out, err) =>
        resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : 1, out, err }),
      );
      child.stdin?.on('error', () => {}).end(input);
    });
  };
  async function succeeded(args: readonly string[], input?: string): Promise<string> {
    const { code, out, err } = await kubectl(args, input);
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')} ended with ${code}:\n${out}${err}`);
    return out;
  }
  return {
    folder,
    kubectl,
    ok: (...args) => succeeded(args),
    given: (input, ...args) => succeeded(args, typeof input === 'string' ? input : JSON.stringify(input)),
    async *lines(...args) {
      const child = spawn('kubectl', args, { cwd: folder, env: own, stdio: ['ignore', 'pipe', 'inherit'] });
      try {
        yield* createInterface({ input: child.stdout });
      } finally {
        child.kill();
      }
    },
    async refused(...args) {
      const { code, out, err } = await kubectl(args);
      if (code === 0) throw new Error(`kubectl ${args.join(' ')} was not refused:\n${out}`);
      return err.trim();
    },
  };
}

/** The API server alone: nothing happens but what kubectl does. */
export async function startKubectlServer(): Promise<KubectlServer> {
  const { address, pki, folder, close } = await startTlsServer({
    advertiseAddress: '127.0.0.1',
    serviceCidrs: ['10.96.0.0/16'],
  });
  const config = kubeconfig({
    server: address,
    authority: pki.ca.certificate,
    user: 'admin',
    credentials: pki.clients.admin,
  });
  return { ...kubectlWith(folder, config), close };
}

/** With controllers, a scheduler and simulated nodes. */
export async function startKubectlCluster(options?: ClusterOptions): Promise<KubectlServer> {
  const folder = mkdtempSync(join(tmpdir(), 'kubectl-cluster-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    const cluster = await createCluster(options);
    const { kubeconfig: config } = await cluster.https();
    return {
      ...kubectlWith(folder, config),
      async close() {
        await cluster.close();
        remove();
      },
    };
  } catch (error) {
    remove();
    throw error;
  }
}
