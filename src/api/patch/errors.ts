import { ApiError, errors } from '../../base/errors.ts';
import { exceedsDepth } from '../util/values.ts';

/**
 * Why a patch was not applied: it is `malformed` (400), does not go together with the object (`unprocessable`, 422), is `tooLarge`
 * (413), or breaks a rule of merging that upstream answers with 500 (`failed`).
 */
export type PatchFailure = 'malformed' | 'unprocessable' | 'tooLarge' | 'failed';

/** Thrown by every function in this folder. Messages are upstream's. */
export class PatchError extends Error {
  override readonly name = 'PatchError';
  readonly failure: PatchFailure;
  constructor(failure: PatchFailure, message: string) {
    super(message);
    this.failure = failure;
  }
}

/** The Status with which an API server answers. */
export function patchErrorStatus(e: PatchError): ApiError {
  switch (e.failure) {
    case 'malformed':
      return errors.badRequest(e.message);
    case 'tooLarge':
      return errors.requestEntityTooLarge(e.message);
    case 'unprocessable':
      return new ApiError(422, 'Invalid', 'the server rejected our request due to an error in our request', {});
    case 'failed':
      return new ApiError(500, undefined, e.message);
  }
}

/** @throws PatchError when one of the documents is nested too deeply to be worked on */
export function checkDepth(...documents: readonly unknown[]): void {
  if (documents.some(document => exceedsDepth(document)))
    throw new PatchError('malformed', 'invalid JSON document: exceeded max depth');
}
