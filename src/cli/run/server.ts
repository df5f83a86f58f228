/** A control plane that other machines join: an API server process, and the controllers and the scheduler here, working while they hold their leases. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Environment } from '../../controller/contract.ts';
import { ensureClusterPki, writeKubeconfig } from '../../pki/index.ts';
import { clusterPaths, writeFileAtomic } from '../cluster.ts';
import { type ClusterRanges, firstAddress } from '../ranges.ts';
import { supervise } from '../supervisor.ts';
import { applyAddons } from './addons.ts';
import { clientFor } from './connect.ts';
import { startControlPlane } from './control-plane.ts';
import { ensureBootstrapToken, formatJoinToken, newBootstrapToken } from './join.ts';

export interface ServerOptions {
  readonly environment: Environment;
  readonly dataDir: string;
  /** Shared by all servers of a cluster: they must sign with the same authority. */
  readonly pkiDirectory: string;
  readonly ranges: ClusterRanges;
  readonly port: number;
  readonly bindAddresses: readonly string[];
  readonly advertiseAddress: string;
  readonly names: readonly string[];
  /** Bootstrap token of the cluster; made and kept in the data directory when absent. */
  readonly bootstrapToken?: string;
  /** Passed on to the API server: etcd, admission. */
  readonly apiserverFlags: readonly string[];
}

export interface RunningServer {
  readonly kubeconfig: string;
  /** For `tsukube agent --token`. */
  readonly joinToken: string;
  stop(): Promise<void>;
}

export async function runServer(options: ServerOptions): Promise<RunningServer> {
  const { environment, dataDir, ranges } = options;
  const paths = clusterPaths(dataDir);
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const pki = ensureClusterPki(options.pkiDirectory, {
    clock: environment.clock,
    names: options.names,
    addresses: [...ranges.serviceCidrs.map(firstAddress), options.advertiseAddress],
  });
  const args = [
    'apiserver',
    `--data-dir=${paths.store}`,
    `--cert-dir=${options.pkiDirectory}`,
    `--secure-port=${options.port}`,
    `--bind-address=${options.bindAddresses.join(',')}`,
    `--advertise-address=${options.advertiseAddress}`,
    `--service-cluster-ip-range=${ranges.serviceCidrs.join(',')}`,
    `--tls-san=${options.names.join(',')}`,
    ...options.apiserverFlags,
  ];
  const apiserver = supervise({ name: 'apiserver', args }, { ...environment, logDirectory: paths.logs });
  const kubeconfig = paths.adminKubeconfig;
  const server = `https://127.0.0.1:${options.port}`;
  writeKubeconfig(kubeconfig, {
    server,
    authority: pki.ca.certificate,
    user: 'admin',
    credentials: pki.clients.admin,
  });
  const client = clientFor(kubeconfig, 'tsukube', environment);
  const stops: (() => Promise<void>)[] = [() => apiserver.stop(), () => client.transport.close()];
  const stop = async () => {
    for (const each of stops.splice(0).reverse()) await each();
  };
  try {
    await apiserver.ready;
    await applyAddons(client, ranges);
    const bootstrapToken = options.bootstrapToken ?? ownToken(dataDir, environment);
    await ensureBootstrapToken(client, bootstrapToken);
    stops.push(
      await startControlPlane({
        environment,
        server,
        pki,
        clusterCidrs: ranges.podCidrs,
        pkiDirectory: options.pkiDirectory,
        leaderElect: true,
      }),
    );
    return { kubeconfig, joinToken: formatJoinToken(pki.ca.certificate, bootstrapToken), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function ownToken(dataDir: string, { random }: Environment): string {
  const path = join(dataDir, 'token');
  if (existsSync(path)) return readFileSync(path, 'utf8').trim();
  const token = newBootstrapToken(random);
  writeFileAtomic(path, `${token}\n`);
  return token;
}
