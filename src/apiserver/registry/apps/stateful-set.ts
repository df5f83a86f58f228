import type { StatefulSet } from '../../../api/types/apps-v1.ts';
import type { PersistentVolumeClaim } from '../../../api/types/core-v1.ts';
import {
  type Errors,
  each,
  forbidden,
  nonEmpty,
  nonNegative,
  objectName,
  oneOf,
  optional,
  requiredOneOf,
  same,
} from '../checks.ts';
import { ageColumn, nameColumn, templateColumns, text } from '../columns.ts';
import { defaultClaimSpec } from '../core/claim-defaults.ts';
import { validateClaimSpec } from '../core/claim-spec.ts';
import { defaultPodTemplate } from '../core/pod/defaults.ts';
import { validateAlwaysRestart, validateStatefulTemplate } from '../core/pod/template.ts';
import { podWarnings } from '../core/pod/warnings.ts';
import { namespaced, statusSubresource } from '../define.ts';
import { field } from '../field-errors.ts';
import { intOrPercent, isZeroIntOrPercent } from '../meta/int-or-percent.ts';
import { validateReplicaStatus } from './replica-status.ts';
import { validateSelector } from './workload.ts';

function defaultClaim(claim: PersistentVolumeClaim): void {
  claim.apiVersion = 'v1';
  claim.kind = 'PersistentVolumeClaim';
  claim.status ??= {};
  claim.status.phase ||= 'Pending';
  defaultClaimSpec(claim.spec);
}

function validateStrategy({ updateStrategy: strategy }: StatefulSet['spec']): Errors {
  const path = 'spec.updateStrategy';
  const rolling = strategy?.rollingUpdate;
  const at = `${path}.rollingUpdate`;
  if (strategy?.type === 'OnDelete') {
    return rolling ? [field.invalid(at, rolling, "only allowed for updateStrategy 'RollingUpdate'")] : [];
  }
  if (strategy?.type !== 'RollingUpdate') {
    return strategy?.type
      ? [field.invalid(path, strategy, "must be 'RollingUpdate' or 'OnDelete'")]
      : [field.required(path)];
  }
  return [
    ...optional(rolling?.partition, `${at}.partition`, nonNegative),
    ...optional(rolling?.maxUnavailable, `${at}.maxUnavailable`, (value, where) => [
      ...intOrPercent(value, where, 100),
      ...(isZeroIntOrPercent(value) ? [field.invalid(where, value, 'cannot be 0')] : []),
    ]),
  ];
}

function validateStatefulSet({ spec }: StatefulSet): Errors {
  const retention = spec.persistentVolumeClaimRetentionPolicy;
  const at = 'spec.persistentVolumeClaimRetentionPolicy';
  const policies = oneOf(['Delete', 'Retain']);
  const management = spec.podManagementPolicy;
  return [
    ...(management === 'OrderedReady' || management === 'Parallel'
      ? []
      : management
        ? [field.invalid('spec.podManagementPolicy', management, "must be 'OrderedReady' or 'Parallel'")]
        : requiredOneOf(management, 'spec.podManagementPolicy', [])),
    ...validateStrategy(spec),
    ...optional(retention?.whenDeleted, `${at}.whenDeleted`, policies),
    ...optional(retention?.whenScaled, `${at}.whenScaled`, policies),
    ...nonNegative(spec.replicas ?? 0, 'spec.replicas'),
    ...optional(spec.minReadySeconds, 'spec.minReadySeconds', nonNegative),
    ...optional(spec.ordinals?.start, 'spec.ordinals.start', nonNegative),
    ...optional(spec.revisionHistoryLimit, 'spec.revisionHistoryLimit', nonNegative),
    ...nonEmpty(spec.serviceName, 'spec.serviceName', objectName()),
    ...validateSelector(spec.selector, 'statefulset'),
    ...validateStatefulTemplate(spec.template, spec.selector, 'spec.template'),
    ...validateAlwaysRestart(spec.template, 'spec.template', 'StatefulSet'),
    ...each(spec.volumeClaimTemplates, 'spec.volumeClaimTemplates', (claim, where) =>
      validateClaimSpec(claim.spec, `${where}.spec`),
    ),
  ];
}

const mutable = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
] as const;

/** The spec without the fields that an update may change. */
function fixedPart(spec: StatefulSet['spec']): object {
  return Object.fromEntries(Object.entries(spec).filter(([key]) => !(mutable as readonly string[]).includes(key)));
}

const onlyMutable = `updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden`;

function validateStatus({ status }: StatefulSet): Errors {
  const { replicas = 0, currentReplicas = 0, updatedReplicas = 0 } = status ?? {};
  const over = (key: string, value: number) =>
    value > replicas ? [field.invalid(`status.${key}`, value, 'cannot be greater than status.replicas')] : [];
  return [
    ...validateReplicaStatus(status ?? {}),
    ...nonNegative(currentReplicas, 'status.currentReplicas'),
    ...nonNegative(updatedReplicas, 'status.updatedReplicas'),
    ...over('currentReplicas', currentReplicas),
    ...over('updatedReplicas', updatedReplicas),
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
  validate: validateStatefulSet,
  validateUpdate: ({ spec }, { spec: old }) => forbidden(!same(fixedPart(spec), fixedPart(old)), 'spec', onlyMutable),
  warnings: obj => podWarnings(obj.spec.template, 'spec.template'),
  subresources: { status: statusSubresource<StatefulSet>({ validateUpdate: validateStatus }) },
  columns: [
    nameColumn,
    text('Ready', obj => `${obj.status?.readyReplicas ?? 0}/${obj.spec.replicas ?? 0}`),
    ageColumn,
    ...templateColumns<StatefulSet>(obj => obj.spec.template),
  ],
  scale: { specReplicas: '.spec.replicas', statusReplicas: '.status.replicas', selector: '.spec.selector' },
});
