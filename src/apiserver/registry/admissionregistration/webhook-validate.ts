import type { MutatingWebhook, ValidatingWebhook } from '../../../api/types/admissionregistration-v1.ts';
import { isDns1035Label } from '../../../api/validation/names.ts';
import { type Errors, each, fullyQualifiedName, invalidAll, oneOf, optional } from '../checks.ts';
import { type FieldError, field } from '../field-errors.ts';
import { validateLabelSelector } from '../meta/label-selector.ts';
import { validateClientConfig } from './client-config.ts';
import { validateMatchConditions, validateRule } from './rules.ts';

const reviewVersions = ['v1', 'v1beta1'];

function validateReviewVersions(versions: readonly string[] | undefined, path: string): Errors {
  const list = versions ?? [];
  if (list.length === 0) return [field.required(path, 'must specify one of v1, v1beta1')];
  const seen = new Set<string>();
  const known = list.some(version => reviewVersions.includes(version));
  return [
    ...each(list, path, (version, at) => {
      const twice = seen.has(version);
      seen.add(version);
      return twice
        ? [field.invalid(at, version, 'duplicate version')]
        : invalidAll(at, version, isDns1035Label(version));
    }),
    ...(known ? [] : [field.invalid(path, list, 'must include at least one of v1, v1beta1')]),
  ];
}

function validateSideEffects(value: string | undefined, path: string): Errors {
  return value === undefined
    ? [field.required(path, 'must specify one of None, NoneOnDryRun')]
    : oneOf(['None', 'NoneOnDryRun'])(value, path);
}

type Webhook = ValidatingWebhook & Pick<MutatingWebhook, 'reinvocationPolicy'>;

function validateWebhook(hook: Webhook, path: string): Errors {
  return [
    ...fullyQualifiedName(hook.name, `${path}.name`),
    ...each(hook.rules, `${path}.rules`, validateRule),
    ...optional(hook.failurePolicy, `${path}.failurePolicy`, oneOf(['Fail', 'Ignore'])),
    ...optional(hook.matchPolicy, `${path}.matchPolicy`, oneOf(['Equivalent', 'Exact'])),
    ...validateSideEffects(hook.sideEffects, `${path}.sideEffects`),
    ...optional(hook.timeoutSeconds, `${path}.timeoutSeconds`, (seconds, at) =>
      seconds < 1 || seconds > 30
        ? [field.invalid(at, seconds, 'the timeout value must be between 1 and 30 seconds')]
        : [],
    ),
    ...validateLabelSelector(hook.namespaceSelector, `${path}.namespaceSelector`),
    ...validateLabelSelector(hook.objectSelector, `${path}.objectSelector`),
    ...optional(hook.reinvocationPolicy, `${path}.reinvocationPolicy`, oneOf(['IfNeeded', 'Never'])),
    ...validateClientConfig(hook.clientConfig, `${path}.clientConfig`),
    ...validateMatchConditions(hook.matchConditions, `${path}.matchConditions`),
    ...validateReviewVersions(hook.admissionReviewVersions, `${path}.admissionReviewVersions`),
  ];
}

/** The webhooks of a configuration; names are unique in it. */
export function validateWebhooks(hooks: readonly Webhook[] | undefined): Errors {
  const names = new Set<string>();
  return each(hooks, 'webhooks', (hook, at) => {
    const twice = hook.name && names.has(hook.name);
    names.add(hook.name);
    return [...validateWebhook(hook, at), ...(twice ? [field.duplicate(`${at}.name`, hook.name)] : [])];
  });
}

const kindOf = (error: FieldError) => `${error.field.replace(/^webhooks\[\d+\]\./, '')}: ${error.message}`;

/** What the old webhooks had wrong, the new ones may keep. */
export function validateWebhooksUpdate(
  hooks: readonly Webhook[] | undefined,
  old: readonly Webhook[] | undefined,
): Errors {
  const before = new Set(validateWebhooks(old).map(kindOf));
  return validateWebhooks(hooks).filter(error => !before.has(kindOf(error)));
}
