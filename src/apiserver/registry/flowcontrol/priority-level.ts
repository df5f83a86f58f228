import type { PriorityLevelConfiguration, QueuingConfiguration } from '../../../api/types/flowcontrol-v1.ts';
import { ageColumn, nameColumn, text } from '../columns.ts';
import { clusterScoped, statusSubresource } from '../define.ts';
import { validateFlowStatus, validatePriorityLevel } from './validate.ts';

function defaultSpec(spec: PriorityLevelConfiguration['spec']): void {
  if (spec.exempt) {
    spec.exempt.nominalConcurrencyShares ??= 0;
    spec.exempt.lendablePercent ??= 0;
  }
  const { limited } = spec;
  if (!limited) return;
  limited.nominalConcurrencyShares ??= 30;
  limited.lendablePercent ??= 0;
  const { queuing } = limited.limitResponse ?? {};
  if (!queuing) return;
  queuing.handSize ||= 8;
  queuing.queues ||= 64;
  queuing.queueLengthLimit ||= 50;
}

const shares = ({ spec }: PriorityLevelConfiguration) => spec.limited?.nominalConcurrencyShares ?? '<none>';

const queuing = (key: keyof QueuingConfiguration) => (obj: PriorityLevelConfiguration) =>
  obj.spec.limited?.limitResponse?.queuing?.[key] ?? '<none>';

export const priorityLevelConfigurations = clusterScoped<PriorityLevelConfiguration>({
  resource: 'flowcontrol.apiserver.k8s.io/prioritylevelconfigurations',
  generation: true,
  default(obj) {
    obj.status ??= {};
    defaultSpec(obj.spec);
  },
  initialStatus: () => ({}),
  validate: validatePriorityLevel,
  subresources: {
    status: statusSubresource<PriorityLevelConfiguration>({ fixedMetadata: true, validateUpdate: validateFlowStatus }),
  },
  columns: [
    nameColumn,
    text('Type', obj => obj.spec.type),
    text('NominalConcurrencyShares', shares),
    text('Queues', queuing('queues')),
    text('HandSize', queuing('handSize')),
    text('QueueLengthLimit', queuing('queueLengthLimit')),
    ageColumn,
  ],
});
