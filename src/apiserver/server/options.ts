/** Query parameters of list, watch and write requests, checked as upstream checks them. */
import { goQuote } from '../../api/util/go-text.ts';
import { errors } from '../../base/errors.ts';
import { aggregate, bounded, type FieldError, field } from '../registry/field-errors.ts';
import { validateDryRun, validateFieldManager, validateFieldValidation } from '../registry/meta/options.ts';
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

function isUint64(digits: string): boolean {
  const short = digits.replace(/^0+(?=\d)/, '');
  return short.length <= 20 && BigInt.asUintN(64, BigInt(short)) === BigInt(short);
}

/** Throws upstream's complaint about a text that is no revision. */
type Complain = (detail: string) => Error;

/** A resourceVersion of a query as a revision; undefined for absent or empty. */
export function parseRevision(text: string | undefined, complain: Complain): number | undefined {
  if (text === undefined || text === '') return undefined;
  const complaint = !/^\d+$/.test(text) ? 'invalid syntax' : isUint64(text) ? undefined : 'value out of range';
  if (complaint) throw complain(`strconv.ParseUint: parsing ${goQuote(text)}: ${complaint}`);
  return Number(text);
}

export function listParameters(query: URLSearchParams, watch: boolean): ListParameters {
  const match = query.get('resourceVersionMatch') ?? '';
  const initial = query.get('sendInitialEvents');
  const limit = integer(query, 'limit') ?? 0;
  const resourceVersion = query.get('resourceVersion') || undefined;
  // Who begins with the state is told when it is complete, asked for or not.
  const fromState = watch && match === '' && (resourceVersion === undefined || resourceVersion === '0');
  const parameters: ListParameters = {
    labelSelector: query.get('labelSelector') ?? '',
    fieldSelector: query.get('fieldSelector') ?? '',
    resourceVersion,
    resourceVersionMatch: match === '' ? undefined : (match as 'Exact'),
    limit: Math.max(limit, 0),
    continueToken: query.get('continue') ?? '',
    watch,
    allowWatchBookmarks: isTrue(query.get('allowWatchBookmarks')),
    sendInitialEvents: initial === null ? (fromState ? true : undefined) : isTrue(initial),
    timeoutSeconds: integer(query, 'timeoutSeconds'),
  };
  checkCombination(parameters, match, initial !== null);
  return parameters;
}

/** Upstream's ValidateListOptions. `initial`: the client said whether it wants initial events. */
function checkCombination(p: ListParameters, match: string, initial: boolean): void {
  requireValid('ListOptions', p.watch ? watchProblems(p, match, initial) : listProblems(p, match, initial));
}

/** Throws what was found wrong with options of this kind. */
export function requireValid(kind: string, found: readonly FieldError[]): void {
  if (found.length === 0) return;
  const { causes, message } = aggregate(found);
  throw errors.invalid({ group: 'meta.k8s.io', kind }, '', causes, message);
}

const ofMatch = (detail: string) => field.forbidden('resourceVersionMatch', detail);
const withContinue = ofMatch('resourceVersionMatch is forbidden when continue is provided');

function listProblems(p: ListParameters, match: string, initial: boolean): FieldError[] {
  const found: FieldError[] = [];
  if (match !== '') {
    if (p.resourceVersion === undefined)
      found.push(ofMatch('resourceVersionMatch is forbidden unless resourceVersion is provided'));
    if (p.continueToken) found.push(withContinue);
    if (match !== 'Exact' && match !== 'NotOlderThan')
      found.push(field.notSupported('resourceVersionMatch', match, ['Exact', 'NotOlderThan', '']));
    if (match === 'Exact' && p.resourceVersion === '0')
      found.push(ofMatch('resourceVersionMatch "exact" is forbidden for resourceVersion "0"'));
  }
  if (initial) found.push(field.forbidden('sendInitialEvents', 'sendInitialEvents is forbidden for list'));
  return found;
}

function watchProblems(p: ListParameters, match: string, initial: boolean): FieldError[] {
  const found: FieldError[] = [];
  if (initial && match !== 'NotOlderThan')
    found.push(ofMatch('sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'));
  if (match === '') return found;
  if (!initial) found.push(ofMatch('resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided'));
  if (match !== 'NotOlderThan') found.push(field.notSupported('resourceVersionMatch', match, ['NotOlderThan']));
  if (p.continueToken) found.push(withContinue);
  return found;
}

export interface WriteParameters {
  readonly dryRun: boolean;
  readonly fieldManager: string;
  readonly fieldValidation: 'Strict' | 'Warn' | 'Ignore';
  readonly force: boolean | undefined;
}

export function writeParameters(query: URLSearchParams, userAgent: string | undefined, kind: string): WriteParameters {
  const dryRun = query.getAll('dryRun');
  const manager = query.get('fieldManager') ?? '';
  const validation = query.get('fieldValidation') ?? '';
  const found = bounded(() => [
    ...validateFieldManager(manager, 'fieldManager'),
    ...validateDryRun(dryRun),
    ...validateFieldValidation(validation),
  ]);
  requireValid(kind, found);
  const force = query.get('force');
  return {
    dryRun: dryRun.length > 0,
    fieldManager: manager || (userAgent ?? 'unknown').split('/')[0]?.slice(0, 128) || 'unknown',
    fieldValidation: (validation || 'Warn') as 'Strict',
    force: force === null ? undefined : isTrue(force),
  };
}
