/** Admission policies without their expressions, which the evaluator compiles. */

import { parseApiVersion } from '../../../api/schema.ts';
import type {
  MutatingAdmissionPolicy,
  Mutation,
  ParamKind,
  ParamRef,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  Validation,
  Variable,
} from '../../../api/types/admissionregistration-v1.ts';
import { isCIdentifier, isDns1035Label, isDns1123Subdomain, isQualifiedName } from '../../../api/validation/names.ts';
import {
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
} from '../checks.ts';
import { field } from '../field-errors.ts';
import { validateLabelSelector } from '../meta/label-selector.ts';
import { validateMatchConditions, validateMatchResources } from './rules.ts';

function validateParamKind(kind: ParamKind | undefined): Errors {
  if (!kind) return [];
  const path = 'spec.paramKind';
  const { group, version } = parseApiVersion(kind.apiVersion ?? '');
  return [
    ...(kind.apiVersion
      ? [
          ...(group ? invalidAll(`${path}.apiVersion`, group, isDns1123Subdomain(group)) : []),
          ...invalidAll(`${path}.apiVersion`, version, isDns1035Label(version)),
        ]
      : [field.required(`${path}.apiVersion`)]),
    ...requiredAnd(kind.kind, `${path}.kind`, (value, at) =>
      invalidAll(at, value, isDns1035Label(value.toLowerCase())),
    ),
  ];
}

function validateVariables(variables: readonly Variable[] | undefined): Errors {
  const names = new Set<string>();
  return each(variables, 'spec.variables', ({ name, expression }, at) => {
    const twice = names.has(name);
    names.add(name);
    return [
      ...requiredAnd(name, `${at}.name`, (value, where) =>
        isCIdentifier(value).length > 0 ? [field.invalid(where, value, 'name is not a valid CEL identifier')] : [],
      ),
      ...(twice ? [field.duplicate(`${at}.name`, name)] : []),
      ...(expression?.trim() ? [] : [field.required(`${at}.expression`, 'expression is not specified')]),
    ];
  });
}

const reasons = ['Forbidden', 'Invalid', 'RequestEntityTooLarge', 'Unauthorized'];

function validateValidation(validation: Validation, path: string): Errors {
  const { expression, message, messageExpression, reason } = validation;
  return [
    ...(expression?.trim() ? [] : [field.required(`${path}.expression`, 'expression is not specified')]),
    ...(message !== undefined && message.trim() === '' && message !== ''
      ? [field.invalid(`${path}.message`, message, 'message must be non-empty if specified')]
      : []),
    ...(message?.trim().includes('\n')
      ? [field.invalid(`${path}.message`, message, 'message must not contain line breaks')]
      : []),
    ...(expression?.includes('\n') && !message
      ? [field.required(`${path}.message`, 'message must be specified if expression contains line breaks')]
      : []),
    ...(messageExpression !== undefined && messageExpression !== '' && messageExpression.trim() === ''
      ? [field.invalid(`${path}.messageExpression`, messageExpression, 'must be non-empty if specified')]
      : []),
    ...optional(reason, `${path}.reason`, oneOf(reasons)),
  ];
}

const failurePolicy = ['Fail', 'Ignore'];

interface CommonSpec {
  failurePolicy?: string;
  paramKind?: ParamKind;
  matchConstraints?: ValidatingAdmissionPolicy['spec']['matchConstraints'];
  matchConditions?: ValidatingAdmissionPolicy['spec']['matchConditions'];
  variables?: Variable[];
}

function validateCommon(spec: CommonSpec): Errors {
  const match = 'spec.matchConstraints';
  return [
    ...requiredOneOf(spec.failurePolicy, 'spec.failurePolicy', failurePolicy),
    ...validateParamKind(spec.paramKind),
    ...(spec.matchConstraints
      ? [
          ...validateMatchResources(spec.matchConstraints, match),
          ...required(spec.matchConstraints.resourceRules, `${match}.resourceRules`),
        ]
      : [field.required(match)]),
    ...validateMatchConditions(spec.matchConditions, 'spec.matchConditions'),
    ...validateVariables(spec.variables),
  ];
}

export function validateValidatingPolicy({ spec }: ValidatingAdmissionPolicy): Errors {
  const none = !spec.validations?.length && !spec.auditAnnotations?.length;
  const keys = new Set<string>();
  return [
    ...validateCommon(spec),
    ...(none
      ? [field.required('spec.validations', 'validations or auditAnnotations must contain at least one item')]
      : []),
    ...each(spec.validations, 'spec.validations', validateValidation),
    ...each(spec.auditAnnotations, 'spec.auditAnnotations', ({ key, valueExpression }, at) => {
      const twice = keys.has(key);
      keys.add(key);
      return [
        ...invalidAll(`${at}.key`, key, isQualifiedName(key ?? '')),
        ...(twice ? [field.duplicate(`${at}.key`, key)] : []),
        ...(valueExpression?.trim()
          ? []
          : [field.required(`${at}.valueExpression`, 'valueExpression is not specified')]),
      ];
    }),
  ];
}

function validateMutation(mutation: Mutation, path: string): Errors {
  const { patchType, applyConfiguration: apply, jsonPatch } = mutation;
  const expression = (source: { expression?: string } | undefined, key: string): Errors =>
    source?.expression?.trim() ? [] : [field.required(`${path}.${key}.expression`, 'expression is not specified')];
  if (!patchType) return [field.required(`${path}.patchType`)];
  if (patchType === 'ApplyConfiguration') {
    return [
      ...expression(apply, 'applyConfiguration'),
      ...forbidden(jsonPatch, `${path}.jsonPatch`, 'must not be set when patchType is ApplyConfiguration'),
    ];
  }
  if (patchType !== 'JSONPatch') return oneOf(['ApplyConfiguration', 'JSONPatch'])(patchType, `${path}.patchType`);
  return [
    ...expression(jsonPatch, 'jsonPatch'),
    ...forbidden(apply, `${path}.applyConfiguration`, 'must not be set when patchType is JSONPatch'),
  ];
}

export function validateMutatingPolicy({ spec }: MutatingAdmissionPolicy): Errors {
  return [
    ...validateCommon(spec),
    ...required(spec.mutations, 'spec.mutations', 'mutations must contain at least one item'),
    ...each(spec.mutations, 'spec.mutations', validateMutation),
    ...requiredOneOf(spec.reinvocationPolicy, 'spec.reinvocationPolicy', ['IfNeeded', 'Never']),
  ];
}

function validateParamRef(ref: ParamRef | undefined): Errors {
  if (!ref) return [];
  const path = 'spec.paramRef';
  const both = ref.name && ref.selector;
  return [
    ...(both
      ? [field.forbidden(`${path}.name`, 'name and selector are mutually exclusive')]
      : ref.name
        ? objectName()(ref.name, `${path}.name`)
        : ref.selector
          ? validateLabelSelector(ref.selector, `${path}.selector`)
          : [field.required(path, 'one of name or selector must be specified')]),
    ...requiredOneOf(ref.parameterNotFoundAction, `${path}.parameterNotFoundAction`, ['Allow', 'Deny']),
  ];
}

interface Binding {
  policyName?: string;
  paramRef?: ParamRef;
  matchResources?: ValidatingAdmissionPolicyBinding['spec']['matchResources'];
}

export function validatePolicyBinding(spec: Binding): Errors {
  return [
    ...requiredAnd(spec.policyName, 'spec.policyName', objectName()),
    ...validateParamRef(spec.paramRef),
    ...validateMatchResources(spec.matchResources, 'spec.matchResouces'),
  ];
}

export function validateActions(actions: readonly string[] | undefined): Errors {
  const path = 'spec.validationActions';
  const list = actions ?? [];
  const seen = new Set<string>();
  return [
    ...required(list, path),
    ...each(list, path, (action, at) => {
      const errors = oneOf(['Audit', 'Deny', 'Warn'])(action, at);
      if (seen.has(action)) errors.push(field.duplicate(at, action));
      seen.add(action);
      return errors;
    }),
    ...(list.includes('Deny') && list.includes('Warn')
      ? [
          field.invalid(
            path,
            list,
            'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)',
          ),
        ]
      : []),
  ];
}
