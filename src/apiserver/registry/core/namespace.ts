import type { Namespace } from '../../../api/types/core-v1.ts';
import { ageColumn, nameColumn, text } from '../columns.ts';
import { clusterScoped } from '../define.ts';

const nameLabel = 'kubernetes.io/metadata.name';

export const namespaces = clusterScoped<Namespace>({
  resource: '/namespaces',
  default(namespace) {
    if (namespace.metadata.name)
      namespace.metadata.labels = { ...namespace.metadata.labels, [nameLabel]: namespace.metadata.name };
    namespace.spec ??= {};
    namespace.status ??= {};
    namespace.status.phase ||= 'Active';
  },
  initialStatus: () => ({ phase: 'Active' }),
  prepareForCreate(namespace) {
    namespace.spec ??= {};
    const finalizers = namespace.spec.finalizers ?? [];
    if (!finalizers.includes('kubernetes')) namespace.spec.finalizers = [...finalizers, 'kubernetes'];
  },
  prepareForUpdate(namespace, old) {
    namespace.spec = structuredClone(old.spec);
  },
  canonicalize(namespace) {
    if (namespace.metadata.name)
      namespace.metadata.labels = { ...namespace.metadata.labels, [nameLabel]: namespace.metadata.name };
  },
  subresources: {
    finalize: {
      prepareForUpdate(namespace, old) {
        if (old.status) namespace.status = structuredClone(old.status);
      },
    },
  },
  columns: [nameColumn, text('Status', obj => obj.status?.phase ?? ''), ageColumn],
  selectableFields: { 'status.phase': obj => obj.status?.phase ?? '' },
});
