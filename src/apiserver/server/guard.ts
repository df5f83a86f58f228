/** Counts and measures requests, under upstream's names and labels (k8s.io/apiserver pkg/endpoints/metrics). */
import type { ApiRequest, ApiResponse } from '../../api/transport.ts';
import { settle } from '../../base/awaitable.ts';
import type { Labels } from '../../base/metrics.ts';
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
  deletecollection: 'DELETECOLLECTION',
  head: 'HEAD',
  options: 'OPTIONS',
};
const readOnly = new Set(['get', 'list', 'watch', 'head', 'options']);
const longRunning = new Set(['exec', 'attach', 'portforward', 'proxy', 'log']);
const maxLabelSets = 5_000;
const overflow: Labels = Object.freeze({ component: 'apiserver', verb: 'other' });
/** Answers that may come before anybody looked whether there is such a resource: its name is the client's. */
const beforeLookUp = new Set([401, 403, 404, 405, 429]);
/** What sessions are opened with. */
const sessionOwners = new Set(['pods', 'nodes', 'services']);

function scopeOf({ isResource, name, namespace, verb }: RequestInfo): string {
  if (!isResource) return '';
  if (name || verb === 'create') return 'resource';
  return namespace ? 'namespace' : 'cluster';
}

/** Label sets as frozen values, so that their text is made once. What clients make up has no name. */
function labelSets() {
  const sets = new Map<string, Labels>();
  return ({ info }: { info: RequestInfo }, unknown: boolean, code: number | undefined): Labels => {
    const verb = verbNames[info.verb] ?? 'other';
    const scope = scopeOf(info);
    const named = unknown ? '' : `${info.group}/${info.version}/${info.resource}/${info.subresource}`;
    const key = `${verb} ${scope} ${named} ${code ?? ''}`;
    let set = sets.get(key);
    if (set) return set;
    if (sets.size >= maxLabelSets) return overflow;
    const [group = '', version = '', resource = '', subresource = ''] = named.split('/');
    const common = { component: 'apiserver', group, resource, scope, subresource, verb, version };
    set = Object.freeze(code === undefined ? common : { code: String(code), ...common });
    sets.set(key, set);
    return set;
  };
}

const mutating: Labels = Object.freeze({ request_kind: 'mutating' });
const reading: Labels = Object.freeze({ request_kind: 'readOnly' });

/** Unexpected failures become a Status here, so that audit and metrics see them. */
export function guardFilter(
  { metrics, clock }: Environment,
  errorResponse: (request: ApiRequest, thrown: unknown) => ApiResponse,
): Filter {
  const total = metrics.counter('apiserver_request_total', 'Requests by verb, resource and code.');
  const duration = metrics.histogram('apiserver_request_duration_seconds', 'Time to the response.');
  const inflight = metrics.gauge('apiserver_current_inflight_requests', 'Requests being served.');
  const lasting = metrics.gauge('apiserver_longrunning_requests', 'Sessions being served.');
  const labels = labelSets();
  return {
    name: 'panic-guard',
    wrap: next => exchange => {
      const started = clock.monotonic();
      const { info } = exchange;
      const lasts = longRunning.has(info.subresource);
      const gauge = lasts ? lasting : inflight;
      const kind = lasts
        ? labels(exchange, !sessionOwners.has(info.resource), undefined)
        : readOnly.has(info.verb)
          ? reading
          : mutating;
      const answered = (response: ApiResponse) => {
        gauge.add(-1, kind);
        const unknown = beforeLookUp.has(response.status);
        total.inc(labels(exchange, unknown, response.status));
        if (info.verb !== 'watch' && !lasts)
          duration.observe((clock.monotonic() - started) / 1_000, labels(exchange, unknown, undefined));
        return response;
      };
      gauge.add(1, kind);
      return settle(
        () => next(exchange),
        answered,
        e => answered(errorResponse(exchange.request, e)),
      );
    },
  };
}
