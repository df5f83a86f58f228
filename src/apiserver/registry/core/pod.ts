import type { Pod, PodStatus } from '../../../api/types/core-v1.ts';
import { type Errors, each, forbidden } from '../checks.ts';
import { keepMetadata, namespaced, statusSubresource } from '../define.ts';
import { field } from '../field-errors.ts';
import { ipWarnings } from '../meta/ip-warnings.ts';
import { validateObjectMetaUpdate } from '../meta/object-meta.ts';
import {
  mirrorAnnotation,
  validatePodAnnotations,
  validatePodAnnotationUpdate,
  validateProfileAnnotations,
} from './pod/annotations.ts';
import { appArmorWarnings, syncAppArmor } from './pod/app-armor.ts';
import { podColumns, podRowConditions } from './pod/columns.ts';
import { trimmedImage } from './pod/containers.ts';
import { defaultPod } from './pod/defaults.ts';
import { mergeLabelKeys } from './pod/match-labels.ts';
import { qosClass } from './pod/qos.ts';
import { prepareForResize, validatePodResize } from './pod/resize.ts';
import { validatePodSpec } from './pod/spec.ts';
import { validatePodStatusUpdate } from './pod/status.ts';
import { validateEphemeralUpdate, validatePodUpdate } from './pod/update.ts';
import { hostnameWarnings, podWarnings } from './pod/warnings.ts';

/** Seconds a pod is given to stop (pkg/registry/core/pod/strategy.go, CheckGracefulDelete). */
function gracePeriod(pod: Pod, requested: number | undefined): number | undefined {
  const { phase } = pod.status ?? {};
  const period = requested ?? pod.spec.terminationGracePeriodSeconds ?? 30;
  // Nothing runs yet, or nothing runs any more: there is nobody to wait for.
  if (!pod.spec.nodeName || phase === 'Failed' || phase === 'Succeeded') return 0;
  return period < 0 ? 1 : period;
}

/** Tokens are of the pod's service account, so there must be one. */
function tokensWithoutAccount({ spec }: Pod): Errors {
  if (spec.serviceAccountName) return [];
  return each(spec.volumes, 'spec.volumes', (volume, at) =>
    each(volume.projected?.sources, `${at}.projected.sources`, (source, where) =>
      forbidden(
        source.serviceAccountToken,
        `${where}.serviceAccountToken`,
        'must not be specified when serviceAccountName is not set',
      ),
    ),
  );
}

/** Holds for a pod at any time. */
function validatePod(pod: Pod): Errors {
  return [
    ...validatePodAnnotations(pod.metadata.annotations, pod.spec, 'metadata.annotations'),
    ...validatePodSpec(pod.spec, 'spec', pod.metadata),
    ...tokensWithoutAccount(pod),
    ...each(pod.spec.containers, 'spec.containers', trimmedImage),
    ...each(pod.spec.initContainers, 'spec.initContainers', trimmedImage),
  ];
}

function validatePodCreate(pod: Pod): Errors {
  return [
    ...validatePod(pod),
    ...forbidden(pod.spec.ephemeralContainers?.length, 'spec.ephemeralContainers', 'cannot be set on create'),
    ...forbidden(
      pod.spec.nodeName && pod.spec.schedulingGates?.length,
      'spec.nodeName',
      'cannot be set until all schedulingGates have been cleared',
    ),
    ...validateProfileAnnotations(pod.metadata.annotations, pod.spec, 'spec'),
  ];
}

const gatedCondition = {
  type: 'PodScheduled',
  status: 'False',
  reason: 'SchedulingGated',
  message: 'Scheduling is blocked due to non-empty scheduling gates',
};

function initialStatus(pod: Pod): Pod['status'] {
  const gated = pod.spec.schedulingGates?.length;
  return { phase: 'Pending', qosClass: qosClass(pod), ...(gated && { conditions: [{ ...gatedCondition }] }) };
}

function keepStatus(pod: Pod, old: Pod): void {
  if (old.status) pod.status = structuredClone(old.status);
}

/** Older kubelets do not know this field; what was observed before stays observed. In place, by the order of conditions of a type. */
function keepObservedGenerations(status: PodStatus, old: PodStatus = {}): void {
  const inherit = (now: { observedGeneration?: number }, before: { observedGeneration?: number } | undefined) => {
    if (!now.observedGeneration && before?.observedGeneration) now.observedGeneration = before.observedGeneration;
  };
  inherit(status, old);
  const rest = [...(old.conditions ?? [])];
  for (const condition of status.conditions ?? []) {
    const index = rest.findIndex(({ type }) => type === condition.type);
    if (index >= 0) inherit(condition, rest.splice(index, 1)[0]);
  }
}

export const pods = namespaced<Pod>({
  resource: '/pods',
  generation: true,
  default: defaultPod,
  initialStatus,
  prepareForCreate(pod) {
    mergeLabelKeys(pod);
    syncAppArmor(pod);
  },
  validateCreate: validatePodCreate,
  validateUpdate: (pod, old) => [...validatePod(pod), ...validatePodUpdate(pod, old)],
  // People do not change pods by hand, and updates are frequent.
  warnings: (pod, old) =>
    old
      ? []
      : [
          ...hostnameWarnings(pod.metadata.name, "the Pod's hostname"),
          ...appArmorWarnings(pod),
          ...podWarnings(pod, ''),
        ],
  gracePeriod,
  columns: podColumns,
  rowConditions: podRowConditions,
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
  subresources: {
    status: statusSubresource<Pod>({
      resets: ['metadata.deletionTimestamp', 'metadata.ownerReferences'],
      prepareForUpdate(pod, old) {
        pod.status = { ...pod.status };
        // Kubelets report a pod as they know it; whose it is, is not theirs to say.
        if (old.metadata.ownerReferences) pod.metadata.ownerReferences = structuredClone(old.metadata.ownerReferences);
        else delete pod.metadata.ownerReferences;
        if (old.status?.qosClass) pod.status.qosClass ??= old.status.qosClass;
        keepObservedGenerations(pod.status, old.status);
      },
      validateUpdate: validatePodStatusUpdate,
      warnings: ({ status }) => [
        ...(status?.podIPs ?? []).flatMap(({ ip }, i) => ipWarnings(ip, `status.podIPs[${i}].ip`)),
        ...(status?.hostIPs ?? []).flatMap(({ ip }, i) => ipWarnings(ip, `status.hostIPs[${i}].ip`)),
      ],
    }),
    ephemeralcontainers: {
      prepareForUpdate(pod, old) {
        const added = pod.spec.ephemeralContainers ?? [];
        pod.spec = { ...structuredClone(old.spec), ephemeralContainers: added };
        keepStatus(pod, old);
        keepMetadata(pod, old);
      },
      validateUpdate(pod, old) {
        if (old.metadata.annotations?.[mirrorAnnotation] !== undefined) {
          return [field.forbidden('', 'static pods do not support ephemeral containers')];
        }
        return [
          ...validateObjectMetaUpdate(pod.metadata, old.metadata),
          ...validatePod(pod),
          ...validatePodAnnotationUpdate(pod, old),
          ...validateEphemeralUpdate(pod, old),
        ];
      },
    },
    resize: {
      prepareForUpdate: prepareForResize,
      validateUpdate: (pod, old) => [
        ...validatePodResize(pod, old, [...validateObjectMetaUpdate(pod.metadata, old.metadata), ...validatePod(pod)]),
      ],
    },
  },
});
