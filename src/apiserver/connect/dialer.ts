/** How the API server reaches nodes, pods and services. The core knows only this; sockets are the adapter's. */
import type { Transport } from '../../api/transport.ts';

export interface Dialer {
  /** A kubelet's API: TLS, its certificate verified, ourselves shown by client certificate. */
  kubelet(host: string, port: number): Transport;
  /** What a pod serves. TLS is not verified, as upstream does not. */
  backend(scheme: 'http' | 'https', host: string, port: number): Transport;
}
