/** Flow schemas and priority levels (pkg/apis/flowcontrol/validation). */
import type {
  FlowSchema,
  LimitedPriorityLevelConfiguration,
  PolicyRulesWithSubjects,
  PriorityLevelConfiguration,
  QueuingConfiguration,
  ResourcePolicyRule,
  Subject,
} from '../../../api/types/flowcontrol-v1.ts';
import { nameIsDnsSubdomain } from '../../../api/validation/names.ts';
import {
  type Check,
  type Errors,
  each,
  forbidden,
  invalidAll,
  objectName,
  oneOf,
  optional,
  required,
  requiredAnd,
  requiredOneOf,
  same,
} from '../checks.ts';
import { field } from '../field-errors.ts';
import { mandatory } from './bootstrap.ts';

const maxPrecedence = 10_000;
const maxQueues = 10_000_000;
const maxHashBits = 60;
const verbs = [
  '*',
  'create',
  'delete',
  'deletecollection',
  'get',
  'head',
  'list',
  'options',
  'patch',
  'post',
  'proxy',
  'put',
  'update',
  'watch',
];

const members = { User: 'user', Group: 'group', ServiceAccount: 'serviceAccount' } as const;

function validateAccount(account: NonNullable<Subject['serviceAccount']>, path: string): Errors {
  const name: Check<string> = (value, at) => invalidAll(at, value, nameIsDnsSubdomain(value, false));
  return [
    ...(account.name === '*' ? [] : requiredAnd(account.name, `${path}.name`, name)),
    ...required(account.namespace, `${path}.namespace`),
  ];
}

/** The member named by the kind is set, and no other. */
function validateSubject(subject: Subject, path: string): Errors {
  const { kind, serviceAccount: account } = subject;
  if (!Object.hasOwn(members, kind ?? '')) {
    return [field.notSupported(`${path}.kind`, kind, ['Group', 'ServiceAccount', 'User'])];
  }
  const own = members[kind as keyof typeof members];
  const at = `${path}.${own}`;
  const others = Object.entries(members).flatMap(([other, key]) =>
    forbidden(key !== own && subject[key], `${path}.${key}`, `${key} is forbidden when subject kind is not '${other}'`),
  );
  if (!subject[own]) return [field.required(at, `${own} is required when subject kind is '${kind}'`), ...others];
  const errors =
    own === 'serviceAccount' && account ? validateAccount(account, at) : required(subject[own].name, `${at}.name`);
  return [...errors, ...others];
}

function starAlone(list: readonly string[] | undefined, path: string, what: string): Errors {
  return list && list.length > 1 && list.includes('*')
    ? [field.invalid(path, list, `if '*' is present, must not specify other ${what}`)]
    : [];
}

function validateVerbs(list: readonly string[] | undefined, path: string): Errors {
  return [
    ...required(list, path, 'verbs must contain at least one value'),
    ...starAlone(list, path, 'verbs'),
    ...(list?.some(verb => !verbs.includes(verb)) ? [field.notSupported(path, list, verbs)] : []),
  ];
}

function validateResourceRule(rule: ResourcePolicyRule, path: string): Errors {
  const scoped = rule.clusterScope || (rule.namespaces?.length ?? 0) > 0;
  return [
    ...validateVerbs(rule.verbs, `${path}.verbs`),
    ...required(rule.apiGroups, `${path}.apiGroups`, 'resource rules must supply at least one api group'),
    ...starAlone(rule.apiGroups, `${path}.apiGroups`, 'api groups'),
    ...required(rule.resources, `${path}.resources`, 'resource rules must supply at least one resource'),
    ...starAlone(rule.resources, `${path}.resources`, 'resources'),
    ...(scoped
      ? starAlone(rule.namespaces, `${path}.namespaces`, 'namespaces')
      : [
          field.required(
            `${path}.namespaces`,
            'resource rules that are not cluster scoped must supply at least one namespace',
          ),
        ]),
  ];
}

const urlForm = /^\/(\S*[^/\s])?(\/\*)?\/?$/;

function validateRules(rules: PolicyRulesWithSubjects, path: string): Errors {
  const none = !rules.resourceRules?.length && !rules.nonResourceRules?.length;
  return [
    ...required(rules.subjects, `${path}.subjects`, 'subjects must contain at least one value'),
    ...each(rules.subjects, `${path}.subjects`, validateSubject),
    ...(none ? [field.required(path, 'at least one of resourceRules and nonResourceRules has to be non-empty')] : []),
    ...each(rules.resourceRules, `${path}.resourceRules`, validateResourceRule),
    ...each(rules.nonResourceRules, `${path}.nonResourceRules`, (rule, at) => [
      ...validateVerbs(rule.verbs, `${at}.verbs`),
      ...required(rule.nonResourceURLs, `${at}.nonResourceURLs`, 'nonResourceURLs must contain at least one value'),
      ...starAlone(rule.nonResourceURLs, `${at}.nonResourceURLs`, 'non-resource URLs'),
      ...each(rule.nonResourceURLs, `${at}.nonResourceURLs`, (url, where) =>
        url === '*' || urlForm.test(url)
          ? []
          : [field.invalid(where, url, "must start with '/' and must not contain white-space")],
      ),
    ]),
  ];
}

/** The two schemas that the server always has may not be changed. */
function validateMandatory(kind: 'flowSchemas' | 'priorityLevels', name: string, spec: object): Errors {
  const own = mandatory[kind].find(obj => obj.metadata.name === name);
  if (!own || same(own.spec, spec)) return [];
  return [field.invalid('spec', spec, `spec of '${name}' must equal the fixed value`)];
}

export function validateFlowSchema({ metadata, spec }: FlowSchema): Errors {
  const precedence = spec.matchingPrecedence ?? 0;
  const path = 'spec.matchingPrecedence';
  const wrong = (why: string) => field.invalid(path, precedence, why);
  return [
    ...validateMandatory('flowSchemas', metadata.name, spec),
    ...(precedence <= 0 ? [wrong('must be a positive value')] : []),
    ...(precedence > maxPrecedence ? [wrong(`must not be greater than ${maxPrecedence}`)] : []),
    ...(precedence === 1 && metadata.name !== 'exempt'
      ? [wrong("only the schema named 'exempt' may have matchingPrecedence 1")]
      : []),
    ...optional(spec.distinguisherMethod, 'spec.distinguisherMethod', (method, at) =>
      oneOf(['ByNamespace', 'ByUser'])(method.type, `${at}.type`),
    ),
    ...requiredAnd(
      spec.priorityLevelConfiguration?.name,
      'spec.priorityLevelConfiguration.name',
      objectName(),
      'must reference a priority level',
    ),
    ...each(spec.rules, 'spec.rules', validateRules),
  ];
}

/** Bits of hash that dealing `hand` of `deck` cards takes. */
function requiredBits(deck: number, hand: number): number {
  let bits = 0;
  for (let i = 0; i < hand; i++) bits += Math.log2(deck - i);
  return Math.ceil(bits);
}

function validateQueuing(queuing: QueuingConfiguration, path: string): Errors {
  const { queueLengthLimit = 0, queues = 0, handSize = 0 } = queuing;
  const at = (key: string) => `${path}.${key}`;
  return [
    ...(queueLengthLimit <= 0 ? [field.invalid(at('queueLengthLimit'), queueLengthLimit, 'must be positive')] : []),
    ...(queues <= 0 ? [field.invalid(at('queues'), queues, 'must be positive')] : []),
    ...(queues > maxQueues ? [field.invalid(at('queues'), queues, `must not be greater than ${maxQueues}`)] : []),
    ...(handSize <= 0 ? [field.invalid(at('handSize'), handSize, 'must be positive')] : []),
    ...(handSize > queues
      ? [field.invalid(at('handSize'), handSize, `should not be greater than queues (${queues})`)]
      : requiredBits(queues, handSize) > maxHashBits
        ? [
            field.invalid(
              at('handSize'),
              handSize,
              `required entropy bits of deckSize ${queues} and handSize ${handSize} should not be greater than ${maxHashBits}`,
            ),
          ]
        : []),
  ];
}

function percent(value: number | undefined, path: string): Errors {
  return optional(value, path, (number, at) =>
    number < 0 || number > 100 ? [field.invalid(at, number, 'must be between 0 and 100, inclusive')] : [],
  );
}

function validateLimited(limited: LimitedPriorityLevelConfiguration, path: string): Errors {
  const { nominalConcurrencyShares: shares = 0, limitResponse, borrowingLimitPercent: borrowing } = limited;
  const at = `${path}.limitResponse`;
  const queued = limitResponse?.type === 'Queue';
  return [
    ...(shares < 0
      ? [field.invalid(`${path}.nominalConcurrencyShares`, shares, 'must be a non-negative integer')]
      : []),
    ...percent(limited.lendablePercent, `${path}.lendablePercent`),
    ...(borrowing !== undefined && borrowing < 0
      ? [field.invalid(`${path}.borrowingLimitPercent`, borrowing, 'if specified, must be a non-negative integer')]
      : []),
    ...requiredOneOf(limitResponse?.type, `${at}.type`, ['Queue', 'Reject']),
    ...forbidden(
      !queued && limitResponse?.queuing,
      `${at}.queuing`,
      'must be nil if limited.limitResponse.type is not Limited',
    ),
    ...(queued
      ? limitResponse?.queuing
        ? validateQueuing(limitResponse.queuing, `${at}.queuing`)
        : [field.required(`${at}.queuing`, 'must not be empty if limited.limitResponse.type is Limited')]
      : []),
  ];
}

export function validatePriorityLevel({ metadata, spec }: PriorityLevelConfiguration): Errors {
  const isExempt = metadata.name === 'exempt';
  const path = 'spec.type';
  if (spec.type === 'Exempt') {
    return [
      ...(isExempt ? [] : [field.invalid(path, spec.type, "type must be 'Exempt' if and only if name is 'exempt'")]),
      ...forbidden(spec.limited, 'spec.limited', 'must be nil if the type is not Limited'),
      ...percent(spec.exempt?.lendablePercent, 'spec.exempt.lendablePercent'),
    ];
  }
  if (spec.type !== 'Limited') return [field.notSupported(path, spec.type ?? '', ['Exempt', 'Limited'])];
  return [
    ...(isExempt ? [field.invalid(path, spec.type, "type must be 'Exempt' if and only if name is 'exempt'")] : []),
    ...(metadata.name === 'catch-all' ? validateMandatory('priorityLevels', metadata.name, spec) : []),
    ...forbidden(spec.exempt, 'spec.exempt', 'must be nil if the type is Limited'),
    ...(spec.limited
      ? validateLimited(spec.limited, 'spec.limited')
      : [field.required('spec.limited', 'must not be empty when type is Limited')]),
  ];
}
