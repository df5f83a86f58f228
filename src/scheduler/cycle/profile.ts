/** A profile made ready: the plugins of each extension point, in order. */
import type { Plugin } from '../framework/plugin.ts';

export interface ScorePlugin {
  readonly plugin: Plugin;
  readonly weight: number;
}

export interface Profile {
  readonly schedulerName: string;
  /** 0: by the number of nodes. */
  readonly percentageOfNodesToScore: number;
  readonly preEnqueue: readonly Plugin[];
  readonly queueSort: Plugin;
  readonly preFilter: readonly Plugin[];
  readonly filter: readonly Plugin[];
  readonly postFilter: readonly Plugin[];
  readonly preScore: readonly Plugin[];
  readonly score: readonly ScorePlugin[];
  readonly reserve: readonly Plugin[];
  readonly permit: readonly Plugin[];
  readonly preBind: readonly Plugin[];
  readonly bind: readonly Plugin[];
  readonly postBind: readonly Plugin[];
  /** All, for their events. */
  readonly plugins: readonly Plugin[];
}

const minFeasibleNodes = 100;
const minPercentage = 5;

/** How many nodes that fit are enough (pkg/scheduler/schedule_one.go, numFeasibleNodesToFind). */
export function feasibleNodesToFind(percentage: number, nodes: number): number {
  if (nodes < minFeasibleNodes) return nodes;
  const adaptive = percentage > 0 ? percentage : Math.max(minPercentage, 50 - Math.floor(nodes / 125));
  if (adaptive >= 100) return nodes;
  return Math.max(minFeasibleNodes, Math.floor((nodes * adaptive) / 100));
}
