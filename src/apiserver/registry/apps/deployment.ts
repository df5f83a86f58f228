import type { Deployment } from '../../../api/types/apps-v1.ts';
import { ageColumn, formatSelector, integer, nameColumn, templateColumns, text, wideText } from '../columns.ts';
import { defaultPodTemplate } from '../core/pod/defaults.ts';
import { namespaced } from '../define.ts';

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
  columns: [
    nameColumn,
    text('Ready', obj => `${obj.status?.readyReplicas ?? 0}/${obj.spec.replicas ?? 0}`),
    integer('Up-to-date', obj => obj.status?.updatedReplicas ?? 0),
    integer('Available', obj => obj.status?.availableReplicas ?? 0),
    ageColumn,
    ...templateColumns<Deployment>(obj => obj.spec.template),
    wideText('Selector', obj => formatSelector(obj.spec.selector)),
  ],
  scale: { specReplicas: '.spec.replicas', statusReplicas: '.status.replicas', selector: '.spec.selector' },
});
