import type { Action } from '../contract.ts';
import { batchActions } from './batch.ts';
import { clusterActions } from './cluster.ts';
import { nodeActions } from './nodes.ts';
import { volumeActions } from './volumes.ts';
import { workloadActions } from './workloads.ts';

/** What users of a cluster do all day. */
export const defaultActions: readonly Action[] = [
  ...workloadActions,
  ...batchActions,
  ...clusterActions,
  ...volumeActions,
  ...nodeActions,
];
