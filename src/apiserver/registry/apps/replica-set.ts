import type { ReplicaSet } from '../../../api/types/apps-v1.ts';
import { type Errors, immutable, nonNegative, optional } from '../checks.ts';
import { ageColumn, formatSelector, integer, nameColumn, templateColumns, wideText } from '../columns.ts';
import { defaultPodTemplate } from '../core/pod/defaults.ts';
import { hostnameWarnings, templateWarnings } from '../core/pod/warnings.ts';
import { namespaced, statusSubresource } from '../define.ts';
import { shownSelector } from '../internal-form.ts';
import { validateReplicaStatus } from './replica-status.ts';
import { validateReplicaTemplate, validateSelector } from './workload.ts';

function validateReplicaSet({ spec }: ReplicaSet): Errors {
  return [
    ...nonNegative(spec.replicas ?? 0, 'spec.replicas'),
    ...optional(spec.minReadySeconds, 'spec.minReadySeconds', nonNegative),
    ...validateSelector(spec.selector, 'deployment'),
    ...validateReplicaTemplate(spec.template, spec.selector),
  ];
}

const templateWarning = templateWarnings<ReplicaSet>(obj => obj.spec.template, 'spec.template');

export const replicaSets = namespaced<ReplicaSet>({
  resource: 'apps/replicasets',
  generation: true,
  default(set) {
    set.status ??= { replicas: 0 };
    set.spec.replicas ??= 1;
    defaultPodTemplate((set.spec.template ??= {}));
  },
  initialStatus: () => ({ replicas: 0 }),
  validate: validateReplicaSet,
  validateUpdate: (obj, old) => immutable(obj.spec.selector, old.spec.selector, 'spec.selector', shownSelector),
  warnings: (obj, old) => [...(old ? [] : hostnameWarnings(obj.metadata.name)), ...templateWarning(obj, old)],
  subresources: {
    status: statusSubresource<ReplicaSet>({ validateUpdate: obj => validateReplicaStatus({ ...obj.status }) }),
  },
  columns: [
    nameColumn,
    integer('Desired', obj => obj.spec.replicas ?? 0),
    integer('Current', obj => obj.status?.replicas ?? 0),
    integer('Ready', obj => obj.status?.readyReplicas ?? 0),
    ageColumn,
    ...templateColumns<ReplicaSet>(obj => obj.spec.template),
    wideText('Selector', obj => formatSelector(obj.spec.selector)),
  ],
  selectableFields: { 'status.replicas': obj => String(obj.status?.replicas ?? 0) },
  scale: { specReplicas: '.spec.replicas', statusReplicas: '.status.replicas', selector: '.spec.selector' },
});
