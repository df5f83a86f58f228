/** How the API server reaches nodes, pods and services. The core knows only this; sockets are the adapter's. */
import type { Transport } from '../../api/transport.ts';
import type { Node } from '../../api/types/core-v1.ts';

export interface Dialer {
  /** A kubelet's API: TLS, its certificate verified, ourselves shown by client certificate. Throws an `ApiError` for a node out of reach. */
  kubelet(host: string, port: number, node: Node): Transport;
  /** What a pod serves. TLS is not verified, as upstream does not. */
  backend(scheme: 'http' | 'https', host: string, port: number): Transport;
}
