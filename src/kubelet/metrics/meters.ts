/** What the kubelet counts of itself, under upstream's names. Upstream: pkg/kubelet/metrics, pkg/kubelet/prober. */
import { createMetrics, type Metrics } from '../../base/metrics.ts';

export type ContainerType = 'container' | 'init_container' | 'ephemeral_container';

export interface Meters {
  /** A pod's first look until its containers run, seconds. */
  podStarted(seconds: number): void;
  podWorked(operation: 'create' | 'sync' | 'kill', seconds: number): void;
  sandboxStarted(handler: string, seconds: number, failed: boolean): void;
  /** `failure`: the waiting reason of a container that could not be started. */
  containerStarted(type: ContainerType, failure?: string): void;
  statusWritten(seconds: number): void;
  relisted(seconds: number, sinceLastSeconds: number | undefined): void;
  evicted(signal: string): void;
  imageCollected(reason: 'space' | 'age'): void;
  imagePulled(bytes: number, seconds: number): void;
  probed(labels: Record<string, string>, seconds: number): void;
  /** One request to the kubelet's API. */
  served(method: string, path: string, longRunning: boolean, seconds: number): void;
  /** Those of probes are a page of their own. */
  readonly probes: Metrics;
}

const relistBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const startBuckets = [
  0.5, 1, 2, 3, 4, 5, 6, 8, 10, 20, 30, 45, 60, 120, 180, 240, 300, 360, 480, 600, 900, 1200, 1800, 2700, 3600,
];
const pullBuckets = [1, 5, 10, 20, 30, 60, 180, 300, 600, 900, 1200, 1800, 2700, 3600];
const mebibyte = 2 ** 20;
/** Upper ends, exclusive, of the sizes by which pulls are told apart. */
const sizeClasses: readonly (readonly [number, string])[] = [
  [10, '0-10MB'],
  [100, '10MB-100MB'],
  [500, '100MB-500MB'],
  [1024, '500MB-1GB'],
  [5 * 1024, '1GB-5GB'],
  [10 * 1024, '5GB-10GB'],
  [20 * 1024, '10GB-20GB'],
  [30 * 1024, '20GB-30GB'],
  [40 * 1024, '30GB-40GB'],
  [60 * 1024, '40GB-60GB'],
  [100 * 1024, '60GB-100GB'],
  [Number.POSITIVE_INFINITY, 'GT100GB'],
];

export function createMeters(metrics: Metrics): Meters {
  const probes = createMetrics();
  const counter = (name: string, help: string) => metrics.counter(`kubelet_${name}`, help);
  const histogram = (name: string, help: string, buckets?: readonly number[]) =>
    metrics.histogram(`kubelet_${name}`, help, buckets);
  const podStart = histogram(
    'pod_start_duration_seconds',
    'From seeing a pod to its containers running.',
    startBuckets,
  );
  const podWork = histogram('pod_worker_duration_seconds', 'To sync a pod, by kind of sync.');
  const sandboxes = histogram('run_podsandbox_duration_seconds', 'To run a sandbox, by runtime handler.');
  const sandboxErrors = counter('run_podsandbox_errors_total', 'Sandboxes that could not be run.');
  const startedPods = counter('started_pods_total', 'Pods started.');
  const startedPodErrors = counter('started_pods_errors_total', 'Pods that could not be started.');
  const startedContainers = counter('started_containers_total', 'Containers started.');
  const startedContainerErrors = counter('started_containers_errors_total', 'Containers that could not be started.');
  const statusSync = histogram(
    'pod_status_sync_duration_seconds',
    'To write a pod status.',
    [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 20, 30, 45, 60],
  );
  const relistTime = histogram('pleg_relist_duration_seconds', 'To list all containers.', relistBuckets);
  const relistGap = histogram('pleg_relist_interval_seconds', 'Between lists of all containers.', relistBuckets);
  const evictions = counter('evictions', 'Pods evicted, by the signal that was short.');
  const collected = counter('image_garbage_collected_total', 'Images removed, by reason.');
  const pulls = histogram('image_pull_duration_seconds', 'To pull an image, by its size.', pullBuckets);
  const requests = counter('http_requests_total', 'Requests to the kubelet.');
  const requestTime = histogram('http_requests_duration_seconds', 'To serve a request.');
  const probeCount = probes.counter('prober_probe_total', 'Probes by their outcome.');
  const probeTime = probes.histogram('prober_probe_duration_seconds', 'To run a probe.');
  return {
    probes,
    podStarted: seconds => podStart.observe(seconds),
    podWorked: (operation_type, seconds) => podWork.observe(seconds, { operation_type }),
    sandboxStarted(runtime_handler, seconds, failed) {
      startedPods.inc();
      sandboxes.observe(seconds, { runtime_handler });
      if (!failed) return;
      sandboxErrors.inc({ runtime_handler });
      startedPodErrors.inc();
    },
    containerStarted(container_type, failure) {
      startedContainers.inc({ container_type });
      if (failure) startedContainerErrors.inc({ container_type, code: failure });
    },
    statusWritten: seconds => statusSync.observe(seconds),
    relisted(seconds, sinceLast) {
      relistTime.observe(seconds);
      if (sinceLast !== undefined) relistGap.observe(sinceLast);
    },
    evicted: eviction_signal => evictions.inc({ eviction_signal }),
    imageCollected: reason => collected.inc({ reason }),
    imagePulled(bytes, seconds) {
      const size = sizeClasses.find(([end]) => bytes < end * mebibyte)?.[1] ?? '';
      pulls.observe(seconds, { image_size_in_bytes: size });
    },
    probed(labels, seconds) {
      probeCount.inc(labels);
      const { result: _, pod_uid: __, ...which } = labels;
      probeTime.observe(seconds, which);
    },
    served(method, path, longRunning, seconds) {
      const labels = { method, path, server_type: 'readwrite', long_running: String(longRunning) };
      requests.inc(labels);
      requestTime.observe(seconds, labels);
    },
  };
}
