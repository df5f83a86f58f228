/** For other people's tests: a whole cluster in one call, and a simulation of one from a seed. */
export { type VirtualClock, virtualClock } from '../base/virtual-clock.ts';
export { type Cluster, type ClusterOptions, createCluster } from './cluster.ts';
export type { HttpsAccess } from './https.ts';
export * from './simulation/index.ts';
