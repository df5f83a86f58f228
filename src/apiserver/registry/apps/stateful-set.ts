import type { StatefulSet } from '../../../api/types/apps-v1.ts';
import type { PersistentVolumeClaim } from '../../../api/types/core-v1.ts';
import { ageColumn, nameColumn, templateColumns, text } from '../columns.ts';
import { defaultClaimSpec } from '../core/claim-defaults.ts';
import { defaultPodTemplate } from '../core/pod/defaults.ts';
import { namespaced } from '../define.ts';

function defaultClaim(claim: PersistentVolumeClaim): void {
  claim.apiVersion = 'v1';
  claim.kind = 'PersistentVolumeClaim';
  claim.status ??= {};
  claim.status.phase ||= 'Pending';
  defaultClaimSpec(claim.spec);
}

export const statefulSets = namespaced<StatefulSet>({
  resource: 'apps/statefulsets',
  generation: true,
  default(set) {
    set.status ??= { replicas: 0 };
    set.status.availableReplicas ??= 0;
    const { spec } = set;
    spec.podManagementPolicy ||= 'OrderedReady';
    spec.updateStrategy ??= {};
    spec.updateStrategy.type ||= 'RollingUpdate';
    if (spec.updateStrategy.type === 'RollingUpdate') {
      spec.updateStrategy.rollingUpdate = { partition: 0, ...spec.updateStrategy.rollingUpdate };
    }
    spec.persistentVolumeClaimRetentionPolicy = {
      whenDeleted: 'Retain',
      whenScaled: 'Retain',
      ...spec.persistentVolumeClaimRetentionPolicy,
    };
    spec.replicas ??= 1;
    spec.revisionHistoryLimit ??= 10;
    spec.volumeClaimTemplates?.forEach(defaultClaim);
    defaultPodTemplate((spec.template ??= {}));
  },
  initialStatus: () => ({ replicas: 0, availableReplicas: 0 }),
  columns: [
    nameColumn,
    text('Ready', obj => `${obj.status?.readyReplicas ?? 0}/${obj.spec.replicas ?? 0}`),
    ageColumn,
    ...templateColumns<StatefulSet>(obj => obj.spec.template),
  ],
  scale: { specReplicas: '.spec.replicas', statusReplicas: '.status.replicas', selector: '.spec.selector' },
});
