import { controllerOf } from '../../../api/object.ts';
import { parseApiVersion } from '../../../api/schema.ts';
import type { ControllerRevision } from '../../../api/types/apps-v1.ts';
import { immutable, nonNegative } from '../checks.ts';
import { ageColumn, nameColumn, text } from '../columns.ts';
import { namespaced } from '../define.ts';
import { field } from '../field-errors.ts';

function owner(revision: ControllerRevision): string {
  const ref = controllerOf(revision);
  if (!ref) return '<none>';
  const { group: name } = parseApiVersion(ref.apiVersion ?? '');
  const group = name ? `.${name}` : '';
  return `${(ref.kind ?? '').toLowerCase()}${group}/${ref.name}`;
}

export const controllerRevisions = namespaced<ControllerRevision>({
  resource: 'apps/controllerrevisions',
  specless: true,
  validate: obj => nonNegative(obj.revision ?? 0, 'revision'),
  validateCreate: ({ data }) => {
    if (data === undefined || data === null) return [field.required('data', 'data is mandatory')];
    return typeof data === 'object' && !Array.isArray(data)
      ? []
      : [field.required('data', 'data must be a valid JSON object')];
  },
  validateUpdate: (obj, old) => immutable(obj.data, old.data, 'data'),
  columns: [nameColumn, text('Controller', owner), text('Revision', obj => obj.revision), ageColumn],
});
