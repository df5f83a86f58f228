/** PostFilter: when no node fits, what could be done about it. */
import type { PostFilterContext, Room } from '../framework/plugin.ts';
import { type CycleInput, type Feasible, nominatedBefore } from './cycle.ts';
import { runAll } from './filter.ts';

export interface PostFilterResult {
  readonly message: string;
  readonly room?: Room;
  /** A nomination the pod has is of no more use. */
  readonly clear: boolean;
}

export function runPostFilters(input: CycleInput, found: Feasible): PostFilterResult {
  const { prepared, diagnosis } = found;
  const messages: string[] = [];
  let clear = false;
  if (!prepared || diagnosis.nodeCount === 0) return { message: '', clear };
  const context: PostFilterContext = {
    profile: input.profile.schedulerName,
    snapshot: input.snapshot,
    pod: input.pod,
    rejections: diagnosis.rejections,
    fits(node) {
      const waiting = input.hasNominations ? nominatedBefore(input, node.name) : [];
      if (waiting.length > 0) {
        const rejection = input.snapshot.trial(node.row, trial => {
          for (const each of waiting) trial.add(each);
          return runAll(prepared, node);
        });
        if (rejection) return rejection;
      }
      return runAll(prepared, node);
    },
    random: input.random,
    nominated: input.nominated,
  };
  for (const plugin of input.profile.postFilter) {
    const outcome = plugin.postFilter?.(context);
    if (!outcome) continue;
    if ('evict' in outcome) return { message: messages.join(', '), clear: false, room: outcome };
    if (outcome.message) messages.push(outcome.message);
    clear ||= outcome.clear === true;
  }
  return { message: messages.join(', '), clear };
}
