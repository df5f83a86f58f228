/** Admission policies without their expressions, which the evaluator compiles (pkg/apis/admissionregistration/validation). */
import type {
  AuditAnnotation,
  ParamKind,
  ParamRef,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  Validation,
  Variable,
} from '../../../api/types/admissionregistration-v1.ts';
import { isDns1035Label, isDns1123Subdomain } from '../../../api/validation/names.ts';
import {
  type Errors,
  each,
  forbidden,
  nonEmpty,
  objectName,
  oneOf,
  optional,
  pathSegment,
  qualifiedName,
  required,
  requiredAnd,
  requiredOneOf,
  unique,
} from '../checks.ts';
import { field } from '../field-errors.ts';
import { validateConditions } from '../meta/conditions.ts';
import { validateLabelSelector } from '../meta/label-selector.ts';
import { validateMatchConditions, validateMatchResources } from './rules.ts';

const maxAnnotations = 20;
const maxValueExpression = 5 * 1024;
/** Words that CEL keeps for itself. */
const reserved = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
);
const isIdentifier = (name: string) => /^[_a-zA-Z][_a-zA-Z0-9]*$/.test(name) && !reserved.has(name);

/** All complaints of one part as one. */
const joined = (path: string, value: string, complaints: readonly string[], before = ''): Errors =>
  complaints.length > 0 ? [field.invalid(path, value, before + complaints.join(','))] : [];

function validateParamVersion(apiVersion: string | undefined, path: string): Errors {
  if (!apiVersion) return [field.required(path)];
  const parts = apiVersion === '/' ? [''] : apiVersion.split('/');
  if (parts.length > 2) return [field.invalid(path, apiVersion, `unexpected GroupVersion string: ${apiVersion}`)];
  const version = parts.pop() ?? '';
  const [group = ''] = parts;
  return [
    ...(group ? joined(path, group, isDns1123Subdomain(group)) : []),
    ...(version
      ? joined(path, version, isDns1035Label(version))
      : [field.invalid(path, apiVersion, 'version must be specified')]),
  ];
}

function validateParamKind({ apiVersion, kind }: ParamKind, path: string): Errors {
  return [
    ...validateParamVersion(apiVersion, `${path}.apiVersion`),
    ...requiredAnd(kind, `${path}.kind`, (value, at) =>
      joined(at, value, isDns1035Label(value.toLowerCase()), 'may have mixed case, but should otherwise match: '),
    ),
  ];
}

/** Only blanks count as nothing. */
const text = (value: string | undefined, path: string, detail: string): Errors =>
  value?.trim() ? [] : [field.required(path, detail)];

function validateVariable({ name, expression }: Variable, path: string): Errors {
  const unnamed = text(name, `${path}.name`, 'name is not specified');
  const wrong = unnamed.length === 0 && !isIdentifier(name);
  return [
    ...unnamed,
    ...(wrong ? [field.invalid(`${path}.name`, name, 'must be a valid CEL identifier')] : []),
    ...text(expression, `${path}.expression`, 'expression is not specified'),
  ];
}

const reasons = ['Forbidden', 'Invalid', 'RequestEntityTooLarge'];

function validateMessage(message: string, path: string): Errors {
  if (!message.trim()) return [field.invalid(path, message, 'must be non-empty if specified')];
  return /[\n\r]/.test(message.trim()) ? [field.invalid(path, message, 'must not contain line breaks')] : [];
}

function validateValidation({ expression, message, messageExpression, reason }: Validation, path: string): Errors {
  return [
    ...text(expression, `${path}.expression`, 'expression is not specified'),
    ...nonEmpty(messageExpression, `${path}.messageExpression`, (value, at) =>
      value.trim() ? [] : [field.invalid(at, value, 'must be non-empty if specified')],
    ),
    ...nonEmpty(message, `${path}.message`, validateMessage),
    ...optional(reason, `${path}.reason`, oneOf(reasons)),
  ];
}

/** Keys are prefixed with the policy's name. */
function validateAnnotation({ key = '', valueExpression }: AuditAnnotation, path: string, policy: string): Errors {
  const at = `${path}.valueExpression`;
  return [
    ...(policy
      ? qualifiedName(`${policy}/${key}`, `${path}.key`)
      : [field.invalid(`${path}.key`, key, 'requires metadata.name be non-empty')]),
    ...text(valueExpression, at, 'valueExpression is not specified'),
    ...((valueExpression?.trim().length ?? 0) > maxValueExpression
      ? [field.required(at, `must not exceed ${maxValueExpression} bytes in length`)]
      : []),
  ];
}

function validateAnnotations({ metadata, spec }: ValidatingAdmissionPolicy): Errors {
  const path = 'spec.auditAnnotations';
  const list = spec.auditAnnotations ?? [];
  return [
    ...(list.length > maxAnnotations
      ? [field.invalid(path, list, `must not have more than ${maxAnnotations} auditAnnotations`)]
      : []),
    ...each(list, path, (annotation, at) => validateAnnotation(annotation, at, metadata.name)),
    ...unique(
      list,
      path,
      annotation => annotation.key ?? '',
      at => `${at}.key`,
    ),
  ];
}

function validateOutcomes(policy: ValidatingAdmissionPolicy): Errors {
  const { validations, auditAnnotations } = policy.spec;
  if (validations?.length || auditAnnotations?.length) {
    return [...each(validations, 'spec.validations', validateValidation), ...validateAnnotations(policy)];
  }
  const detail = 'validations or auditAnnotations must contain at least one item';
  return [field.required('spec.validations', detail), field.required('spec.auditAnnotations', detail)];
}

export function validateValidatingPolicy(policy: ValidatingAdmissionPolicy): Errors {
  const { spec } = policy;
  const match = 'spec.matchConstraints';
  return [
    ...oneOf(['Fail', 'Ignore'])(spec.failurePolicy, 'spec.failurePolicy'),
    ...optional(spec.paramKind, 'spec.paramKind', validateParamKind),
    ...(spec.matchConstraints
      ? [
          ...validateMatchResources(spec.matchConstraints, match),
          ...required(spec.matchConstraints.resourceRules, `${match}.resourceRules`),
        ]
      : [field.required(match)]),
    ...validateMatchConditions(spec.matchConditions, 'spec.matchConditions'),
    ...each(spec.variables, 'spec.variables', validateVariable),
    ...validateOutcomes(policy),
  ];
}

export function validatePolicyStatus({ status }: ValidatingAdmissionPolicy): Errors {
  const path = 'status.typeChecking.expressionWarnings';
  return [
    ...each(status?.typeChecking?.expressionWarnings, path, ({ warning, fieldRef }, at) => [
      ...required(warning, `${at}.warning`),
      ...text(fieldRef, `${at}.fieldRef`, ''),
    ]),
    ...validateConditions(status?.conditions, 'status.conditions'),
  ];
}

function validateParamRef(ref: ParamRef, path: string): Errors {
  const both = ref.name && ref.selector;
  const why = 'name and selector are mutually exclusive';
  return [
    ...nonEmpty(ref.name, `${path}.name`, pathSegment),
    ...forbidden(both, `${path}.name`, why),
    ...validateLabelSelector(ref.selector, `${path}.selector`),
    ...forbidden(both, `${path}.selector`, why),
    ...(ref.name || ref.selector ? [] : [field.required(path, 'one of name or selector must be specified')]),
    ...requiredOneOf(ref.parameterNotFoundAction, `${path}.parameterNotFoundAction`, ['Deny', 'Allow']),
  ];
}

function validateActions(actions: readonly string[] | undefined): Errors {
  const path = 'spec.validationActions';
  const list = actions ?? [];
  const both = list.includes('Deny') && list.includes('Warn');
  return [
    ...each(list, path, oneOf(['Audit', 'Deny', 'Warn'])),
    ...unique(list, path, action => action),
    ...(both
      ? [
          field.invalid(
            path,
            list,
            'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)',
          ),
        ]
      : []),
    ...required(list, path, 'at least one validation action is required'),
  ];
}

export function validatePolicyBinding({ spec }: ValidatingAdmissionPolicyBinding): Errors {
  return [
    ...requiredAnd(spec.policyName, 'spec.policyName', objectName()),
    ...optional(spec.paramRef, 'spec.paramRef', validateParamRef),
    ...validateMatchResources(spec.matchResources, 'spec.matchResources'),
    ...validateActions(spec.validationActions),
  ];
}
