/** Where a paginated list goes on. Opaque to clients. */
import { errors } from '../../base/errors.ts';

export interface ContinuePosition {
  /** The snapshot's revision; -1 for "the newest", which an inconsistent continuation uses. */
  readonly revision: number;
  /** First key not yet sent, inclusive lower bound. */
  readonly start: string;
}

function toBase64Url(text: string): string {
  const binary = Array.from(new TextEncoder().encode(text), b => String.fromCharCode(b)).join('');
  return btoa(binary).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}
function fromBase64Url(text: string): string {
  const binary = atob(text.replace(/-/g, '+').replace(/_/g, '/'));
  return new TextDecoder().decode(Uint8Array.from(binary, c => c.charCodeAt(0)));
}

export function encodeContinue(position: ContinuePosition): string {
  return toBase64Url(JSON.stringify({ v: 'meta.k8s.io/v1', rv: position.revision, start: position.start }));
}

/** @throws ApiError 400 for a token that was not made by an API server */
export function decodeContinue(token: string): ContinuePosition {
  const invalid = (why: string) => errors.badRequest(`invalid continue token: continue key is not valid: ${why}`);
  let parsed: { v?: unknown; rv?: unknown; start?: unknown };
  try {
    parsed = JSON.parse(fromBase64Url(token)) ?? {};
  } catch {
    throw invalid('it cannot be read');
  }
  const { v = '', rv, start } = parsed;
  if (v !== 'meta.k8s.io/v1') throw invalid(`server does not recognize this encoded version ${String(v)}`);
  if (!Number.isSafeInteger(rv) || rv === 0)
    throw invalid('incorrect encoded start resourceVersion (version meta.k8s.io/v1)');
  if (typeof start !== 'string' || start === '') throw invalid('encoded start key empty (version meta.k8s.io/v1)');
  return { revision: rv as number, start };
}

/** Upstream's answer when the snapshot is gone: 410, with a token to go on inconsistently. */
export function expiredContinue(start: string): Error {
  const error = errors.expired(
    'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.',
  );
  Object.assign(error.status.metadata, { continue: encodeContinue({ revision: -1, start }) });
  return error;
}
