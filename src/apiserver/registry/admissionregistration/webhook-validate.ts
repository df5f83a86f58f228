import type {
  MutatingWebhook,
  ValidatingWebhook,
  WebhookClientConfig,
} from '../../../api/types/admissionregistration-v1.ts';
import { isDns1123Label, isFullyQualifiedName, isPortNumber } from '../../../api/validation/names.ts';
import { type Errors, each, invalidAll, oneOf, optional, required } from '../checks.ts';
import { field } from '../field-errors.ts';
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

/** HTTPS, with a host and perhaps a path, nothing else. */
function validateWebhookUrl(text: string, path: string): Errors {
  const url = parseUrl(text);
  if (!url) return [field.required(path, `url must be a valid URL: ${form}`)];
  const wrong = (why: string) => field.invalid(path, text, `${why}; ${form}`);
  return [
    ...(url.protocol === 'https:'
      ? []
      : [field.invalid(path, url.protocol.slice(0, -1), `'https' is the only allowed URL scheme; ${form}`)]),
    ...(url.host === '' ? [wrong('host must be specified')] : []),
    ...(url.username || url.password
      ? [field.invalid(path, url.username, 'user information is not permitted in the URL')]
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
  const steps = urlPath.replace(/^\//, '').replace(/\/$/, '').split('/');
  for (const [i, step] of steps.entries()) {
    if (step === '') errors.push(wrong(`segment[${i}] may not be empty`));
    else errors.push(...isDns1123Label(step).map(why => wrong(`segment[${i}]: ${why}`)));
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
    ...required(service.name, `${path}.name`, 'service name is required'),
    ...required(service.namespace, `${path}.namespace`, 'service namespace is required'),
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
      return twice ? [field.invalid(at, version, 'duplicate version')] : [];
    }),
    ...(known ? [] : [field.invalid(path, list, 'must include at least one of v1, v1beta1')]),
  ];
}

function validateSideEffects(value: string | undefined, path: string): Errors {
  return value
    ? oneOf(['None', 'NoneOnDryRun'])(value, path)
    : [field.required(path, 'must specify one of None, NoneOnDryRun')];
}

function validateWebhook(hook: ValidatingWebhook & Pick<MutatingWebhook, 'reinvocationPolicy'>, path: string): Errors {
  const timeout = hook.timeoutSeconds;
  return [
    ...invalidAll(`${path}.name`, hook.name, isFullyQualifiedName(hook.name ?? '')),
    ...each(hook.rules, `${path}.rules`, validateRule),
    ...optional(hook.failurePolicy, `${path}.failurePolicy`, oneOf(['Fail', 'Ignore'])),
    ...optional(hook.matchPolicy, `${path}.matchPolicy`, oneOf(['Equivalent', 'Exact'])),
    ...validateSideEffects(hook.sideEffects, `${path}.sideEffects`),
    ...optional(hook.reinvocationPolicy, `${path}.reinvocationPolicy`, oneOf(['IfNeeded', 'Never'])),
    ...(timeout !== undefined && (timeout < 1 || timeout > 30)
      ? [field.invalid(`${path}.timeoutSeconds`, timeout, 'the timeout value must be between 1 and 30 seconds')]
      : []),
    ...validateReviewVersions(hook.admissionReviewVersions, `${path}.admissionReviewVersions`),
    ...validateLabelSelector(hook.namespaceSelector, `${path}.namespaceSelector`),
    ...validateLabelSelector(hook.objectSelector, `${path}.objectSelector`),
    ...validateClientConfig(hook.clientConfig, `${path}.clientConfig`),
    ...validateMatchConditions(hook.matchConditions, `${path}.matchConditions`),
  ];
}

/** The webhooks of a configuration; names are unique in it. */
export function validateWebhooks(hooks: readonly (ValidatingWebhook | MutatingWebhook)[] | undefined): Errors {
  const names = new Set<string>();
  return each(hooks, 'webhooks', (hook, at) => {
    const twice = names.has(hook.name);
    names.add(hook.name);
    return [...validateWebhook(hook, at), ...(twice ? [field.duplicate(`${at}.name`, hook.name)] : [])];
  });
}
