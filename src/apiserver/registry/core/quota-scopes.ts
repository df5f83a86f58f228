/** Scopes of a quota: which pods or claims it counts, and which resources that makes sense for. */
import type { ResourceQuotaSpec, ScopedResourceSelectorRequirement } from '../../../api/types/core-v1.ts';
import type { Errors } from '../checks.ts';
import { field } from '../field-errors.ts';
import { internalForm } from '../internal-form.ts';
import { isStandardQuotaResource } from './resource-names.ts';

const podScopes = new Set([
  'Terminating',
  'NotTerminating',
  'NotBestEffort',
  'BestEffort',
  'PriorityClass',
  'CrossNamespacePodAffinity',
]);
const knownScopes = new Set([...podScopes, 'VolumeAttributesClass']);
const computeResources = new Set(['cpu', 'memory', 'limits.cpu', 'limits.memory', 'requests.cpu', 'requests.memory']);
const claimResources = new Set(['persistentvolumeclaims', 'requests.storage']);
const existsOnly = new Set([
  'BestEffort',
  'NotBestEffort',
  'Terminating',
  'NotTerminating',
  'CrossNamespacePodAffinity',
]);
const pairs = [
  ['BestEffort', 'NotBestEffort'],
  ['Terminating', 'NotTerminating'],
];

function fits(scope: string, resource: string): boolean {
  if (scope === 'VolumeAttributesClass') return claimResources.has(resource);
  if (scope === 'BestEffort') return resource === 'pods';
  if (podScopes.has(scope)) return resource === 'pods' || computeResources.has(resource);
  return true;
}

const misfit = (spec: ResourceQuotaSpec, scope: string) =>
  Object.keys(spec.hard ?? {})
    .sort()
    .filter(name => isStandardQuotaResource(name) && !fits(scope, name));

const conflicts = (scopes: readonly string[]) => pairs.filter(pair => pair.every(scope => scopes.includes(scope)));

function validateRequirement(
  spec: ResourceQuotaSpec,
  requirement: ScopedResourceSelectorRequirement,
  path: string,
): Errors {
  const { scopeName, operator, values = [] } = requirement;
  const errors: Errors = [];
  if (!knownScopes.has(scopeName)) errors.push(field.invalid(`${path}.scopeName`, scopeName, 'unsupported scope'));
  for (const _ of misfit(spec, scopeName)) {
    errors.push(
      field.invalid(path, internalForm(shownScopes, spec.scopeSelector), 'unsupported scope applied to resource'),
    );
  }
  if (existsOnly.has(scopeName) && operator !== 'Exists') {
    const why =
      "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";
    errors.push(field.invalid(`${path}.operator`, operator, why));
  }
  if (operator === 'In' || operator === 'NotIn') {
    const why = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
    if (values.length === 0) errors.push(field.required(`${path}.values`, why));
  } else if (operator === 'Exists' || operator === 'DoesNotExist') {
    const why = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
    if (values.length > 0) errors.push(field.invalid(`${path}.values`, values, why));
  } else errors.push(field.invalid(`${path}.operator`, operator, 'not a valid selector operator'));
  return errors;
}

const shownScopes = { MatchExpressions: [{ ScopeName: '', Operator: '', Values: null }] } as const;

/** Upstream reports everything about scopes at the list. */
export function validateScopes(spec: ResourceQuotaSpec): Errors {
  const scopes = spec.scopes ?? [];
  const wrong = (why: string) => field.invalid('spec.scopes', scopes, why);
  const expressions = spec.scopeSelector?.matchExpressions ?? [];
  const at = 'spec.scopeSelector.matchExpressions';
  return [
    ...scopes.flatMap(scope => [
      ...(knownScopes.has(scope) ? [] : [wrong('unsupported scope')]),
      ...misfit(spec, scope).map(() => wrong('unsupported scope applied to resource')),
    ]),
    ...conflicts(scopes).map(() => wrong('conflicting scopes')),
    ...expressions.flatMap(requirement => validateRequirement(spec, requirement, at)),
    ...conflicts(expressions.map(e => e.scopeName)).map(() => field.invalid(at, scopes, 'conflicting scopes')),
  ];
}
