/** The part of the SDK that needs Node: sockets, TLS, files, processes. */
export { byteStreamOf } from './byte-stream.ts';
export type { CredentialSource, Credentials } from './credentials.ts';
export { execCredentials } from './exec-plugin.ts';
export * from './kubeconfig.ts';
export { http2Transport, type TransportOptions } from './transport.ts';
