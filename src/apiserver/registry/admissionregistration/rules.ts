/** Which requests a webhook or policy is asked about (pkg/apis/admissionregistration/validation). */
import type {
  MatchCondition,
  MatchResources,
  NamedRuleWithOperations,
  RuleWithOperations,
} from '../../../api/types/admissionregistration-v1.ts';
import { isQualifiedName } from '../../../api/validation/names.ts';
import { type Errors, each, invalidAll, oneOf, optional, required, requiredAnd } from '../checks.ts';
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

function validateResources(resources: readonly string[] | undefined, path: string): Errors {
  const list = resources ?? [];
  if (list.length === 0) return [field.required(path)];
  const wrong = (why: string) => field.invalid(path, list, why);
  const errors: Errors = each(list, path, (resource, at) => {
    if (resource === '') return [field.required(at)];
    const [name = '', sub] = resource.split('/');
    const covered =
      sub !== undefined &&
      ((sub !== '*' && list.includes(`${name}/*`)) || (name !== '*' && sub !== '' && list.includes(`*/${sub}`)));
    return covered
      ? [
          field.invalid(
            at,
            resource,
            `if '${list.includes(`${name}/*`) ? `${name}/*` : `*/${sub}`}' is present, must not specify ${resource}`,
          ),
        ]
      : [];
  });
  if (list.length > 1 && list.includes('*/*'))
    errors.push(wrong("if '*/*' is present, must not specify other resources"));
  if (list.includes('*') && list.some(r => r !== '*' && !r.includes('/'))) {
    errors.push(wrong("if '*' is present, must not specify other resources without subresources"));
  }
  return errors;
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
  const names = rule.resourceNames ?? [];
  const seen = new Set<string>();
  return [
    ...validateRule(rule, path),
    ...each(names, `${path}.resourceNames`, (name, at) => {
      const twice = seen.has(name);
      seen.add(name);
      return twice ? [field.duplicate(at, name)] : [];
    }),
  ];
}

export function validateMatchResources(match: MatchResources | undefined, path: string): Errors {
  if (!match) return [];
  return [
    ...required(match.matchPolicy, `${path}.matchPolicy`),
    ...optional(match.matchPolicy, `${path}.matchPolicy`, oneOf(['Equivalent', 'Exact'])),
    ...validateLabelSelector(match.namespaceSelector, `${path}.namespaceSelector`),
    ...validateLabelSelector(match.objectSelector, `${path}.labelSelector`),
    ...each(match.resourceRules, `${path}.resourceRules`, validateNamedRule),
    ...each(match.excludeResourceRules, `${path}.excludeResourceRules`, validateNamedRule),
  ];
}

/** Names and presence only; the expressions are compiled by the evaluator. */
export function validateMatchConditions(conditions: readonly MatchCondition[] | undefined, path: string): Errors {
  const count = conditions?.length ?? 0;
  const names = new Set<string>();
  return [
    ...(count > maxConditions ? [field.tooMany(path, count, maxConditions)] : []),
    ...each(conditions, path, ({ name, expression }, at) => {
      const twice = names.has(name);
      names.add(name);
      return [
        ...(expression?.trim() ? [] : [field.required(`${at}.expression`)]),
        ...requiredAnd(name, `${at}.name`, (value, where) => invalidAll(where, value, isQualifiedName(value))),
        ...(twice ? [field.duplicate(`${at}.name`, name)] : []),
      ];
    }),
  ];
}
