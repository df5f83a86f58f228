/** The original kube-apiserver on loopback, over Debian's etcd and with our certificates. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Transport } from '../../../src/api/transport.ts';
import { systemClock } from '../../../src/base/clock.ts';
import { http2Transport } from '../../../src/client/node/index.ts';
import { type ClusterPki, ensureClusterPki, kubeconfig } from '../../../src/pki/index.ts';
import { etcdMissing, startEtcd } from '../../conformance/store/etcd-cluster.ts';
import { freePort } from '../api-process.ts';
import { type Component, originalBinaries } from './binaries.ts';

export interface Original {
  readonly server: string;
  readonly pki: ClusterPki;
  readonly pkiFolder: string;
  /** A new connection as the administrator. */
  connect(): Transport;
  /** Kills the server and starts it again, at the same address and on the same data. */
  restart(): Promise<void>;
  /** Makes etcd forget what was before a revision. */
  forgetBefore(revision: string): Promise<void>;
  /** Path of a kubeconfig for one of the cluster's identities. */
  kubeconfig(user: 'admin' | 'controller-manager' | 'scheduler'): string;
  close(): Promise<void>;
}

export const serviceRange = '10.96.0.0/16';

/** The running server, or why there is none. */
export async function startOriginal(): Promise<Original | { missing: string }> {
  const noEtcd = await etcdMissing();
  if (noEtcd) return { missing: noEtcd };
  const found = originalBinaries(['kube-apiserver']);
  if ('missing' in found) return found;
  const folder = mkdtempSync(join(tmpdir(), 'original-'));
  const etcd = await startEtcd();
  const pkiFolder = join(folder, 'pki');
  const pki = ensureClusterPki(pkiFolder, { clock: systemClock, addresses: ['127.0.0.1', '10.96.0.1'] });
  const port = await freePort();
  const start = () => startProgram(found.paths['kube-apiserver'], flags(pkiFolder, port, etcd.endpoints), folder);
  let child = start();
  const server = `https://127.0.0.1:${port}`;
  const transports: Transport[] = [];
  const connect = () => {
    const { certificate: cert, key } = pki.clients.admin;
    const transport = http2Transport({ server, ca: pki.ca.certificate, cert, key });
    transports.push(transport);
    return transport;
  };
  const close = async () => {
    await Promise.all(transports.map(transport => transport.close()));
    await child.stop();
    await etcd.close();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await becomesReady(connect(), child);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    server,
    pki,
    pkiFolder,
    connect,
    async forgetBefore(revision) {
      const env = { ...process.env, ETCDCTL_API: '3' };
      await promisify(execFile)('etcdctl', ['--endpoints', etcd.endpoints.join(','), 'compaction', revision], { env });
    },
    async restart() {
      await child.stop();
      child = start();
      await becomesReady(connect(), child);
    },
    kubeconfig(user) {
      const path = join(folder, `${user}.kubeconfig`);
      const authority = pki.ca.certificate;
      writeFileSync(path, kubeconfig({ server, authority, user, credentials: pki.clients[user] }), { mode: 0o600 });
      return path;
    },
    close,
  };
}

function flags(pki: string, port: number, etcd: readonly string[]): string[] {
  const file = (name: string) => join(pki, name);
  const issuer = 'https://kubernetes.default.svc.cluster.local';
  return [
    `--etcd-servers=${etcd.join(',')}`,
    ...['--bind-address=127.0.0.1', `--secure-port=${port}`, '--advertise-address=192.0.2.1'],
    ...[`--tls-cert-file=${file('apiserver.crt')}`, `--tls-private-key-file=${file('apiserver.key')}`],
    ...[`--client-ca-file=${file('ca.crt')}`, `--requestheader-client-ca-file=${file('front-proxy-ca.crt')}`],
    ...['--requestheader-allowed-names=front-proxy-client', '--requestheader-username-headers=X-Remote-User'],
    ...['--requestheader-group-headers=X-Remote-Group', '--requestheader-extra-headers-prefix=X-Remote-Extra-'],
    ...[`--proxy-client-cert-file=${file('front-proxy-client.crt')}`],
    ...[`--proxy-client-key-file=${file('front-proxy-client.key')}`],
    ...[`--service-account-key-file=${file('sa.pub')}`, `--service-account-signing-key-file=${file('sa.key')}`],
    ...[
      `--service-account-issuer=${issuer}`,
      `--api-audiences=${issuer}`,
      `--service-cluster-ip-range=${serviceRange}`,
    ],
    ...['--authorization-mode=Node,RBAC', '--anonymous-auth=false', '--allow-privileged', '--profiling=false'],
    ...[`--kubelet-client-certificate=${file('admin.crt')}`],
    ...[`--kubelet-client-key=${file('admin.key')}`, `--kubelet-certificate-authority=${file('ca.crt')}`],
  ];
}

export interface Program {
  readonly child: ChildProcess;
  /** The last of what it said. */
  output(): string;
  stop(): Promise<void>;
}

export function startProgram(path: string, args: readonly string[], cwd: string): Program {
  const child = spawn(path, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const keep = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-20_000);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  return {
    child,
    output: () => output,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}

/** Starts further programs of the original; gives the reason when they are not to be had. */
export async function startComponents(
  components: Partial<Record<Component, readonly string[]>>,
  cwd: string,
): Promise<Program[] | { missing: string }> {
  const found = originalBinaries(Object.keys(components) as Component[]);
  if ('missing' in found) return found;
  return Object.entries(components).map(([name, args]) => startProgram(found.paths[name as Component], args, cwd));
}

async function becomesReady(transport: Transport, { child, output }: Program): Promise<void> {
  const until = Date.now() + 120_000;
  while (Date.now() < until) {
    if (child.exitCode !== null) throw new Error(`kube-apiserver ended with ${child.exitCode}:\n${output()}`);
    const answer = await transport
      .request({
        ...{ method: 'GET', path: '/readyz', query: new URLSearchParams(), headers: {} },
        signal: AbortSignal.timeout(5_000),
      })
      .catch(() => undefined);
    if (answer?.status === 200) return;
    await delay(100);
  }
  throw new Error(`kube-apiserver is not ready:\n${output()}`);
}
