/** Controllers over the in-memory API on virtual time, with a stand-in for nodes. */

import type { Pod } from '../../src/api/types/core-v1.ts';
import { rfc3339 } from '../../src/base/clock.ts';
import { type Logger, silentLogger } from '../../src/base/log.ts';
import { createMetrics } from '../../src/base/metrics.ts';
import { type Random, seededRandom } from '../../src/base/random.ts';
import { type VirtualClock, virtualClock } from '../../src/base/virtual-clock.ts';
import type { Client } from '../../src/client/contract.ts';
import { createClient, inProcessTransport } from '../../src/client/index.ts';
import type { Controller } from '../../src/controller/contract.ts';
import { createManager, type Manager } from '../../src/controller/index.ts';
import { type MemoryApi, memoryApi } from './memory-api.ts';

export interface World {
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly api: MemoryApi;
  /** Past the faults. */
  readonly client: Client;
  readonly manager: Manager;
  /** Reasons and messages of the events so far, oldest first. */
  events(): string[];
  pods(): Pod[];
  restart(): Promise<void>;
  stop(): Promise<void>;
}
export interface WorldOptions {
  readonly seed?: number;
  readonly controllers: readonly Controller[];
  /** Runs pods: true makes them ready after up to `readyMs`. */
  readonly nodes?: boolean;
  readonly readyMs?: number;
  readonly log?: Logger;
}

export function createWorld(options: WorldOptions): World {
  const clock = virtualClock();
  const random = seededRandom(options.seed ?? 1);
  const api = memoryApi(clock, random);
  const client = createClient(inProcessTransport(api.handler, { name: 'test', groups: ['system:masters'] }));
  const make = () => {
    const log = options.log ?? silentLogger;
    const environment = { clock, random, log, metrics: createMetrics() };
    return createManager({ environment, client, controllers: options.controllers, freeze: true });
  };
  let manager = make();
  if (options.nodes !== false) runNodes(api, clock, random, options.readyMs ?? 1_000);
  void manager.start();
  return {
    clock,
    random,
    api,
    client,
    manager,
    events: () =>
      api.objects('v1/events').map(e => `${String(e['type'])} ${String(e['reason'])} ${String(e['message'])}`),
    pods: () => api.objects('v1/pods') as unknown as Pod[],
    async restart() {
      const stopped = manager.stop();
      await clock.advance(1_000);
      await stopped;
      manager = make();
      void manager.start();
    },
    async stop() {
      api.faults.down = false;
      const stopped = manager.stop();
      await clock.advance(60_000);
      await stopped;
    },
  };
}

/** Nodes that are honest and quick: a pod becomes ready after a while, and goes soon after it was told to. Writes past the faults. */
function runNodes(api: MemoryApi, clock: VirtualClock, random: Random, readyMs: number): void {
  const direct = createClient(
    inProcessTransport(async request => {
      const { failBefore = 0, failAfter = 0, down = false } = api.faults;
      Object.assign(api.faults, { failBefore: 0, failAfter: 0, down: false });
      const answer = api.handler(request);
      Object.assign(api.faults, { failBefore, failAfter, down });
      return answer;
    }),
  );
  const ignore = () => undefined;
  api.onChange(change => {
    if (change.resource !== 'v1/pods' || change.type === 'DELETED') return;
    const pod = change.object as unknown as Pod;
    const { name, namespace, deletionTimestamp } = pod.metadata;
    const pods = direct.pods(namespace);
    if (deletionTimestamp && !change.old?.metadata.deletionTimestamp) {
      clock.setTimer(() => void pods.delete(name, { gracePeriodSeconds: 0 }).catch(ignore), random.int(2_000));
    } else if (change.type === 'ADDED') {
      clock.setTimer(
        () =>
          void pods
            .patch(name, 'merge', { spec: { nodeName: `node-${random.int(3)}` }, ...running(clock) })
            .catch(ignore),
        random.int(readyMs) + 1,
      );
    }
  });
}

export function running(clock: VirtualClock): { status: Pod['status'] } {
  const at = rfc3339(clock.now());
  return {
    status: {
      phase: 'Running',
      startTime: at,
      podIP: '10.0.0.1',
      podIPs: [{ ip: '10.0.0.1' }],
      conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: at }],
    },
  };
}
