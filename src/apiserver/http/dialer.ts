/** Reaches kubelets and backends over the client's own transport. */
import type { Transport } from '../../api/transport.ts';
import { errors } from '../../base/errors.ts';
import { http2Transport } from '../../client/node/transport.ts';
import type { Dialer } from '../connect/dialer.ts';

export interface NodeDialerOptions {
  /** PEM of the authority that signs kubelets' serving certificates. */
  readonly kubeletCa: string;
  /** PEM: how we show ourselves to kubelets. */
  readonly clientCert: string;
  readonly clientKey: string;
}

const bracket = (host: string) => (host.includes(':') ? `[${host}]` : host);

export function createNodeDialer(options: NodeDialerOptions): Dialer & { close(): Promise<void> } {
  const transports = new Map<string, Transport>();
  function cached(key: string, make: () => Transport): Transport {
    let transport = transports.get(key);
    if (!transport) {
      transport = make();
      transports.set(key, transport);
    }
    return transport;
  }
  return {
    kubelet(host, port, node) {
      // Its address is made up: somebody else may have it.
      if (node.status?.nodeInfo?.containerRuntimeVersion.startsWith('simulated://'))
        throw errors.serviceUnavailable(
          `node ${node.metadata.name} is simulated in another process: it keeps no logs and runs nothing`,
        );
      return cached(`kubelet ${host} ${port}`, () =>
        http2Transport({
          server: `https://${bracket(host)}:${port}`,
          ca: options.kubeletCa,
          cert: options.clientCert,
          key: options.clientKey,
        }),
      );
    },
    backend: (scheme, host, port) =>
      cached(`${scheme} ${host} ${port}`, () =>
        http2Transport({ server: `${scheme}://${bracket(host)}:${port}`, insecureSkipTlsVerify: true }),
      ),
    async close() {
      await Promise.all([...transports.values()].map(transport => transport.close()));
      transports.clear();
    },
  };
}
