/** Defaults of pods and pod templates (pkg/apis/core/v1/defaults.go). */
import type {
  Container,
  EphemeralContainer,
  HTTPGetAction,
  LifecycleHandler,
  Pod,
  PodSpec,
  PodStatus,
  PodTemplateSpec,
  Probe,
} from '../../../../api/types/core-v1.ts';
import { defaultPodResources } from './pod-level.ts';
import { defaultVolume } from './volume-defaults.ts';

/** True when the image has no tag and no digest, or the tag "latest". */
export function isLatestImage(image: string): boolean {
  if (image.includes('@')) return false;
  const tag = image.slice(image.lastIndexOf('/') + 1).split(':')[1];
  return tag === undefined || tag === 'latest';
}

function defaultHttpGet(action: HTTPGetAction | undefined): void {
  if (!action) return;
  action.path ||= '/';
  action.scheme ||= 'HTTP';
}

function defaultProbe(probe: Probe | undefined): void {
  if (!probe) return;
  defaultHttpGet(probe.httpGet);
  if (probe.grpc) probe.grpc.service ??= '';
  probe.timeoutSeconds ||= 1;
  probe.periodSeconds ||= 10;
  probe.successThreshold ||= 1;
  probe.failureThreshold ||= 3;
}

const defaultHandler = (handler: LifecycleHandler | undefined) => defaultHttpGet(handler?.httpGet);

function defaultContainer(container: Container | EphemeralContainer): void {
  container.imagePullPolicy ||= isLatestImage(container.image ?? '') ? 'Always' : 'IfNotPresent';
  container.terminationMessagePath ||= '/dev/termination-log';
  container.terminationMessagePolicy ||= 'File';
  container.resources ??= {};
  for (const port of container.ports ?? []) port.protocol ||= 'TCP';
  for (const env of container.env ?? []) {
    if (env.valueFrom?.fieldRef) env.valueFrom.fieldRef.apiVersion ||= 'v1';
    if (env.valueFrom?.resourceFieldRef) env.valueFrom.resourceFieldRef.divisor ||= '0';
    if (env.valueFrom?.fileKeyRef) env.valueFrom.fileKeyRef.optional ??= false;
  }
  defaultProbe(container.livenessProbe);
  defaultProbe(container.readinessProbe);
  defaultProbe(container.startupProbe);
  defaultHandler(container.lifecycle?.postStart);
  defaultHandler(container.lifecycle?.preStop);
}

const containersOf = (spec: PodSpec): (Container | EphemeralContainer)[] => [
  ...(spec.containers ?? []),
  ...(spec.initContainers ?? []),
  ...(spec.ephemeralContainers ?? []),
];

/** What pods and templates have in common. */
function defaultPodSpec(spec: PodSpec): void {
  // Admission reads them before validation asks for them.
  spec.containers ??= [];
  spec.dnsPolicy ||= 'ClusterFirst';
  spec.restartPolicy ||= 'Always';
  spec.securityContext ??= {};
  spec.terminationGracePeriodSeconds ??= 30;
  spec.schedulerName ||= 'default-scheduler';
  const account = spec.serviceAccountName || spec.serviceAccount;
  if (account) {
    spec.serviceAccountName = account;
    spec.serviceAccount = account;
  }
  for (const volume of spec.volumes ?? []) defaultVolume(volume);
  for (const container of containersOf(spec)) defaultContainer(container);
}

export function defaultPodTemplate(template: PodTemplateSpec): void {
  template.metadata ??= {};
  template.spec ??= { containers: [] };
  defaultPodSpec(template.spec);
}

/** Requests follow limits in a pod (not in a template). */
function defaultRequests(container: Container): void {
  const resources = container.resources;
  if (!resources?.limits) return;
  resources.requests = { ...resources.limits, ...resources.requests };
}

function defaultHostPorts(container: Container): void {
  for (const port of container.ports ?? []) port.hostPort ||= port.containerPort;
}

/** The first of several addresses is the one that older clients know; when they differ, the older field is right. */
function defaultAddresses(status: PodStatus): void {
  const { podIP } = status;
  if (podIP && podIP !== status.podIPs?.[0]?.ip) status.podIPs = [{ ip: podIP }];
  else if (!podIP && status.podIPs?.[0]?.ip) status.podIP = status.podIPs[0].ip;
}

/** What Go cannot leave out. */
function defaultContainerStatuses(status: PodStatus): void {
  for (const list of [status.containerStatuses, status.initContainerStatuses, status.ephemeralContainerStatuses])
    for (const one of list ?? []) {
      one.state ??= {};
      one.lastState ??= {};
      one.ready ??= false;
      one.restartCount ??= 0;
      one.image ??= '';
      one.imageID ??= '';
    }
}

export function defaultPod(pod: Pod): void {
  const { spec } = pod;
  defaultPodSpec(spec);
  const containers = [...(spec.containers ?? []), ...(spec.initContainers ?? [])];
  containers.forEach(defaultRequests);
  defaultPodResources(spec);
  spec.enableServiceLinks ??= true;
  if (spec.hostNetwork) containers.forEach(defaultHostPorts);
  pod.status ??= {};
  defaultAddresses(pod.status);
  defaultContainerStatuses(pod.status);
}
