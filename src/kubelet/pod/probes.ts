/** Startup, liveness and readiness probes of one pod's containers. Upstream: pkg/kubelet/prober. */
import type { Pod, Probe } from '../../api/types/core-v1.ts';
import type { Clock, Timer } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { Meters } from '../metrics/meters.ts';
import type { ContainerRuntime } from '../runtime/contract.ts';
import { isRuntimeTimeout } from '../runtime/contract.ts';
import { portOf } from './hooks.ts';
import type { CheckResult, NetworkChecks } from './host.ts';
import type { AnyContainer } from './names.ts';

export type ProbeKind = 'startup' | 'liveness' | 'readiness';
export interface ProbeEnvironment {
  clock: Clock;
  runtime: ContainerRuntime;
  checks: NetworkChecks;
  meters: Meters;
  /** Whose probes they are, for metrics. */
  pod(): Pod;
  /** Tells a failed or broken probe. */
  event(container: AnyContainer, message: string): void;
  /** A result crossed its threshold: decide again. */
  onChange(): void;
}
interface Tracked {
  containerId: string;
  started: boolean;
  ready: boolean;
  failed: 'liveness' | 'startup' | undefined;
  timers: Map<ProbeKind, Timer>;
  stopped: boolean;
}
export interface RunningContainer {
  id: string;
  startedAtMs: number;
  podIp: string;
  /** What the API says of this very container from before a restart of the kubelet: it stays so until a probe says otherwise. */
  before?: { started: boolean; ready: boolean };
}
export interface ProbeSet {
  /** A container runs: begins its probes. Does nothing when they run already. */
  track(container: AnyContainer, running: RunningContainer): void;
  /** The container is down. */
  drop(name: string): void;
  /** Readiness and liveness of a pod that is being ended do not matter any more. */
  stop(): void;
  state(
    name: string,
  ):
    | { started: boolean; ready: boolean; failedProbe?: { containerId: string; kind: 'liveness' | 'startup' } }
    | undefined;
}

const text = new TextDecoder();
const maxOutput = 10 * 1024;

export async function runProbe(
  probe: Probe,
  container: AnyContainer,
  containerId: string,
  podIp: string,
  { runtime, checks }: Pick<ProbeEnvironment, 'runtime' | 'checks'>,
): Promise<CheckResult> {
  const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000;
  if (probe.exec) return runExec(probe.exec.command ?? [], containerId, timeoutMs / 1000, runtime);
  if (probe.httpGet) {
    const { host, port, path = '/', scheme = 'HTTP', httpHeaders = [] } = probe.httpGet;
    const target = { scheme, host: host || podIp, port: portOf(port, container), path, headers: httpHeaders };
    return checks.http({ ...target, timeoutMs });
  }
  if (probe.tcpSocket)
    return checks.tcp(probe.tcpSocket.host || podIp, portOf(probe.tcpSocket.port, container), timeoutMs);
  if (probe.grpc) return checks.grpc(podIp, probe.grpc.port, probe.grpc.service ?? '', timeoutMs);
  return { ok: true, output: '' };
}

async function runExec(
  command: readonly string[],
  id: string,
  seconds: number,
  runtime: ContainerRuntime,
): Promise<CheckResult> {
  try {
    const result = await runtime.execSync(id, command, seconds);
    const output = text.decode(result.stdout) + text.decode(result.stderr);
    return { ok: result.exitCode === 0, output: output.slice(0, maxOutput) };
  } catch (e) {
    if (!isRuntimeTimeout(e)) throw e;
    return { ok: false, output: `command timed out: "${command.join(' ')}" timed out after ${seconds}s` };
  }
}

export function createProbeSet(environment: ProbeEnvironment): ProbeSet {
  const { clock, event, onChange } = environment;
  const tracked = new Map<string, Tracked>();
  let ended = false;

  function probeOf(container: AnyContainer, kind: ProbeKind): Probe | undefined {
    return { startup: container.startupProbe, liveness: container.livenessProbe, readiness: container.readinessProbe }[
      kind
    ];
  }

  function begin(entry: Tracked, container: AnyContainer, kind: ProbeKind, startedAtMs: number, podIp: string): void {
    const probe = probeOf(container, kind);
    if (!probe) return;
    const period = (probe.periodSeconds ?? 10) * 1000;
    let successes = 0;
    let failures = 0;
    const again = (ms: number) => {
      if (!entry.stopped)
        entry.timers.set(
          kind,
          clock.setTimer(() => void tick(), ms, { background: true }),
        );
    };
    async function tick(): Promise<void> {
      const begun = clock.monotonic();
      const result = await runProbe(probe as Probe, container, entry.containerId, podIp, environment).catch(
        (e: unknown): CheckResult & { broken: true } => ({ ok: false, output: messageOf(e), broken: true }),
      );
      measure(container, kind, result, (clock.monotonic() - begun) / 1000);
      if (entry.stopped || ended) return;
      if (!result.ok) tell(container, kind, result);
      if ('broken' in result && kind === 'readiness' && entry.ready === false) return again(period);
      successes = result.ok ? successes + 1 : 0;
      failures = result.ok ? 0 : failures + 1;
      if (apply(entry, kind, successes >= (probe?.successThreshold ?? 1), failures >= (probe?.failureThreshold ?? 3))) {
        if (kind === 'startup' && entry.started) {
          for (const next of ['liveness', 'readiness'] as const) begin(entry, container, next, startedAtMs, podIp);
          if (!container.readinessProbe) entry.ready = true;
        }
        onChange();
      }
      if (kind === 'startup' && (entry.started || entry.failed)) return;
      if (kind === 'liveness' && entry.failed) return;
      again(period);
    }
    again(Math.max(0, startedAtMs + (probe.initialDelaySeconds ?? 0) * 1000 - clock.now()));
  }

  function measure(container: AnyContainer, kind: ProbeKind, result: CheckResult, seconds: number): void {
    const { name: pod = '', namespace = '', uid = '' } = environment.pod().metadata;
    const outcome = 'broken' in result ? 'unknown' : result.ok ? 'successful' : 'failed';
    const probe_type = `${kind[0]?.toUpperCase()}${kind.slice(1)}`;
    const labels = { probe_type, result: outcome, container: container.name, pod, namespace, pod_uid: uid };
    environment.meters.probed(labels, seconds);
  }

  function tell(container: AnyContainer, kind: ProbeKind, result: CheckResult): void {
    const name = `${kind[0]?.toUpperCase()}${kind.slice(1)} probe`;
    event(container, 'broken' in result ? `${name} errored: ${result.output}` : `${name} failed: ${result.output}`);
  }

  /** True when something changed. */
  function apply(entry: Tracked, kind: ProbeKind, success: boolean, failure: boolean): boolean {
    const before = `${entry.started} ${entry.ready} ${entry.failed}`;
    if (kind === 'readiness') {
      if (success) entry.ready = true;
      if (failure) entry.ready = false;
    } else if (kind === 'startup') {
      if (success) entry.started = true;
      if (failure) entry.failed = 'startup';
    } else if (failure) entry.failed = 'liveness';
    return before !== `${entry.started} ${entry.ready} ${entry.failed}`;
  }

  function drop(name: string): void {
    const entry = tracked.get(name);
    if (!entry) return;
    entry.stopped = true;
    for (const timer of entry.timers.values()) timer.cancel();
    tracked.delete(name);
  }

  return {
    track(container, { id, startedAtMs, podIp, before }) {
      if (ended || tracked.get(container.name)?.containerId === id) return;
      drop(container.name);
      const started = !container.startupProbe || (before?.started ?? false);
      const ready = started && (!container.readinessProbe || (before?.ready ?? false));
      const entry: Tracked = { containerId: id, started, ready, failed: undefined, timers: new Map(), stopped: false };
      tracked.set(container.name, entry);
      const kinds: ProbeKind[] = started ? ['liveness', 'readiness'] : ['startup'];
      for (const kind of kinds) begin(entry, container, kind, startedAtMs, podIp);
    },
    drop,
    stop() {
      ended = true;
      for (const entry of tracked.values()) {
        entry.stopped = true;
        for (const timer of entry.timers.values()) timer.cancel();
      }
    },
    state(name) {
      const entry = tracked.get(name);
      if (!entry) return undefined;
      const { started, ready, failed, containerId } = entry;
      return { started, ready, ...(failed && { failedProbe: { containerId, kind: failed } }) };
    },
  };
}
