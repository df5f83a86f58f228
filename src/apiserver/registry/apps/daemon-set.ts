import type { DaemonSet, RollingUpdateDaemonSet } from '../../../api/types/apps-v1.ts';
import { type Errors, immutable, nonNegative, optional, same } from '../checks.ts';
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
import { validateAlwaysRestart, validatePodTemplate, validateSelected } from '../core/pod/template.ts';
import { podWarnings } from '../core/pod/warnings.ts';
import { namespaced, statusSubresource } from '../define.ts';
import { field } from '../field-errors.ts';
import { shownSelector } from '../internal-form.ts';
import { atMost100Percent, intOrPercent, isZeroIntOrPercent } from '../meta/int-or-percent.ts';
import { validateLabelSelector } from '../meta/label-selector.ts';
import { validateCollisions, validateCounts } from './replica-status.ts';
import { refuseEmptySelector, shownStrategy } from './workload.ts';

const initialStatus = () => ({
  currentNumberScheduled: 0,
  desiredNumberScheduled: 0,
  numberMisscheduled: 0,
  numberReady: 0,
});

function validateRollingUpdate({ maxUnavailable = 0, maxSurge = 0 }: RollingUpdateDaemonSet, at: string): Errors {
  const surge = !isZeroIntOrPercent(maxSurge);
  const unavailable = !isZeroIntOrPercent(maxUnavailable);
  return [
    ...intOrPercent(maxUnavailable, `${at}.maxUnavailable`),
    ...intOrPercent(maxSurge, `${at}.maxSurge`),
    ...atMost100Percent(maxUnavailable, `${at}.maxUnavailable`),
    ...atMost100Percent(maxSurge, `${at}.maxSurge`),
    ...(surge && unavailable
      ? [field.invalid(`${at}.maxSurge`, maxSurge, 'may not be set when maxUnavailable is non-zero')]
      : []),
    ...(!surge && !unavailable ? [field.required(`${at}.maxUnavailable`, 'cannot be 0 when maxSurge is 0')] : []),
  ];
}

function validateStrategy({ updateStrategy: strategy }: DaemonSet['spec']): Errors {
  const path = 'spec.updateStrategy';
  if (strategy?.type === 'OnDelete') return [];
  if (strategy?.type !== 'RollingUpdate') {
    return [field.notSupported(path, shownStrategy(strategy), ['RollingUpdate', 'OnDelete'])];
  }
  const at = `${path}.rollingUpdate`;
  return strategy.rollingUpdate ? validateRollingUpdate(strategy.rollingUpdate, at) : [field.required(at)];
}

/** Unlike the other workloads' a missing selector is not reported as such: it selects nothing. */
function validateDaemonSet({ spec }: DaemonSet): Errors {
  return [
    ...validateLabelSelector(spec.selector, 'spec.selector'),
    ...validateSelected(spec.template, spec.selector, 'spec.template'),
    ...refuseEmptySelector(spec.selector, 'daemonset'),
    ...validatePodTemplate(spec.template, 'spec.template'),
    ...validateAlwaysRestart(spec.template, 'spec.template', 'DaemonSet'),
    ...optional(spec.minReadySeconds, 'spec.minReadySeconds', nonNegative),
    ...validateStrategy(spec),
    ...optional(spec.revisionHistoryLimit, 'spec.revisionHistoryLimit', nonNegative),
  ];
}

/** Counts the templates that the set had; the field of older versions lives on as an annotation. */
const generationAnnotation = 'deprecated.daemonset.template.generation';
const templateGeneration = ({ metadata }: DaemonSet): number => {
  const text = metadata.annotations?.[generationAnnotation] ?? '';
  return /^\d{1,15}$/.test(text) ? Number(text) : 0;
};
function setTemplateGeneration({ metadata }: DaemonSet, generation: number): void {
  metadata.annotations = { ...metadata.annotations, [generationAnnotation]: String(generation) };
}

const counted = [
  'currentNumberScheduled',
  'numberMisscheduled',
  'desiredNumberScheduled',
  'numberReady',
  'observedGeneration',
  'updatedNumberScheduled',
  'numberAvailable',
  'numberUnavailable',
  'collisionCount',
];

export const daemonSets = namespaced<DaemonSet>({
  resource: 'apps/daemonsets',
  generation: true,
  conversionAnnotations: [generationAnnotation],
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
  prepareForCreate: set => setTemplateGeneration(set, Math.max(1, templateGeneration(set))),
  prepareForUpdate(set, old) {
    const changed = !same(set.spec.template, old.spec.template);
    setTemplateGeneration(set, templateGeneration(old) + (changed ? 1 : 0));
  },
  validateCreate: validateDaemonSet,
  validateUpdate: (set, old) => [
    ...immutable(set.spec.selector, old.spec.selector, 'spec.selector', shownSelector),
    ...validateDaemonSet(set),
  ],
  warnings: (set, old) =>
    old && templateGeneration(set) === templateGeneration(old) ? [] : podWarnings(set.spec.template, 'spec.template'),
  subresources: {
    status: statusSubresource<DaemonSet>({
      prepareForUpdate: (set, old) => setTemplateGeneration(set, templateGeneration(old)),
      validateUpdate: (set, old) => [
        ...validateCounts({ ...set.status }, counted),
        ...validateCollisions({ ...set.status }, { ...old.status }),
      ],
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
