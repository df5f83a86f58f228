import type { Pod } from '../../../api/types/core-v1.ts';
import { namespaced } from '../define.ts';
import { podColumns } from './pod/columns.ts';
import { defaultPod } from './pod/defaults.ts';
import { qosClass } from './pod/qos.ts';

/** Seconds a pod is given to stop (pkg/registry/core/pod/strategy.go, CheckGracefulDelete). */
function gracePeriod(pod: Pod, requested: number | undefined): number | undefined {
  const { phase } = pod.status ?? {};
  const period = requested ?? pod.spec.terminationGracePeriodSeconds ?? 30;
  // Nothing runs yet, or nothing runs any more: there is nobody to wait for.
  if (!pod.spec.nodeName || phase === 'Failed' || phase === 'Succeeded') return 0;
  return period < 0 ? 1 : period;
}

export const pods = namespaced<Pod>({
  resource: '/pods',
  generation: true,
  default: defaultPod,
  initialStatus: pod => ({ phase: 'Pending', qosClass: qosClass(pod) }),
  prepareForCreate(pod) {
    delete pod.spec.ephemeralContainers;
  },
  gracePeriod,
  columns: podColumns,
  selectableFields: {
    'spec.nodeName': pod => pod.spec.nodeName ?? '',
    'spec.restartPolicy': pod => pod.spec.restartPolicy ?? '',
    'spec.schedulerName': pod => pod.spec.schedulerName ?? '',
    'spec.serviceAccountName': pod => pod.spec.serviceAccountName ?? '',
    'spec.hostNetwork': pod => String(pod.spec.hostNetwork ?? false),
    'status.phase': pod => pod.status?.phase ?? '',
    'status.podIP': pod => pod.status?.podIPs?.[0]?.ip ?? pod.status?.podIP ?? '',
    'status.nominatedNodeName': pod => pod.status?.nominatedNodeName ?? '',
  },
});
