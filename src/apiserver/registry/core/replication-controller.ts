import type { PodTemplate, ReplicationController } from '../../../api/types/core-v1.ts';
import { ageColumn, formatLabels, integer, nameColumn, templateColumns, text, wideText } from '../columns.ts';
import { namespaced } from '../define.ts';
import { defaultPodTemplate } from './pod/defaults.ts';

export const replicationControllers = namespaced<ReplicationController>({
  resource: '/replicationcontrollers',
  generation: true,
  default(controller) {
    const { spec } = controller;
    if (!spec) return;
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
  specless: true,
  generation: true,
  default: obj => obj.template && defaultPodTemplate(obj.template),
  columns: [
    nameColumn,
    ...templateColumns<PodTemplate>(obj => obj.template).map(column => ({ ...column, wide: false })),
    text('Pod Labels', obj => formatLabels(obj.template?.metadata?.labels)),
  ],
});
