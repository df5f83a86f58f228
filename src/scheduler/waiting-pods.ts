/** Pods that wait at Permit until every plugin that asked for it allows them, one rejects them, or time is up. */
import type { Clock } from '../base/clock.ts';
import type { PodInfo } from './framework/pod-info.ts';
import { type Rejection, rejections } from './framework/status.ts';

export interface WaitingPods {
  /** Undefined when allowed. `plugins`: how long each waits, in milliseconds. */
  wait(pod: PodInfo, plugins: ReadonlyMap<string, number>, signal: AbortSignal): Promise<Rejection | undefined>;
  allow(key: string, plugin: string): void;
  reject(key: string, plugin: string, message: string): void;
  list(): readonly PodInfo[];
}

interface Waiting {
  readonly pod: PodInfo;
  readonly missing: Set<string>;
  settle(rejection: Rejection | undefined): void;
}

export function createWaitingPods(clock: Clock): WaitingPods {
  const waiting = new Map<string, Waiting>();
  return {
    wait(pod, plugins, signal) {
      const { promise, resolve } = Promise.withResolvers<Rejection | undefined>();
      const reject = (plugin: string, message: string) => settle({ ...rejections(plugin)('Unschedulable', message) });
      const timers = [...plugins].map(([plugin, ms]) =>
        clock.setTimer(
          () => reject(plugin, `rejected due to timeout after waiting ${ms / 1000}s at plugin ${plugin}`),
          ms,
        ),
      );
      const stopped = () => settle({ ...rejections('')('Error', 'the scheduler stopped') });
      const settle = (rejection: Rejection | undefined) => {
        for (const timer of timers) timer.cancel();
        signal.removeEventListener('abort', stopped);
        waiting.delete(pod.key);
        resolve(rejection);
      };
      signal.addEventListener('abort', stopped, { once: true });
      waiting.set(pod.key, { pod, missing: new Set(plugins.keys()), settle });
      return promise;
    },
    allow(key, plugin) {
      const entry = waiting.get(key);
      entry?.missing.delete(plugin);
      if (entry?.missing.size === 0) entry.settle(undefined);
    },
    reject(key, plugin, message) {
      waiting.get(key)?.settle({ ...rejections(plugin)('Unschedulable', message) });
    },
    list: () => [...waiting.values()].map(w => w.pod),
  };
}
