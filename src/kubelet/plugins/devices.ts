/** Device plugins: what devices the node has, and which container has which. Upstream: pkg/kubelet/cm/devicemanager. */
import { mkdir } from 'node:fs/promises';
import { unitsOf } from '../../api/quantity.ts';
import type { Container, Pod } from '../../api/types/core-v1.ts';
import { messageOf } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { createCodec } from '../grpc/codec.ts';
import { createUnixClient, type UnixClient } from '../grpc/unix-client.ts';
import { serveUnix, type UnixServer } from '../grpc/unix-server.ts';
import type { Refusal } from '../pod/admission.ts';
import type { ContainerFiles } from '../pod/host.ts';
import { uidOf } from '../pod/names.ts';
import { createCheckpoint } from './checkpoint.ts';

export const deviceMessages = `
Empty
DevicePluginOptions pre_start_required=1:b get_preferred_allocation_available=2:b
RegisterRequest version=1:s endpoint=2:s resource_name=3:s options=4:DevicePluginOptions
NUMANode ID=1:i
TopologyInfo nodes=1:NUMANode*
Device ID=1:s health=2:s topology=3:TopologyInfo
ListAndWatchResponse devices=1:Device*
PreStartContainerRequest devices_ids=1:s*
PreStartContainerResponse
ContainerPreferredAllocationRequest available_deviceIDs=1:s* must_include_deviceIDs=2:s* allocation_size=3:i
PreferredAllocationRequest container_requests=1:ContainerPreferredAllocationRequest*
ContainerPreferredAllocationResponse deviceIDs=1:s*
PreferredAllocationResponse container_responses=1:ContainerPreferredAllocationResponse*
ContainerAllocateRequest devices_ids=1:s*
AllocateRequest container_requests=1:ContainerAllocateRequest*
CDIDevice name=1:s
Mount container_path=1:s host_path=2:s read_only=3:b
DeviceSpec container_path=1:s host_path=2:s permissions=3:s
ContainerAllocateResponse envs=1:m mounts=2:Mount* devices=3:DeviceSpec* annotations=4:m cdi_devices=5:CDIDevice*
AllocateResponse container_responses=1:ContainerAllocateResponse*
`;
const apiVersion = 'v1beta1';

/** What a plugin gave a container. */
interface Given {
  ids: string[];
  envs: Record<string, string>;
  annotations: Record<string, string>;
  mounts: { containerPath: string; hostPath: string; readOnly: boolean }[];
  devices: { containerPath: string; hostPath: string; permissions: string }[];
  cdiDevices: { name: string }[];
}
/** By pod, container and resource. */
type Allocations = Record<string, Record<string, Record<string, Given>>>;
interface State {
  allocations: Allocations;
  /** Resources that ever had a plugin: without it they have nothing to give. */
  resources: string[];
}

interface Endpoint {
  client: UnixClient;
  options: { preStartRequired: boolean; getPreferredAllocationAvailable: boolean };
  /** Health by id. */
  devices: Map<string, boolean>;
  stop: AbortController;
}

export interface DeviceManager {
  start(): Promise<void>;
  close(): Promise<void>;
  /** Node resources that plugins told of; a resource whose plugin is gone has none to give. */
  resources(): { capacity: Record<string, string>; allocatable: Record<string, string> };
  /** Gives each container its devices, once. Resolves with why it cannot be. */
  admit(pod: Pod): Promise<Refusal | undefined>;
  /** What the container's devices bring with them. */
  filesOf(pod: Pod, container: string): Promise<ContainerFiles>;
  release(uid: string): Promise<void>;
}
export interface DeviceManagerOptions {
  /** Holds the registration socket, `kubelet.sock`, and those of plugins. */
  directory: string;
  log: Logger;
  /** What the node has to offer changed. */
  onChange(): void;
}

export function createDeviceManager({ directory, log, onChange }: DeviceManagerOptions): DeviceManager {
  const codec = createCodec(deviceMessages);
  const endpoints = new Map<string, Endpoint>();
  const checkpoint = createCheckpoint<State>(`${directory}/kubelet_internal_checkpoint`, () => ({
    allocations: {},
    resources: [],
  }));
  const save = () => checkpoint.save({ allocations, resources: [...endpoints.keys()] });
  let allocations: Allocations = {};
  let server: UnixServer | undefined;
  /** Allocations are made one after another: two pods never see the same device free. */
  let tail: Promise<unknown> = Promise.resolve();

  function call<R>({ client }: Endpoint, method: string, request: [string, object], response: string): Promise<R> {
    return client.call<R>(`${apiVersion}.DevicePlugin/${method}`, request, response);
  }
  async function register(request: {
    version: string;
    endpoint: string;
    resourceName: string;
    options?: Endpoint['options'];
  }): Promise<object> {
    const { version, endpoint: name, resourceName, options } = request;
    if (version !== apiVersion)
      throw new Error(
        `requested API version "${version}" is not supported by kubelet. Supported version is ["${apiVersion}"]`,
      );
    if (!/^[a-z0-9.-]+\/[\w.-]+$/i.test(resourceName) || name.includes('/'))
      throw new Error(`the ResourceName "${resourceName}" is invalid`);
    drop(resourceName);
    const endpoint = endpointAt(name, options);
    endpoints.set(resourceName, endpoint);
    await save();
    void follow(resourceName, endpoint);
    return {};
  }
  function endpointAt(name: string, options?: Endpoint['options']): Endpoint {
    return {
      client: createUnixClient(`${directory}/${name}`, codec),
      options: options ?? { preStartRequired: false, getPreferredAllocationAvailable: false },
      devices: new Map(),
      stop: new AbortController(),
    };
  }
  async function follow(resource: string, endpoint: Endpoint): Promise<void> {
    const method = `${apiVersion}.DevicePlugin/ListAndWatch`;
    type List = { devices: { ID: string; health: string }[] };
    const lists = endpoint.client.stream<List>(method, ['Empty', {}], 'ListAndWatchResponse', endpoint.stop.signal);
    try {
      for await (const { devices } of lists) {
        endpoint.devices = new Map(devices.map(d => [d.ID, d.health === 'Healthy']));
        onChange();
      }
    } catch (e) {
      log.warn('a device plugin is gone', { resource, error: messageOf(e) });
    }
    for (const id of endpoint.devices.keys()) endpoint.devices.set(id, false);
    if (endpoints.get(resource) === endpoint && !endpoint.stop.signal.aborted) onChange();
  }
  function drop(resource: string): void {
    const old = endpoints.get(resource);
    old?.stop.abort(new Error('replaced'));
    old?.client.close();
  }

  function taken(resource: string): Set<string> {
    const all = Object.values(allocations).flatMap(pod => Object.values(pod));
    return new Set(all.flatMap(container => container[resource]?.ids ?? []));
  }
  async function allocate(
    resource: string,
    count: number,
    endpoint: Endpoint,
    reusable: readonly string[],
  ): Promise<Given> {
    const inUse = taken(resource);
    const free = [...endpoint.devices].filter(([id, healthy]) => healthy && (!inUse.has(id) || reusable.includes(id)));
    const available = free
      .map(([id]) => id)
      .sort((a, b) => Number(reusable.includes(b)) - Number(reusable.includes(a)));
    if (available.length < count)
      throw new Error(
        `requested number of devices unavailable for ${resource}. Requested: ${count}, Available: ${available.length}`,
      );
    const ids = await preferred(endpoint, available, count);
    const request = { containerRequests: [{ devicesIds: ids }] };
    type Reply = { containerResponses: Omit<Given, 'ids'>[] };
    const reply = await call<Reply>(endpoint, 'Allocate', ['AllocateRequest', request], 'AllocateResponse');
    const [response] = reply.containerResponses;
    if (!response) throw new Error(`the plugin of ${resource} allocated nothing`);
    return { ...response, ids };
  }
  async function preferred(endpoint: Endpoint, available: readonly string[], count: number): Promise<string[]> {
    const first = available.slice(0, count);
    if (!endpoint.options.getPreferredAllocationAvailable) return first;
    const request = { containerRequests: [{ availableDeviceIDs: available, allocationSize: count }] };
    type Reply = { containerResponses: { deviceIDs: string[] }[] };
    const names: [string, string] = ['PreferredAllocationRequest', 'PreferredAllocationResponse'];
    const reply = await call<Reply>(endpoint, 'GetPreferredAllocation', [names[0], request], names[1]);
    const wanted = (reply.containerResponses[0]?.deviceIDs ?? []).filter(id => available.includes(id));
    return [...new Set([...wanted, ...first])].slice(0, count);
  }
  async function allocatePod(pod: Pod): Promise<void> {
    const own = (allocations[uidOf(pod)] ??= {});
    // Init containers hand their devices on to those that come after them.
    const initial = new Set((pod.spec.initContainers ?? []).filter(c => c.restartPolicy !== 'Always').map(c => c.name));
    for (const container of [...(pod.spec.initContainers ?? []), ...pod.spec.containers]) {
      for (const [resource, count] of devicesIn(container, endpoints)) {
        const endpoint = endpoints.get(resource);
        if (!endpoint || own[container.name]?.[resource]) continue;
        const reusable = [...initial].flatMap(name => own[name]?.[resource]?.ids ?? []);
        (own[container.name] ??= {})[resource] = await allocate(resource, count, endpoint, reusable);
      }
    }
  }

  return {
    async start() {
      await mkdir(directory, { recursive: true });
      const state = await checkpoint.load();
      allocations = state.allocations;
      for (const resource of state.resources) endpoints.set(resource, endpointAt('gone'));
      server = await serveUnix(`${directory}/kubelet.sock`, codec, {
        [`${apiVersion}.Registration/Register`]: { request: 'RegisterRequest', response: 'Empty', handle: register },
      });
    },
    async close() {
      for (const resource of endpoints.keys()) drop(resource);
      endpoints.clear();
      await server?.close();
    },
    resources() {
      const capacity: Record<string, string> = {};
      const allocatable: Record<string, string> = {};
      for (const [resource, { devices }] of endpoints) {
        capacity[resource] = String(devices.size);
        allocatable[resource] = String([...devices.values()].filter(Boolean).length);
      }
      return { capacity, allocatable };
    },
    admit(pod) {
      const all = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
      if (!all.some(c => devicesIn(c, endpoints).length > 0)) return Promise.resolve(undefined);
      const work = tail.then(() => allocatePod(pod));
      tail = work.catch(() => undefined);
      return work.then(
        () => save().then(() => undefined),
        (e: unknown) => {
          delete allocations[uidOf(pod)];
          const message = `Allocate failed due to ${messageOf(e)}, which is unexpected`;
          return { reason: 'UnexpectedAdmissionError', message };
        },
      );
    },
    async filesOf(pod, container) {
      const given = allocations[uidOf(pod)]?.[container] ?? {};
      for (const [resource, { ids }] of Object.entries(given)) {
        const endpoint = endpoints.get(resource);
        if (!endpoint?.options.preStartRequired) continue;
        const request: [string, object] = ['PreStartContainerRequest', { devicesIds: ids }];
        await call(endpoint, 'PreStartContainer', request, 'PreStartContainerResponse');
      }
      const all = Object.values(given);
      return {
        mounts: all.flatMap(g => g.mounts.map(({ readOnly, ...m }) => ({ ...m, readonly: readOnly }))),
        devices: all.flatMap(g => g.devices),
        envs: all.flatMap(g => Object.entries(g.envs).map(([name, value]) => ({ name, value }))),
        annotations: Object.assign({}, ...all.map(g => g.annotations)) as Record<string, string>,
        cdiDevices: all.flatMap(g => g.cdiDevices.map(d => d.name)),
      };
    },
    async release(uid) {
      if (!allocations[uid]) return;
      delete allocations[uid];
      await save();
    },
  };
}

function devicesIn({ resources }: Container, endpoints: ReadonlyMap<string, unknown>): [string, number][] {
  return Object.entries(resources?.limits ?? {})
    .filter(([name]) => endpoints.has(name))
    .map(([name, amount]): [string, number] => [name, unitsOf(amount)])
    .filter(([, count]) => count > 0);
}
