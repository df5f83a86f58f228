import type { Namespace } from '../../../api/types/core-v1.ts';
import { nameIsDnsLabel } from '../../../api/validation/names.ts';
import { type Errors, each } from '../checks.ts';
import { ageColumn, nameColumn, text } from '../columns.ts';
import { clusterScoped, statusSubresource } from '../define.ts';
import { field } from '../field-errors.ts';
import { validateFinalizerName, validateKubeFinalizerName, validateObjectMetaUpdate } from '../meta/object-meta.ts';

const nameLabel = 'kubernetes.io/metadata.name';

const finalizer = (name: string, path: string): Errors => [
  ...validateFinalizerName(name, path),
  ...validateKubeFinalizerName(name, path),
];

/** The phase follows the deletion timestamp. */
function validatePhase({ metadata, status }: Namespace): Errors {
  const phase = status?.phase ?? '';
  const wrong = (why: string) => [field.invalid('status.Phase', phase, why)];
  if (!metadata.deletionTimestamp) {
    return phase === 'Active' ? [] : wrong("may only be 'Active' if `deletionTimestamp` is empty");
  }
  return phase === 'Terminating' ? [] : wrong("may only be 'Terminating' if `deletionTimestamp` is not empty");
}

export const namespaces = clusterScoped<Namespace>({
  resource: '/namespaces',
  validateName: nameIsDnsLabel,
  validateCreate: obj => each(obj.spec.finalizers, 'spec.finalizers', name => finalizer(name, 'spec.finalizers')),
  default(namespace) {
    if (namespace.metadata.name)
      namespace.metadata.labels = { ...namespace.metadata.labels, [nameLabel]: namespace.metadata.name };
    namespace.status ??= {};
    namespace.status.phase ||= 'Active';
  },
  initialStatus: () => ({ phase: 'Active' }),
  prepareForCreate(namespace) {
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
    status: statusSubresource<Namespace>({ validateUpdate: validatePhase }),
    finalize: {
      prepareForUpdate(namespace, old) {
        if (old.status) namespace.status = structuredClone(old.status);
      },
      validateUpdate: (namespace, old) => [
        ...validateObjectMetaUpdate(namespace.metadata, old.metadata),
        ...each(namespace.spec.finalizers, 'spec.finalizers', finalizer),
      ],
    },
  },
  columns: [nameColumn, text('Status', obj => obj.status?.phase ?? ''), ageColumn],
  selectableFields: { 'status.phase': obj => obj.status?.phase ?? '' },
});
