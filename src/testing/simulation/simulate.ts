/** One run: a cluster from a seed, steps with faults, then quiet, and the judgement. */
import { type LogFields, type Logger, type LogLevel, lineLogger } from '../../base/log.ts';
import { type VirtualClock, virtualClock } from '../../base/virtual-clock.ts';
import { simulatedNodesBinding } from '../../kubelet/index.ts';
import { masters } from '../users.ts';
import { defaultActions } from './actions/index.ts';
import { type Character, characterOf } from './character.ts';
import type { ActionContext, Finding, Invariant, SimulationOptions, SimulationReport } from './contract.ts';
import { defaultFaults, type FaultRates, noFaults } from './faults.ts';
import { createHistory, type History } from './history.ts';
import { defaultInvariants } from './invariants/index.ts';
import { type Body, befall, lifeFaults, startServer } from './life.ts';
import { createLink, type NetworkOptions, type SeenRequest } from './network.ts';
import {
  clientOver,
  createClientProcess,
  createNodesProcess,
  createServerProcess,
  namedRandom,
  runManager,
  runScheduler,
  type Site,
} from './processes.ts';
import { createRecords } from './records.ts';
import { memoryStorage, type Storage, type StorageOptions } from './storage.ts';
import { createObserver, type View } from './view.ts';
import { checkedAnswer, checkedWatch } from './watches.ts';
import { checkWrite } from './writes.ts';

const startMs = Date.UTC(2026, 0, 1, 12);
/** Findings beyond this are consequences. */
const enough = 5;

export async function simulate(options: SimulationOptions): Promise<SimulationReport> {
  const clock = virtualClock(startMs, { order: namedRandom(options.seed, 'order') });
  const history = createHistory(clock, options.onLine);
  const run = await createRun(options, clock, history);
  try {
    await run.begin();
    const steps = options.steps ?? 60;
    const chosen = options.only ?? Array.from({ length: steps }, (_, index) => index);
    for (const step of chosen) {
      if (run.judge.failed()) break;
      await run.step(step);
    }
    await run.settle();
  } finally {
    await run.end();
  }
  return {
    seed: options.seed,
    steps: options.steps ?? 60,
    findings: run.judge.findings,
    fingerprint: history.fingerprint(),
    revision: run.view.revision,
    requests: run.requests(),
    story: history.story,
    elapsedMs: clock.monotonic(),
  };
}

interface Judge {
  readonly findings: readonly Finding[];
  failed(): boolean;
  find(invariant: string, messages: Iterable<string> | undefined): void;
}

function createJudge(clock: VirtualClock, history: History, view: () => View): Judge {
  const findings: Finding[] = [];
  const seen = new Set<string>();
  return {
    findings,
    failed: () => findings.length > 0,
    find(invariant, messages) {
      for (const message of messages ?? []) {
        if (findings.length >= enough || seen.has(message)) continue;
        seen.add(message);
        findings.push({ invariant, message, atMs: clock.monotonic(), revision: view().revision });
        history.tell(`FOUND ${invariant}: ${message}`);
      }
    },
  };
}

/** Errors in a log are findings, unless they tell of a fault that was simulated. */
function judgingLogger(clock: VirtualClock, options: SimulationOptions, history: History, judge: Judge): Logger {
  const write = (line: string) => history.tell(line.trimEnd());
  const lines = options.verbose ? lineLogger(clock, write, 'warn') : undefined;
  const make = (base: LogFields): Logger => {
    const log = (level: LogLevel) => (message: string, fields?: LogFields) => {
      const all = { ...base, ...fields };
      lines?.[level](message, all);
      const text = `${message}: ${JSON.stringify(all)}`;
      if (level === 'error' && !text.includes('simulated: ')) judge.find('no component reports a defect', [text]);
    };
    const [debug, info, warn, error] = (['debug', 'info', 'warn', 'error'] as const).map(log);
    return { debug, info, warn, error, with: fields => make({ ...base, ...fields }) } as Logger;
  };
  return make({});
}

/** Only those who ask for a file load what needs one. */
async function createStorage(options: SimulationOptions, given: StorageOptions): Promise<Storage> {
  if (options.storage !== 'embedded') return memoryStorage(given);
  return (await import('./embedded-disk.ts')).embeddedStorage(given);
}

async function createRun(options: SimulationOptions, clock: VirtualClock, history: History) {
  const { seed } = options;
  const plain: Character = {
    actions: options.actions ?? defaultActions,
    stepMs: options.stepMs ?? 5_000,
    faults: { ...defaultFaults, ...options.faults },
  };
  const { actions, stepMs, faults } = (options.swarm ?? true) ? characterOf(seed, plain) : plain;
  const state = { rates: noFaults as FaultRates, requests: 0 };
  const over = new AbortController();
  const invariants = (options.invariants ?? defaultInvariants)();
  const disk = { full: false };
  const storage = await createStorage(options, {
    ...{ clock, random: namedRandom(seed, 'disk') },
    rates: () => state.rates,
    isFull: () => disk.full,
  });
  const backgroundWork = new Set<Promise<unknown>>();
  const judge: Judge = createJudge(clock, history, () => observer.view);
  const records = createRecords();
  const report = (message: string) => judge.find('every watch tells the history', [message]);
  const reportWrite = (message: string) => judge.find('a write replaces what it was meant for', [message]);
  const observer = createObserver({
    ...{ clock, history, records, report },
    onChange(change) {
      for (const one of invariants) judge.find(one.name, one.onChange?.(change, observer.view));
    },
  });
  const network: Site['network'] = {
    clock,
    rates: () => state.rates,
    ...watching(history, invariants, judge, () => observer.view, state),
    answered: (request, response) => checkWrite(request, response, records, reportWrite),
    watched: (request, body) => checkedAnswer(request, body, records, report),
  };
  const site: Site = { seed, clock, network, log: judgingLogger(clock, options, history, judge) };
  const server = createServerProcess(site, {
    storage,
    watched: (watch, range, wanted) => checkedWatch(watch, range, wanted, records, report),
    opened: observer.follow,
  });
  const handler = () => server.handler;
  const process = (name: string, run: Parameters<typeof createClientProcess>[3]) =>
    createClientProcess(name, site, handler, run);
  const link = (name: string) => createLink(name, { ...network, server: handler, random: namedRandom(seed, name) });
  const body: Body = {
    clock,
    server,
    disk,
    over: over.signal,
    managers: [0, 1].map(i =>
      process(`manager-${i}`, (...given) => runManager(options.controllers?.() ?? [], options.enabled, ...given)),
    ),
    schedulers: [0, 1].map(i => process(`scheduler-${i}`, runScheduler)),
    nodes: createNodesProcess(site, link('nodes'), options.nodes ?? 5),
    background(work) {
      const tracked: Promise<unknown> = work.finally(() => backgroundWork.delete(tracked));
      backgroundWork.add(tracked);
    },
  };
  const userLink = link('user');
  const client = clientOver(userLink, 'user', masters);
  const done = async (work: Promise<unknown>, limitMs = 600_000) => {
    let finished = false;
    const mark = () => {
      finished = true;
    };
    work.then(mark, mark);
    await clock.until(() => finished, limitMs);
    await work;
  };

  async function act(index: number): Promise<void> {
    const random = namedRandom(seed, `step/${index}`);
    if (random.next() < state.rates.life) {
      const among = options.lifeFaults ?? lifeFaults;
      const fault = among[random.int(among.length)];
      if (fault) history.tell(`#${index} ${befall(fault, body, random)}`);
      return;
    }
    const context: ActionContext = {
      client,
      random,
      view: observer.view,
      nodes: body.nodes.names,
      killContainer: (uid, code) => killContainer(body, uid, code),
    };
    let left = random.next() * actions.reduce((sum, action) => sum + action.weight, 0);
    const action = actions.find(({ weight }) => {
      left -= weight;
      return left < 0;
    });
    const tell = (what: string | undefined) => {
      if (what !== undefined) history.tell(`#${index} ${what}`);
    };
    const work = action?.run(context).then(tell, error => tell(`${action.name} failed: ${String(error)}`));
    if (work) body.background(work);
  }

  return {
    judge,
    view: observer.view,
    requests: () => state.requests,
    async begin() {
      await done(startServer(body));
      await done(client.clusterrolebindings().apply(simulatedNodesBinding, { fieldManager: 'tsukube' }));
      for (const one of [...body.managers, ...body.schedulers]) one.start();
      body.nodes.start();
      await done(options.prepare?.(client) ?? Promise.resolve());
      await clock.advance(5_000);
      state.rates = faults;
    },
    async step(index: number) {
      await act(index);
      const wait = namedRandom(seed, `wait/${index}`).next() * 2 * stepMs;
      await clock.advance(wait);
    },
    async settle() {
      if (judge.failed()) return;
      state.rates = noFaults;
      over.abort(new Error('faults have stopped'));
      history.tell('faults stop');
      const limit = clock.monotonic() + (options.settleMs ?? 1_200_000);
      const open = () =>
        invariants.flatMap(one => [...(one.unsettled?.(observer.view) ?? [])].map(text => [one.name, text] as const));
      await clock.advance(15_000);
      while (!judge.failed() && clock.monotonic() < limit && (backgroundWork.size > 0 || open().length > 0))
        await clock.advance(5_000);
      if (judge.failed()) return;
      if (backgroundWork.size > 0) judge.find('everything ends', ['an action or a repair never ended']);
      for (const [name, text] of open()) judge.find(name, [text]);
      if (!judge.failed()) history.tell('settled');
    },
    async end() {
      over.abort(new Error('the run is over'));
      await done(
        Promise.all([
          ...[...body.managers, ...body.schedulers].map(one => one.crash()),
          body.nodes.settled().then(() => body.nodes.stop()),
        ]),
        3_600_000,
      ).catch(() => judge.find('everything ends', ['a process did not stop']));
      await done(Promise.all([server.crash(), ...backgroundWork]), 3_600_000).catch(() => undefined);
      await storage.close();
      await observer.finished();
    },
  };
}

/** Every request and answer goes into the history and past the invariants. */
function watching(
  history: History,
  invariants: readonly Invariant[],
  judge: Judge,
  view: () => View,
  state: { requests: number },
): Pick<NetworkOptions, 'onRequest' | 'onResponse'> {
  return {
    onRequest(request: SeenRequest) {
      state.requests += 1;
      const { process, part, method, path, query, body } = request;
      history.note([process, part, method, path, query.toString(), body ?? '']);
      for (const one of invariants) judge.find(one.name, one.onRequest?.(request, view()));
    },
    onResponse(request, response) {
      history.note([request.process, response.status, response.body instanceof Uint8Array ? response.body : '']);
      for (const one of invariants) judge.find(one.name, one.onResponse?.(request, response, view()));
    },
  };
}

async function killContainer(body: Body, podUid: string, exitCode: number): Promise<void> {
  for (const { runtime } of body.nodes.nodes.nodes) {
    const containers = await runtime.listContainers();
    const victim = containers.find(
      c => c.state === 'CONTAINER_RUNNING' && c.labels['io.kubernetes.pod.uid'] === podUid,
    );
    if (victim) return runtime.kill(victim.id, exitCode);
  }
}
