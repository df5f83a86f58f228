/** Limit ranges (ValidateLimitRange): the five lists of an item must agree with each other. */
import type { LimitRange, LimitRangeItem } from '../../../api/types/core-v1.ts';
import { type Errors, each, eachEntry, forbidden, qualifiedName } from '../checks.ts';
import { field } from '../field-errors.ts';
import {
  compareQuantity,
  isOvercommitAllowed,
  validateLimitRangeResourceName,
  validateQuantity,
} from './resource-names.ts';

const lists = ['max', 'min', 'default', 'defaultRequest', 'maxLimitRequestRatio'] as const;
type List = (typeof lists)[number];
/** [smaller, larger, words for them]: the first may not exceed the second. */
const orders: readonly [List, List, string, string][] = [
  ['min', 'max', 'min', 'max'],
  ['min', 'defaultRequest', 'min', 'default request'],
  ['defaultRequest', 'max', 'default request', 'max'],
  ['defaultRequest', 'default', 'default request', 'default limit'],
  ['min', 'default', 'min', 'default'],
  ['default', 'max', 'default', 'max'],
];
/** Which list of an order the complaint stands at. */
const reportedAt: Record<string, List> = {
  'min max': 'min',
  'min defaultRequest': 'defaultRequest',
  'min default': 'default',
};

function validateOrder(item: LimitRangeItem, name: string, path: string): Errors {
  return orders.flatMap(([low, high, lowWord, highWord]) => {
    const a = item[low]?.[name];
    const b = item[high]?.[name];
    if (a === undefined || b === undefined || compareQuantity(a, b) <= 0) return [];
    const at = reportedAt[`${low} ${high}`] ?? low;
    const value = item[at]?.[name];
    return [
      field.invalid(`${path}.${at}[${name}]`, value, `${lowWord} value ${a} is greater than ${highWord} value ${b}`),
    ];
  });
}

function validateRatio(item: LimitRangeItem, name: string, path: string): Errors {
  const ratio = item.maxLimitRequestRatio?.[name];
  if (ratio === undefined) return [];
  const at = `${path}.maxLimitRequestRatio[${name}]`;
  const errors: Errors = [];
  if (compareQuantity(ratio, '1') < 0) errors.push(field.invalid(at, ratio, `ratio ${ratio} is less than 1`));
  return errors;
}

function validateOvercommit(item: LimitRangeItem, name: string, path: string): Errors {
  if (isOvercommitAllowed(name)) return [];
  const { default: limit, defaultRequest: request } = item;
  const a = limit?.[name];
  const b = request?.[name];
  return a !== undefined && b !== undefined && compareQuantity(a, b) !== 0
    ? [
        field.invalid(
          `${path}.defaultRequest[${name}]`,
          b,
          `default value ${a} must equal to defaultRequest value ${b} in ${name}`,
        ),
      ]
    : [];
}

function validateItem(item: LimitRangeItem, path: string): Errors {
  const { type } = item;
  const names = [...new Set(lists.flatMap(list => Object.keys(item[list] ?? {})))].sort();
  const claims = type === 'PersistentVolumeClaim';
  const bounded = item.min?.['storage'] !== undefined || item.max?.['storage'] !== undefined;
  const notForPods = "may not be specified when `type` is 'Pod'";
  return [
    ...qualifiedName(type ?? '', `${path}.type`),
    ...lists.flatMap(list =>
      eachEntry(item[list], `${path}.${list}`, (value, at, name) => [
        ...validateLimitRangeResourceName(type, name, at),
        ...validateQuantity(name, value, at),
      ]),
    ),
    ...forbidden(type === 'Pod' && Object.keys(item.default ?? {}).length, `${path}.default`, notForPods),
    ...forbidden(type === 'Pod' && Object.keys(item.defaultRequest ?? {}).length, `${path}.defaultRequest`, notForPods),
    ...(claims && !bounded
      ? [field.required(`${path}`, 'either minimum or maximum storage value is required, but neither was provided')]
      : []),
    ...names.flatMap(name => [
      ...validateOrder(item, name, path),
      ...validateRatio(item, name, path),
      ...validateOvercommit(item, name, path),
    ]),
  ];
}

export function validateLimitRange({ spec }: LimitRange): Errors {
  const types = new Set<string>();
  return each(spec.limits, 'spec.limits', (item, at) => {
    if (types.has(item.type)) return [field.duplicate(`${at}.type`, item.type)];
    types.add(item.type);
    return validateItem(item, at);
  });
}
