import type { Toleration } from '../../../api/types/core-v1.ts';
import type { RuntimeClass } from '../../../api/types/node-v1.ts';
import { dnsLabel, type Errors, each, immutable, optional } from '../checks.ts';
import { ageColumn, nameColumn, text } from '../columns.ts';
import { nodeLabelComplaint } from '../core/node-labels.ts';
import { validateOverhead } from '../core/pod/resources.ts';
import { validateTolerations } from '../core/pod/scheduling.ts';
import { clusterScoped } from '../define.ts';
import { field } from '../field-errors.ts';
import { validateLabels } from '../meta/object-meta.ts';

/** Tolerations are told apart by all they tolerate, not by how long. */
function validateTwice(tolerations: readonly Toleration[] | undefined, path: string): Errors {
  const seen = new Set<string>();
  return each(tolerations, path, ({ key = '', operator = '', value = '', effect = '', tolerationSeconds }, at) => {
    const id = JSON.stringify([key, operator, value, effect]);
    const twice = seen.has(id);
    seen.add(id);
    const shown = {
      Key: key,
      Operator: operator,
      Value: value,
      Effect: effect,
      TolerationSeconds: tolerationSeconds ?? null,
    };
    return twice ? [field.duplicate(at, shown)] : [];
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
  validateUpdate: (obj, old) => immutable(obj.handler, old.handler, 'handler'),
  warnings: ({ scheduling }) =>
    Object.keys(scheduling?.nodeSelector ?? {}).flatMap(label => {
      const why = nodeLabelComplaint(label);
      return why === undefined ? [] : [`scheduling.nodeSelector: ${why}`];
    }),
  columns: [nameColumn, text('Handler', obj => obj.handler), ageColumn],
});
