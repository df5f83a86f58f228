/** `tsukube apiserver` as a process of its own, as clients and operators meet it. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/base/clock.ts';
import { type Client, createClient } from '../../src/client/index.ts';
import { http2Transport } from '../../src/client/node/index.ts';
import { type ClusterPki, ensureClusterPki, kubeconfig } from '../../src/pki/index.ts';

export interface ApiProcess {
  readonly port: number;
  readonly pki: ClusterPki;
  /** As text. */
  readonly kubeconfig: string;
  /** A new connection as the administrator. */
  connect(): Client;
  /** SIGKILL, as a crash. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

export interface ApiProcessOptions {
  readonly folder: string;
  readonly port: number;
  readonly etcd?: string;
  readonly advertise?: string;
}

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  await new Promise(done => probe.close(done));
  if (typeof address !== 'object' || !address) throw new Error('no port');
  return address.port;
}

/** A folder for a test's data, and the way to remove it. */
export function testFolder(name: string): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), `${name}-`));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

const main = join(import.meta.dirname, '../../src/cli/main.ts');

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill(signal);
  await gone;
}

/** Resolves when it serves. */
export async function startApiProcess(options: ApiProcessOptions): Promise<ApiProcess> {
  const { folder, port } = options;
  const args = ['apiserver', '--data-dir', join(folder, 'store'), '--cert-dir', join(folder, 'pki')];
  args.push('--secure-port', String(port), '--bind-address', '127.0.0.1');
  args.push('--advertise-address', options.advertise ?? '192.0.2.1', '--tls-san', '127.0.0.1');
  if (options.etcd) args.push('--etcd-servers', options.etcd);
  const child = fork(main, args, { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
  const outcome = await Promise.race([once(child, 'message'), once(child, 'exit')]);
  const [message] = outcome as [{ type?: string; message?: string } | number | null];
  if (typeof message !== 'object' || message?.type !== 'ready')
    throw new Error(`the API server did not start: ${JSON.stringify(message)}`);
  const pki = ensureClusterPki(join(folder, 'pki'), { clock: systemClock });
  const { certificate: cert, key } = pki.clients.admin;
  const server = `https://127.0.0.1:${port}`;
  return {
    port,
    pki,
    kubeconfig: kubeconfig({ server, authority: pki.ca.certificate, user: 'admin', credentials: pki.clients.admin }),
    connect: () => createClient(http2Transport({ server, ca: pki.ca.certificate, cert, key })),
    kill: () => end(child, 'SIGKILL'),
    stop: () => end(child, 'SIGTERM'),
  };
}

export function writeKubeconfig(path: string, { kubeconfig: text }: ApiProcess): string {
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}
