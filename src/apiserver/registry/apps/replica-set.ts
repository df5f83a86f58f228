import type { ReplicaSet } from '../../../api/types/apps-v1.ts';
import { ageColumn, formatSelector, integer, nameColumn, templateColumns, wideText } from '../columns.ts';
import { defaultPodTemplate } from '../core/pod/defaults.ts';
import { namespaced } from '../define.ts';

export const replicaSets = namespaced<ReplicaSet>({
  resource: 'apps/replicasets',
  generation: true,
  default(set) {
    set.status ??= { replicas: 0 };
    set.spec.replicas ??= 1;
    defaultPodTemplate((set.spec.template ??= {}));
  },
  initialStatus: () => ({ replicas: 0 }),
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
