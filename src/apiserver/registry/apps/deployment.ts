import type { Deployment, RollingUpdateDeployment } from '../../../api/types/apps-v1.ts';
import { type Errors, forbidden, immutable, nonNegative, optional, same } from '../checks.ts';
import { ageColumn, formatSelector, nameColumn, templateColumns, text, wideText } from '../columns.ts';
import { defaultPodTemplate } from '../core/pod/defaults.ts';
import { hostnameWarnings, templateWarnings } from '../core/pod/warnings.ts';
import { namespaced, statusSubresource } from '../define.ts';
import { field } from '../field-errors.ts';
import { shownSelector } from '../internal-form.ts';
import { atMost100Percent, intOrPercent, isZeroIntOrPercent } from '../meta/int-or-percent.ts';
import { validateCollisions, validateReplicaCounts } from './replica-status.ts';
import { shownStrategy, validateReplicaTemplate, validateSelector } from './workload.ts';

const path = 'spec.strategy';

function validateRollingUpdate({ maxUnavailable = 0, maxSurge = 0 }: RollingUpdateDeployment): Errors {
  const at = `${path}.rollingUpdate`;
  const bothZero = isZeroIntOrPercent(maxUnavailable) && isZeroIntOrPercent(maxSurge);
  return [
    ...intOrPercent(maxUnavailable, `${at}.maxUnavailable`),
    ...intOrPercent(maxSurge, `${at}.maxSurge`),
    ...(bothZero ? [field.invalid(`${at}.maxUnavailable`, maxUnavailable, 'may not be 0 when `maxSurge` is 0')] : []),
    ...atMost100Percent(maxUnavailable, `${at}.maxUnavailable`),
  ];
}

function validateStrategy({ strategy }: Deployment['spec']): Errors {
  switch (strategy?.type) {
    case 'Recreate':
      return forbidden(
        strategy.rollingUpdate,
        `${path}.rollingUpdate`,
        "may not be specified when strategy `type` is 'Recreate'",
      );
    case 'RollingUpdate':
      return validateRollingUpdate(strategy.rollingUpdate ?? {});
    default:
      return [field.notSupported(path, shownStrategy(strategy), ['Recreate', 'RollingUpdate'])];
  }
}

function validateDeadline({ progressDeadlineSeconds: deadline, minReadySeconds = 0 }: Deployment['spec']): Errors {
  return optional(deadline, 'spec.progressDeadlineSeconds', (value, at) => [
    ...nonNegative(value, at),
    ...(value <= minReadySeconds ? [field.invalid(at, value, 'must be greater than minReadySeconds')] : []),
  ]);
}

function validateDeployment({ spec }: Deployment): Errors {
  return [
    ...nonNegative(spec.replicas ?? 0, 'spec.replicas'),
    ...validateSelector(spec.selector, 'deployment'),
    ...validateReplicaTemplate(spec.template, spec.selector),
    ...validateStrategy(spec),
    ...optional(spec.minReadySeconds, 'spec.minReadySeconds', nonNegative),
    ...optional(spec.revisionHistoryLimit, 'spec.revisionHistoryLimit', nonNegative),
    ...validateDeadline(spec),
  ];
}

const counted = [
  'observedGeneration',
  'replicas',
  'updatedReplicas',
  'readyReplicas',
  'availableReplicas',
  'unavailableReplicas',
  'terminatingReplicas',
  'collisionCount',
];
const templateWarning = templateWarnings<Deployment>(obj => obj.spec.template, 'spec.template');

export const deployments = namespaced<Deployment>({
  resource: 'apps/deployments',
  generation: true,
  default({ spec }) {
    spec.replicas ??= 1;
    spec.strategy ??= {};
    spec.strategy.type ||= 'RollingUpdate';
    if (spec.strategy.type === 'RollingUpdate') {
      spec.strategy.rollingUpdate = { maxUnavailable: '25%', maxSurge: '25%', ...spec.strategy.rollingUpdate };
    }
    spec.revisionHistoryLimit ??= 10;
    spec.progressDeadlineSeconds ??= 600;
    defaultPodTemplate((spec.template ??= {}));
  },
  initialStatus: () => ({}),
  /** Annotations are copied to the replica sets, so a change of them is work for the controller. */
  prepareForUpdate({ metadata }, { metadata: old }) {
    if (!same(metadata.annotations, old.annotations)) metadata.generation = (old.generation ?? 0) + 1;
  },
  validate: validateDeployment,
  validateUpdate: (obj, old) => immutable(obj.spec.selector, old.spec.selector, 'spec.selector', shownSelector),
  warnings: (obj, old) => [...(old ? [] : hostnameWarnings(obj.metadata.name)), ...templateWarning(obj, old)],
  subresources: {
    status: statusSubresource<Deployment>({
      resets: ['metadata.labels'],
      prepareForUpdate({ metadata }, old) {
        delete metadata.labels;
        if (old.metadata.labels) metadata.labels = { ...old.metadata.labels };
      },
      validateUpdate: ({ status = {} }, old) => [
        ...validateReplicaCounts({ ...status }, counted, ['updatedReplicas', 'readyReplicas', 'availableReplicas']),
        ...validateCollisions({ ...status }, { ...old.status }),
      ],
    }),
  },
  columns: [
    nameColumn,
    text('Ready', obj => `${obj.status?.readyReplicas ?? 0}/${obj.spec.replicas ?? 0}`),
    text('Up-to-date', obj => obj.status?.updatedReplicas ?? 0),
    text('Available', obj => obj.status?.availableReplicas ?? 0),
    ageColumn,
    ...templateColumns<Deployment>(obj => obj.spec.template),
    wideText('Selector', obj => formatSelector(obj.spec.selector)),
  ],
  scale: { specReplicas: '.spec.replicas', statusReplicas: '.status.replicas', selector: '.spec.selector' },
});
