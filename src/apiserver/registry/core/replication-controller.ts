import type { PodTemplate, ReplicationController } from '../../../api/types/core-v1.ts';
import { validateReplicaStatus } from '../apps/replica-status.ts';
import { type Errors, nonNegative, optional, required } from '../checks.ts';
import { ageColumn, formatLabels, integer, nameColumn, templateColumns, text, wideText } from '../columns.ts';
import { namespaced, statusSubresource } from '../define.ts';
import { field } from '../field-errors.ts';
import { defaultPodTemplate } from './pod/defaults.ts';
import { validateOwnedTemplate, validatePodTemplate } from './pod/template.ts';
import { hostnameWarnings, templateWarnings } from './pod/warnings.ts';

function validateController({ spec }: ReplicationController): Errors {
  const selector = spec.selector ?? {};
  return [
    ...optional(spec.minReadySeconds, 'spec.minReadySeconds', nonNegative),
    ...required(Object.keys(selector), 'spec.selector'),
    ...(spec.replicas === undefined ? [field.required('spec.replicas')] : nonNegative(spec.replicas, 'spec.replicas')),
    ...validateOwnedTemplate(spec.template, { matchLabels: selector }, 'spec.template', 'ReplicationController'),
  ];
}

const controllerWarnings = templateWarnings<ReplicationController>(obj => obj.spec.template, 'spec.template');

export const replicationControllers = namespaced<ReplicationController>({
  resource: '/replicationcontrollers',
  validate: validateController,
  warnings: (obj, old) => [...(old ? [] : hostnameWarnings(obj.metadata.name)), ...controllerWarnings(obj, old)],
  defaultPropagation: 'orphan',
  subresources: {
    status: statusSubresource<ReplicationController>({
      validateUpdate: obj => validateReplicaStatus({ ...obj.status }),
    }),
  },
  generation: true,
  default(controller) {
    const { spec } = controller;
    const labels = spec.template?.metadata?.labels;
    if (labels && Object.keys(spec.selector ?? {}).length === 0) spec.selector = { ...labels };
    if (labels && Object.keys(controller.metadata.labels ?? {}).length === 0)
      controller.metadata.labels = { ...labels };
    spec.replicas ??= 1;
    if (spec.template) defaultPodTemplate(spec.template);
    controller.status ??= { replicas: 0 };
  },
  initialStatus: () => ({ replicas: 0 }),
  columns: [
    nameColumn,
    integer('Desired', obj => obj.spec.replicas ?? 0),
    integer('Current', obj => obj.status?.replicas ?? 0),
    integer('Ready', obj => obj.status?.readyReplicas ?? 0),
    ageColumn,
    ...templateColumns<ReplicationController>(obj => obj.spec.template),
    wideText('Selector', obj => formatLabels(obj.spec.selector)),
  ],
  selectableFields: { 'status.replicas': obj => String(obj.status?.replicas ?? 0) },
  scale: { specReplicas: '.spec.replicas', statusReplicas: '.status.replicas', selector: '.spec.selector' },
});

export const podTemplates = namespaced<PodTemplate>({
  resource: '/podtemplates',
  validate: obj => validatePodTemplate(obj.template, 'template'),
  warnings: templateWarnings<PodTemplate>(obj => obj.template, 'template'),
  specless: true,
  generation: true,
  default: obj => defaultPodTemplate((obj.template ??= {})),
  columns: [
    nameColumn,
    ...templateColumns<PodTemplate>(obj => obj.template).map(column => ({ ...column, wide: false })),
    text('Pod Labels', obj => formatLabels(obj.template?.metadata?.labels)),
  ],
});
