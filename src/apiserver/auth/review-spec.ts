/** The question of an access review: its rules and how authorizers see it (pkg/apis/authorization/validation and pkg/registry/authorization/util of v1.35). */
import {
  type FieldRequirement,
  fieldSelectorOf,
  newRequirement,
  type Operator,
  parseFieldSelector,
  parseLabelSelector,
  type Requirement,
  selectorOf,
} from '../../api/selectors/index.ts';
import type { UserInfo } from '../../api/transport.ts';
import type {
  FieldSelectorAttributes,
  LabelSelectorAttributes,
  NonResourceAttributes,
  ResourceAttributes,
} from '../../api/types/authorization-v1.ts';
import type { FieldSelectorRequirement, LabelSelectorRequirement, ObjectMeta } from '../../api/types/meta-v1.ts';
import { type Check, type Errors, each } from '../registry/checks.ts';
import { field } from '../registry/field-errors.ts';
import { validateLabelRequirement, validateOperator } from '../registry/meta/label-selector.ts';
import type { Attributes } from './contract.ts';

export interface ReviewSpec {
  readonly resourceAttributes?: ResourceAttributes;
  readonly nonResourceAttributes?: NonResourceAttributes;
  readonly user?: string;
  readonly groups?: readonly string[];
}

export interface Question {
  readonly attributes: Attributes;
  /** What of it could not be understood, and is not asked. */
  readonly ignored: readonly string[];
}

/** The question of a review, as authorizers take it. */
export function questionOf(spec: ReviewSpec, user: UserInfo): Question {
  const r = spec.resourceAttributes;
  const none = { group: '', version: '', resource: '', subresource: '', namespace: '', name: '' };
  if (!r) {
    const { path = '', verb = '' } = spec.nonResourceAttributes ?? {};
    return { attributes: { ...none, user, verb, path, isResource: false }, ignored: [] };
  }
  const fields = understand('fieldSelector', () => fieldsOf(r.fieldSelector));
  const labels = understand('labelSelector', () => labelsOf(r.labelSelector));
  const attributes: Attributes = {
    user,
    verb: r.verb ?? '',
    group: r.group ?? '',
    version: r.version || '*',
    resource: r.resource ?? '',
    subresource: r.subresource ?? '',
    namespace: r.namespace ?? '',
    name: r.name ?? '',
    isResource: true,
    path: '',
    ...(fields.text && { fieldSelector: fields.text }),
    ...(labels.text && { labelSelector: labels.text }),
  };
  return { attributes, ignored: [...fields.ignored, ...labels.ignored] };
}

interface Understood {
  readonly text: string;
  /** True when some requirements are left out. */
  readonly partial: boolean;
}

/** Authorizers are asked without what cannot be parsed: they may then say no to more, never yes. */
function understand(name: string, parse: () => Understood): { text: string; ignored: string[] } {
  const complaint = (how: string) => `spec.resourceAttributes.${name} ${how} due to parse error`;
  try {
    const { text, partial } = parse();
    return { text, ignored: partial ? [complaint(text ? 'partially ignored' : 'ignored')] : [] };
  } catch {
    return { text: '', ignored: [complaint('ignored')] };
  }
}

function fieldsOf({ rawSelector = '', requirements = [] }: FieldSelectorAttributes = {}): Understood {
  if (requirements.length === 0) return { text: parseFieldSelector(rawSelector).toString(), partial: false };
  const known = requirements.flatMap(fieldRequirement);
  return { text: fieldSelectorOf(known).toString(), partial: known.length < requirements.length };
}

/** Fields are compared with one value only. */
function fieldRequirement({ key, operator, values = [] }: FieldSelectorRequirement): FieldRequirement[] {
  const [value = '', ...more] = values;
  if (values.length === 0 || more.length > 0) return [];
  if (operator === 'In') return [{ field: key, operator: '=', value }];
  return operator === 'NotIn' ? [{ field: key, operator: '!=', value }] : [];
}

const labelOperators: Readonly<Record<string, Operator>> = {
  In: 'in',
  NotIn: 'notin',
  Exists: 'exists',
  DoesNotExist: '!',
};

function labelsOf({ rawSelector = '', requirements = [] }: LabelSelectorAttributes = {}): Understood {
  if (requirements.length === 0) return { text: parseLabelSelector(rawSelector).toString(), partial: false };
  const known = requirements.flatMap(({ key, operator, values }): Requirement[] => {
    const known = Object.hasOwn(labelOperators, operator) ? labelOperators[operator] : undefined;
    return known ? [newRequirement(key, known, values ?? [])] : [];
  });
  return { text: selectorOf(known).toString(), partial: known.length < requirements.length };
}

export function validateReviewSpec(spec: ReviewSpec, withUser: boolean): Errors {
  const { resourceAttributes, nonResourceAttributes, user = '', groups = [] } = spec;
  return [
    ...(resourceAttributes && nonResourceAttributes
      ? [
          field.invalid(
            'spec.nonResourceAttributes',
            asUpstreamPrints(nonResourceAttributes),
            'cannot be specified in combination with resourceAttributes',
          ),
        ]
      : []),
    ...(resourceAttributes || nonResourceAttributes
      ? []
      : [
          field.invalid(
            'spec.resourceAttributes',
            null,
            'exactly one of nonResourceAttributes or resourceAttributes must be specified',
          ),
        ]),
    ...(withUser && !user && groups.length === 0
      ? [field.invalid('spec.user', user, 'at least one of user or group must be specified')]
      : []),
    ...validateSelector(
      resourceAttributes?.fieldSelector,
      'spec.resourceAttributes.fieldSelector',
      validateFieldRequirement,
    ),
    ...validateSelector(resourceAttributes?.labelSelector, 'spec.resourceAttributes.labelSelector', (r, path) =>
      validateLabelRequirement(r, path, { anyOperator: true }),
    ),
  ];
}

/** Complaints show the internal type, whose fields have no JSON names. */
export const asUpstreamPrints = ({ path = '', verb = '' }: NonResourceAttributes): object => ({
  Path: path,
  Verb: verb,
});

function validateSelector<R extends FieldSelectorRequirement | LabelSelectorRequirement>(
  selector: { rawSelector?: string; requirements?: R[] } | undefined,
  path: string,
  validate: Check<R>,
): Errors {
  if (!selector) return [];
  const { rawSelector = '', requirements = [] } = selector;
  const both = 'may not specified at the same time as requirements';
  const neither = `when ${path} is specified, requirements or rawSelector is required`;
  return [
    ...(rawSelector && requirements.length > 0 ? [field.invalid(`${path}.rawSelector`, rawSelector, both)] : []),
    ...(!rawSelector && requirements.length === 0 ? [field.required(`${path}.requirements`, neither)] : []),
    ...each(requirements, `${path}.requirements`, validate),
  ];
}

function validateFieldRequirement({ key, operator, values }: FieldSelectorRequirement, path: string): Errors {
  return [
    ...(key ? [] : [field.required(`${path}.key`, 'must be specified')]),
    ...(validateOperator(operator, values, path) ?? []),
  ];
}

/** Reviews are not stored: they have no metadata but, some of them, a namespace. */
export function validateReviewMetadata(metadata: ObjectMeta | undefined, allowNamespace: boolean): Errors {
  const { managedFields, namespace, ...others } = metadata ?? ({} as Partial<ObjectMeta>);
  const rest = allowNamespace ? others : { ...others, namespace };
  const given = Object.values(rest).some(value => value && Object.keys(value).length > 0);
  if (!given) return [];
  return [field.invalid('metadata', metadata, allowNamespace ? 'must be empty except for namespace' : 'must be empty')];
}
