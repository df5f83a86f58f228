import type { Toleration } from '../../../api/types/core-v1.ts';
import type { RuntimeClass } from '../../../api/types/node-v1.ts';
import { dnsLabel, type Errors, each, immutable, optional } from '../checks.ts';
import { ageColumn, nameColumn, text } from '../columns.ts';
import { nodeLabelComplaint } from '../core/node-labels.ts';
import { validateOverhead } from '../core/pod/resources.ts';
import { validateTolerations } from '../core/pod/scheduling.ts';
import { clusterScoped } from '../define.ts';
import { field } from '../field-errors.ts';
import { internalForm } from '../internal-form.ts';
import { validateLabels } from '../meta/object-meta.ts';

const shownToleration = { Key: '', Operator: '', Value: '', Effect: '', TolerationSeconds: null };

/** Tolerations are told apart by all they tolerate, not by how long. */
function validateTwice(tolerations: readonly Toleration[] | undefined, path: string): Errors {
  const seen = new Set<string>();
  return each(tolerations, path, (toleration, at) => {
    const { key = '', operator = '', value = '', effect = '' } = toleration;
    const id = JSON.stringify([key, operator, value, effect]);
    const twice = seen.has(id);
    seen.add(id);
    return twice ? [field.duplicate(at, internalForm(shownToleration, toleration))] : [];
  });
}

function validateClass({ handler, overhead, scheduling }: RuntimeClass): Errors {
  return [
    ...dnsLabel(handler ?? '', 'handler'),
    ...optional(overhead?.podFixed, 'overhead', validateOverhead),
    ...validateLabels(scheduling?.nodeSelector, 'scheduling.nodeSelector'),
    ...validateTolerations(scheduling?.tolerations, 'scheduling.tolerations'),
    ...validateTwice(scheduling?.tolerations, 'scheduling.tolerations'),
  ];
}

export const runtimeClasses = clusterScoped<RuntimeClass>({
  resource: 'node.k8s.io/runtimeclasses',
  specless: true,
  allowCreateOnUpdate: true,
  allowUnconditionalUpdate: false,
  validate: validateClass,
  validateUpdate: (obj, old) => immutable(obj.handler ?? '', old.handler, 'handler'),
  warnings: ({ scheduling }) =>
    Object.keys(scheduling?.nodeSelector ?? {}).flatMap(label => {
      const why = nodeLabelComplaint(label);
      return why === undefined ? [] : [`scheduling.nodeSelector: ${why}`];
    }),
  columns: [nameColumn, text('Handler', obj => obj.handler), ageColumn],
});
