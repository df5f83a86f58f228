/** A client for a component: from --kubeconfig, or from the pod it runs in. */
import type { Client } from '../../client/contract.ts';
import { createClient } from '../../client/index.ts';
import { clientFromKubeconfig, http2Transport, inClusterOptions, loadKubeconfig } from '../../client/node/index.ts';
import type { Environment } from '../../controller/contract.ts';
import { UsageError } from '../flags.ts';

export function clientFor(
  kubeconfig: string | undefined,
  userAgent: string,
  { clock }: Pick<Environment, 'clock'>,
): Client {
  if (kubeconfig !== undefined) {
    const config = loadKubeconfig([kubeconfig]);
    if (!config.currentContext) throw new UsageError(`${kubeconfig} is missing or names no current context`);
    return clientFromKubeconfig(config, { userAgent, clock });
  }
  const inside = inClusterOptions(process.env, clock);
  if (!inside) throw new UsageError('say how to reach the API server with --kubeconfig');
  return createClient(http2Transport(inside), { userAgent, clock });
}
