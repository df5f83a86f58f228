import type { Action } from '../contract.ts';
import { batchActions } from './batch.ts';
import { clusterActions } from './cluster.ts';
import { workloadActions } from './workloads.ts';

/** What users of a cluster do all day. */
export const defaultActions: readonly Action[] = [...workloadActions, ...batchActions, ...clusterActions];
