import type {
  MutatingWebhook,
  ValidatingWebhook,
  WebhookClientConfig,
} from '../../../api/types/admissionregistration-v1.ts';
import { isDns1035Label, isDns1123Subdomain, isPortNumber } from '../../../api/validation/names.ts';
import { type Errors, each, fullyQualifiedName, invalidAll, oneOf, optional, required } from '../checks.ts';
import { type FieldError, field } from '../field-errors.ts';
import { validateLabelSelector } from '../meta/label-selector.ts';
import { validateMatchConditions, validateRule } from './rules.ts';

const form = 'desired format: https://host[/path]';
const reviewVersions = ['v1', 'v1beta1'];

function parseUrl(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

const userOf = ({ username, password }: URL) => (password ? `${username}:${password}` : username);

/** HTTPS, with a host and perhaps a path, nothing else. */
function validateWebhookUrl(text: string, path: string): Errors {
  const url = parseUrl(text);
  if (!url) return [field.required(path, `url must be a valid URL: ${form}`)];
  return [
    ...(url.protocol === 'https:'
      ? []
      : [field.invalid(path, url.protocol.slice(0, -1), `'https' is the only allowed URL scheme; ${form}`)]),
    ...(url.host === '' ? [field.invalid(path, '', `host must be specified; ${form}`)] : []),
    ...(url.username || url.password
      ? [field.invalid(path, userOf(url), 'user information is not permitted in the URL')]
      : []),
    ...(url.hash ? [field.invalid(path, url.hash.slice(1), 'fragments are not permitted in the URL')] : []),
    ...(url.search ? [field.invalid(path, url.search.slice(1), 'query parameters are not permitted in the URL')] : []),
  ];
}

function validateServicePath(urlPath: string, path: string): Errors {
  if (!urlPath || urlPath === '/') return [];
  const wrong = (why: string) => field.invalid(path, urlPath, why);
  if (urlPath === '//') return [wrong('segment[0] may not be empty')];
  const errors: Errors = urlPath.startsWith('/') ? [] : [wrong("must start with a '/'")];
  const steps = urlPath.slice(1).replace(/\/$/, '').split('/');
  for (const [i, step] of steps.entries()) {
    if (step === '') errors.push(wrong(`segment[${i}] may not be empty`));
    else errors.push(...isDns1123Subdomain(step).map(why => wrong(`segment[${i}]: ${why}`)));
  }
  return errors;
}

interface Service {
  name?: string;
  namespace?: string;
  path?: string;
  port?: number;
}

function validateWebhookService(service: Service, path: string): Errors {
  const { port = 443 } = service;
  return [
    // Upstream passes the two in the wrong order, so that each is missed under the other's name.
    ...required(service.namespace, `${path}.name`),
    ...required(service.name, `${path}.namespace`),
    ...isPortNumber(port).map(why => field.invalid(`${path}.port`, port, `port is not valid: ${why}`)),
    ...validateServicePath(service.path ?? '', `${path}.path`),
  ];
}

function validateClientConfig(config: WebhookClientConfig | undefined, path: string): Errors {
  const { url, service } = config ?? {};
  if ((url === undefined) === (service === undefined)) {
    return [field.required(path, 'exactly one of url or service is required')];
  }
  return url === undefined
    ? validateWebhookService(service ?? {}, `${path}.service`)
    : validateWebhookUrl(url, `${path}.url`);
}

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
