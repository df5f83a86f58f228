/**
 * One pod's worker: reads what is, decides, acts, tells. It runs when poked (the pod changed, the runtime reported, a timer is due) and
 * never twice at once. Stopping the worker leaves the containers alone.
 */
import type { Pod, PodStatus } from '../../api/types/core-v1.ts';
import { rfc3339, sleep, type Timer } from '../../base/clock.ts';
import { isNotFound, messageOf } from '../../base/errors.ts';
import {
  buildSandboxConfig,
  createSandbox,
  graceOf,
  killAll,
  killContainer,
  podEvent,
  StartError,
  startContainer,
  throwIfAborted,
} from './actions.ts';
import type { ContainerNotes } from './container-status.ts';
import type { PodContext } from './context.ts';
import { type Decision, decide } from './decide.ts';
import { SetUpError } from './host.ts';
import { type AnyContainer, allContainers, isStaticPod, uidOf } from './names.ts';
import { createProbeSet } from './probes.ts';
import { createResizer } from './resize.ts';
import {
  anyRunning,
  emptyView,
  hasExited,
  isRunning,
  type PodView,
  readPodView,
  readySandbox,
  type StatusCache,
} from './state.ts';
import { type PodFailure, podIps, podStatus } from './status.ts';
import { createStatusWriter } from './status-writer.ts';

export interface PodWorker {
  readonly pod: Pod;
  /** The pod as the API shows it now. */
  update(pod: Pod): void;
  /** Look again: something changed in the runtime. */
  poke(): void;
  /** Ends the pod for good, with phase Failed. */
  fail(failure: PodFailure): void;
  /** It is being deleted, or was ended. */
  readonly ending: boolean;
  /** The pod vanished from its source without having been deleted gracefully. */
  remove(): void;
  /** The status as it was last computed. */
  readonly status: PodStatus | undefined;
  readonly view: PodView;
  /** The worker ends; the containers stay. */
  stop(): Promise<void>;
}
export interface PodWorkerOptions {
  /** The pod in the API: for static pods the mirror. */
  apiPod(pod: Pod): Pod | undefined;
  /** The pod is gone, here and in the API. */
  onGone(): void;
}

const retryInitialMs = 1000;
const retryMaxMs = 120_000;
/** A sync longer than this shows its state in between. */
const slowSyncMs = 400;
/** Contents of volumes and limits that changed are picked up at the latest after this. */
const resyncMs = 60_000;

export function createPodWorker(context: PodContext, first: Pod, options: PodWorkerOptions): PodWorker {
  const { clock, log: rootLog, runtime, host, meters } = context;
  const log = rootLog.with({ pod: `${first.metadata.namespace}/${first.metadata.name}` });
  const uid = uidOf(first);
  const statusCache: StatusCache = new Map();
  const messages = new Map<string, string>();
  const waiting = new Map<string, { reason: string; message?: string }>();
  const startTime = first.status?.startTime ?? rfc3339(clock.now());
  let pod = first;
  let view: PodView = emptyView;
  let failure: PodFailure | undefined;
  let removed = false;
  let admitted = (first.status?.containerStatuses?.length ?? 0) > 0;
  let ended = false;
  let finished = false;
  let dirty = false;
  let running: Promise<void> | undefined;
  let stopped = false;
  let retryMs = retryInitialMs;
  let interrupt = new AbortController();
  let killing = false;
  let killed = false;
  const timers = new Map<string, Timer>();
  let filesFor = { at: Number.NEGATIVE_INFINITY, metadata: '' };
  let writtenRevision = 0;
  const seenAt = clock.monotonic();
  let begun = first.status?.phase !== undefined && first.status.phase !== 'Pending';

  const writer = createStatusWriter({
    client: context.client,
    clock,
    log,
    meters,
    target: () => options.apiPod(pod),
    onWritten: written => {
      writtenRevision = Number(written.metadata.resourceVersion);
      if (written.metadata.uid === uid && written.status) pod = { ...pod, status: written.status };
    },
  });
  const probes = createProbeSet({
    clock,
    runtime,
    checks: host.checks,
    meters,
    pod: () => pod,
    event: (container, message) => podEvent(context, pod, container)('Warning', 'Unhealthy', message),
    onChange: () => poke(),
  });
  const resizer = createResizer(context, {
    pod: () => pod,
    view: () => view,
    podIp: () => addresses()[0] ?? '',
    onChange: () => void publish(),
    onRestart() {
      dirty = true;
    },
    retryIn: ms => wakeIn('resize', ms),
  });

  const terminating = () => pod.metadata.deletionTimestamp !== undefined || removed || failure !== undefined;
  function poke(): void {
    dirty = true;
    if (running || stopped || ended) return;
    running = loop().finally(() => {
      running = undefined;
      if (dirty) poke();
    });
  }
  function wakeIn(name: string, ms: number): void {
    timers.get(name)?.cancel();
    timers.set(name, clock.setTimer(poke, Math.max(ms, 10), { background: true }));
  }
  async function loop(): Promise<void> {
    while (dirty && !stopped && !ended) {
      dirty = false;
      const start = clock.monotonic();
      const operation = terminating() ? 'kill' : view === emptyView ? 'create' : 'sync';
      try {
        await step();
        meters.podWorked(operation, (clock.monotonic() - start) / 1000);
        retryMs = retryInitialMs;
      } catch (e) {
        if (stopped || interrupt.signal.aborted) continue;
        log.warn('pod sync failed', { error: messageOf(e) });
        wakeIn('retry', retryMs);
        retryMs = Math.min(retryMs * 2, retryMaxMs);
      } finally {
        if (interrupt.signal.aborted) interrupt = new AbortController();
      }
    }
  }

  async function look(): Promise<void> {
    view = await readPodView(runtime, uid, statusCache);
    for (const container of allContainers(pod)) {
      const [current, ...older] = view.containers.get(container.name) ?? [];
      for (const seen of [current, ...older.slice(0, 1)])
        if (seen && hasExited(seen) && !messages.has(seen.status.id))
          messages.set(seen.status.id, await host.terminationMessage(pod, container, seen.status).catch(() => ''));
      if (!current || !isRunning(current)) probes.drop(container.name);
      else if (!terminating()) {
        waiting.delete(container.name);
        const old = [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])].find(s =>
          s.containerID?.endsWith(current.status.id),
        );
        probes.track(container, {
          id: current.status.id,
          startedAtMs: current.status.startedAt / 1e6,
          podIp: addresses()[0] ?? '',
          ...(old && { before: { started: old.started ?? false, ready: old.ready } }),
        });
      }
    }
    for (const id of messages.keys()) if (!statusCache.has(id)) messages.delete(id);
  }
  const addresses = () => podIps({ pod, view, hostIps: context.hostIps() });

  function notes(name: string): ContainerNotes | undefined {
    const state = probes.state(name);
    const note = waiting.get(name);
    return {
      started: state?.started ?? false,
      ready: (state?.ready ?? false) && !terminating(),
      ...(note && { waiting: note }),
    };
  }
  function publish(): PodStatus {
    const status = podStatus({
      pod,
      view,
      notes,
      terminationMessage: id => messages.get(id),
      resources: resizer.resourcesOf,
      resize: resizer.conditions,
      runtimeName: context.runtimeName,
      now: clock.now(),
      hostIps: context.hostIps(),
      startTime,
      finished,
      ...(failure && { failure }),
    });
    writer.set(status);
    if (!begun && status.phase === 'Running') meters.podStarted((clock.monotonic() - seenAt) / 1000);
    begun ||= status.phase !== 'Pending';
    return status;
  }

  async function step(): Promise<void> {
    await look();
    if (terminating()) return terminate();
    const { phase } = pod.status ?? {};
    if (phase === 'Succeeded' || phase === 'Failed') return end();
    if (!admitted) {
      const refusal = context.admit(pod) ?? (await host.admit(pod));
      if (refusal) return refuse(refusal);
      admitted = true;
    }
    if (deadlinePassed()) return;
    const progress = clock.setTimer(() => void publish(), slowSyncMs, { background: true });
    try {
      await carryOut(decide(pod, view, name => probes.state(name)));
      await look();
    } finally {
      progress.cancel();
      if (!stopped && !terminating()) publish();
    }
    const after = decide(pod, view, name => probes.state(name));
    if (after.killPod && !after.createSandbox && !finished) dirty = true;
    await refresh();
    await resizer.run();
    if (host.periodicSync) wakeIn('resync', resyncMs);
  }

  function refuse({ reason, message }: { reason: string; message: string }): void {
    podEvent(context, pod)('Warning', reason, message);
    failure = { reason, message: `Pod was rejected: ${message}`, rejected: true };
    dirty = true;
  }

  function deadlinePassed(): boolean {
    const seconds = pod.spec.activeDeadlineSeconds;
    if (seconds === undefined) return false;
    const left = Date.parse(startTime) + seconds * 1000 - clock.now();
    if (left > 0) {
      wakeIn('deadline', left);
      return false;
    }
    const message = 'Pod was active on the node longer than the specified deadline';
    podEvent(context, pod)('Normal', 'DeadlineExceeded', message);
    failure = { reason: 'DeadlineExceeded', message };
    dirty = true;
    return true;
  }

  async function carryOut(decision: Decision): Promise<void> {
    const { signal } = interrupt;
    if (decision.killPod) {
      if (decision.createSandbox) {
        podEvent(context, pod)('Normal', 'SandboxChanged', 'Pod sandbox changed, it will be killed and re-created.');
        await killAll(context, pod, view, graceOf(pod), addresses()[0] ?? '');
      } else return end();
    }
    for (const { container, message } of decision.kill) {
      const spec = allContainers(pod).find(c => c.name === container.name) ?? { name: container.name };
      const grace = probeGrace(spec, probes.state(container.name)?.failedProbe?.kind) ?? graceOf(pod);
      const podIp = addresses()[0] ?? '';
      await killContainer(context, pod, {
        id: container.status.id,
        container: spec,
        podIp,
        graceSeconds: grace,
        message,
      });
      probes.drop(container.name);
    }
    if (decision.createSandbox || decision.start.length > 0) await setUpFiles();
    if (decision.createSandbox) await createSandbox(context, pod, decision.createSandbox.attempt);
    if (decision.createSandbox || decision.kill.length > 0) await look();
    throwIfAborted(signal);
    await startAll(decision, signal);
  }

  /** Brings contents that changed into the volumes of a running pod. */
  async function refresh(): Promise<void> {
    if (!host.periodicSync || !anyRunning(view)) return;
    const { labels, annotations } = pod.metadata;
    const metadata = JSON.stringify([labels, annotations]);
    if (metadata === filesFor.metadata && clock.monotonic() - filesFor.at < resyncMs) return;
    await setUpFiles();
  }

  async function setUpFiles(): Promise<void> {
    const { labels, annotations } = pod.metadata;
    filesFor = { at: clock.monotonic(), metadata: JSON.stringify([labels, annotations]) };
    try {
      await host.setUpPod(pod);
    } catch (e) {
      if (e instanceof SetUpError) podEvent(context, pod)('Warning', e.reason, e.message);
      throw e;
    }
  }

  async function startAll(decision: Decision, signal: AbortSignal): Promise<void> {
    const sandbox = readySandbox(view);
    if (!sandbox || decision.start.length === 0) return;
    const config = await buildSandboxConfig(context, pod, sandbox.metadata.attempt);
    let nextTry = Number.POSITIVE_INFINITY;
    for (const start of decision.start) {
      const { name } = start.container;
      try {
        waiting.delete(name);
        const input = { pod, view, sandboxId: sandbox.id, sandbox: config, podIps: addresses(), signal };
        await startContainer(context, start, input);
        dirty = true;
      } catch (e) {
        if (!(e instanceof StartError)) throw e;
        waiting.set(name, { reason: e.reason, message: e.message });
        nextTry = Math.min(nextTry, e.retryMs);
      }
      throwIfAborted(signal);
    }
    if (nextTry !== Number.POSITIVE_INFINITY) wakeIn('start', nextTry);
  }

  /** The pod came to its end by itself: what still runs is stopped, files go, the API object stays. */
  async function end(): Promise<void> {
    if (finished) return;
    await killAll(context, pod, view, graceOf(pod), addresses()[0] ?? '');
    await look();
    probes.stop();
    finished = true;
    publish();
    await host.tearDownPod(uid);
  }

  async function terminate(): Promise<void> {
    if (!killed || anyRunning(view)) {
      killing = true;
      publish();
      await killAll(context, pod, view, failure?.graceSeconds ?? graceOf(pod), addresses()[0] ?? '');
      killed = true;
      await look();
      if (anyRunning(view)) throw new Error('containers still run');
    }
    probes.stop();
    finished = true;
    publish();
    await host.tearDownPod(uid);
    if (pod.metadata.deletionTimestamp === undefined && !removed) return;
    await removeFromRuntime();
    await writer.flushed();
    await removeFromApi();
    leave();
  }

  async function removeFromRuntime(): Promise<void> {
    for (const group of view.containers.values())
      for (const { status } of group) await runtime.removeContainer(status.id);
    await host.removeLogs(uid);
    for (const { id } of view.sandboxes) await runtime.removePodSandbox(id);
  }

  async function removeFromApi(): Promise<void> {
    const target = options.apiPod(pod);
    if (removed || !target || isStaticPod(pod)) return;
    const { namespace, name = '' } = target.metadata;
    const preconditions = { uid: target.metadata.uid ?? '' };
    const options_ = { gracePeriodSeconds: 0, preconditions };
    for (;;) {
      try {
        await context.client.resource('v1/pods', namespace).delete(name, options_);
        return;
      } catch (e) {
        if (isNotFound(e) || stopped || removed) return;
        if (messageOf(e).includes('recondition')) return;
        log.debug('pod could not be deleted from the API yet', { error: messageOf(e) });
        await sleep(clock, retryMs);
      }
    }
  }

  function leave(): void {
    ended = true;
    writer.stop();
    for (const timer of timers.values()) timer.cancel();
    options.onGone();
  }

  /** Somebody else wrote what is the kubelet's to say, as the node controller does for a silent node. Upstream: needsReconcile. */
  function wasOverruled(seen: Pod): boolean {
    const said = readiness(writer.last);
    const isNews = Number(seen.metadata.resourceVersion ?? 0) > writtenRevision;
    return isNews && said !== undefined && said !== readiness(seen.status);
  }

  /** A deletion with less time than before reaches the containers that are stopping already. */
  function shortenGrace(before: Pod): void {
    const [old, now] = [graceOf(before), graceOf(pod)];
    if (!killing || now >= old) return;
    for (const group of view.containers.values())
      for (const c of group) if (isRunning(c)) void runtime.stopContainer(c.status.id, now).catch(() => undefined);
  }

  return {
    get pod() {
      return pod;
    },
    update(next) {
      const before = pod;
      const wasTerminating = terminating();
      pod = next;
      if (terminating() && !wasTerminating) interrupt.abort(new Error('the pod is being deleted'));
      else if (wasTerminating) shortenGrace(before);
      if (concernsKubelet(before, next) || wasOverruled(next)) poke();
    },
    poke,
    fail(why) {
      if (terminating() || finished) return;
      failure = why;
      interrupt.abort(new Error(why.reason));
      poke();
    },
    get ending() {
      return terminating() || finished;
    },
    remove() {
      if (removed) return;
      removed = true;
      interrupt.abort(new Error('the pod is gone'));
      poke();
    },
    get status() {
      return writer.last;
    },
    get view() {
      return view;
    },
    async stop() {
      stopped = true;
      interrupt.abort(new Error('stopped'));
      probes.stop();
      writer.stop();
      for (const timer of timers.values()) timer.cancel();
      await running;
    },
  };
}

/** False for what the kubelet itself wrote: statuses come back on the watch. */
function concernsKubelet(before: Pod, now: Pod): boolean {
  const facts = ({ metadata: m, status }: Pod) => {
    const gates = now.spec.readinessGates?.map(g => status?.conditions?.find(c => c.type === g.conditionType)?.status);
    return JSON.stringify([m.deletionTimestamp, m.deletionGracePeriodSeconds, m.labels, m.annotations, gates]);
  };
  const generation = now.metadata.generation;
  return generation === undefined || before.metadata.generation !== generation || facts(before) !== facts(now);
}

const readiness = (status: PodStatus | undefined) => status?.conditions?.find(c => c.type === 'Ready')?.status;

function probeGrace(container: AnyContainer, kind: 'liveness' | 'startup' | undefined): number | undefined {
  const probe = kind === 'liveness' ? container.livenessProbe : kind === 'startup' ? container.startupProbe : undefined;
  return probe?.terminationGracePeriodSeconds;
}
