/** For other people's tests: a whole cluster in one call. */
export { type VirtualClock, virtualClock } from '../base/virtual-clock.ts';
export { type Cluster, type ClusterOptions, createCluster } from './cluster.ts';
