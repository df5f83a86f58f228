/** Counts and measures requests, under upstream's names and labels (k8s.io/apiserver pkg/endpoints/metrics). */
import type { ApiRequest, ApiResponse } from '../../api/transport.ts';
import { settle } from '../../base/awaitable.ts';
import type { Gauge, Labels, Metrics } from '../../base/metrics.ts';
import type { Environment } from '../../controller/contract.ts';
import type { Filter } from './filters.ts';
import type { RequestInfo } from './request-info.ts';

const verbNames: Readonly<Record<string, string>> = {
  get: 'GET',
  list: 'LIST',
  watch: 'WATCH',
  create: 'POST',
  post: 'POST',
  update: 'PUT',
  put: 'PUT',
  patch: 'PATCH',
  delete: 'DELETE',
  deletecollection: 'DELETE',
  head: 'GET',
};
const readOnly = new Set(['get', 'list', 'watch', 'head', 'options']);
const longRunning = new Set(['exec', 'attach', 'portforward', 'proxy', 'log']);
const maxLabelSets = 5_000;
const overflow: Labels = Object.freeze({ component: 'apiserver', verb: 'other' });
/** Answers that may come before anybody looked whether there is such a resource. */
const beforeLookUp = new Set([401, 403, 404, 405, 429]);
const requestBuckets = [
  0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
] as const;

function scopeOf({ isResource, name, namespace, verb }: RequestInfo): string {
  if (!isResource) return '';
  if (name || verb === 'create') return 'resource';
  return namespace ? 'namespace' : 'cluster';
}

function verbOf({ verb, subresource }: RequestInfo, { headers }: ApiRequest): string {
  if (longRunning.has(subresource)) return 'CONNECT';
  if (verb === 'patch' && headers['content-type'] === 'application/apply-patch+yaml') return 'APPLY';
  return verbNames[verb] ?? 'other';
}

function dryRunOf({ query }: ApiRequest): string {
  if (!query.has('dryRun')) return '';
  return query.getAll('dryRun').every(value => value === 'All') ? 'All' : 'invalid';
}

/** Label sets as frozen values, so that their text is made once. What clients make up has no name. */
function labelSets() {
  const sets = new Map<string, Labels>();
  return (info: RequestInfo, request: ApiRequest, unknown: boolean, code: number | undefined): Labels => {
    const verb = verbOf(info, request);
    const dryRun = dryRunOf(request);
    const scope = scopeOf(info);
    const named = unknown ? '' : `${info.group}/${info.version}/${info.resource}/${info.subresource}`;
    const key = `${verb} ${scope} ${named} ${code ?? ''} ${dryRun}`;
    let set = sets.get(key);
    if (set) return set;
    if (sets.size >= maxLabelSets) return overflow;
    const [group = '', version = '', resource = '', subresource = ''] = named.split('/');
    const common = { component: 'apiserver', dry_run: dryRun, group, resource, scope, subresource, verb, version };
    set = Object.freeze(code === undefined ? common : { code: String(code), ...common });
    sets.set(key, set);
    return set;
  };
}

const lastingLabels = new Map<string, Labels>();

/** Counts a session from now until what it gives is called. The resource must be one that there is. */
export function countLasting(metrics: Metrics, info: RequestInfo): () => void {
  const gauge = metrics.gauge('apiserver_longrunning_requests', 'Sessions being served.');
  const { group, version, resource, subresource } = info;
  const verb = subresource ? 'CONNECT' : 'WATCH';
  const scope = scopeOf(info);
  const key = `${verb} ${scope} ${group}/${version}/${resource}/${subresource}`;
  let labels = lastingLabels.get(key);
  if (!labels) {
    labels = Object.freeze({ component: 'apiserver', group, resource, scope, subresource, verb, version });
    lastingLabels.set(key, labels);
  }
  const counted = labels;
  gauge.add(1, counted);
  return () => gauge.add(-1, counted);
}

function count(gauge: Gauge, info: RequestInfo): () => void {
  const kind = readOnly.has(info.verb) ? reading : mutating;
  gauge.add(1, kind);
  return () => gauge.add(-1, kind);
}
const mutating: Labels = Object.freeze({ request_kind: 'mutating' });
const reading: Labels = Object.freeze({ request_kind: 'readOnly' });

export interface GuardInputs extends Environment {
  /** Whether there is such a resource: names of others are the client's, and without number. */
  readonly isServed: (info: RequestInfo) => boolean;
}

/** Unexpected failures become a Status here, so that audit and metrics see them. */
export function guardFilter(
  { metrics, clock, isServed }: GuardInputs,
  errorResponse: (request: ApiRequest, thrown: unknown) => ApiResponse,
): Filter {
  const total = metrics.counter('apiserver_request_total', 'Requests by verb, resource and code.');
  const duration = metrics.histogram('apiserver_request_duration_seconds', 'Time to the response.', requestBuckets);
  const inflight = metrics.gauge('apiserver_current_inflight_requests', 'Requests being served.');
  const labels = labelSets();
  return {
    name: 'panic-guard',
    wrap: next => exchange => {
      const started = clock.monotonic();
      const { info, request } = exchange;
      const lasts = longRunning.has(info.subresource) && isServed(info);
      const leave = lasts ? countLasting(metrics, info) : count(inflight, info);
      const answered = (response: ApiResponse) => {
        leave();
        const unknown = beforeLookUp.has(response.status) && !isServed(info);
        total.inc(labels(info, request, unknown, response.status));
        if (info.verb !== 'watch' && !lasts)
          duration.observe((clock.monotonic() - started) / 1_000, labels(info, request, unknown, undefined));
        return response;
      };
      return settle(
        () => next(exchange),
        answered,
        e => answered(errorResponse(request, e)),
      );
    },
  };
}
