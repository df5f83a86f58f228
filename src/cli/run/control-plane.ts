/** The controllers and the scheduler beside an API server whose authority's keys are at hand, each under its own name. */
import { createClient } from '../../client/index.ts';
import { http2Transport } from '../../client/node/index.ts';
import type { Environment } from '../../controller/contract.ts';
import { type ClientName, type ClusterPki, ensureClusterPki } from '../../pki/index.ts';
import { managerAgent, managerClients } from './connect.ts';
import { type ManagerProcessOptions, managerFor } from './manager.ts';
import { renewedCredentials } from './renewal.ts';
import { schedulerFor } from './scheduler.ts';

export interface ControlPlaneOptions extends Pick<ManagerProcessOptions, 'clusterCidrs' | 'leaderElect' | 'more'> {
  readonly pkiDirectory: string;
  readonly environment: Environment;
  /** "https://127.0.0.1:6443" */
  readonly server: string;
  readonly pki: ClusterPki;
}

/** Resolves when they work, or wait for their leases. Gives what stops them. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<() => Promise<void>> {
  const { environment, server, pki, leaderElect, ...settings } = options;
  const { clock } = environment;
  const connection = (name: ClientName) => ({
    server,
    ca: pki.ca.certificate,
    clock,
    credentials: renewedCredentials(clock, () => ensureClusterPki(options.pkiDirectory, { clock }).clients[name]),
  });
  const clientOf = (name: ClientName, userAgent: string) =>
    createClient(http2Transport(connection(name)), { userAgent, clock });
  const { close, ...clients } = managerClients(
    clientOf('controller-manager', managerAgent),
    connection('controller-manager'),
    environment,
  );
  const client = clientOf('scheduler', 'kube-scheduler');
  const manager = managerFor({ environment, ...clients, enabled: ['*'], leaderElect, ...settings });
  const scheduler = schedulerFor({ environment, client, leaderElect });
  const stop = async () => {
    await Promise.all([manager.stop(), scheduler.stop()]);
    await Promise.all([close(), client.transport.close()]);
  };
  try {
    await Promise.all([manager.start(), scheduler.start()]);
  } catch (error) {
    await stop();
    throw error;
  }
  return stop;
}
