import type { Secret } from '../../api/types/core-v1.ts';

export const tokenSecretType = 'bootstrap.kubernetes.io/token';

export const textOf = (secret: Secret, field: string): string => {
  try {
    return atob(secret.data?.[field] ?? '');
  } catch {
    return '';
  }
};

/** In milliseconds since the epoch; undefined for a token that does not expire. One that cannot be read has expired. */
export function tokenExpiry(secret: Secret): number | undefined {
  const text = textOf(secret, 'expiration');
  if (text === '') return undefined;
  const at = Date.parse(text);
  return Number.isNaN(at) ? 0 : at;
}
