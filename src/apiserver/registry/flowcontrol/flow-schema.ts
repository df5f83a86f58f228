import type { FlowSchema } from '../../../api/types/flowcontrol-v1.ts';
import { ageColumn, nameColumn, text } from '../columns.ts';
import { clusterScoped, statusSubresource } from '../define.ts';
import { validateFlowSchema, validateFlowStatus } from './validate.ts';

function dangling({ status }: FlowSchema): string {
  return status?.conditions?.find(c => c.type === 'Dangling')?.status ?? '?';
}

/** In the order in which schemas are tried (upstream's FlowSchemaSequence). */
function compareRows(a: FlowSchema, b: FlowSchema): number {
  const byPrecedence = (a.spec.matchingPrecedence ?? 0) - (b.spec.matchingPrecedence ?? 0);
  return byPrecedence || (a.metadata.name < b.metadata.name ? -1 : 1);
}

export const flowSchemas = clusterScoped<FlowSchema>({
  resource: 'flowcontrol.apiserver.k8s.io/flowschemas',
  generation: true,
  default(obj) {
    obj.status ??= {};
    obj.spec.matchingPrecedence ||= 1000;
  },
  initialStatus: () => ({}),
  validate: validateFlowSchema,
  subresources: {
    status: statusSubresource<FlowSchema>({ fixedMetadata: true, validateUpdate: validateFlowStatus }),
  },
  compareRows,
  columns: [
    nameColumn,
    text('PriorityLevel', obj => obj.spec.priorityLevelConfiguration?.name ?? ''),
    text('MatchingPrecedence', obj => obj.spec.matchingPrecedence ?? 0),
    text('DistinguisherMethod', obj => obj.spec.distinguisherMethod?.type ?? '<none>'),
    ageColumn,
    text('MissingPL', dangling),
  ],
});
