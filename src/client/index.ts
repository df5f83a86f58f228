/** The SDK: portable. Transports that need sockets and files are in `node/`. */
export { createBackoff } from './backoff.ts';
export { type Cache, createCache, deepFreeze } from './cache.ts';
export { type ClientOptions, createClient } from './client.ts';
export type * from './contract.ts';
export { type DiscoveredResource, type DiscoverOptions, type Discovery, discover } from './discovery.ts';
export { createSeriesRecorder, type SeriesRecorder } from './event-series.ts';
export { createEventRecorder, type EventRecorderOptions } from './events.ts';
export { inProcessTransport, streamPair } from './in-process.ts';
export { createInformer, createInformerFactory, type InformerEnvironment, type RunnableInformer } from './informer.ts';
export { type LeaderElectionOptions, runLeaderElection } from './leader-election.ts';
export { collectionPath, descriptorOf, kinds, resourceId, shorthands } from './resources.ts';
export {
  attach,
  type CommandResult,
  type ExecOptions,
  exec,
  type LogOptions,
  type PortForwardOptions,
  portForward,
  type RemoteCommandOptions,
  readLogs,
  type TerminalSize,
} from './streams.ts';
export { type WaitOptions, waitFor } from './wait.ts';
export { openWebSocket, type WebSocketConnection } from './websocket.ts';
export { createWorkQueue, type WorkQueueOptions } from './work-queue.ts';
