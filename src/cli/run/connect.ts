/** Clients for components: from --kubeconfig, or from the pod they run in. */
import type { Client } from '../../client/contract.ts';
import { createClient } from '../../client/index.ts';
import {
  clientFromKubeconfig,
  http2Transport,
  inClusterOptions,
  loadKubeconfig,
  resolveContext,
  type TransportOptions,
  transportOptionsOf,
} from '../../client/node/index.ts';
import type { Environment } from '../../controller/contract.ts';
import { createAccountClients, type ManagerOptions } from '../../controller/index.ts';
import { UsageError } from '../flags.ts';

type Time = Pick<Environment, 'clock'>;

function configIn(kubeconfig: string) {
  const config = loadKubeconfig([kubeconfig]);
  if (!config.currentContext) throw new UsageError(`${kubeconfig} is missing or names no current context`);
  return config;
}

function insideOptions({ clock }: Time): TransportOptions {
  const inside = inClusterOptions(process.env, clock);
  if (!inside) throw new UsageError('say how to reach the API server with --kubeconfig');
  return inside;
}

export function clientFor(kubeconfig: string | undefined, userAgent: string, { clock }: Time): Client {
  return kubeconfig === undefined
    ? createClient(http2Transport(insideOptions({ clock })), { userAgent, clock })
    : clientFromKubeconfig(configIn(kubeconfig), { userAgent, clock });
}

export interface ManagerClients extends Required<Pick<ManagerOptions, 'client' | 'clientFor'>> {
  close(): Promise<void>;
}

export const managerAgent = 'kube-controller-manager';

/** The manager's client, and over one more connection those of its controllers, which act as service accounts. */
export function managerClients(client: Client, connection: TransportOptions, { clock }: Time): ManagerClients {
  const { server, ca, insecureSkipTlsVerify, tlsServerName } = connection;
  const transport = http2Transport({
    server,
    clock,
    ...(ca && { ca }),
    ...(insecureSkipTlsVerify && { insecureSkipTlsVerify }),
    ...(tlsServerName && { tlsServerName }),
  });
  return {
    client,
    clientFor: createAccountClients({ client, transport, clock, userAgent: managerAgent }),
    async close() {
      await Promise.all([transport.close(), client.transport.close()]);
    },
  };
}

export function managerClientsFor(kubeconfig: string | undefined, time: Time): ManagerClients {
  const connection =
    kubeconfig === undefined
      ? insideOptions(time)
      : transportOptionsOf(resolveContext(configIn(kubeconfig)), time.clock);
  return managerClients(clientFor(kubeconfig, managerAgent, time), connection, time);
}
