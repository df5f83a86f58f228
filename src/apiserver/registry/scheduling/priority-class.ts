import type { PriorityClass } from '../../../api/types/scheduling-v1.ts';
import { type Errors, forbidden, immutable, requiredOneOf } from '../checks.ts';
import { ageColumn, flag, integer, nameColumn, text } from '../columns.ts';
import { clusterScoped } from '../define.ts';
import { field } from '../field-errors.ts';

const systemPrefix = 'system-';
const highestUserValue = 1_000_000_000;
/** The classes that the system brings along, by name (pkg/apis/scheduling). */
const systemPriorities: Readonly<Record<string, number>> = {
  'system-cluster-critical': 2_000_000_000,
  'system-node-critical': 2_000_001_000,
};

function validateClass({ metadata, value = 0, globalDefault, preemptionPolicy }: PriorityClass): Errors {
  const policy = requiredOneOf(preemptionPolicy, 'preemptionPolicy', ['PreemptLowerPriority', 'Never']);
  if (!metadata.name.startsWith(systemPrefix)) {
    const tooHigh = `maximum allowed value of a user defined priority is ${highestUserValue}`;
    return [...forbidden(value > highestUserValue, 'value', tooHigh), ...policy];
  }
  const known = systemPriorities[metadata.name];
  if (known === value && !globalDefault) return policy;
  const why =
    known === undefined
      ? `priority class names with '${systemPrefix}' prefix are reserved for system use only. error: ${metadata.name} is not a known system priority class`
      : `priority class names with '${systemPrefix}' prefix are reserved for system use only. error: value of ${metadata.name} PriorityClass must be ${known}`;
  return [field.forbidden('metadata.name', why), ...policy];
}

/** Value and preemption are fixed: pods have copied them. */
function validateClassUpdate(obj: PriorityClass, old: PriorityClass): Errors {
  return [
    ...forbidden((obj.value ?? 0) !== (old.value ?? 0), 'value', 'may not be changed in an update.'),
    ...immutable(obj.preemptionPolicy, old.preemptionPolicy, 'preemptionPolicy'),
  ];
}

export const priorityClasses = clusterScoped<PriorityClass>({
  resource: 'scheduling.k8s.io/priorityclasses',
  specless: true,
  validate: validateClass,
  validateUpdate: validateClassUpdate,
  generation: true,
  default(obj) {
    obj.preemptionPolicy ??= 'PreemptLowerPriority';
    obj.value ??= 0;
  },
  columns: [
    nameColumn,
    integer('Value', obj => obj.value ?? 0),
    flag('Global-Default', obj => obj.globalDefault ?? false),
    ageColumn,
    text('PreemptionPolicy', obj => obj.preemptionPolicy ?? ''),
  ],
});
