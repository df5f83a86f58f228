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
import { nameIsDnsLabel, nameIsDnsSubdomain } from '../../../api/validation/names.ts';
import {
  type Check,
  type Errors,
  each,
  forbidden,
  invalidAll,
  objectName,
  optional,
  required,
  requiredAnd,
  same,
  unique,
} from '../checks.ts';
import { field } from '../field-errors.ts';
import { internalForm } from '../internal-form.ts';
import { mandatory } from './bootstrap.ts';
import { shownFlowSchema, shownLevel } from './shown.ts';

const maxPrecedence = 10_000;
const maxQueues = 10_000_000;
const maxHashBits = 60;
const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'proxy', 'update', 'watch'];

const methods = ['ByNamespace', 'ByUser'];
const members = { User: 'user', Group: 'group', ServiceAccount: 'serviceAccount' } as const;

function validateAccount(account: NonNullable<Subject['serviceAccount']>, path: string): Errors {
  const name: Check<string> = (value, at) => invalidAll(at, value, nameIsDnsSubdomain(value, false));
  return [
    ...(account.name === '*' ? [] : requiredAnd(account.name, `${path}.name`, name)),
    ...requiredAnd(
      account.namespace,
      `${path}.namespace`,
      objectName(nameIsDnsLabel),
      'must specify namespace for service account',
    ),
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

/** A list that must have items; "*" stands alone, other items are checked. */
function listOrStar(
  list: readonly string[] | undefined,
  path: string,
  missing: string,
  what: string,
  check: Check<readonly string[]> = () => [],
): Errors {
  if (!list?.length) return [field.required(path, missing)];
  if (!list.includes('*')) return check(list, path);
  return list.length > 1 ? [field.invalid(path, list, `if '*' is present, must not specify other ${what}`)] : [];
}

const validateVerbs = (list: readonly string[] | undefined, path: string): Errors =>
  listOrStar(list, path, 'verbs must contain at least one value', 'verbs', (all, at) =>
    all.some(verb => !verbs.includes(verb)) ? [field.notSupported(at, all, verbs)] : [],
  );

const validateNamespaces: Check<readonly string[]> = (list, path) =>
  each(list, path, (name, at) =>
    nameIsDnsLabel(name, false).map(why =>
      field.invalid(at, name, `each member of this list must be '*' or a DNS-1123 label; ${why}`),
    ),
  );

function validateResourceRule(rule: ResourcePolicyRule, path: string): Errors {
  const { namespaces, clusterScope } = rule;
  const at = `${path}.namespaces`;
  const unscoped = 'resource rules that are not cluster scoped must supply at least one namespace';
  return [
    ...validateVerbs(rule.verbs, `${path}.verbs`),
    ...listOrStar(
      rule.apiGroups,
      `${path}.apiGroups`,
      'resource rules must supply at least one api group',
      'api groups',
    ),
    ...listOrStar(rule.resources, `${path}.resources`, 'resource rules must supply at least one resource', 'resources'),
    ...(clusterScope && !namespaces?.length
      ? []
      : listOrStar(namespaces, at, unscoped, 'namespaces', validateNamespaces)),
  ];
}

const urlPath: Check<string> = (url, path) => {
  const wrong = (why: string) => [field.invalid(path, url, why)];
  if (url === '') return wrong('must not be empty');
  if (url === '/') return [];
  if (!url.startsWith('/')) return wrong('must start with slash');
  if (url.includes(' ')) return wrong('must not contain white-space');
  if (url.includes('//')) return wrong('must not contain double slash');
  const stars = url.split('*').length - 1;
  return stars > 1 || (stars === 1 && !url.endsWith('/*')) ? wrong('wildcard can only do suffix matching') : [];
};

function validateRules(rules: PolicyRulesWithSubjects, path: string): Errors {
  const none = !rules.resourceRules?.length && !rules.nonResourceRules?.length;
  return [
    ...required(rules.subjects, `${path}.subjects`, 'subjects must contain at least one value'),
    ...each(rules.subjects, `${path}.subjects`, validateSubject),
    ...(none ? [field.required(path, 'at least one of resourceRules and nonResourceRules has to be non-empty')] : []),
    ...each(rules.resourceRules, `${path}.resourceRules`, validateResourceRule),
    ...each(rules.nonResourceRules, `${path}.nonResourceRules`, (rule, at) => [
      ...validateVerbs(rule.verbs, `${at}.verbs`),
      ...listOrStar(
        rule.nonResourceURLs,
        `${at}.nonResourceURLs`,
        'nonResourceURLs must contain at least one value',
        'non-resource URLs',
        (urls, where) => each(urls, where, urlPath),
      ),
    ]),
  ];
}

/** The two schemas that the server always has may not be changed. */
function validateMandatory(kind: 'flowSchemas' | 'priorityLevels', name: string, spec: object): Errors {
  const own = mandatory[kind].find(obj => obj.metadata.name === name);
  if (!own || same(own.spec, spec)) return [];
  const shown = internalForm(kind === 'flowSchemas' ? shownFlowSchema : shownLevel, spec);
  return [field.invalid('spec', shown, `spec of '${name}' must equal the fixed value`)];
}

export function validateFlowSchema({ metadata, spec }: FlowSchema): Errors {
  const precedence = spec.matchingPrecedence ?? 0;
  const path = 'spec.matchingPrecedence';
  const wrong = (why: string) => field.invalid(path, precedence, why);
  return [
    ...(precedence <= 0 ? [wrong('must be a positive value')] : []),
    ...(precedence > maxPrecedence ? [wrong(`must not be greater than ${maxPrecedence}`)] : []),
    ...(precedence === 1 && metadata.name !== 'exempt'
      ? [wrong("only the schema named 'exempt' may have matchingPrecedence 1")]
      : []),
    ...optional(spec.distinguisherMethod, 'spec.distinguisherMethod', ({ type }, at) =>
      methods.includes(type) ? [] : [field.notSupported(`${at}.type`, { Type: type }, methods)],
    ),
    ...requiredAnd(
      spec.priorityLevelConfiguration?.name,
      'spec.priorityLevelConfiguration.name',
      objectName(),
      'must reference a priority level',
    ),
    ...each(spec.rules, 'spec.rules', validateRules),
    ...validateMandatory('flowSchemas', metadata.name, spec),
  ];
}

/** Bits of hash that dealing `hand` of `deck` cards takes, as upstream estimates them. */
const requiredBits = (deck: number, hand: number): number => Math.ceil(Math.log2(deck) * hand);

function validateQueuing(queuing: QueuingConfiguration, path: string): Errors {
  const { queueLengthLimit = 0, queues = 0, handSize = 0 } = queuing;
  const at = (key: string) => `${path}.${key}`;
  return [
    ...(queueLengthLimit <= 0 ? [field.invalid(at('queueLengthLimit'), queueLengthLimit, 'must be positive')] : []),
    ...(queues <= 0 ? [field.invalid(at('queues'), queues, 'must be positive')] : []),
    ...(queues > maxQueues ? [field.invalid(at('queues'), queues, `must not be greater than ${maxQueues}`)] : []),
    ...(handSize <= 0
      ? [field.invalid(at('handSize'), handSize, 'must be positive')]
      : handSize > queues
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

function validateLimitResponse(response: LimitedPriorityLevelConfiguration['limitResponse'], path: string): Errors {
  const { type, queuing } = response ?? {};
  const at = `${path}.queuing`;
  if (type === 'Reject') return forbidden(queuing, at, 'must be nil if limited.limitResponse.type is not Limited');
  if (type !== 'Queue') return [field.notSupported(`${path}.type`, type ?? '', ['Queue', 'Reject'])];
  return queuing
    ? validateQueuing(queuing, at)
    : [field.required(at, 'must not be empty if limited.limitResponse.type is Limited')];
}

function validateShares(shares: number | undefined, path: string): Errors {
  return optional(shares, `${path}.nominalConcurrencyShares`, (value, at) =>
    value < 0 ? [field.invalid(at, value, 'must be a non-negative integer')] : [],
  );
}

function validateLimited(limited: LimitedPriorityLevelConfiguration, path: string): Errors {
  return [
    ...validateShares(limited.nominalConcurrencyShares, path),
    ...validateLimitResponse(limited.limitResponse, `${path}.limitResponse`),
    ...percent(limited.lendablePercent, `${path}.lendablePercent`),
    ...optional(limited.borrowingLimitPercent, `${path}.borrowingLimitPercent`, (value, at) =>
      value < 0 ? [field.invalid(at, value, 'if specified, must be a non-negative integer')] : [],
    ),
  ];
}

function validateType({ type, limited, exempt }: PriorityLevelConfiguration['spec']): Errors {
  if (type === 'Exempt') {
    return [
      ...forbidden(limited, 'spec.limited', 'must be nil if the type is not Limited'),
      ...optional(exempt, 'spec.exempt', ({ nominalConcurrencyShares, lendablePercent }, at) => [
        ...validateShares(nominalConcurrencyShares, at),
        ...percent(lendablePercent, `${at}.lendablePercent`),
      ]),
    ];
  }
  if (type !== 'Limited') return [field.notSupported('spec.type', type ?? '', ['Exempt', 'Limited'])];
  return [
    ...forbidden(exempt, 'spec.exempt', 'must be nil if the type is Limited'),
    ...(limited
      ? validateLimited(limited, 'spec.limited')
      : [field.required('spec.limited', 'must not be empty when type is Limited')]),
  ];
}

/** Of the level "exempt" only the part that says what it lends may be changed. */
function validateMandatoryLevel({ metadata: { name }, spec }: PriorityLevelConfiguration): Errors {
  if (name !== 'exempt') return validateMandatory('priorityLevels', name, spec);
  const { exempt: _, ...rest } = spec;
  const why = "spec of 'exempt' except the 'spec.exempt' field must equal the fixed value";
  return same(rest, { type: 'Exempt' }) ? [] : [field.invalid('spec', internalForm(shownLevel, spec), why)];
}

const preserveZero = 'flowcontrol.k8s.io/v1beta3-preserve-zero-concurrency-shares';

export function validatePriorityLevel(level: PriorityLevelConfiguration): Errors {
  const { metadata, spec } = level;
  const mismatch = (metadata.name === 'exempt') !== (spec.type === 'Exempt');
  return [
    ...forbidden(
      metadata.annotations?.[preserveZero] !== undefined,
      'metadata.annotations',
      `annotation '${preserveZero}' is forbidden`,
    ),
    ...(mismatch
      ? [field.invalid('spec.type', spec.type ?? '', "must be 'Exempt' if and only if `name` is 'exempt'")]
      : []),
    ...validateType(spec),
    ...validateMandatoryLevel(level),
  ];
}

/** Each condition has a type of its own. */
export function validateFlowStatus({ status }: Pick<FlowSchema, 'status'>): Errors {
  const path = 'status.conditions';
  return [
    ...unique(
      status?.conditions,
      path,
      condition => condition.type ?? '',
      at => `${at}.type`,
    ),
    ...each(status?.conditions, path, ({ type }, at) => required(type, `${at}.type`)),
  ];
}
