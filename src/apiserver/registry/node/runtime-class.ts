import type { RuntimeClass } from '../../../api/types/node-v1.ts';
import { dnsLabel, type Errors, immutable, optional } from '../checks.ts';
import { ageColumn, nameColumn, text } from '../columns.ts';
import { validateOverhead } from '../core/pod/resources.ts';
import { validateTolerations } from '../core/pod/scheduling.ts';
import { clusterScoped } from '../define.ts';
import { field } from '../field-errors.ts';
import { validateLabels } from '../meta/object-meta.ts';

function validateTwice(tolerations: readonly unknown[] | undefined): Errors {
  const seen = new Set<string>();
  return (tolerations ?? []).flatMap((toleration, i) => {
    const id = JSON.stringify(toleration);
    if (seen.has(id)) return [field.duplicate(`scheduling.tolerations[${i}]`, toleration)];
    seen.add(id);
    return [];
  });
}

function validateClass({ handler, overhead, scheduling }: RuntimeClass): Errors {
  return [
    ...dnsLabel(handler ?? '', 'handler'),
    ...optional(overhead?.podFixed, 'overhead.podFixed', validateOverhead),
    ...validateLabels(scheduling?.nodeSelector, 'scheduling.nodeSelector'),
    ...validateTolerations(scheduling?.tolerations, 'scheduling.tolerations'),
    ...validateTwice(scheduling?.tolerations),
  ];
}

export const runtimeClasses = clusterScoped<RuntimeClass>({
  resource: 'node.k8s.io/runtimeclasses',
  specless: true,
  validate: validateClass,
  validateUpdate: (obj, old) => immutable(obj.handler, old.handler, 'handler'),
  columns: [nameColumn, text('Handler', obj => obj.handler), ageColumn],
});
