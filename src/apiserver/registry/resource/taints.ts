/** Taints of devices, and requests that tolerate them. */
import type { DeviceTaint, DeviceToleration } from '../../../api/types/resource-v1.ts';
import { isLabelValue } from '../../../api/validation/names.ts';
import { type Check, type Errors, invalidAll, nonEmpty, oneOf, requiredOneOf } from '../checks.ts';
import { field } from '../field-errors.ts';
import { validateLabelName } from '../meta/object-meta.ts';

const effects = ['NoExecute', 'NoSchedule', 'None'];
const labelValue: Check<string> = (value, path) => invalidAll(path, value, isLabelValue(value));

export const validateTaint: Check<DeviceTaint> = ({ key, value, effect }, path) => [
  ...validateLabelName(key, `${path}.key`),
  ...nonEmpty(value, `${path}.value`, labelValue),
  ...requiredOneOf(effect, `${path}.effect`, effects),
];

function validateOperator({ operator, value = '' }: DeviceToleration, path: string): Errors {
  const at = `${path}.value`;
  if (operator === 'Equal') return labelValue(value, at);
  if (operator !== 'Exists') return requiredOneOf(operator, `${path}.operator`, ['Equal', 'Exists']);
  return value === '' ? [] : [field.invalid(at, value, 'must be empty for operator `Exists`')];
}

export const validateToleration: Check<DeviceToleration> = (toleration, path) => [
  ...nonEmpty(toleration.key, `${path}.key`, validateLabelName),
  ...validateOperator(toleration, path),
  ...nonEmpty(toleration.effect, `${path}.effect`, oneOf(effects)),
];
