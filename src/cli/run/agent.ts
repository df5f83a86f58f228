/** A node on another machine: joins with a token, gets its certificates by signing requests, and then runs like any node. */
import { join } from 'node:path';
import { messageOf } from '../../base/errors.ts';
import { createClient } from '../../client/index.ts';
import { http2Transport } from '../../client/node/transport.ts';
import type { Environment } from '../../controller/contract.ts';
import { createNodeCertificate } from '../../kubelet/bootstrap/certificates.ts';
import { createAuthority } from '../../pki/index.ts';
import { clusterId, clusterPaths } from '../cluster.ts';
import { nodeAddresses } from '../ranges.ts';
import { startForwarder } from './forwarder.ts';
import { fetchAuthority, type JoinToken, readFacts } from './join.ts';
import { type NodeIdentity, type NodeSettings, type RunningNode, runNode } from './node.ts';
import { prepareNodeNetwork } from './node-network.ts';
import { nodePortAddresses } from './proxy.ts';

export interface AgentOptions {
  readonly environment: Environment;
  readonly dataDir: string;
  /** API servers, "https://host:port" each; the first one that answers is used. */
  readonly servers: readonly string[];
  readonly token: JoinToken;
  readonly nodeName: string;
  /** The node's InternalIPs to choose from: the first of each family that the cluster has. */
  readonly nodeIps: readonly string[];
  readonly kubeletPort: number;
  /** As `--nodeport-addresses`. */
  readonly nodePortAddresses: readonly string[];
}

export interface RunningAgent extends RunningNode {
  /** The node's own. */
  readonly addresses: readonly string[];
}

export async function runAgent(options: AgentOptions): Promise<RunningAgent> {
  const { environment, dataDir, nodeName } = options;
  const { clock, log } = environment;
  const ca = await firstAuthority(options);
  const forwarder = await startForwarder(options.servers, log);
  const server = `https://127.0.0.1:${forwarder.port}`;
  const bootstrap = createClient(http2Transport({ server, ca, token: options.token.bootstrapToken, clock }), {
    userAgent: 'tsukube-bootstrap',
    clock,
  });
  const stopping = new AbortController();
  const common = { ...environment, directory: join(clusterPaths(dataDir).node, 'pki'), nodeName };
  const clientCertificate = createNodeCertificate({
    ...common,
    name: 'kubelet-client',
    kind: 'client',
    client: () => bootstrap,
  });
  const ranges = await readFacts(bootstrap);
  const addresses = nodeAddresses(options.nodeIps, ranges.podCidrs);
  const nodePorts = nodePortAddresses(options.nodePortAddresses, addresses);
  const { certificate: cert, key } = await clientCertificate.ensure(stopping.signal);
  const client = createClient(
    http2Transport({
      server,
      ca,
      clock,
      // Asked with each connection, so that a renewed certificate is used.
      credentials: {
        get: async () => ({
          cert: clientCertificate.current?.certificate ?? cert,
          key: clientCertificate.current?.key ?? key,
        }),
        refused: () => false,
      },
    }),
    { userAgent: 'kubelet', clock },
  );
  await bootstrap.transport.close();
  const settings: NodeSettings = {
    ...ranges,
    dataDir,
    id: clusterId(dataDir),
    nodeName,
    nodeAddresses: addresses,
    ...(nodePorts && { nodePortAddresses: nodePorts }),
    kubeletPort: options.kubeletPort,
  };
  await prepareNodeNetwork(settings, [ranges.dnsAddress], log);
  void clientCertificate
    .keep(stopping.signal)
    .catch(error => log.error('The node certificate is not renewed', { error: messageOf(error) }));
  const node = await runNode({
    environment,
    settings,
    identity: servingIdentity(options, addresses, client, ca, common, stopping.signal),
  });
  const end = async () => {
    stopping.abort(new Error('the agent stops'));
    await forwarder.close();
  };
  return {
    addresses,
    async release() {
      await node.release();
      await end();
    },
    async stop() {
      await node.stop();
      await end();
    },
  };
}

/** The kubelet's server begins with a certificate of its own making: a signed one is granted to nodes that are registered. */
function servingIdentity(
  { environment, nodeName }: AgentOptions,
  addresses: readonly string[],
  client: NodeIdentity['client'],
  ca: string,
  common: { readonly directory: string; readonly nodeName: string } & Environment,
  signal: AbortSignal,
): NodeIdentity {
  const now = environment.clock.now();
  const own = createAuthority({
    commonName: `system:node:${nodeName}`,
    notBefore: now - 300_000,
    notAfter: now + 86_400_000,
  });
  return {
    client,
    tls: { cert: own.certificate, key: own.key, clientCa: ca },
    onRenewal(use) {
      const serving = createNodeCertificate({
        ...common,
        name: 'kubelet-server',
        kind: 'serving',
        dnsNames: [nodeName],
        addresses,
        client: () => client,
        onRenewed: fresh => use({ cert: fresh.certificate, key: fresh.key }),
      });
      void serving
        .ensure(signal)
        .then(first => {
          use({ cert: first.certificate, key: first.key });
          return serving.keep(signal);
        })
        .catch(error => environment.log.error('The kubelet has no serving certificate', { error: messageOf(error) }));
    },
  };
}

async function firstAuthority({ servers, token }: AgentOptions): Promise<string> {
  const failures: string[] = [];
  for (const server of servers) {
    try {
      return await fetchAuthority(server, token);
    } catch (error) {
      failures.push(messageOf(error));
    }
  }
  throw new Error(`no server can be joined: ${failures.join('; ')}`);
}
