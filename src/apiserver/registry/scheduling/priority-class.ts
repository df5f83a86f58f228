import type { PriorityClass } from '../../../api/types/scheduling-v1.ts';
import { type Errors, forbidden, immutable, requiredOneOf } from '../checks.ts';
import { ageColumn, flag, integer, nameColumn, text } from '../columns.ts';
import { clusterScoped } from '../define.ts';

const systemPrefix = 'system-';
const highestUserValue = 1_000_000_000;
/** The classes that the system brings along, by name (pkg/apis/scheduling). */
const systemPriorities: Readonly<Record<string, number>> = {
  'system-cluster-critical': 2_000_000_000,
  'system-node-critical': 2_000_001_000,
};

/** Why a class with the system's prefix is none of the system's; undefined when it is. */
function systemComplaint({ metadata: { name }, value, globalDefault }: PriorityClass): string | undefined {
  const known = systemPriorities[name];
  if (known === undefined) return `${name} is not a known system priority class`;
  if (known !== value) return `value of ${name} PriorityClass must be ${known}`;
  return globalDefault ? `globalDefault of ${name} PriorityClass must be false` : undefined;
}

function validatePriority(obj: PriorityClass): Errors {
  if (!obj.metadata.name.startsWith(systemPrefix)) {
    const tooHigh = `maximum allowed value of a user defined priority is ${highestUserValue}`;
    return forbidden(obj.value > highestUserValue, 'value', tooHigh);
  }
  const why = systemComplaint(obj);
  const reserved = `priority class names with '${systemPrefix}' prefix are reserved for system use only. error: ${why}`;
  return forbidden(why !== undefined, 'metadata.name', reserved);
}

const validateClass = (obj: PriorityClass): Errors => [
  ...validatePriority(obj),
  ...requiredOneOf(obj.preemptionPolicy, 'preemptionPolicy', ['PreemptLowerPriority', 'Never']),
];

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
  validateCreate: validateClass,
  validateUpdate: validateClassUpdate,
  // Nothing of it that counts ever changes.
  prepareForCreate: ({ metadata }) => void (metadata.generation = 1),
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
