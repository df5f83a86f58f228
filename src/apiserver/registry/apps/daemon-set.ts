import type { DaemonSet } from '../../../api/types/apps-v1.ts';
import { type Errors, immutable, nonNegative, optional, requiredOneOf } from '../checks.ts';
import {
  ageColumn,
  formatLabels,
  formatSelector,
  integer,
  nameColumn,
  templateColumns,
  text,
  wideText,
} from '../columns.ts';
import { defaultPodTemplate } from '../core/pod/defaults.ts';
import { podWarnings } from '../core/pod/warnings.ts';
import { namespaced, statusSubresource } from '../define.ts';
import { field } from '../field-errors.ts';
import { intOrPercent, isZeroIntOrPercent } from '../meta/int-or-percent.ts';
import { validateSelector, validateWorkloadTemplate } from './workload.ts';

const initialStatus = () => ({
  currentNumberScheduled: 0,
  desiredNumberScheduled: 0,
  numberMisscheduled: 0,
  numberReady: 0,
});

function validateStrategy({ updateStrategy: strategy }: DaemonSet['spec']): Errors {
  const path = 'spec.updateStrategy';
  if (strategy?.type !== 'RollingUpdate') {
    return requiredOneOf(strategy?.type, `${path}.type`, ['RollingUpdate', 'OnDelete']);
  }
  const at = `${path}.rollingUpdate`;
  if (!strategy.rollingUpdate) return [field.required(at)];
  const { maxUnavailable = 0, maxSurge = 0 } = strategy.rollingUpdate;
  const surge = !isZeroIntOrPercent(maxSurge);
  const unavailable = !isZeroIntOrPercent(maxUnavailable);
  return [
    ...intOrPercent(maxUnavailable, `${at}.maxUnavailable`, 100),
    ...intOrPercent(maxSurge, `${at}.maxSurge`, 100),
    ...(surge && unavailable
      ? [field.invalid(`${at}.maxSurge`, maxSurge, 'may not be set when maxUnavailable is non-zero')]
      : []),
    ...(!surge && !unavailable ? [field.required(`${at}.maxUnavailable`, 'cannot be 0 when maxSurge is 0')] : []),
  ];
}

function validateDaemonSet({ spec }: DaemonSet): Errors {
  return [
    ...validateSelector(spec.selector, 'daemonset'),
    ...validateWorkloadTemplate(spec.template, spec.selector, 'DaemonSet'),
    ...optional(spec.minReadySeconds, 'spec.minReadySeconds', nonNegative),
    ...validateStrategy(spec),
    ...optional(spec.revisionHistoryLimit, 'spec.revisionHistoryLimit', nonNegative),
  ];
}

const counts = [
  'currentNumberScheduled',
  'numberMisscheduled',
  'desiredNumberScheduled',
  'numberReady',
  'observedGeneration',
  'updatedNumberScheduled',
  'numberAvailable',
  'numberUnavailable',
  'collisionCount',
] as const;

export const daemonSets = namespaced<DaemonSet>({
  resource: 'apps/daemonsets',
  generation: true,
  default(set) {
    set.status ??= initialStatus();
    const { spec } = set;
    spec.updateStrategy ??= {};
    spec.updateStrategy.type ||= 'RollingUpdate';
    if (spec.updateStrategy.type === 'RollingUpdate') {
      spec.updateStrategy.rollingUpdate = { maxUnavailable: 1, maxSurge: 0, ...spec.updateStrategy.rollingUpdate };
    }
    spec.revisionHistoryLimit ??= 10;
    defaultPodTemplate((spec.template ??= {}));
  },
  initialStatus,
  validate: validateDaemonSet,
  validateUpdate: (obj, old) => immutable(obj.spec.selector, old.spec.selector, 'spec.selector'),
  warnings: obj => podWarnings(obj.spec.template, 'spec.template'),
  subresources: {
    status: statusSubresource<DaemonSet>({
      validateUpdate: obj => counts.flatMap(key => optional(obj.status?.[key], `status.${key}`, nonNegative)),
    }),
  },
  columns: [
    nameColumn,
    integer('Desired', obj => obj.status?.desiredNumberScheduled ?? 0),
    integer('Current', obj => obj.status?.currentNumberScheduled ?? 0),
    integer('Ready', obj => obj.status?.numberReady ?? 0),
    integer('Up-to-date', obj => obj.status?.updatedNumberScheduled ?? 0),
    integer('Available', obj => obj.status?.numberAvailable ?? 0),
    text('Node Selector', obj => formatLabels(obj.spec.template?.spec?.nodeSelector)),
    ageColumn,
    ...templateColumns<DaemonSet>(obj => obj.spec.template),
    wideText('Selector', obj => formatSelector(obj.spec.selector)),
  ],
});
