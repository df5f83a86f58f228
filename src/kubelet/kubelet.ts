/** A node's agent: pods from the API (and static ones) become containers, and what happens to them becomes status. */
import type { Pod, Secret, Service, Taint } from '../api/types/core-v1.ts';
import { messageOf } from '../base/errors.ts';
import type { Client, EventRecorder, InformerFactory } from '../client/contract.ts';
import { createEventRecorder } from '../client/index.ts';
import type { Environment } from '../controller/contract.ts';
import { createHousekeeping } from './housekeeping.ts';
import { createImagePuller } from './images/puller.ts';
import { createMeters } from './metrics/meters.ts';
import { instrumentRuntime } from './metrics/runtime.ts';
import { createNodeAgent, type NodeAgent } from './node/agent.ts';
import type { Machine } from './node/machine.ts';
import { allocatableOf, type NodeOptions, type Pressure } from './node/node-object.ts';
import { createObjectSource } from './objects.ts';
import { admitPod } from './pod/admission.ts';
import { createBackOff } from './pod/back-off.ts';
import type { ClusterDns } from './pod/config.ts';
import type { PodContext } from './pod/context.ts';
import { nullHost, type PodHost } from './pod/host.ts';
import { configHashAnnotation, configMirrorAnnotation, isMirrorPod, isStaticPod, uidOf } from './pod/names.ts';
import { createPodWorker, type PodWorker } from './pod/worker.ts';
import { nodePodSource, type PodSource } from './pod-source.ts';
import type { ContainerRuntime } from './runtime/contract.ts';

export interface KubeletOptions {
  environment: Environment;
  client: Client;
  /** Its own informers are made from it: pods of the node, services. Started by the caller. */
  informers: InformerFactory;
  runtime: ContainerRuntime;
  /** As container ids name it: "containerd". */
  runtimeName: string;
  nodeName: string;
  machine: Machine;
  /** Default: a machine without files, volumes and cgroups. */
  host?: PodHost;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  taints?: readonly Taint[];
  maxPods?: number;
  reserved?: NodeOptions['reserved'];
  extendedResources?: Record<string, string>;
  providerId?: string;
  kubeletPort?: number;
  clusterDns?: ClusterDns;
  lease?: { seconds: number; renewSeconds: number };
  statusSeconds?: number;
  /** Default: an informer over this node's pods. */
  podSource?: PodSource;
  /** Default: from an informer over all services. */
  services?: (namespace: string) => readonly Service[];
  recorder?: EventRecorder;
  /** Seconds between looks at all containers; default 10, or 1 when the runtime has no events. 0: events only. */
  relistSeconds?: number;
  onPodCidrs?(cidrs: readonly string[]): void;
  /** More of what /configz shows. */
  configuration?: Readonly<Record<string, unknown>>;
}

export interface Kubelet {
  /** Resolves when the node is registered and its pods are known. */
  start(): Promise<void>;
  /** Ends the agent; containers run on. */
  stop(): Promise<void>;
  readonly node: NodeAgent;
  /** The pods of this node, static ones included. */
  pods(): readonly PodWorker[];
  podByName(namespace: string, name: string): PodWorker | undefined;
  /** A static pod appeared or changed (undefined: it is gone). */
  setStaticPod(uid: string, pod: Pod | undefined): void;
  setPressure(pressure: Pressure): void;
  readonly context: PodContext;
  /** As upstream's KubeletConfiguration names it, for /configz. */
  readonly configuration: Readonly<Record<string, unknown>>;
}

const crashInitialMs = 10_000;
const crashMaxMs = 300_000;

export function createKubelet(options: KubeletOptions): Kubelet {
  const { environment, client, informers, nodeName, machine, host = nullHost } = options;
  const { clock, random, metrics } = environment;
  const meters = createMeters(metrics);
  const runtime = instrumentRuntime(options.runtime, metrics, clock);
  const log = environment.log.with({ node: nodeName });
  const stopping = new AbortController();
  const workers = new Map<string, PodWorker>();
  const gone = new Set<string>();
  const apiPods = new Map<string, Pod>();
  const nextStatic = new Map<string, Pod>();
  const recorder =
    options.recorder ??
    createEventRecorder({ client, clock, log, component: 'kubelet', host: nodeName, signal: stopping.signal });
  const source = options.podSource ?? nodePodSource(informers, nodeName);
  const services = options.services ?? servicesFrom(informers);
  let pressure: Pressure = { memory: false, disk: false, pid: false };
  const node: NodeOptions = {
    name: nodeName,
    machine,
    maxPods: options.maxPods ?? 110,
    kubeletPort: options.kubeletPort ?? 10250,
    ...(options.labels && { labels: options.labels }),
    ...(options.annotations && { annotations: options.annotations }),
    ...(options.taints && { taints: options.taints }),
    ...(options.reserved && { reserved: options.reserved }),
    ...(options.extendedResources && { extendedResources: options.extendedResources }),
    ...(options.providerId && { providerId: options.providerId }),
  };
  const agent = createNodeAgent({
    client,
    clock,
    random,
    log,
    recorder,
    runtime,
    node,
    pressure: () => pressure,
    volumesInUse: () => host.volumesInUse(),
    extendedResources: () => host.extendedResources(),
    ...(options.lease && { leaseSeconds: options.lease.seconds, renewSeconds: options.lease.renewSeconds }),
    ...(options.statusSeconds !== undefined && { statusSeconds: options.statusSeconds }),
    ...(options.onPodCidrs && { onPodCidrs: options.onPodCidrs }),
  });
  const allocatable = allocatableOf(node);
  const context: PodContext = {
    ...environment,
    log,
    nodeName,
    client,
    runtime,
    runtimeName: options.runtimeName,
    host,
    meters,
    images: createImagePuller({ runtime, clock, meters }),
    objects: createObjectSource(client, clock, services),
    recorder,
    clusterDns: options.clusterDns ?? { servers: [], domain: 'cluster.local' },
    crashBackOff: createBackOff(clock, crashInitialMs, crashMaxMs),
    hostIps: () => machine.addresses,
    allocatable: () => allocatable,
    runtimeHandler: name => runtimeHandler(client, name),
    admit: pod =>
      admitPod(
        pod,
        [...workers.values()].filter(w => uidOf(w.pod) !== uidOf(pod)).map(w => w.pod),
        { allocatable, labels: agent.current?.metadata.labels ?? node.labels ?? {}, pressure },
      ),
    pullSecrets: pod => pullSecrets(context, pod),
  };
  const keyName = (pod: Pod) => `${pod.metadata.namespace}/${pod.metadata.name}`;

  /** A mirror of an older form of the pod is none. */
  function mirrorFor(pod: Pod): Pod | undefined {
    const mirror = apiPods.get(keyName(pod));
    const same =
      mirror?.metadata.annotations?.[configMirrorAnnotation] === pod.metadata.annotations?.[configHashAnnotation];
    return same ? mirror : undefined;
  }
  /** A changed static pod begins when its older form has ended. */
  function startNext(key: string): void {
    const [uid, next] = [...nextStatic].find(([, p]) => keyName(p) === key) ?? [];
    if (uid === undefined || !next) return;
    nextStatic.delete(uid);
    startWorker(next);
  }
  function startWorker(pod: Pod): void {
    const uid = uidOf(pod);
    const worker = createPodWorker(context, pod, {
      apiPod: own => (isStaticPod(own) ? mirrorFor(own) : own),
      onGone() {
        workers.delete(uid);
        if (isStaticPod(pod)) startNext(keyName(pod));
        else gone.add(uid);
      },
    });
    workers.set(uid, worker);
    worker.poke();
  }
  function setPod(pod: Pod): void {
    if (stopping.signal.aborted) return;
    if (isMirrorPod(pod)) {
      apiPods.set(keyName(pod), pod);
      const owner = [...workers.values()].find(w => isStaticPod(w.pod) && keyName(w.pod) === keyName(pod));
      owner?.poke();
      return;
    }
    const uid = uidOf(pod);
    const known = workers.get(uid);
    if (known) known.update(pod);
    else if (!gone.has(uid)) startWorker(pod);
  }
  function removePod(pod: Pod): void {
    if (isMirrorPod(pod)) apiPods.delete(keyName(pod));
    else workers.get(uidOf(pod))?.remove();
    gone.delete(uidOf(pod));
  }
  const housekeeping = createHousekeeping({
    runtime,
    meters,
    host,
    clock,
    log,
    workers: () => workers,
    relistSeconds: options.relistSeconds,
  });

  let unsubscribe: (() => void) | undefined;
  return {
    async start() {
      const registered = agent.start(stopping.signal);
      void housekeeping.watch(stopping.signal);
      await source.synced();
      unsubscribe = source.subscribe(nodeName, { set: setPod, remove: removePod });
      void housekeeping.run(stopping.signal);
      await registered;
    },
    async stop() {
      stopping.abort(new Error('stopped'));
      unsubscribe?.();
      await Promise.all([...workers.values()].map(w => w.stop()));
    },
    node: agent,
    pods: () => [...workers.values()],
    podByName: (namespace, name) =>
      [...workers.values()].find(w => w.pod.metadata.name === name && w.pod.metadata.namespace === namespace),
    setStaticPod(uid, pod) {
      const known = workers.get(uid);
      if (!pod) {
        nextStatic.delete(uid);
        known?.remove();
      } else if (known) known.update(pod);
      else if ([...workers.values()].some(w => keyName(w.pod) === keyName(pod))) nextStatic.set(uid, pod);
      else startWorker(pod);
    },
    setPressure(next) {
      pressure = next;
      agent.refresh();
    },
    context,
    configuration: {
      maxPods: node.maxPods,
      nodeStatusUpdateFrequency: `${options.statusSeconds ?? 10}s`,
      nodeLeaseDurationSeconds: options.lease?.seconds ?? 40,
      registerNode: true,
      serializeImagePulls: false,
      failSwapOn: false,
      ...options.configuration,
    },
  };

  function servicesFrom(factory: InformerFactory): (namespace: string) => readonly Service[] {
    const informer = factory.informer('v1/services');
    return namespace => {
      const own = informer.store.byIndex('namespace', namespace);
      const api = namespace === 'default' ? undefined : informer.store.get('default/kubernetes');
      return api ? [...own, api] : own;
    };
  }
}

async function runtimeHandler(client: Client, name: string | undefined): Promise<string> {
  if (!name) return '';
  try {
    return (await client.resource('node.k8s.io/v1/runtimeclasses').get(name)).handler;
  } catch (e) {
    throw new Error(`failed to get sandbox runtime: RuntimeClass.node.k8s.io "${name}" not found: ${messageOf(e)}`);
  }
}

async function pullSecrets(context: PodContext, pod: Pod): Promise<Secret[]> {
  const names = (pod.spec.imagePullSecrets ?? []).map(r => r.name ?? '').filter(Boolean);
  const found: Secret[] = [];
  const missing: string[] = [];
  for (const name of names) {
    const secret = await context.objects.secret(pod.metadata.namespace ?? '', name).catch(() => undefined);
    if (secret) found.push(secret);
    else missing.push(name);
  }
  if (missing.length > 0) {
    const message = `Unable to retrieve some image pull secrets (${missing.join(', ')}); attempting to pull the image may not succeed.`;
    context.recorder.event(
      { ...pod, apiVersion: 'v1', kind: 'Pod' },
      'Warning',
      'FailedToRetrieveImagePullSecret',
      message,
    );
  }
  return found;
}
