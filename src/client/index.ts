/** The SDK: portable. Transports that need sockets and files are in `node/`. */
export { type ClientOptions, createClient } from './client.ts';
export type * from './contract.ts';
export { inProcessTransport, streamPair } from './in-process.ts';
export { collectionPath, descriptorOf, kinds, resourceId, shorthands } from './resources.ts';
