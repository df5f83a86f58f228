/** Life-cycle faults: what befalls processes, nodes, the disk and the clock. */
import { type Clock, sleep } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import type { VirtualClock } from '../../base/virtual-clock.ts';
import type { LifeFault } from './faults.ts';
import type { ClientProcess, NodesProcess, ServerProcess } from './processes.ts';

export interface Body {
  readonly clock: VirtualClock;
  readonly server: ServerProcess;
  readonly managers: readonly ClientProcess[];
  readonly schedulers: readonly ClientProcess[];
  readonly nodes: NodesProcess;
  /** Read by the server's disk. */
  readonly disk: { full: boolean };
  /** Work that goes on beside the steps; awaited before the cluster is judged. */
  background(work: Promise<unknown>): void;
  /** Whether faults still happen; a repair that waits hurries once they have stopped. */
  readonly over: AbortSignal;
}

export const lifeFaults: readonly LifeFault[] = [
  'crash-manager',
  'crash-scheduler',
  'crash-server',
  'crash-kubelet',
  'node-vanishes',
  'cut-off-leader',
  'clock-jump',
  'disk-full',
  'compact',
];

/** Does it, and sets its end in motion. Gives the line for the story. */
export function befall(fault: LifeFault, body: Body, random: Random): string {
  return acts[fault](body, random);
}

const pickOne = <T>(items: readonly T[], random: Random): T => items[random.int(items.length)] as T;
const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;

/** Waits, or less when faults have stopped meanwhile. */
async function outage(clock: Clock, ms: number, over: AbortSignal): Promise<void> {
  await sleep(clock, ms, over).catch(() => undefined);
}

function crashAndReturn(process: ClientProcess, body: Body, random: Random): string {
  const ms = random.int(20_000);
  const work = async () => {
    await Promise.all([process.crash(), outage(body.clock, ms, body.over)]);
    process.start();
  };
  if (!process.alive) return `${process.name} is down already`;
  body.background(work());
  return `${process.name} crashes, for ${seconds(ms)}`;
}

const acts: Readonly<Record<LifeFault, (body: Body, random: Random) => string>> = {
  'crash-manager': (body, random) => crashAndReturn(pickOne(body.managers, random), body, random),
  'crash-scheduler': (body, random) => crashAndReturn(pickOne(body.schedulers, random), body, random),
  'crash-server'(body, random) {
    const ms = random.int(15_000);
    if (!body.server.handler) return 'the API server is down already';
    body.background(restartServer(body, ms));
    return `the API server crashes, for ${seconds(ms)}`;
  },
  'crash-kubelet'(body, random) {
    const name = pickOne(body.nodes.names, random);
    if (!body.nodes.isUp(name)) return `the kubelet of ${name} is down already`;
    body.nodes.setUp(name, false);
    body.nodes.setUp(name, true);
    return `the kubelet of ${name} is restarted`;
  },
  'node-vanishes'(body, random) {
    const name = pickOne(body.nodes.names, random);
    if (!body.nodes.isUp(name)) return `${name} is gone already`;
    const ms = 10_000 + random.int(600_000);
    body.nodes.setUp(name, false);
    body.background(outage(body.clock, ms, body.over).then(() => body.nodes.setUp(name, true)));
    return `${name} vanishes, for ${seconds(ms)}`;
  },
  'cut-off-leader'(body, random) {
    const process = pickOne([...body.managers, ...body.schedulers], random);
    const ms = 5_000 + random.int(40_000);
    const { link } = process;
    link.cutOff(true);
    body.background(outage(body.clock, ms, body.over).then(() => link.cutOff(false)));
    return `${process.name} is cut off, for ${seconds(ms)}`;
  },
  'clock-jump'(body, random) {
    const ms = random.int(240_000) - 120_000;
    body.clock.jump(ms);
    return `the clock jumps by ${seconds(ms)}`;
  },
  'disk-full'(body, random) {
    if (body.disk.full) return 'the disk is full already';
    const ms = random.int(20_000);
    body.disk.full = true;
    const free = () => {
      body.disk.full = false;
    };
    body.background(outage(body.clock, ms, body.over).then(free));
    return `the disk is full, for ${seconds(ms)}`;
  },
  compact(body, random) {
    const keep = random.int(50);
    const { store } = body.server;
    if (!store) return 'there is no history to compact';
    const work = async () => {
      const revision = (await store.revision()) - keep;
      if (revision > 0) await store.compact(revision);
    };
    // A second compaction of the same history is refused, and that is all.
    body.background(work().catch(() => undefined));
    return `history is compacted but for ${keep} revisions`;
  },
};

/** A start can fail (the disk is full, say); the supervisor tries again. */
export async function startServer({ server, clock }: Pick<Body, 'server' | 'clock'>): Promise<void> {
  for (;;) {
    try {
      await server.start();
      return;
    } catch {
      await server.crash();
      await sleep(clock, 1_000);
    }
  }
}

async function restartServer(body: Body, ms: number): Promise<void> {
  await Promise.all([body.server.crash(), outage(body.clock, ms, body.over)]);
  await startServer(body);
}
