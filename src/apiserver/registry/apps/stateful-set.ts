import type { StatefulSet } from '../../../api/types/apps-v1.ts';
import type { PersistentVolumeClaim } from '../../../api/types/core-v1.ts';
import { nameIsDnsLabel } from '../../../api/validation/names.ts';
import { ageColumn, nameColumn, templateColumns, text } from '../columns.ts';
import { defaultClaimSpec } from '../core/claim-defaults.ts';
import { claimSpecWarnings } from '../core/pod/byte-warnings.ts';
import { defaultPodTemplate } from '../core/pod/defaults.ts';
import { templateWarnings } from '../core/pod/warnings.ts';
import { namespaced, statusSubresource } from '../define.ts';
import { validateCollisions, validateReplicaCounts } from './replica-status.ts';
import { validateStatefulSet, validateStatefulSetUpdate } from './stateful-set-validate.ts';

function defaultClaim(claim: PersistentVolumeClaim): void {
  claim.apiVersion = 'v1';
  claim.kind = 'PersistentVolumeClaim';
  claim.status ??= {};
  claim.status.phase ||= 'Pending';
  defaultClaimSpec(claim.spec);
}

const counted = [
  'replicas',
  'readyReplicas',
  'currentReplicas',
  'updatedReplicas',
  'availableReplicas',
  'observedGeneration',
  'collisionCount',
];
const bounded = ['readyReplicas', 'currentReplicas', 'updatedReplicas', 'availableReplicas'];
const templateWarning = templateWarnings<StatefulSet>(obj => obj.spec.template, 'spec.template');

function warnings(set: StatefulSet, old: StatefulSet | undefined): string[] {
  const { volumeClaimTemplates: claims = [], revisionHistoryLimit: limit = 0 } = set.spec;
  return [
    ...templateWarning(set, old),
    ...claims.flatMap((claim, i) =>
      claimSpecWarnings(claim.spec, `spec.volumeClaimTemplates[${i}]${old ? '.Spec' : ''}`),
    ),
    ...(limit < 0
      ? ['spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended']
      : []),
  ];
}

export const statefulSets = namespaced<StatefulSet>({
  resource: 'apps/statefulsets',
  generation: true,
  default(set) {
    set.status ??= { replicas: 0 };
    set.status.availableReplicas ??= 0;
    const { spec } = set;
    spec.podManagementPolicy ||= 'OrderedReady';
    const strategy = (spec.updateStrategy ??= {});
    // Who names the strategy without settings for it gets none.
    if (!strategy.type) {
      strategy.type = 'RollingUpdate';
      strategy.rollingUpdate ??= {};
    }
    if (strategy.type === 'RollingUpdate' && strategy.rollingUpdate) strategy.rollingUpdate.partition ??= 0;
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
  // Its pods carry the name in theirs, which are hostnames.
  validateName: nameIsDnsLabel,
  validateCreate: validateStatefulSet,
  validateUpdate: validateStatefulSetUpdate,
  warnings,
  subresources: {
    status: statusSubresource<StatefulSet>({
      validateUpdate: ({ status }, old) => [
        ...validateReplicaCounts({ ...status }, counted, bounded, 'status.readyReplicas'),
        ...validateCollisions({ ...status }, { ...old.status }),
      ],
    }),
  },
  columns: [
    nameColumn,
    text('Ready', obj => `${obj.status?.readyReplicas ?? 0}/${obj.spec.replicas ?? 0}`),
    ageColumn,
    ...templateColumns<StatefulSet>(obj => obj.spec.template),
  ],
  scale: { specReplicas: '.spec.replicas', statusReplicas: '.status.replicas', selector: '.spec.selector' },
});
