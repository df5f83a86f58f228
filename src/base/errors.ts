/** The one error type that crosses component borders: a Kubernetes `Status` of failure. Every constructor of it lives in this file. */

export interface StatusCause {
  reason?: string;
  message?: string;
  field?: string;
}
export interface StatusDetails {
  name?: string;
  group?: string;
  kind?: string;
  uid?: string;
  causes?: StatusCause[];
  retryAfterSeconds?: number;
}
export interface FailureStatus {
  kind: 'Status';
  apiVersion: 'v1';
  metadata: Record<string, never>;
  status: 'Failure';
  message: string;
  reason?: string;
  details?: StatusDetails;
  code: number;
}

export class ApiError extends Error {
  readonly status: FailureStatus;
  constructor(code: number, reason: string | undefined, message: string, details?: StatusDetails) {
    super(message);
    this.name = 'ApiError';
    this.status = {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message,
      ...(reason !== undefined && { reason }),
      ...(details !== undefined && { details }),
      code,
    };
  }
  get code(): number {
    return this.status.code;
  }
  get reason(): string {
    return this.status.reason ?? '';
  }
  /** Rebuilds the error from a Status that came over the wire. */
  static from(status: Partial<FailureStatus>): ApiError {
    return new ApiError(status.code ?? 500, status.reason, status.message ?? 'unknown error', status.details);
  }
}

/** A resource as error messages name it: `deployments.apps`, or `pods` for the core group. */
export interface GroupResource {
  group: string;
  resource: string;
}
export interface GroupKind {
  group: string;
  kind: string;
}
const qualified = (group: string, name: string) => (group ? `${name}.${group}` : name);
const resourceDetails = (gr: GroupResource, name: string, rest: StatusDetails = {}): StatusDetails => ({
  ...(name && { name }),
  ...(gr.group && { group: gr.group }),
  kind: gr.resource,
  ...rest,
});

export const errors = {
  notFound: (gr: GroupResource, name: string) =>
    new ApiError(404, 'NotFound', `${qualified(gr.group, gr.resource)} "${name}" not found`, resourceDetails(gr, name)),
  alreadyExists: (gr: GroupResource, name: string) =>
    new ApiError(
      409,
      'AlreadyExists',
      `${qualified(gr.group, gr.resource)} "${name}" already exists`,
      resourceDetails(gr, name),
    ),
  conflict: (gr: GroupResource, name: string, why: string) =>
    new ApiError(
      409,
      'Conflict',
      `Operation cannot be fulfilled on ${qualified(gr.group, gr.resource)} "${name}": ${why}`,
      resourceDetails(gr, name),
    ),
  applyConflict: (causes: StatusCause[], message: string) => new ApiError(409, 'Conflict', message, { causes }),
  invalid: (gk: GroupKind, name: string, causes: StatusCause[], message: string) =>
    new ApiError(
      422,
      'Invalid',
      `${qualified(gk.group, gk.kind)} "${name}" is invalid${message ? `: ${message}` : ''}`,
      { ...(name && { name }), ...(gk.group && { group: gk.group }), ...(gk.kind && { kind: gk.kind }), causes },
    ),
  badRequest: (message: string) => new ApiError(400, 'BadRequest', message),
  unauthorized: (message = 'Unauthorized') => new ApiError(401, 'Unauthorized', message),
  forbidden: (gr: GroupResource, name: string, why: string) =>
    new ApiError(
      403,
      'Forbidden',
      gr.resource
        ? name
          ? `${qualified(gr.group, gr.resource)} "${name}" is forbidden: ${why}`
          : `${qualified(gr.group, gr.resource)} is forbidden: ${why}`
        : `forbidden: ${why}`,
      resourceDetails(gr, name),
    ),
  methodNotSupported: (gr: GroupResource, action: string) =>
    new ApiError(
      405,
      'MethodNotAllowed',
      `${action} is not supported on resources of kind "${qualified(gr.group, gr.resource)}"`,
      resourceDetails(gr, ''),
    ),
  /** For a method that no route of a built-in resource has. */
  methodNotAllowed: () =>
    new ApiError(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {}),
  notAcceptable: (message: string) => new ApiError(406, 'NotAcceptable', message),
  /** For types that the route of a built-in resource does not produce. */
  noRepresentation: (produces: readonly string[]) =>
    new ApiError(406, 'NotAcceptable', `406: Not Acceptable\n\nAvailable representations: ${produces.join(', ')}`, {}),
  unsupportedMediaType: (message: string) => new ApiError(415, 'UnsupportedMediaType', message),
  requestEntityTooLarge: (why: string) =>
    new ApiError(413, 'RequestEntityTooLarge', `Request entity too large: ${why}`),
  expired: (message: string) => new ApiError(410, 'Expired', message),
  gone: (message: string) => new ApiError(410, 'Gone', message),
  tooManyRequests: (message: string, retryAfterSeconds = 1) =>
    new ApiError(429, 'TooManyRequests', message, { retryAfterSeconds }),
  timeout: (why: string, retryAfterSeconds = 0) =>
    new ApiError(504, 'Timeout', `Timeout: ${why}`, retryAfterSeconds > 0 ? { retryAfterSeconds } : {}),
  serverTimeout: (gr: GroupResource, verb: string) =>
    new ApiError(
      500,
      'ServerTimeout',
      `The ${verb} operation against ${qualified(gr.group, gr.resource)} could not be completed at this time, please try again.`,
      resourceDetails(gr, ''),
    ),
  internal: (message: string) =>
    new ApiError(500, 'InternalError', `Internal error occurred: ${message}`, { causes: [{ message }] }),
  /** What upstream fails with where nobody gave the error a code. */
  uncoded: (message: string) => new ApiError(500, undefined, message),
  serviceUnavailable: (message: string) => new ApiError(503, 'ServiceUnavailable', message),
  /** The path names no resource (upstream's text for an unknown path). */
  unknownPath: () => new ApiError(404, 'NotFound', 'the server could not find the requested resource', {}),
};

const hasReason =
  (reason: string) =>
  (e: unknown): e is ApiError =>
    e instanceof ApiError && e.reason === reason;
export const isApiError = (e: unknown): e is ApiError => e instanceof ApiError;
export const isNotFound = hasReason('NotFound');
export const isAlreadyExists = hasReason('AlreadyExists');
export const isConflict = hasReason('Conflict');
export const isInvalid = hasReason('Invalid');
export const isForbidden = hasReason('Forbidden');
export const isUnauthorized = hasReason('Unauthorized');
export const isTooManyRequests = hasReason('TooManyRequests');
/** The revision asked for is compacted: list again. */
export const isExpired = (e: unknown): e is ApiError => e instanceof ApiError && e.code === 410;

/** The message of anything thrown. */
export function messageOf(e: unknown): string {
  return e instanceof Error ? e.message : String(e);
}
