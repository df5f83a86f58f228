import type { DaemonSet } from '../../../api/types/apps-v1.ts';
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
import { namespaced } from '../define.ts';

const initialStatus = () => ({
  currentNumberScheduled: 0,
  desiredNumberScheduled: 0,
  numberMisscheduled: 0,
  numberReady: 0,
});

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
