/** A `ContainerRuntime` behind any CRI v1 endpoint on a unix socket. */
import { constants } from 'node:os';
import type { Clock } from '../../../base/clock.ts';
import { createCodec } from '../../grpc/codec.ts';
import { createUnixClient, GrpcError, type UnixClient } from '../../grpc/unix-client.ts';
import {
  type Container,
  type ContainerRuntime,
  type ContainerStats,
  type ContainerStatus,
  type FilesystemUsage,
  type Image,
  type RuntimeCondition,
  RuntimeError,
  type RuntimeErrorCode,
  type RuntimeHandler,
  type Sandbox,
  type SandboxStats,
  type SandboxStatus,
} from '../contract.ts';
import { watchRuntimeEvents } from './events.ts';
import { criMessages } from './messages.ts';
import { openPortForward, openStreamSession } from './streaming.ts';

export interface CriOptions {
  /** Path of the unix socket. */
  socket: string;
  clock: Clock;
}

const minute = 60_000;
/** Stops wait for the container's grace period, pulls for the registry: both get long deadlines. */
const pullTimeoutMs = 60 * minute;
const sandboxTimeoutMs = 4 * minute;

const codes: Record<string, RuntimeErrorCode> = {
  NOT_FOUND: 'NotFound',
  UNAVAILABLE: 'Unavailable',
  DEADLINE_EXCEEDED: 'DeadlineExceeded',
  UNIMPLEMENTED: 'Unimplemented',
};

function toRuntimeError(e: unknown): unknown {
  if (!(e instanceof GrpcError)) return e;
  return new RuntimeError(codes[e.codeName] ?? 'Unknown', e.message);
}

type Call = <R>(service: 'Runtime' | 'Image', method: string, request: object, names?: Names) => Promise<R>;
interface Names {
  request?: string;
  response?: string;
  timeoutMs?: number;
}

function makeCall(grpc: UnixClient): Call {
  return async <R>(service: 'Runtime' | 'Image', method: string, request: object, names: Names = {}) => {
    try {
      return await grpc.call<R>(
        `runtime.v1.${service}Service/${method}`,
        [names.request ?? `${method}Request`, request],
        names.response ?? `${method}Response`,
        names.timeoutMs === undefined ? {} : { timeoutMs: names.timeoutMs },
      );
    } catch (e) {
      throw toRuntimeError(e);
    }
  };
}

const ignoreNotFound = (e: unknown): void => {
  if (!(e instanceof RuntimeError && e.code === 'NotFound')) throw e;
};

export function createCriRuntime({ socket, clock }: CriOptions): ContainerRuntime {
  const grpc = createUnixClient(`${socket}`, createCodec(criMessages));
  const call = makeCall(grpc);
  return {
    version: () => call('Runtime', 'Version', { version: '0.1.0' }),
    async status() {
      const reply = await call<{ status?: { conditions: RuntimeCondition[] }; runtimeHandlers: RuntimeHandler[] }>(
        'Runtime',
        'Status',
        {},
      );
      return { conditions: reply.status?.conditions ?? [], handlers: reply.runtimeHandlers };
    },
    async updatePodCidr(podCidr) {
      await call('Runtime', 'UpdateRuntimeConfig', { runtimeConfig: { networkConfig: { podCidr } } });
    },
    ...sandboxCalls(call),
    ...containerCalls(call, id => endForgottenTask(grpc, id)),
    ...streamCalls(call),
    ...imageCalls(call),
    listContainerStats: async labels =>
      (await call<{ stats: ContainerStats[] }>('Runtime', 'ListContainerStats', { filter: filterOf(labels) })).stats,
    listPodSandboxStats: async labels =>
      (await call<{ stats: SandboxStats[] }>('Runtime', 'ListPodSandboxStats', { filter: filterOf(labels) })).stats,
    watchEvents: (onEvent, signal) => watchRuntimeEvents({ grpc, socket, clock, onEvent, signal }),
    close: async () => grpc.close(),
  };
}

const filterOf = (labels: Record<string, string> | undefined) => (labels ? { labelSelector: labels } : {});

function sandboxCalls(call: Call) {
  return {
    async runPodSandbox(config, runtimeHandler) {
      const timeoutMs = sandboxTimeoutMs;
      const request = { config, runtimeHandler };
      return (await call<{ podSandboxId: string }>('Runtime', 'RunPodSandbox', request, { timeoutMs })).podSandboxId;
    },
    async stopPodSandbox(podSandboxId) {
      await call('Runtime', 'StopPodSandbox', { podSandboxId }, { timeoutMs: sandboxTimeoutMs }).catch(ignoreNotFound);
    },
    async removePodSandbox(podSandboxId) {
      await call('Runtime', 'RemovePodSandbox', { podSandboxId }).catch(ignoreNotFound);
    },
    async podSandboxStatus(podSandboxId) {
      const reply = await call<{ status?: SandboxStatus }>('Runtime', 'PodSandboxStatus', { podSandboxId });
      if (!reply.status) throw new RuntimeError('NotFound', `sandbox ${podSandboxId} has no status`);
      return reply.status;
    },
    async listPodSandboxes(labels) {
      return (await call<{ items: Sandbox[] }>('Runtime', 'ListPodSandbox', { filter: filterOf(labels) })).items;
    },
    async updatePodSandboxResources(podSandboxId, resources, overhead) {
      await call('Runtime', 'UpdatePodSandboxResources', { podSandboxId, resources, overhead });
    },
  } satisfies Partial<ContainerRuntime>;
}

/**
 * containerd can forget a task: a start that is given up at the wrong moment, because the kubelet that asked for it was killed, leaves
 * a container that its CRI takes for ended while its core refuses to delete it for ever (seen with 1.6). The core's own interface,
 * which is on the same socket, ends the task.
 */
const refusesForTask = (e: unknown) => e instanceof RuntimeError && e.message.includes('cannot delete running task');

async function endForgottenTask(grpc: UnixClient, containerId: string): Promise<void> {
  const options = { metadata: { 'containerd-namespace': 'k8s.io' } };
  const tasks = 'containerd.services.tasks.v1.Tasks';
  const kill = { containerId, signal: constants.signals.SIGKILL };
  await grpc.call(`${tasks}/Kill`, ['KillRequest', kill], 'Empty', options).catch(ignoreEnded);
  for (const method of ['Wait', 'Delete'])
    await grpc.call(`${tasks}/${method}`, ['TaskRequest', { containerId }], 'Empty', options).catch(ignoreEnded);
}
const ignoreEnded = (e: unknown): void => {
  if (!(e instanceof GrpcError && e.codeName === 'NOT_FOUND')) throw e;
};

function containerCalls(call: Call, endTask: (containerId: string) => Promise<void>) {
  return {
    async createContainer(podSandboxId, config, sandboxConfig) {
      const request = { podSandboxId, config, sandboxConfig };
      return (await call<{ containerId: string }>('Runtime', 'CreateContainer', request)).containerId;
    },
    async startContainer(containerId) {
      await call('Runtime', 'StartContainer', { containerId });
    },
    async stopContainer(containerId, timeoutSeconds) {
      const timeoutMs = (timeoutSeconds + 120) * 1000;
      await call('Runtime', 'StopContainer', { containerId, timeout: timeoutSeconds }, { timeoutMs }).catch(
        ignoreNotFound,
      );
    },
    async removeContainer(containerId) {
      const remove = () => call('Runtime', 'RemoveContainer', { containerId }).catch(ignoreNotFound);
      try {
        await remove();
      } catch (e) {
        if (!refusesForTask(e)) throw e;
        await endTask(containerId);
        await remove();
      }
    },
    async listContainers(labels) {
      const request = { filter: filterOf(labels) };
      return (await call<{ containers: Container[] }>('Runtime', 'ListContainers', request)).containers;
    },
    async containerStatus(containerId) {
      const reply = await call<{ status?: ContainerStatus }>('Runtime', 'ContainerStatus', { containerId });
      if (!reply.status) throw new RuntimeError('NotFound', `container ${containerId} has no status`);
      return reply.status;
    },
    async updateContainerResources(containerId, linux) {
      await call('Runtime', 'UpdateContainerResources', { containerId, linux });
    },
    async reopenContainerLog(containerId) {
      await call('Runtime', 'ReopenContainerLog', { containerId });
    },
  } satisfies Partial<ContainerRuntime>;
}

function streamCalls(call: Call) {
  return {
    execSync(containerId, cmd, timeoutSeconds) {
      const timeoutMs = timeoutSeconds > 0 ? (timeoutSeconds + 10) * 1000 : 24 * 60 * minute;
      return call('Runtime', 'ExecSync', { containerId, cmd, timeout: timeoutSeconds }, { timeoutMs });
    },
    async exec(containerId, cmd, options) {
      const { url } = await call<{ url: string }>('Runtime', 'Exec', { containerId, cmd, ...options });
      return openStreamSession(url, options);
    },
    async attach(containerId, options) {
      const { url } = await call<{ url: string }>('Runtime', 'Attach', { containerId, ...options });
      return openStreamSession(url, options);
    },
    async portForward(podSandboxId, port) {
      const { url } = await call<{ url: string }>('Runtime', 'PortForward', { podSandboxId, port: [port] });
      return openPortForward(url, port);
    },
  } satisfies Partial<ContainerRuntime>;
}

function imageCalls(call: Call) {
  return {
    listImages: async () => (await call<{ images: Image[] }>('Image', 'ListImages', {})).images,
    imageStatus: async image => (await call<{ image?: Image }>('Image', 'ImageStatus', { image })).image,
    async pullImage(image, auth, sandboxConfig) {
      const request = { image, auth, sandboxConfig };
      return (await call<{ imageRef: string }>('Image', 'PullImage', request, { timeoutMs: pullTimeoutMs })).imageRef;
    },
    async removeImage(image) {
      await call('Image', 'RemoveImage', { image }).catch(ignoreNotFound);
    },
    imageFsInfo: async () =>
      (await call<{ imageFilesystems: FilesystemUsage[] }>('Image', 'ImageFsInfo', {})).imageFilesystems,
  } satisfies Partial<ContainerRuntime>;
}
