/** Which flow schema a request belongs to (k8s.io/apiserver pkg/util/flowcontrol/rule.go). */
import type { UserInfo } from '../../api/transport.ts';
import type {
  FlowSchema,
  NonResourcePolicyRule,
  PolicyRulesWithSubjects,
  ResourcePolicyRule,
  Subject,
} from '../../api/types/flowcontrol-v1.ts';
import type { RequestInfo } from './request-info.ts';

/** What rules look at. */
export interface FlowRequest {
  readonly user: UserInfo;
  readonly info: RequestInfo;
}

const has = (list: readonly string[] | undefined, value: string) =>
  list !== undefined && (list.includes('*') || list.includes(value));

function subjectMatches({ kind, user: named, group, serviceAccount }: Subject, user: UserInfo): boolean {
  switch (kind) {
    case 'User':
      return named !== undefined && (named.name === '*' || named.name === user.name);
    case 'Group':
      return group !== undefined && (group.name === '*' || user.groups.includes(group.name));
    case 'ServiceAccount': {
      if (!serviceAccount) return false;
      const prefix = `system:serviceaccount:${serviceAccount.namespace}:`;
      if (serviceAccount.name === '*') return user.name.startsWith(prefix);
      return user.name === prefix + serviceAccount.name;
    }
    default:
      return false;
  }
}

function resourceMatches(rule: ResourcePolicyRule, info: RequestInfo): boolean {
  const resource = info.subresource ? `${info.resource}/${info.subresource}` : info.resource;
  if (!has(rule.verbs, info.verb) || !has(rule.apiGroups, info.group) || !has(rule.resources, resource)) return false;
  return info.namespace === '' ? rule.clusterScope === true : has(rule.namespaces, info.namespace);
}

function urlMatches(pattern: string, path: string): boolean {
  if (pattern === '*' || pattern === path) return true;
  return pattern.endsWith('*') && path.startsWith(pattern.slice(0, -1));
}

function pathMatches(rule: NonResourcePolicyRule, info: RequestInfo): boolean {
  return has(rule.verbs, info.verb) && rule.nonResourceURLs.some(pattern => urlMatches(pattern, info.path));
}

function ruleMatches(rule: PolicyRulesWithSubjects, { user, info }: FlowRequest): boolean {
  if (!rule.subjects.some(subject => subjectMatches(subject, user))) return false;
  if (info.isResource) return rule.resourceRules?.some(r => resourceMatches(r, info)) ?? false;
  return rule.nonResourceRules?.some(r => pathMatches(r, info)) ?? false;
}

const defaultPrecedence = 1_000;
const precedence = (schema: FlowSchema) => schema.spec.matchingPrecedence ?? defaultPrecedence;

/** The order in which schemas are asked: by precedence, then by name. */
export function inMatchingOrder(schemas: readonly FlowSchema[]): FlowSchema[] {
  return [...schemas].sort((a, b) => precedence(a) - precedence(b) || (a.metadata.name < b.metadata.name ? -1 : 1));
}

/** The first schema that matches. */
export function schemaFor(ordered: readonly FlowSchema[], request: FlowRequest): FlowSchema | undefined {
  return ordered.find(schema => schema.spec.rules?.some(rule => ruleMatches(rule, request)));
}

/** Requests of one flow take turns with those of others. */
export function flowOf({ metadata, spec }: FlowSchema, { user, info }: FlowRequest): string {
  switch (spec.distinguisherMethod?.type) {
    case 'ByUser':
      return `${metadata.name}/${user.name}`;
    case 'ByNamespace':
      return `${metadata.name}/${info.namespace}`;
    default:
      return metadata.name;
  }
}
