/** Policy rules: what one allows, and whether some cover others (k8s.io/component-helpers/auth/rbac/validation). */
import type { PolicyRule } from '../../../api/types/rbac-v1.ts';
import type { Attributes } from '../contract.ts';

const has = (list: readonly string[] | undefined, value: string): boolean =>
  list?.some(v => v === value || v === '*') ?? false;

function resourceMatches(rule: PolicyRule, resource: string, subresource: string): boolean {
  const combined = subresource ? `${resource}/${subresource}` : resource;
  return (
    rule.resources?.some(r => r === '*' || r === combined || (subresource !== '' && r === `*/${subresource}`)) ?? false
  );
}

function pathMatches(pattern: string, path: string): boolean {
  if (pattern === '*' || pattern === path) return true;
  return pattern.endsWith('*') && path.startsWith(pattern.replace(/\*+$/, ''));
}

export function ruleAllows(rule: PolicyRule, a: Attributes): boolean {
  if (!has(rule.verbs, a.verb)) return false;
  if (!a.isResource) return rule.nonResourceURLs?.some(p => pathMatches(p, a.path)) ?? false;
  return (
    has(rule.apiGroups, a.group) &&
    resourceMatches(rule, a.resource, a.subresource) &&
    (!rule.resourceNames?.length || rule.resourceNames.includes(a.name))
  );
}

/** One verb on one resource (and name) or path per rule. */
export function breakDown(rule: PolicyRule): PolicyRule[] {
  const out: PolicyRule[] = [];
  const names = rule.resourceNames?.length ? rule.resourceNames : [undefined];
  for (const group of rule.apiGroups ?? [])
    for (const resource of rule.resources ?? [])
      for (const verb of rule.verbs)
        for (const name of names)
          out.push({
            apiGroups: [group],
            resources: [resource],
            verbs: [verb],
            ...(name !== undefined && { resourceNames: [name] }),
          });
  for (const url of rule.nonResourceURLs ?? [])
    for (const verb of rule.verbs) out.push({ nonResourceURLs: [url], verbs: [verb] });
  return out;
}

function resourceCovered(owner: readonly string[], resource: string): boolean {
  if (owner.includes('*') || owner.includes(resource)) return true;
  const slash = resource.indexOf('/');
  return slash >= 0 && owner.includes(`*${resource.slice(slash)}`);
}

const pathCovered = (owner: readonly string[], path: string): boolean => owner.some(o => pathMatches(o, path));

function ruleCovers(owner: PolicyRule, sub: PolicyRule): boolean {
  const every = (own: readonly string[] | undefined, wanted: readonly string[] | undefined) =>
    (wanted ?? []).every(w => has(own, w));
  return (
    every(owner.verbs, sub.verbs) &&
    every(owner.apiGroups, sub.apiGroups) &&
    (sub.resources ?? []).every(r => resourceCovered(owner.resources ?? [], r)) &&
    (sub.nonResourceURLs ?? []).every(p => pathCovered(owner.nonResourceURLs ?? [], p)) &&
    (!owner.resourceNames?.length ||
      (!!sub.resourceNames?.length && sub.resourceNames.every(n => owner.resourceNames?.includes(n))))
  );
}

/** The single permissions of `wanted` that `owned` does not cover. Empty when it covers all. */
export function uncovered(owned: readonly PolicyRule[], wanted: readonly PolicyRule[]): PolicyRule[] {
  return wanted.flatMap(breakDown).filter(sub => !owned.some(owner => ruleCovers(owner, sub)));
}

/** Joins single permissions that differ only in the verb. Others stay as they are. */
export function compactRules(rules: readonly PolicyRule[]): PolicyRule[] {
  const joined = new Map<string, PolicyRule>();
  const rest: PolicyRule[] = [];
  for (const rule of rules) {
    const simple =
      rule.apiGroups?.length === 1 &&
      rule.resources?.length === 1 &&
      !rule.nonResourceURLs?.length &&
      (rule.resourceNames?.length ?? 0) <= 1;
    if (!simple) {
      rest.push(rule);
      continue;
    }
    const key = JSON.stringify([rule.apiGroups, rule.resources, rule.resourceNames ?? []]);
    const known = joined.get(key);
    if (known) known.verbs.push(...rule.verbs);
    else joined.set(key, { ...rule, verbs: [...rule.verbs] });
  }
  return [...joined.values(), ...rest];
}

/** Go's %q of a string slice. */
export const goQuoted = (list: readonly string[]): string => `[${list.map(v => JSON.stringify(v)).join(' ')}]`;

/** `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}` */
export function describeRule(rule: PolicyRule): string {
  const parts: [string, readonly string[] | undefined][] = [
    ['APIGroups', rule.apiGroups],
    ['Resources', rule.resources],
    ['NonResourceURLs', rule.nonResourceURLs],
    ['ResourceNames', rule.resourceNames],
    ['Verbs', rule.verbs],
  ];
  const shown = parts.flatMap(([name, list]) => (list?.length ? [`${name}:${goQuoted(list)}`] : []));
  return `{${shown.join(', ')}}`;
}
