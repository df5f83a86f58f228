import type { Deployment } from '../../../api/types/apps-v1.ts';
import { type Errors, immutable, nonNegative, optional, requiredOneOf } from '../checks.ts';
import { ageColumn, formatSelector, nameColumn, templateColumns, text, wideText } from '../columns.ts';
import { defaultPodTemplate } from '../core/pod/defaults.ts';
import { podWarnings } from '../core/pod/warnings.ts';
import { namespaced, statusSubresource } from '../define.ts';
import { field } from '../field-errors.ts';
import { intOrPercent, isZeroIntOrPercent } from '../meta/int-or-percent.ts';
import { validateReplicaStatus } from './replica-status.ts';
import { validateSelector, validateWorkloadTemplate } from './workload.ts';

function validateStrategy({ strategy }: Deployment['spec']): Errors {
  const path = 'spec.strategy';
  const type = strategy?.type;
  if (type === 'Recreate') {
    return strategy?.rollingUpdate
      ? [field.forbidden(`${path}.rollingUpdate`, "may not be specified when strategy `type` is 'Recreate'")]
      : [];
  }
  if (type !== 'RollingUpdate') return requiredOneOf(type, `${path}.type`, ['Recreate', 'RollingUpdate']);
  const { maxUnavailable = 0, maxSurge = 0 } = strategy?.rollingUpdate ?? {};
  const at = `${path}.rollingUpdate`;
  const bothZero = isZeroIntOrPercent(maxUnavailable) && isZeroIntOrPercent(maxSurge);
  return [
    ...intOrPercent(maxUnavailable, `${at}.maxUnavailable`, 100),
    ...intOrPercent(maxSurge, `${at}.maxSurge`),
    ...(bothZero ? [field.invalid(`${at}.maxUnavailable`, maxUnavailable, 'may not be 0 when `maxSurge` is 0')] : []),
  ];
}

function validateDeadline({ progressDeadlineSeconds: deadline, minReadySeconds = 0 }: Deployment['spec']): Errors {
  const path = 'spec.progressDeadlineSeconds';
  if (deadline === undefined) return [];
  return [
    ...nonNegative(deadline, path),
    ...(deadline <= minReadySeconds ? [field.invalid(path, deadline, 'must be greater than minReadySeconds')] : []),
  ];
}

function validateDeployment({ spec }: Deployment): Errors {
  return [
    ...nonNegative(spec.replicas ?? 0, 'spec.replicas'),
    ...validateSelector(spec.selector, 'deployment'),
    ...validateWorkloadTemplate(spec.template, spec.selector, 'ReplicaSet'),
    ...validateStrategy(spec),
    ...optional(spec.minReadySeconds, 'spec.minReadySeconds', nonNegative),
    ...optional(spec.revisionHistoryLimit, 'spec.revisionHistoryLimit', nonNegative),
    ...validateDeadline(spec),
  ];
}

function validateStatus({ status = {} }: Deployment): Errors {
  const updated = status.updatedReplicas ?? 0;
  return [
    ...validateReplicaStatus(status),
    ...nonNegative(updated, 'status.updatedReplicas'),
    ...optional(status.unavailableReplicas, 'status.unavailableReplicas', nonNegative),
    ...optional(status.collisionCount, 'status.collisionCount', nonNegative),
    ...(updated > (status.replicas ?? 0)
      ? [field.invalid('status.updatedReplicas', updated, 'cannot be greater than status.replicas')]
      : []),
  ];
}

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
  validate: validateDeployment,
  validateUpdate: (obj, old) => immutable(obj.spec.selector, old.spec.selector, 'spec.selector'),
  warnings: obj => podWarnings(obj.spec.template, 'spec.template'),
  subresources: {
    status: statusSubresource<Deployment>({
      validateUpdate(obj, old) {
        const [now = 0, before = 0] = [obj.status?.collisionCount, old.status?.collisionCount];
        const errors = validateStatus(obj);
        if (now < before) errors.push(field.invalid('status.collisionCount', now, 'cannot be decremented'));
        return errors;
      },
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
