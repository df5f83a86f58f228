import type { CustomResourceDefinition } from '../../../api/types/apiextensions-v1.ts';
import { createdColumn, nameColumn } from '../columns.ts';
import { keepAllButStatus } from '../define.ts';
import { validateObjectMetaUpdate } from '../meta/object-meta.ts';
import type { Strategy } from '../strategy.ts';
import { unknownFormats } from './formats.ts';
import { validateDefinition, validateDefinitionStatus, validateDefinitionUpdate } from './validate.ts';

type Crd = CustomResourceDefinition;

/** Remembers every version that objects were stored in. In place. */
function recordStorageVersion({ spec, status }: Crd): void {
  const storage = spec.versions?.find(v => v.storage)?.name;
  if (!status || storage === undefined || status.storedVersions?.includes(storage)) return;
  status.storedVersions = [...(status.storedVersions ?? []), storage];
}

/** No `clusterScoped`: the name is checked against the spec, on creation only. */
export const customResourceDefinitions: Strategy<Crd> = {
  resource: 'apiextensions.k8s.io/customresourcedefinitions',
  generation: true,
  allowUnconditionalUpdate: false,
  default(crd) {
    crd.spec ??= {} as Crd['spec'];
    const { spec } = crd;
    if (spec.names) {
      spec.names.singular ||= spec.names.kind?.toLowerCase() ?? '';
      spec.names.listKind ||= spec.names.kind ? `${spec.names.kind}List` : '';
    }
    spec.conversion ??= { strategy: 'None' };
    const service = spec.conversion.webhook?.clientConfig?.service;
    if (service) service.port ??= 443;
    crd.status ??= {};
    crd.status.acceptedNames ??= { plural: '', kind: '' };
    if (!crd.status.storedVersions?.length) recordStorageVersion(crd);
  },
  prepareForCreate(crd) {
    crd.status = { acceptedNames: { plural: '', kind: '' } };
    recordStorageVersion(crd);
  },
  prepareForUpdate(crd, old) {
    crd.status = structuredClone(old.status ?? {});
    recordStorageVersion(crd);
  },
  validate: validateDefinition,
  validateUpdate: validateDefinitionUpdate,
  warnings(crd, old) {
    const before = new Set(old ? unknownFormats(old) : []);
    return unknownFormats(crd)
      .filter(format => !before.has(format))
      .map(format => `unrecognized format ${JSON.stringify(format)}`);
  },
  subresources: {
    status: {
      // It could set them, though.
      resets: ['metadata'],
      prepareForUpdate: keepAllButStatus,
      validateUpdate: (crd, old) => [
        ...validateObjectMetaUpdate(crd.metadata, old.metadata),
        ...validateDefinitionStatus(crd),
      ],
    },
  },
  columns: [nameColumn, createdColumn],
};
