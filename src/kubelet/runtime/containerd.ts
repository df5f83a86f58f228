/**
 * Runs the node's own containerd: own configuration, root, state and socket under one directory, so that a containerd of the host is
 * never touched. It outlives the agent: a restarted agent finds it by its socket and goes on.
 */
import { execFile, spawn } from 'node:child_process';
import { mkdir, open, readFile, rm, statfs, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { type Clock, sleep } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { isAlive } from '../../base/node/processes.ts';
import { pauseArchive, pauseImage } from '../images/pause.ts';
import type { ContainerRuntime } from './contract.ts';
import { createCriRuntime } from './cri/index.ts';

const run = promisify(execFile);

export interface ContainerdOptions {
  /** Holds `config.toml`, the image store (`root/`), the log and the process id. */
  dir: string;
  /** Short: socket paths are limited to 107 bytes. Holds the socket and the running state. Default `<dir>/run`. */
  stateDir?: string;
  clock: Clock;
  log: Logger;
  cni: { binDir: string; confDir: string };
  /** Per-registry `hosts.toml` directories, as containerd's `config_path`. */
  registryConfigDir?: string;
  /** Runtime handlers besides runc: name → containerd runtime type. */
  handlers?: Record<string, { type: string; binary?: string }>;
  /** Seconds until start-up is given up. Default 30. */
  startTimeoutSeconds?: number;
}

export interface Containerd {
  readonly socket: string;
  readonly runtime: ContainerRuntime;
  readonly pid: number;
  /** Imports an OCI archive into the image store that pods use. */
  importImage(archivePath: string): Promise<void>;
  /** Mounts an image's files, read-only, pulling it when the policy says so. Unmounting gives them back. */
  mountImage(reference: string, policy: string | undefined, target: string): Promise<void>;
  /** Stops watching over it; the containers and containerd run on. */
  release(): Promise<void>;
  /** Ends containerd. Containers run on under their shims; stop the pods first to be rid of them. */
  stop(): Promise<void>;
}

/** What of the host decides on the configuration. */
export interface HostTraits {
  /** Without CAP_SYS_RESOURCE runc cannot lower a process's OOM score. */
  canLowerOomScore: boolean;
  cgroupVersion: 1 | 2;
  /** overlayfs cannot stack on overlayfs. */
  snapshotter: 'overlayfs' | 'native';
}

const capSysResource = 24n;
const overlayMagic = 0x794c7630;
const cgroup2Magic = 0x63677270;

export async function detectHost(dir: string): Promise<HostTraits> {
  const status = await readFile('/proc/self/status', 'utf8');
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  const root = await statfs('/sys/fs/cgroup').catch(() => undefined);
  const below = await statfs(dir);
  return {
    canLowerOomScore: ((effective >> capSysResource) & 1n) === 1n,
    cgroupVersion: root?.type === cgroup2Magic ? 2 : 1,
    snapshotter: below.type === overlayMagic ? 'native' : 'overlayfs',
  };
}

const quote = (text: string) => JSON.stringify(text);

/** containerd's configuration, version 2 (read by 1.x and 2.x). */
export function containerdConfig(options: ContainerdOptions & { stateDir: string }, host: HostTraits): string {
  const cri = 'plugins."io.containerd.grpc.v1.cri"';
  const handlers = Object.entries(options.handlers ?? {}).map(([name, { type, binary }]) =>
    [
      `[${cri}.containerd.runtimes.${quote(name)}]`,
      `runtime_type = ${quote(type)}`,
      ...(binary ? [`[${cri}.containerd.runtimes.${quote(name)}.options]`, `BinaryName = ${quote(binary)}`] : []),
    ].join('\n'),
  );
  return [
    'version = 2',
    `root = ${quote(`${options.dir}/root`)}`,
    `state = ${quote(`${options.stateDir}/state`)}`,
    `disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.tracing.processor.v1.otlp"]`,
    '[grpc]',
    `address = ${quote(`${options.stateDir}/containerd.sock`)}`,
    `[${cri}]`,
    `sandbox_image = ${quote(pauseImage)}`,
    `restrict_oom_score_adj = ${!host.canLowerOomScore}`,
    'stream_server_address = "127.0.0.1"',
    'stream_server_port = "0"',
    'tolerate_missing_hugetlb_controller = true',
    `[${cri}.containerd]`,
    `snapshotter = ${quote(host.snapshotter)}`,
    'default_runtime_name = "runc"',
    `[${cri}.containerd.runtimes.runc]`,
    'runtime_type = "io.containerd.runc.v2"',
    `[${cri}.containerd.runtimes.runc.options]`,
    'SystemdCgroup = false',
    ...handlers,
    `[${cri}.cni]`,
    `bin_dir = ${quote(options.cni.binDir)}`,
    `conf_dir = ${quote(options.cni.confDir)}`,
    `[${cri}.registry]`,
    `config_path = ${quote(options.registryConfigDir ?? `${options.dir}/certs.d`)}`,
    '',
  ].join('\n');
}

/** The recorded process, when it still is a containerd. */
async function runningPid(pidFile: string): Promise<number | undefined> {
  const pid = Number(await readFile(pidFile, 'utf8').catch(() => ''));
  if (!pid || !isAlive(pid)) return undefined;
  const command = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '');
  return command.trim() === 'containerd' ? pid : undefined;
}

async function launch(dir: string, pidFile: string): Promise<number> {
  const out = await open(`${dir}/containerd.log`, 'a');
  try {
    const child = spawn('containerd', ['--config', `${dir}/config.toml`], {
      detached: true,
      stdio: ['ignore', out.fd, out.fd],
      env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/local/sbin:/usr/sbin:/sbin` },
    });
    const pid = await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('spawn', () => resolve(child.pid ?? 0));
    });
    child.unref();
    await writeFile(pidFile, String(pid));
    return pid;
  } finally {
    await out.close();
  }
}

/** Starts containerd, or takes over the one that an earlier agent left, and keeps it running until released or stopped. */
export async function startContainerd(given: ContainerdOptions): Promise<Containerd> {
  const options = { ...given, stateDir: given.stateDir ?? `${given.dir}/run` };
  const { dir, stateDir, clock, log } = options;
  const pidFile = `${stateDir}/containerd.pid`;
  const socket = `${stateDir}/containerd.sock`;
  if (socket.length > 107) throw new Error(`socket path is too long: ${socket}`);
  await mkdir(dir, { recursive: true });
  await mkdir(stateDir, { recursive: true });
  await mkdir(options.registryConfigDir ?? `${dir}/certs.d`, { recursive: true });
  await writeFile(`${dir}/config.toml`, containerdConfig(options, await detectHost(dir)));
  const earlier = await runningPid(pidFile);
  let pid = earlier ?? (await launch(dir, pidFile));
  const runtime = createCriRuntime({ socket, clock });
  const stopping = new AbortController();

  async function ready(): Promise<void> {
    const deadline = clock.monotonic() + (options.startTimeoutSeconds ?? 30) * 1000;
    for (;;) {
      try {
        await runtime.version();
        return;
      } catch (e) {
        // The one that was there may have been on its way out.
        if (pid === earlier && !isAlive(pid)) pid = await launch(dir, pidFile);
        if (!isAlive(pid) || clock.monotonic() > deadline)
          throw new Error(`containerd did not start (see ${dir}/containerd.log): ${messageOf(e)}`);
        await sleep(clock, 50);
      }
    }
  }
  async function supervise(): Promise<void> {
    while (!stopping.signal.aborted) {
      await sleep(clock, 1000, stopping.signal);
      if ((await runningPid(pidFile)) !== undefined) continue;
      log.warn('containerd is gone; starting it again', { pid });
      pid = await launch(dir, pidFile).catch(e => {
        log.error('containerd cannot be started', { error: messageOf(e) });
        return 0;
      });
    }
  }
  async function importImage(archivePath: string): Promise<void> {
    await run('ctr', ['--address', socket, '--namespace', 'k8s.io', 'images', 'import', archivePath]);
  }
  async function mountImage(reference: string, policy: string | undefined, target: string): Promise<void> {
    const sandbox = { metadata: { name: '', uid: '', namespace: '', attempt: 0 }, hostname: '', logDirectory: '' };
    const config = { ...sandbox, labels: {}, annotations: {} };
    const present = await runtime.imageStatus({ image: reference });
    const wanted = policy ?? (/:latest$|^[^:@]+$/.test(reference) ? 'Always' : 'IfNotPresent');
    if (!present && wanted === 'Never')
      throw new Error(`Container image "${reference}" is not present with pull policy of Never`);
    if (!present || wanted === 'Always') await runtime.pullImage({ image: reference }, undefined, config);
    const name = (await runtime.imageStatus({ image: reference }))?.repoTags[0] ?? reference;
    await run('ctr', ['--address', socket, '--namespace', 'k8s.io', 'images', 'mount', name, target]);
  }
  async function ensurePause(): Promise<void> {
    if (await runtime.imageStatus({ image: pauseImage })) return;
    const path = `${dir}/pause.tar`;
    await writeFile(path, pauseArchive(process.arch));
    await importImage(path);
    await rm(path);
  }
  async function release(): Promise<void> {
    stopping.abort();
    await runtime.close();
  }

  await ready();
  await ensurePause();
  void supervise().catch(() => undefined);
  return {
    socket,
    runtime,
    get pid() {
      return pid;
    },
    importImage,
    mountImage,
    release,
    async stop() {
      await release();
      const running = await runningPid(pidFile);
      if (running) process.kill(running, 'SIGTERM');
      while (running && isAlive(running)) await sleep(clock, 20);
      await rm(pidFile, { force: true });
    },
  };
}
