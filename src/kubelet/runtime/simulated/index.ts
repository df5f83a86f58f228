/**
 * A container runtime in memory, on the injected clock: thousands fit in one process. Containers cost nothing while they run. What
 * they do comes from their command (see `program.ts`) or from annotations of their pod:
 * `simulated.tsukube.io/exit-after` (seconds) and `simulated.tsukube.io/exit-code`, also with `.<container>` appended.
 */
import { type Clock, sleep, type Timer } from '../../../base/clock.ts';
import type { Random } from '../../../base/random.ts';
import {
  type Container,
  type ContainerConfig,
  type ContainerRuntime,
  type ContainerStatus,
  type Image,
  RuntimeError,
  type RuntimeEvent,
  type Sandbox,
  type SandboxConfig,
  type StreamSession,
} from '../contract.ts';
import { parseProgram } from './program.ts';

export interface SimulatedRuntimeOptions {
  clock: Clock;
  random: Random;
  /** Milliseconds each operation takes; default 0. */
  delays?: { sandbox?: number; pull?: number; create?: number; start?: number; stop?: number };
  /** Addresses of a new sandbox, first the primary. Called for pods with a network of their own. */
  allocateIps?: (sandboxId: string) => readonly string[];
  /** Called with the addresses when the sandbox is stopped. */
  releaseIps?: (ips: readonly string[]) => void;
  /** Why this image cannot be pulled; undefined: it can. Default: images of the registry `missing.invalid` cannot. */
  pullError?: (image: string) => string | undefined;
  /** Result of exec; default: `parseProgram` on the command. */
  exec?: (container: string, command: readonly string[]) => { stdout?: string; stderr?: string; exitCode: number };
}

export interface SimulatedRuntime extends ContainerRuntime {
  /** Ends a running container, as if its process died. */
  kill(containerId: string, exitCode: number, reason?: string): void;
  /** Everything gone at once, without events: what a reboot of the node does. */
  reboot(): void;
  /** The container's output so far, as CRI log lines. */
  readLog(containerId: string): string;
}

interface SandboxEntry extends Sandbox {
  ips: readonly string[];
}
interface ContainerEntry {
  status: ContainerStatus;
  sandboxId: string;
  config: ContainerConfig;
  sandbox: SandboxConfig;
  timers: Timer[];
  log: string[];
  stopped: (() => void)[];
}

const annotationPrefix = 'simulated.tsukube.io/';

function matches(labels: Record<string, string>, wanted: Record<string, string> | undefined): boolean {
  return !wanted || Object.entries(wanted).every(([k, v]) => labels[k] === v);
}

export function createSimulatedRuntime(options: SimulatedRuntimeOptions): SimulatedRuntime {
  const { clock, random, delays = {} } = options;
  const sandboxes = new Map<string, SandboxEntry>();
  const containers = new Map<string, ContainerEntry>();
  const images = new Map<string, Image>();
  const listeners = new Set<(event: RuntimeEvent) => void>();
  const nanoseconds = () => clock.now() * 1e6;
  const newId = () => Array.from(random.bytes(32), b => b.toString(16).padStart(2, '0')).join('');
  const pause = async (ms: number | undefined) => {
    if (ms) await sleep(clock, ms);
  };
  const emit = (entry: ContainerEntry) => {
    for (const listener of listeners) listener({ podUid: entry.sandbox.metadata.uid, containerId: entry.status.id });
  };
  const entryOf = (id: string): ContainerEntry => {
    const entry = containers.get(id);
    if (!entry) throw new RuntimeError('NotFound', `container "${id}" not found`);
    return entry;
  };

  function finish(entry: ContainerEntry, exitCode: number, reason?: string): void {
    if (entry.status.state !== 'CONTAINER_RUNNING') return;
    for (const timer of entry.timers) timer.cancel();
    entry.status = {
      ...entry.status,
      state: 'CONTAINER_EXITED',
      finishedAt: nanoseconds(),
      exitCode,
      reason: reason ?? (exitCode === 0 ? 'Completed' : 'Error'),
    };
    for (const resolve of entry.stopped.splice(0)) resolve();
    emit(entry);
  }

  function begin(entry: ContainerEntry): void {
    const { config, sandbox } = entry;
    const program = parseProgram([...(config.command ?? []), ...(config.args ?? [])]);
    const annotation = (name: string) =>
      sandbox.annotations[`${annotationPrefix}${name}.${config.metadata.name}`] ??
      sandbox.annotations[`${annotationPrefix}${name}`];
    const after = annotation('exit-after');
    const code = annotation('exit-code');
    const runsMs = after === undefined ? program.runsMs : Number(after) * 1000;
    for (const { afterMs, print } of program.steps) {
      const line = () => entry.log.push(`${new Date(clock.now()).toISOString()} stdout F ${print}\n`);
      if (afterMs === 0) line();
      else entry.timers.push(clock.setTimer(line, afterMs, { background: true }));
    }
    if (runsMs === undefined) return;
    const end = () => finish(entry, code === undefined ? program.exitCode : Number(code));
    entry.timers.push(clock.setTimer(end, runsMs, { background: true }));
  }

  async function stopContainer(id: string): Promise<void> {
    const entry = containers.get(id);
    if (entry?.status.state !== 'CONTAINER_RUNNING') return;
    await pause(delays.stop);
    finish(entry, parseProgram(entry.config.command ?? []).runsMs === undefined ? 0 : 143);
  }

  async function stopPodSandbox(id: string): Promise<void> {
    const sandbox = sandboxes.get(id);
    if (!sandbox) return;
    for (const entry of containers.values()) if (entry.sandboxId === id) finish(entry, 137);
    if (sandbox.state === 'SANDBOX_NOTREADY') return;
    sandbox.state = 'SANDBOX_NOTREADY';
    if (sandbox.ips.length > 0) options.releaseIps?.(sandbox.ips);
  }

  function execute(id: string, command: readonly string[]) {
    const entry = entryOf(id);
    if (entry.status.state !== 'CONTAINER_RUNNING') throw new RuntimeError('Unknown', 'container is not running');
    const custom = options.exec?.(entry.config.metadata.name, command);
    const program = parseProgram(command);
    const stdout = custom ? (custom.stdout ?? '') : program.steps.map(s => `${s.print}\n`).join('');
    const encode = (text: string) => new TextEncoder().encode(text);
    return {
      stdout: encode(stdout),
      stderr: encode(custom?.stderr ?? ''),
      exitCode: custom?.exitCode ?? program.exitCode,
      runsMs: custom ? 0 : (program.runsMs ?? 0),
    };
  }

  async function* once(chunk: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
    if (chunk.length > 0) yield chunk;
  }
  function session(stdout: Uint8Array, stderr: Uint8Array, done: Promise<number>): StreamSession {
    return {
      writeStdin: async () => undefined,
      endStdin: () => undefined,
      stdout: once(stdout),
      stderr: once(stderr),
      resize: () => undefined,
      done,
      destroy: () => undefined,
    };
  }

  function newContainer(sandboxId: string, config: ContainerConfig, sandbox: SandboxConfig): ContainerEntry {
    const image = images.get(config.image.image) ?? [...images.values()].find(i => i.id === config.image.image);
    if (!image) throw new RuntimeError('NotFound', `image "${config.image.image}" not found`);
    const status: ContainerStatus = {
      id: newId(),
      metadata: config.metadata,
      state: 'CONTAINER_CREATED',
      createdAt: nanoseconds(),
      startedAt: 0,
      finishedAt: 0,
      exitCode: 0,
      image: config.image,
      imageRef: image.repoDigests[0] ?? image.id,
      imageId: image.id,
      reason: '',
      message: '',
      labels: config.labels,
      annotations: config.annotations,
      logPath: config.logPath ? `${sandbox.logDirectory}/${config.logPath}` : '',
      mounts: config.mounts ?? [],
      ...(config.linux?.resources && { resources: { linux: config.linux.resources } }),
    };
    return { status, sandboxId, config, sandbox, timers: [], log: [], stopped: [] };
  }

  return {
    version: async () => ({ runtimeName: 'simulated', runtimeVersion: '1.0.0', runtimeApiVersion: 'v1' }),
    status: async () => ({
      conditions: ['RuntimeReady', 'NetworkReady'].map(type => ({ type, status: true, reason: '', message: '' })),
      handlers: [{ name: '', features: { recursiveReadOnlyMounts: true, userNamespaces: true } }],
    }),
    updatePodCidr: async () => undefined,

    async runPodSandbox(config, runtimeHandler) {
      await pause(delays.sandbox);
      const id = newId();
      const ownNetwork = config.linux?.securityContext?.namespaceOptions?.network !== 'NODE';
      const { metadata, labels, annotations } = config;
      const ips = ownNetwork ? (options.allocateIps?.(id) ?? []) : [];
      const state = 'SANDBOX_READY';
      sandboxes.set(id, { id, metadata, state, createdAt: nanoseconds(), labels, annotations, runtimeHandler, ips });
      return id;
    },
    stopPodSandbox,
    async removePodSandbox(id) {
      await stopPodSandbox(id);
      for (const [cid, entry] of containers) if (entry.sandboxId === id) containers.delete(cid);
      sandboxes.delete(id);
    },
    async podSandboxStatus(id) {
      const sandbox = sandboxes.get(id);
      if (!sandbox) throw new RuntimeError('NotFound', `sandbox "${id}" not found`);
      const [ip = '', ...rest] = sandbox.ips;
      return { ...sandbox, network: { ip, additionalIps: rest.map(a => ({ ip: a })) } };
    },
    listPodSandboxes: async labels =>
      [...sandboxes.values()].filter(s => matches(s.labels, labels)).map(s => ({ ...s })),
    updatePodSandboxResources: async () => undefined,

    async createContainer(sandboxId, config, sandbox) {
      await pause(delays.create);
      if (sandboxes.get(sandboxId)?.state !== 'SANDBOX_READY')
        throw new RuntimeError('NotFound', `sandbox "${sandboxId}" is not running`);
      const entry = newContainer(sandboxId, config, sandbox);
      containers.set(entry.status.id, entry);
      return entry.status.id;
    },
    async startContainer(id) {
      await pause(delays.start);
      const entry = entryOf(id);
      if (entry.status.state !== 'CONTAINER_CREATED')
        throw new RuntimeError('Unknown', `container is in ${entry.status.state} state`);
      entry.status = { ...entry.status, state: 'CONTAINER_RUNNING', startedAt: nanoseconds() };
      begin(entry);
      emit(entry);
    },
    stopContainer,
    async removeContainer(id) {
      await stopContainer(id);
      containers.delete(id);
    },
    listContainers: async labels =>
      [...containers.values()]
        .filter(({ status }) => matches(status.labels, labels))
        .map(({ status, sandboxId }): Container => {
          const { id, metadata, image, imageRef, imageId, state, createdAt, labels: own, annotations } = status;
          const base = { id, podSandboxId: sandboxId, metadata, imageRef, imageId, state, createdAt };
          return { ...base, ...(image && { image }), labels: own, annotations };
        }),
    containerStatus: async id => ({ ...entryOf(id).status }),
    async updateContainerResources(id, linux) {
      const entry = entryOf(id);
      entry.status = { ...entry.status, resources: { linux: { ...entry.status.resources?.linux, ...linux } } };
    },
    reopenContainerLog: async () => undefined,

    async execSync(id, command, timeoutSeconds) {
      const { runsMs, ...result } = execute(id, command);
      if (timeoutSeconds > 0 && runsMs > timeoutSeconds * 1000) {
        await sleep(clock, timeoutSeconds * 1000);
        throw new RuntimeError('DeadlineExceeded', `command timed out after ${timeoutSeconds}s`);
      }
      await pause(runsMs);
      return result;
    },
    async exec(id, command) {
      const { stdout, stderr, exitCode } = execute(id, command);
      return session(stdout, stderr, Promise.resolve(exitCode));
    },
    async attach(id) {
      const entry = entryOf(id);
      const done = new Promise<number>(resolve => {
        if (entry.status.state === 'CONTAINER_RUNNING') entry.stopped.push(() => resolve(0));
        else resolve(0);
      });
      return session(new Uint8Array(0), new Uint8Array(0), done);
    },
    async portForward() {
      throw new RuntimeError('Unimplemented', 'a simulated container listens on no port');
    },

    listImages: async () => [...images.values()],
    imageStatus: async ({ image }) => images.get(image) ?? [...images.values()].find(i => i.id === image),
    async pullImage({ image }) {
      await pause(delays.pull);
      const failure = options.pullError
        ? options.pullError(image)
        : image.startsWith('missing.invalid/')
          ? `failed to resolve reference "${image}": ${image}: not found`
          : undefined;
      if (failure) throw new RuntimeError('NotFound', failure);
      const known = images.get(image);
      if (known) return known.id;
      const id = `sha256:${newId()}`;
      const repository = image.replace(/(@.*|:[^/:]*)$/, '');
      const base = {
        repoTags: [image],
        repoDigests: [`${repository}@${id}`],
        size: 10_000_000,
        username: '',
        pinned: false,
      };
      images.set(image, { id, ...base });
      return id;
    },
    async removeImage({ image }) {
      for (const [name, known] of images) if (name === image || known.id === image) images.delete(name);
    },
    imageFsInfo: async () => [
      { timestamp: nanoseconds(), fsId: { mountpoint: '/' }, usedBytes: { value: images.size * 10_000_000 } },
    ],
    listContainerStats: async () => [],
    listPodSandboxStats: async () => [],

    watchEvents: (onEvent, signal) =>
      new Promise(resolve => {
        if (signal.aborted) return resolve(true);
        listeners.add(onEvent);
        signal.addEventListener(
          'abort',
          () => {
            listeners.delete(onEvent);
            resolve(true);
          },
          { once: true },
        );
      }),
    close: async () => {
      for (const { timers } of containers.values()) for (const timer of timers) timer.cancel();
    },
    kill: (id, exitCode, reason) => finish(entryOf(id), exitCode, reason),
    reboot() {
      for (const { timers } of containers.values()) for (const timer of timers) timer.cancel();
      sandboxes.clear();
      containers.clear();
    },
    readLog: id => entryOf(id).log.join(''),
  };
}
