/** How a webhook is reached (k8s.io/apiserver/pkg/util/webhook), the same for admission and conversion. */
import { isDns1123Subdomain, isPortNumber } from '../../../api/validation/names.ts';
import { type Errors, required } from '../checks.ts';
import { field } from '../field-errors.ts';

const form = 'desired format: https://host[/path]';
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

interface ClientConfig {
  url?: string;
  service?: Service;
}

export function validateClientConfig(config: ClientConfig | undefined, path: string): Errors {
  const { url, service } = config ?? {};
  if ((url === undefined) === (service === undefined)) {
    return [field.required(path, 'exactly one of url or service is required')];
  }
  return url === undefined
    ? validateWebhookService(service ?? {}, `${path}.service`)
    : validateWebhookUrl(url, `${path}.url`);
}
