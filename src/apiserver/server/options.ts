/** Query parameters of list, watch and write requests, checked as upstream checks them. */
import { longerThan } from '../../api/validation/names.ts';
import { errors } from '../../base/errors.ts';
import { isTrue } from './request-info.ts';

export interface ListParameters {
  readonly labelSelector: string;
  readonly fieldSelector: string;
  /** Undefined when the client sent none. */
  readonly resourceVersion: string | undefined;
  readonly resourceVersionMatch: 'Exact' | 'NotOlderThan' | undefined;
  readonly limit: number;
  readonly continueToken: string;
  readonly watch: boolean;
  readonly allowWatchBookmarks: boolean;
  readonly sendInitialEvents: boolean | undefined;
  readonly timeoutSeconds: number | undefined;
}

/** A 64-bit integer of the query; beyond 2^53 it is rounded, which nothing here notices. Throws 400 in the words of Go. */
export function integer(query: URLSearchParams, name: string): number | undefined {
  const value = query.get(name);
  if (value === null) return undefined;
  const complaint = !/^[-+]?\d+$/.test(value) ? 'invalid syntax' : isInt64(value) ? undefined : 'value out of range';
  if (complaint) throw errors.badRequest(`strconv.ParseInt: parsing ${JSON.stringify(value)}: ${complaint}`);
  return Number(value);
}

function isInt64(digits: string): boolean {
  // Longer texts are never converted: that takes quadratic time.
  const short = digits.replace(/^([-+]?)0+(?=\d)/, '$1');
  if (short.length > 20) return false;
  const value = BigInt(short.replace('+', ''));
  return BigInt.asIntN(64, value) === value;
}

function invalidOptions(field: string, type: string, detail: string) {
  const message = type === 'FieldValueForbidden' ? `Forbidden: ${detail}` : detail;
  return errors.invalid(
    { group: 'meta.k8s.io', kind: 'ListOptions' },
    '',
    [{ reason: type, message, field }],
    `${field}: ${message}`,
  );
}

/** A resourceVersion of a query as a revision; undefined for absent or empty. Throws 400. */
export function parseRevision(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  const complaint = !/^\d+$/.test(text) ? 'invalid syntax' : Number(text) < 2 ** 64 ? undefined : 'value out of range';
  if (complaint)
    throw errors.badRequest(
      `Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: ${complaint}`,
    );
  return Number(text);
}

export function listParameters(query: URLSearchParams, watch: boolean): ListParameters {
  const match = query.get('resourceVersionMatch') ?? '';
  const initial = query.get('sendInitialEvents');
  const limit = integer(query, 'limit') ?? 0;
  const parameters: ListParameters = {
    labelSelector: query.get('labelSelector') ?? '',
    fieldSelector: query.get('fieldSelector') ?? '',
    resourceVersion: query.get('resourceVersion') || undefined,
    resourceVersionMatch: match === '' ? undefined : (match as 'Exact'),
    limit: Math.max(limit, 0),
    continueToken: query.get('continue') ?? '',
    watch,
    allowWatchBookmarks: isTrue(query.get('allowWatchBookmarks')),
    sendInitialEvents: initial === null ? undefined : isTrue(initial),
    timeoutSeconds: integer(query, 'timeoutSeconds'),
  };
  checkCombination(parameters, match);
  return parameters;
}

/** Upstream's ValidateListOptions. */
function checkCombination(p: ListParameters, match: string): void {
  if (match !== '' && match !== 'Exact' && match !== 'NotOlderThan')
    throw invalidOptions(
      'resourceVersionMatch',
      'FieldValueNotSupported',
      `Unsupported value: ${JSON.stringify(match)}: supported values: "Exact", "NotOlderThan", ""`,
    );
  if (p.watch) {
    if (p.sendInitialEvents !== undefined && p.resourceVersionMatch === undefined)
      throw invalidOptions(
        'resourceVersionMatch',
        'FieldValueForbidden',
        'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
      );
    if (p.sendInitialEvents === undefined && p.resourceVersionMatch !== undefined)
      throw invalidOptions(
        'resourceVersionMatch',
        'FieldValueForbidden',
        'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
      );
    if (p.sendInitialEvents !== undefined && p.resourceVersionMatch !== 'NotOlderThan')
      throw invalidOptions(
        'resourceVersionMatch',
        'FieldValueForbidden',
        'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
      );
    return;
  }
  if (p.sendInitialEvents !== undefined)
    throw invalidOptions('sendInitialEvents', 'FieldValueForbidden', 'sendInitialEvents is forbidden for list');
  if (p.resourceVersionMatch === undefined) return;
  if (p.continueToken)
    throw invalidOptions(
      'resourceVersionMatch',
      'FieldValueForbidden',
      'resourceVersionMatch is forbidden when continue is provided',
    );
  if (p.resourceVersion === undefined)
    throw invalidOptions(
      'resourceVersionMatch',
      'FieldValueForbidden',
      'resourceVersionMatch is forbidden unless resourceVersion is provided',
    );
  if (p.resourceVersionMatch === 'Exact' && p.resourceVersion === '0')
    throw invalidOptions(
      'resourceVersionMatch',
      'FieldValueForbidden',
      'resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
    );
}

export interface WriteParameters {
  readonly dryRun: boolean;
  readonly fieldManager: string;
  readonly fieldValidation: 'Strict' | 'Warn' | 'Ignore';
  readonly force: boolean | undefined;
}

export function writeParameters(query: URLSearchParams, userAgent: string | undefined, kind: string): WriteParameters {
  const dryRun = query.getAll('dryRun');
  const invalid = (field: string, reason: string, message: string) =>
    errors.invalid({ group: 'meta.k8s.io', kind }, '', [{ reason, message, field }], `${field}: ${message}`);
  for (const value of dryRun)
    if (value !== 'All')
      throw invalid(
        'dryRun',
        'FieldValueNotSupported',
        `Unsupported value: ${JSON.stringify(value)}: supported values: "All"`,
      );
  const validation = query.get('fieldValidation') || 'Warn';
  if (!['Strict', 'Warn', 'Ignore'].includes(validation))
    throw invalid(
      'fieldValidation',
      'FieldValueNotSupported',
      `Unsupported value: ${JSON.stringify(validation)}: supported values: "Ignore", "Strict", "Warn"`,
    );
  const manager = query.get('fieldManager') ?? '';
  if (longerThan([manager], 128))
    throw invalid('fieldManager', 'FieldValueTooLong', 'Too long: may not be more than 128 bytes');
  if (/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.test(manager))
    throw invalid(
      'fieldManager',
      'FieldValueInvalid',
      `Invalid value: ${JSON.stringify(manager)}: should only contain printable characters`,
    );
  const force = query.get('force');
  return {
    dryRun: dryRun.length > 0,
    fieldManager: manager || (userAgent ?? 'unknown').split('/')[0]?.slice(0, 128) || 'unknown',
    fieldValidation: validation as 'Strict',
    force: force === null ? undefined : isTrue(force),
  };
}
