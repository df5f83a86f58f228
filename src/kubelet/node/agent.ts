/** Keeps the Node object and its lease true: registration, status, heartbeats. */
import type { Lease } from '../../api/types/coordination-v1.ts';
import type { Node } from '../../api/types/core-v1.ts';
import { type Clock, rfc3339Micro, sleep } from '../../base/clock.ts';
import { isAlreadyExists, isConflict, isNotFound, messageOf } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import type { Client, EventRecorder } from '../../client/contract.ts';
import type { ExtendedResources } from '../pod/host.ts';
import type { ContainerRuntime, Image, RuntimeHandler } from '../runtime/contract.ts';
import {
  conditionEvents,
  type NodeHealth,
  type NodeOptions,
  newNode,
  nodeStatus,
  type Pressure,
  wellKnownLabels,
} from './node-object.ts';

export interface NodeAgentOptions {
  client: Client;
  clock: Clock;
  random: Random;
  log: Logger;
  recorder: EventRecorder;
  runtime: ContainerRuntime;
  node: NodeOptions;
  /** Seconds a lease lasts (default 40) and between its renewals (default a quarter of it). */
  leaseSeconds?: number;
  renewSeconds?: number;
  /** Seconds between looks at the node's state (default 10), and between writes when nothing changed (default 300). */
  statusSeconds?: number;
  reportSeconds?: number;
  pressure(): Pressure;
  volumesInUse(): readonly string[];
  /** What device plugins offer. */
  extendedResources(): ExtendedResources;
  /** The address range that the node's pods get, as soon as it is known. */
  onPodCidrs?(cidrs: readonly string[]): void;
}
export interface NodeAgent {
  /** Registers (trying until it works), then keeps on until the signal is aborted. Resolves after the registration. */
  start(signal: AbortSignal): Promise<void>;
  /** Writes the status now when it changed. */
  refresh(): void;
  /** The node as the API has it. */
  readonly current: Node | undefined;
  readonly runtimeUp: boolean;
}

const firstLookMs = 50;
const registerRetryMs = 200;
const registerRetryMaxMs = 7000;
const leaseNamespace = 'kube-node-lease';

export function createNodeAgent(options: NodeAgentOptions): NodeAgent {
  const { client, clock, random, log, runtime, node: nodeOptions } = options;
  const { name } = nodeOptions;
  const leaseSeconds = options.leaseSeconds ?? 40;
  const renewMs = (options.renewSeconds ?? leaseSeconds / 4) * 1000;
  const statusMs = (options.statusSeconds ?? 10) * 1000;
  const reportMs = (options.reportSeconds ?? 300) * 1000;
  const nodes = client.resource('v1/nodes');
  const leases = client.resource('coordination.k8s.io/v1/leases', leaseNamespace);
  let current: Node | undefined;
  let runtimeInfo = { name: 'unknown', version: '', handlers: [] as readonly RuntimeHandler[] };
  let runtimeUp = false;
  let lastReport = Number.NEGATIVE_INFINITY;
  let lease: Lease | undefined;
  let podCidrs = '';
  let wake: (() => void) | undefined;

  async function health(): Promise<NodeHealth> {
    try {
      const [{ conditions, handlers }, version] = await Promise.all([runtime.status(), runtime.version()]);
      runtimeInfo = { name: version.runtimeName, version: version.runtimeVersion, handlers };
      runtimeUp = conditions.every(c => c.type !== 'RuntimeReady' || c.status);
      return { pressure: options.pressure(), runtime: conditions };
    } catch (e) {
      runtimeUp = false;
      return { pressure: options.pressure(), runtime: [], runtimeError: messageOf(e) };
    }
  }
  async function status() {
    const state = await health();
    const images: readonly Image[] = runtimeUp ? await runtime.listImages().catch(() => []) : [];
    const volumesInUse = options.volumesInUse();
    const extended = options.extendedResources();
    const input = {
      options: nodeOptions,
      health: state,
      images,
      runtime: runtimeInfo,
      volumesInUse,
      extended,
      now: clock.now(),
    };
    return nodeStatus({ ...input, old: current?.status });
  }

  async function register(signal: AbortSignal): Promise<void> {
    for (let delay = registerRetryMs; !signal.aborted; delay = Math.min(delay * 2, registerRetryMaxMs)) {
      try {
        const node = await createOrAdopt();
        accept(current, node);
        return;
      } catch (e) {
        log.warn('node could not be registered', { error: messageOf(e) });
        await sleep(clock, delay, signal).catch(() => undefined);
      }
    }
  }
  async function createOrAdopt(): Promise<Node> {
    try {
      return await nodes.create(newNode(nodeOptions, await status()));
    } catch (e) {
      if (!isAlreadyExists(e)) throw e;
    }
    current = await nodes.get(name);
    const labels = wellKnownLabels(nodeOptions);
    const missing = Object.entries(labels).some(([k, v]) => current?.metadata.labels?.[k] !== v);
    if (missing) current = await nodes.patch(name, 'strategic', { metadata: { labels } });
    return writeStatus();
  }
  async function writeStatus(): Promise<Node> {
    const wanted = await status();
    return nodes.patch(name, 'merge', { status: wanted }, { subresource: 'status' });
  }

  function tell(type: 'Normal' | 'Warning', reason: string, message: string): void {
    options.recorder.event({ apiVersion: 'v1', kind: 'Node', metadata: { name, uid: name } }, type, reason, message);
  }
  /** The API has the node as it is now: tells what changed. */
  function accept(before: Node | undefined, node: Node): void {
    current = node;
    lastReport = clock.monotonic();
    learnCidrs(node);
    for (const reason of conditionEvents(before?.status, node.status ?? {}))
      tell('Normal', reason, `Node ${name} status is now: ${reason}`);
    const [old, boot] = [before?.status?.nodeInfo?.bootID, node.status?.nodeInfo?.bootID];
    if (old && old !== boot) tell('Warning', 'Rebooted', `Node ${name} has been rebooted, boot id: ${boot}`);
  }
  function learnCidrs(node: Node): void {
    const cidrs = node.spec?.podCIDRs ?? (node.spec?.podCIDR ? [node.spec.podCIDR] : []);
    if (cidrs.length === 0 || cidrs.join() === podCidrs) return;
    podCidrs = cidrs.join();
    options.onPodCidrs?.(cidrs);
  }

  const stable = (node: Node | undefined) =>
    JSON.stringify({
      ...node?.status,
      conditions: node?.status?.conditions?.map(c => ({ ...c, lastHeartbeatTime: '' })),
    });

  async function reportStatus(): Promise<void> {
    // Others write it too: the node controller says Unknown of a node that was away.
    current = await nodes.get(name, { resourceVersion: '0' });
    learnCidrs(current);
    const wanted = await status();
    const due = clock.monotonic() - lastReport >= reportMs;
    if (!due && stable({ ...current, status: { ...current.status, ...wanted } }) === stable(current)) return;
    accept(current, await nodes.patch(name, 'merge', { status: wanted }, { subresource: 'status' }));
  }

  async function renewLease(): Promise<void> {
    const renewTime = rfc3339Micro(clock.now());
    const spec = { holderIdentity: name, leaseDurationSeconds: leaseSeconds, renewTime };
    try {
      if (lease) {
        lease = await leases.update({ ...lease, spec: { ...lease.spec, ...spec } });
        return;
      }
      const { uid = '' } = current?.metadata ?? {};
      const ownerReferences = uid ? [{ apiVersion: 'v1', kind: 'Node', name, uid }] : [];
      lease = await leases.create({ metadata: { name, namespace: leaseNamespace, ownerReferences }, spec });
    } catch (e) {
      if (isAlreadyExists(e) || isConflict(e)) lease = await leases.get(name);
      else if (isNotFound(e)) lease = undefined;
      else throw e;
      if (lease) lease = await leases.update({ ...lease, spec: { ...lease.spec, ...spec } });
    }
  }

  async function repeat(
    work: () => Promise<void>,
    everyMs: number,
    signal: AbortSignal,
    wakeable: boolean,
  ): Promise<void> {
    while (!signal.aborted) {
      await work().catch(async (e: unknown) => {
        if (isNotFound(e) && wakeable) await register(signal);
        else log.debug('node heartbeat failed', { error: messageOf(e) });
      });
      const jittered = everyMs * (1 + random.next() * 0.04);
      const pause = sleep(clock, jittered, signal).catch(() => undefined);
      if (wakeable)
        await Promise.race([
          pause,
          new Promise<void>(resolve => {
            wake = resolve;
          }),
        ]);
      else await pause;
    }
  }

  /** A new node is looked at often until it is ready, so that it starts quickly; later only now and then. */
  async function becomeReady(signal: AbortSignal): Promise<void> {
    const isReady = () => current?.status?.conditions?.some(c => c.type === 'Ready' && c.status === 'True') === true;
    for (let wait = firstLookMs; !isReady() && wait < statusMs && !signal.aborted; wait *= 1.3) {
      await sleep(clock, wait, signal);
      await reportStatus().catch((e: unknown) => log.debug('node heartbeat failed', { error: messageOf(e) }));
    }
  }

  return {
    async start(signal) {
      await register(signal);
      if (signal.aborted) return;
      tell('Normal', 'Starting', 'Starting kubelet.');
      void repeat(renewLease, renewMs, signal, false);
      void becomeReady(signal)
        .then(() => sleep(clock, random.next() * statusMs, signal))
        .then(() => repeat(reportStatus, statusMs, signal, true))
        .catch(() => undefined);
    },
    refresh: () => wake?.(),
    get current() {
      return current;
    },
    get runtimeUp() {
      return runtimeUp;
    },
  };
}
