import type { Secret } from '../../../api/types/core-v1.ts';
import type { Errors } from '../checks.ts';
import { field } from '../field-errors.ts';

const accountName = 'kubernetes.io/service-account.name';

/** Text behind base64, or undefined when it is not JSON of an object. */
function jsonOf(base64: string): object | undefined {
  try {
    const bytes = Uint8Array.from(atob(base64), c => c.charCodeAt(0));
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function validateJson(secret: Secret, key: string): Errors {
  const path = `data[${key}]`;
  const value = secret.data?.[key];
  if (value === undefined) return [field.required(path)];
  return jsonOf(value) ? [] : [field.invalid(path, '<secret contents redacted>', 'invalid character in JSON')];
}

const present = (secret: Secret, key: string): Errors =>
  secret.data?.[key] === undefined ? [field.required(`data[${key}]`)] : [];

/** The keys that a secret of a built-in type must have. */
export function validateSecretType(secret: Secret): Errors {
  switch (secret.type) {
    case 'kubernetes.io/service-account-token':
      return secret.metadata.annotations?.[accountName] ? [] : [field.required(`metadata.annotations[${accountName}]`)];
    case 'kubernetes.io/dockercfg':
      return validateJson(secret, '.dockercfg');
    case 'kubernetes.io/dockerconfigjson':
      return validateJson(secret, '.dockerconfigjson');
    case 'kubernetes.io/basic-auth':
      return secret.data?.['username'] === undefined && secret.data?.['password'] === undefined
        ? [field.required('data[username]'), field.required('data[password]')]
        : [];
    case 'kubernetes.io/ssh-auth':
      return secret.data?.['ssh-privatekey'] ? [] : [field.required('data[ssh-privatekey]')];
    case 'kubernetes.io/tls':
      return [...present(secret, 'tls.crt'), ...present(secret, 'tls.key')];
    default:
      return [];
  }
}
