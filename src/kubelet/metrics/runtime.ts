/** Counts and times every call to the container runtime. Upstream: kuberuntime/instrumented_services.go. */
import type { Clock } from '../../base/clock.ts';
import type { Metrics } from '../../base/metrics.ts';
import type { ContainerRuntime } from '../runtime/contract.ts';

/** Upstream's names of the operations; what is not here is not counted. */
const operations: Partial<Record<keyof ContainerRuntime, string>> = {
  version: 'version',
  status: 'status',
  updatePodCidr: 'update_runtime_config',
  runPodSandbox: 'run_podsandbox',
  stopPodSandbox: 'stop_podsandbox',
  removePodSandbox: 'remove_podsandbox',
  podSandboxStatus: 'podsandbox_status',
  listPodSandboxes: 'list_podsandbox',
  createContainer: 'create_container',
  startContainer: 'start_container',
  stopContainer: 'stop_container',
  removeContainer: 'remove_container',
  listContainers: 'list_containers',
  containerStatus: 'container_status',
  updateContainerResources: 'update_container',
  reopenContainerLog: 'reopen_container_log',
  execSync: 'exec_sync',
  exec: 'exec',
  attach: 'attach',
  portForward: 'port_forward',
  listImages: 'list_images',
  imageStatus: 'image_status',
  pullImage: 'pull_image',
  removeImage: 'remove_image',
  imageFsInfo: 'image_fs_info',
  listContainerStats: 'list_container_stats',
  listPodSandboxStats: 'list_podsandbox_stats',
};

export function instrumentRuntime(runtime: ContainerRuntime, metrics: Metrics, clock: Clock): ContainerRuntime {
  const total = metrics.counter('kubelet_runtime_operations_total', 'Calls to the container runtime.');
  const failed = metrics.counter(
    'kubelet_runtime_operations_errors_total',
    'Calls that the container runtime refused.',
  );
  const duration = metrics.histogram('kubelet_runtime_operations_duration_seconds', 'Time of calls to the runtime.');
  type Method = (...args: never[]) => Promise<unknown>;
  const counted = (method: Method, operation_type: string): Method => {
    const labels = { operation_type };
    return async (...args) => {
      const begun = clock.monotonic();
      total.inc(labels);
      try {
        return await method(...args);
      } catch (e) {
        failed.inc(labels);
        throw e;
      } finally {
        duration.observe((clock.monotonic() - begun) / 1000, labels);
      }
    };
  };
  const wrapped = Object.entries(operations).map(([name, operation]) => {
    const method = runtime[name as keyof ContainerRuntime] as Method;
    return [name, counted(method, operation)];
  });
  return { ...runtime, ...(Object.fromEntries(wrapped) as Partial<ContainerRuntime>) };
}
