/**
 * Many nodes in one process, without containers: each registers, heartbeats and runs its pods in memory, with real status updates.
 * They share one informer over all pods.
 */
import type { Taint } from '../api/types/core-v1.ts';
import type { Client, EventRecorder } from '../client/contract.ts';
import { createEventRecorder, createInformerFactory } from '../client/index.ts';
import type { Environment } from '../controller/contract.ts';
import { createKubelet, type Kubelet } from './kubelet.ts';
import { type Machine, simulatedMachine } from './node/machine.ts';
import { sharedPodSource } from './pod-source.ts';
import {
  createSimulatedRuntime,
  type SimulatedRuntime,
  type SimulatedRuntimeOptions,
} from './runtime/simulated/index.ts';

export interface SimulatedNodesOptions {
  count: number;
  client: Client;
  environment: Environment;
  /** Names are `<prefix>0`, `<prefix>1` …; default "node-". */
  prefix?: string;
  /** Labels of node `i`, e.g. zones. */
  labels?: (index: number) => Record<string, string>;
  taints?: readonly Taint[];
  machine?: (index: number) => Partial<Machine>;
  maxPods?: number;
  /** How long things take, and what fails. */
  runtime?: Partial<Pick<SimulatedRuntimeOptions, 'delays' | 'pullError' | 'exec'>>;
  /** Write events (Scheduled … Started). Default false: with thousands of pods they are most of the load. */
  events?: boolean;
  /** Registrations in flight at once; default 20. */
  parallel?: number;
}
export interface SimulatedNode {
  readonly name: string;
  readonly kubelet: Kubelet;
  readonly runtime: SimulatedRuntime;
}
export interface SimulatedNodes {
  readonly nodes: readonly SimulatedNode[];
  /** Resolves when all nodes are registered. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** The node falls silent (no heartbeats, no status) or comes back. */
  setUp(name: string, up: boolean): Promise<void>;
}

const silentRecorder: EventRecorder = { event: () => undefined };
/** Renewals are spread; 40 s is what the node controller waits. */
const lease = { seconds: 40, renewSeconds: 20 };
const statusSeconds = 60;

/** Pod addresses are taken from 10.128.0.0/9, per node in blocks of 256; node addresses from 10.0.0.0/9. */
const nodeAddress = (i: number) => `10.${(i >> 16) & 127}.${(i >> 8) & 255}.${i & 255}`;
function podAddresses(index: number) {
  const free: number[] = [];
  let next = 0;
  return {
    allocate(): readonly string[] {
      const host = free.pop() ?? ++next;
      const block = (index + (host >> 8) * 32768) & 0x7fff;
      return [`10.${128 + (block >> 8)}.${block & 255}.${host & 255}`];
    },
    release([ip]: readonly string[]): void {
      free.push(Number(ip?.split('.')[3] ?? 0));
    },
  };
}

export function createSimulatedNodes(options: SimulatedNodesOptions): SimulatedNodes {
  const { client, environment, count, prefix = 'node-' } = options;
  const stopping = new AbortController();
  const informers = createInformerFactory(client, environment);
  const podSource = sharedPodSource(informers);
  const nodes = Array.from({ length: count }, (_, index) => build(index));

  function build(index: number): SimulatedNode {
    const name = `${prefix}${index}`;
    const addresses = podAddresses(index);
    const runtime = createSimulatedRuntime({
      clock: environment.clock,
      random: environment.random,
      allocateIps: addresses.allocate,
      releaseIps: addresses.release,
      ...options.runtime,
    });
    return { name, runtime, kubelet: kubeletFor(index, name, runtime) };
  }
  function kubeletFor(index: number, name: string, runtime: SimulatedRuntime): Kubelet {
    const { signal } = stopping;
    const { clock, log } = environment;
    return createKubelet({
      environment,
      client,
      informers,
      runtime,
      runtimeName: 'simulated',
      nodeName: name,
      machine: { ...simulatedMachine(name, nodeAddress(index + 1)), ...options.machine?.(index) },
      podSource,
      services: () => [],
      recorder: options.events
        ? createEventRecorder({ client, clock, log, component: 'kubelet', host: name, signal })
        : silentRecorder,
      relistSeconds: 0,
      lease,
      statusSeconds,
      ...(options.labels && { labels: options.labels(index) }),
      ...(options.taints && { taints: options.taints }),
      ...(options.maxPods !== undefined && { maxPods: options.maxPods }),
    });
  }

  return {
    nodes,
    async start() {
      informers.start(stopping.signal);
      const waiting = [...nodes];
      const work = async () => {
        for (let node = waiting.shift(); node; node = waiting.shift()) await node.kubelet.start();
      };
      await Promise.all(Array.from({ length: options.parallel ?? 20 }, work));
    },
    async stop() {
      stopping.abort(new Error('stopped'));
      await Promise.all(nodes.map(n => n.kubelet.stop()));
      await Promise.all(nodes.map(n => n.runtime.close()));
    },
    async setUp(name, up) {
      const index = nodes.findIndex(n => n.name === name);
      const node = nodes[index];
      if (!node) throw new Error(`no node ${name}`);
      await node.kubelet.stop();
      if (!up) return;
      const kubelet = kubeletFor(index, name, node.runtime);
      nodes[index] = { ...node, kubelet };
      await kubelet.start();
    },
  };
}
