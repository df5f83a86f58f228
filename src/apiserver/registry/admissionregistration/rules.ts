/** Which requests a webhook or policy is asked about (pkg/apis/admissionregistration/validation). */
import type {
  MatchCondition,
  MatchResources,
  NamedRuleWithOperations,
  RuleWithOperations,
} from '../../../api/types/admissionregistration-v1.ts';
import {
  type Errors,
  each,
  oneOf,
  optional,
  pathSegment,
  qualifiedName,
  required,
  requiredAnd,
  unique,
} from '../checks.ts';
import { field } from '../field-errors.ts';
import { validateLabelSelector } from '../meta/label-selector.ts';

const operations = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE'];
const scopes = ['*', 'Cluster', 'Namespaced'];
const maxConditions = 64;

/** "*" says it all, so nothing may stand beside it. */
function alone(list: readonly string[] | undefined, path: string, what: string): Errors {
  return list && list.length > 1 && list.includes('*')
    ? [field.invalid(path, list, `if '*' is present, must not specify other ${what}`)]
    : [];
}

/** Resources and subresources, wildcards in either part. Covered ones are found when they follow what covers them. */
function validateResources(resources: readonly string[] | undefined, path: string): Errors {
  const list = resources ?? [];
  if (list.length === 0) return [field.required(path)];
  const wrong = (why: string) => field.invalid(path, list, why);
  const covering = new Set<string>();
  const errors = each(list, path, (resource, at) => {
    if (resource === '') return [field.required(at)];
    const slash = resource.indexOf('/');
    if (slash < 0) return [];
    const name = resource.slice(0, slash);
    const sub = resource.slice(slash + 1);
    const covered = [`${name}/*`, `*/${sub}`]
      .filter((all, i) => covering.has(`${i} ${all}`))
      .map(all => field.invalid(at, resource, `if '${all}' is present, must not specify ${resource}`));
    if (sub === '*') covering.add(`0 ${resource}`);
    if (name === '*') covering.add(`1 ${resource}`);
    return covered;
  });
  const plain = list.findLast(resource => resource !== '' && !resource.includes('/'));
  return [
    ...errors,
    ...(list.length > 1 && list.includes('*/*')
      ? [wrong("if '*/*' is present, must not specify other resources")]
      : []),
    ...(list.includes('*') && plain !== '*'
      ? [wrong("if '*' is present, must not specify other resources without subresources")]
      : []),
  ];
}

export function validateRule(rule: RuleWithOperations, path: string): Errors {
  return [
    ...required(rule.operations, `${path}.operations`),
    ...alone(rule.operations, `${path}.operations`, 'operations'),
    ...each(rule.operations, `${path}.operations`, oneOf(operations)),
    ...required(rule.apiGroups, `${path}.apiGroups`),
    ...alone(rule.apiGroups, `${path}.apiGroups`, 'API groups'),
    ...required(rule.apiVersions, `${path}.apiVersions`),
    ...alone(rule.apiVersions, `${path}.apiVersions`, 'API versions'),
    ...each(rule.apiVersions, `${path}.apiVersions`, (version, at) => required(version, at)),
    ...validateResources(rule.resources, `${path}.resources`),
    ...optional(rule.scope, `${path}.scope`, oneOf(scopes)),
  ];
}

function validateNamedRule(rule: NamedRuleWithOperations, path: string): Errors {
  const at = `${path}.resourceNames`;
  return [
    ...each(rule.resourceNames, at, pathSegment),
    ...unique(rule.resourceNames, at, name => name),
    ...validateRule(rule, path),
  ];
}

const matchPolicies = ['Equivalent', 'Exact'];

export function validateMatchResources(match: MatchResources | undefined, path: string): Errors {
  if (!match) return [];
  return [
    ...oneOf(matchPolicies)(match.matchPolicy, `${path}.matchPolicy`),
    ...validateLabelSelector(match.namespaceSelector, `${path}.namespaceSelector`),
    ...validateLabelSelector(match.objectSelector, `${path}.objectSelector`),
    ...each(match.resourceRules, `${path}.resourceRules`, validateNamedRule),
    ...each(match.excludeResourceRules, `${path}.excludeResourceRules`, validateNamedRule),
  ];
}

export function validateMatchConditions(conditions: readonly MatchCondition[] | undefined, path: string): Errors {
  const count = conditions?.length ?? 0;
  const names = new Set<string>();
  return [
    ...(count > maxConditions ? [field.tooMany(path, count, maxConditions)] : []),
    ...each(conditions, path, ({ name, expression }, at) => {
      const twice = name && names.has(name);
      names.add(name);
      return [
        ...(expression?.trim() ? [] : [field.required(`${at}.expression`)]),
        ...requiredAnd(name, `${at}.name`, qualifiedName),
        ...(twice ? [field.duplicate(`${at}.name`, name)] : []),
      ];
    }),
  ];
}
