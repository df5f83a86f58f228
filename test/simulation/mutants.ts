/** Realistic bugs, each one exact replacement in one file. A text that is no longer there fails the run: the list follows the code. */
export interface Mutant {
  readonly name: string;
  /** Below src/. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** A run that finds it. */
  readonly seed: number;
}

export const mutants: readonly Mutant[] = [
  {
    name: 'a rollout surges by one too many',
    file: 'controllers/deployment/rollout.ts',
    find: 'const room = desired + maxSurge(d) - mostPods(sets);',
    replace: 'const room = desired + maxSurge(d) - mostPods(sets) + 1;',
    seed: 1,
  },
  {
    name: 'a rollout takes one available pod too many',
    file: 'controllers/deployment/rollout.ts',
    find: 'let surplus = Math.min(available - minAvailable, limit - given);',
    replace: 'let surplus = Math.min(available - minAvailable + 1, limit - given + 1);',
    seed: 1,
  },
  {
    name: 'a failed reconcile is not tried again',
    file: 'controller/loop.ts',
    find: '      queue.addRateLimited(key);',
    replace: '',
    seed: 3,
  },
  {
    name: 'changes between a watch and the list after it are lost',
    file: 'client/informer.ts',
    find: 'if (!known || !same) sink.put(item);',
    replace: 'if (!known && !same) sink.put(item);',
    seed: 1,
  },
  {
    name: 'deletions between a watch and the list after it are lost',
    file: 'client/informer.ts',
    find: 'for (const key of gone) sink.remove(key);',
    replace: '',
    seed: 5,
  },
  {
    name: 'an expired watch is tried again from the same revision',
    file: 'client/informer.ts',
    find: '      if (isExpired(e)) {\n        revision = undefined;',
    replace: '      if (isExpired(e)) {',
    seed: 1,
  },
  {
    name: 'a set acts on a cache that does not show its own pods yet',
    file: 'controllers/replicaset/replicas.ts',
    find: 'const settled = ledger.settled(key);',
    replace: 'const settled = true;',
    seed: 1,
  },
  {
    name: 'a pod is deleted without its uid as precondition',
    file: 'controllers/support/pod-control.ts',
    find: 'uid ? { preconditions: { uid } } : {}',
    replace: '{}',
    seed: 1,
  },
  {
    name: 'a lease is taken before it is over',
    file: 'client/leader-election.ts',
    find: 'seen.at + leaseDurationSeconds * 1000',
    replace: 'seen.at + leaseDurationSeconds * 100',
    seed: 4,
  },
  {
    name: 'a leader that cannot renew goes on',
    file: 'client/leader-election.ts',
    find: 'const { clock, signal, log, retryMs = 2_000, renewDeadlineMs = 10_000 } = options;',
    replace: 'const { clock, signal, log, retryMs = 2_000, renewDeadlineMs = 60_000 } = options;',
    seed: 4,
  },
  {
    name: 'the scheduler forgets what it just placed',
    file: 'scheduler/cache.ts',
    find: 'assume: (info, node) => place(info, node, true),',
    replace: 'assume: () => undefined,',
    seed: 1,
  },
  {
    name: 'deletion does not wait for finalizers',
    file: 'apiserver/server/delete.ts',
    find: 'if (finalizers.length === 0 && !pendingFinalizers(served, obj) && !stillTerminating(obj, grace))',
    replace: 'if (!pendingFinalizers(served, obj) && !stillTerminating(obj, grace))',
    seed: 4,
  },
  {
    name: 'what changes while it is worked on is not looked at again',
    file: 'client/work-queue.ts',
    find: 'if (again.delete(key)) add(key);',
    replace: 'again.delete(key);',
    seed: 2,
  },
  {
    name: 'a watch that resumes skips one event',
    file: 'apiserver/storage/kind-cache.ts',
    find: 'eventsAfter: at => window.from(window.after(at)),',
    replace: 'eventsAfter: at => window.from(window.after(at) + 1),',
    seed: 1,
  },
  {
    name: 'the collector leaves what has lost its owner',
    file: 'controllers/garbagecollector/index.ts',
    find: '  await remove(all, node, live, owners);\n}',
    replace: '}',
    seed: 1,
  },
  {
    name: 'an ordered set does not wait for the pod before',
    file: 'controllers/statefulset/plan.ts',
    find: 'return isPodAvailable(pod, set.spec.minReadySeconds ?? 0, now);\n}',
    replace: 'return true;\n}',
    seed: 2,
  },
  {
    name: 'a job runs one pod too many at a time',
    file: 'controllers/job/state.ts',
    find: 'completions - state.succeeded - state.failedIndexes.size, parallelism)',
    replace: 'completions - state.succeeded - state.failedIndexes.size, parallelism + 1)',
    seed: 1,
  },
];
