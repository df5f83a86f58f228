import type { CustomResourceDefinition } from '../../../api/types/apiextensions-v1.ts';
import { createdColumn, nameColumn } from '../columns.ts';
import { clusterScoped } from '../define.ts';

export const customResourceDefinitions = clusterScoped<CustomResourceDefinition>({
  resource: 'apiextensions.k8s.io/customresourcedefinitions',
  generation: true,
  default(crd) {
    crd.status ??= {};
    const { spec } = crd;
    if (!spec) return;
    if (spec.names) {
      spec.names.singular ||= spec.names.kind?.toLowerCase() ?? '';
      spec.names.listKind ||= spec.names.kind ? `${spec.names.kind}List` : '';
    }
    spec.conversion ??= { strategy: 'None' };
    const service = spec.conversion.webhook?.clientConfig?.service;
    if (service) service.port ??= 443;
  },
  initialStatus: () => ({}),
  columns: [nameColumn, createdColumn],
});
