/** What a request asks for, read from its method, path and query (upstream: k8s.io/apiserver/pkg/endpoints/request). */
import type { ApiRequest } from '../../api/transport.ts';
import { isPathSegmentName } from '../../api/validation/names.ts';
import { errors } from '../../base/errors.ts';

export interface RequestInfo {
  readonly isResource: boolean;
  /**
   * "get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", or empty for methods that mean none of them
   * (OPTIONS); the lower-case method for other paths.
   */
  readonly verb: string;
  /** "api" or "apis"; empty for other paths. */
  readonly prefix: string;
  readonly group: string;
  readonly version: string;
  /** For namespaces themselves, their own name. */
  readonly namespace: string;
  readonly resource: string;
  readonly subresource: string;
  readonly name: string;
  /** Segments after the subresource: the path to proxy to. */
  readonly rest: readonly string[];
  readonly path: string;
}

const methodVerbs = new Map([
  ['GET', 'get'],
  ['HEAD', 'get'],
  ['POST', 'create'],
  ['PUT', 'update'],
  ['PATCH', 'patch'],
  ['DELETE', 'delete'],
]);
const namespaceSubresources = new Set(['status', 'finalize']);
/** Whatever is there and neither "0" nor "false" (upstream: Convert_Slice_string_To_bool). */
export function isTrue(value: string | null): boolean {
  return value !== null && value !== '0' && value.toLowerCase() !== 'false';
}

function decodeSegment(segment: string): string {
  let decoded: string;
  try {
    decoded = decodeURIComponent(segment);
  } catch {
    throw errors.badRequest(`invalid percent-encoding in path segment ${JSON.stringify(segment)}`);
  }
  if (decoded === '.' || decoded === '..')
    throw errors.badRequest(`invalid path segment ${JSON.stringify(decoded)}: may not be '${decoded}'`);
  if (decoded.includes('\0')) throw errors.badRequest('invalid path segment: may not contain NUL');
  return decoded;
}

/** Only such paths need a closer look at their segments. */
const unusual = /[%\0]|\/\.\.?(?:\/|$)/;

/** Decoded path segments. Throws 400 for segments that could climb out of their place. */
function segmentsOf(path: string): string[] {
  const segments = path.slice(path.indexOf('/') + 1).split('/');
  if (unusual.test(path)) for (const [i, segment] of segments.entries()) segments[i] = decodeSegment(segment);
  if (segments.at(-1) === '') segments.pop();
  return segments;
}

function nonResource(request: ApiRequest): RequestInfo {
  return {
    isResource: false,
    verb: request.method.toLowerCase(),
    prefix: '',
    group: '',
    version: '',
    namespace: '',
    resource: '',
    subresource: '',
    name: '',
    rest: [],
    path: request.path,
  };
}

export function requestInfo(request: ApiRequest): RequestInfo {
  const segments = segmentsOf(request.path);
  const [prefix = ''] = segments;
  const start = prefix === 'api' ? 2 : prefix === 'apis' ? 3 : 0;
  if (start === 0 || segments.length <= start) return nonResource(request);
  const group = prefix === 'apis' ? (segments[1] ?? '') : '';
  const version = segments[start - 1] ?? '';
  let parts = segments.slice(start);
  let verb = methodVerbs.get(request.method) ?? '';
  const watchPrefix = parts[0] === 'watch' && verb === 'get';
  if (watchPrefix) parts = parts.slice(1);
  let namespace = '';
  if (parts[0] === 'namespaces' && parts.length > 1) {
    namespace = parts[1] ?? '';
    if (parts.length > 2 && !namespaceSubresources.has(parts[2] ?? '')) parts = parts.slice(2);
  }
  const [resource = '', name = '', subresource = '', ...rest] = parts;
  const read = verb === 'get';
  if (read && watchPrefix) verb = 'watch';
  else if (read && name === '')
    verb = request.query.has('watch') && isTrue(request.query.get('watch')) ? 'watch' : 'list';
  else if (verb === 'delete' && name === '') verb = 'deletecollection';
  return {
    isResource: true,
    verb,
    prefix,
    group,
    version,
    namespace,
    resource,
    subresource,
    name:
      name === '' && (verb === 'list' || verb === 'watch' || verb === 'deletecollection')
        ? nameInSelector(request)
        : name,
    rest,
    path: request.path,
  };
}

/** A field selector that asks for one name makes the request one about that object, for authorization. */
function nameInSelector(request: ApiRequest): string {
  const terms = (request.query.get('fieldSelector') ?? '').split(',');
  const name = terms.map(term => /^metadata\.name==?([^=!\\]+)$/.exec(term)?.[1]).find(found => found !== undefined);
  return name !== undefined && isPathSegmentName(name).length === 0 ? name : '';
}
