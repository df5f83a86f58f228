import { compareQuantity, floatOf, formatQuantity, isZeroQuantity } from '../../api/quantity.ts';
import { podLimits, podRequests, type ResourceList } from '../../api/quota/index.ts';
import type {
  Container,
  LimitRange,
  LimitRangeItem,
  PersistentVolumeClaim,
  Pod,
  PodSpec,
} from '../../api/types/core-v1.ts';
import type { AdmissionPluginFactory, AdmissionRequest } from './contract.ts';
import { forbid, isFor, objectOf, on } from './helpers.ts';

const annotation = 'kubernetes.io/limit-ranger';

interface Resources {
  readonly requests: ResourceList;
  readonly limits: ResourceList;
}

/** Fills in what the container leaves open; gives what the annotation says of it. */
function applyDefaults(container: Container, defaults: Resources, what: string): string[] {
  const fill = (kind: 'requests' | 'limits', noun: string): string[] => {
    const own = container.resources?.[kind] ?? {};
    const missing = Object.keys(defaults[kind])
      .filter(name => !(name in own))
      .sort();
    if (missing.length === 0) return [];
    const added = Object.fromEntries(missing.map(name => [name, defaults[kind][name] ?? '0']));
    container.resources = { ...container.resources, [kind]: { ...own, ...added } };
    return [`${missing.join(', ')} ${noun} for ${what} ${container.name}`];
  };
  return [...fill('requests', 'request'), ...fill('limits', 'limit')];
}

function defaultsOf(range: LimitRange): Resources {
  const items = range.spec?.limits.filter(l => l.type === 'Container') ?? [];
  return {
    requests: Object.assign({}, ...items.map(l => l.defaultRequest)),
    limits: Object.assign({}, ...items.map(l => l.default)),
  };
}

function mutatePod(pod: Pod & { spec: PodSpec }, range: LimitRange): void {
  const defaults = defaultsOf(range);
  const notes = [
    ...pod.spec.containers.flatMap(c => applyDefaults(c, defaults, 'container')),
    ...(pod.spec.initContainers ?? []).flatMap(c => applyDefaults(c, defaults, 'init container')),
  ];
  if (notes.length === 0) return;
  const text = `LimitRanger plugin set: ${notes.join('; ')}`;
  pod.metadata.annotations = { ...pod.metadata.annotations, [annotation]: text };
}

const show = (quantity: string): string => formatQuantity(quantity);

function minimum(
  item: LimitRangeItem,
  name: string,
  bound: string,
  { requests, limits }: Resources,
): string | undefined {
  const head = `minimum ${name} usage per ${item.type} is ${show(bound)}`;
  const [request, limit] = [requests[name], limits[name]];
  if (request === undefined) return `${head}.  No request is specified`;
  if (compareQuantity(request, bound) < 0) return `${head}, but request is ${show(request)}`;
  if (limit !== undefined && compareQuantity(limit, bound) < 0) return `${head}, but limit is ${show(limit)}`;
  return undefined;
}

function maximum(
  item: LimitRangeItem,
  name: string,
  bound: string,
  { requests, limits }: Resources,
): string | undefined {
  const head = `maximum ${name} usage per ${item.type} is ${show(bound)}`;
  const [request, limit] = [requests[name], limits[name]];
  if (limit === undefined) return `${head}.  No limit is specified`;
  if (compareQuantity(limit, bound) > 0) return `${head}, but limit is ${show(limit)}`;
  if (request !== undefined && compareQuantity(request, bound) > 0) return `${head}, but request is ${show(request)}`;
  return undefined;
}

function ratio(item: LimitRangeItem, name: string, bound: string, { requests, limits }: Resources): string | undefined {
  const head = `${name} max limit to request ratio per ${item.type} is ${show(bound)}`;
  const [request, limit] = [requests[name], limits[name]];
  if (request === undefined || isZeroQuantity(request)) return `${head}, but no request is specified or request is 0`;
  if (limit === undefined || isZeroQuantity(limit)) return `${head}, but no limit is specified or limit is 0`;
  const observed = floatOf(limit) / floatOf(request);
  return observed > floatOf(bound) ? `${head}, but provided ratio is ${observed.toFixed(6)}` : undefined;
}

type Bound = (item: LimitRangeItem, name: string, bound: string, resources: Resources) => string | undefined;
const bounds: readonly [keyof LimitRangeItem, Bound][] = [
  ['min', minimum],
  ['max', maximum],
  ['maxLimitRequestRatio', ratio],
];

function violations(item: LimitRangeItem, resources: Resources): string[] {
  return bounds.flatMap(([key, check]) =>
    Object.entries((item[key] ?? {}) as ResourceList).flatMap(
      ([name, bound]) => check(item, name, bound, resources) ?? [],
    ),
  );
}

const resourcesOf = (container: Container): Resources => ({
  requests: container.resources?.requests ?? {},
  limits: container.resources?.limits ?? {},
});

function podViolations(spec: PodSpec, range: LimitRange): string[] {
  return (range.spec?.limits ?? []).flatMap(item => {
    if (item.type === 'Container')
      return [...spec.containers, ...(spec.initContainers ?? [])].flatMap(c => violations(item, resourcesOf(c)));
    if (item.type !== 'Pod') return [];
    const bare = { ...spec, overhead: {} };
    return violations(item, { requests: podRequests(bare), limits: podLimits(bare) });
  });
}

function claimViolations(claim: PersistentVolumeClaim, range: LimitRange): string[] {
  const requests = claim.spec?.resources?.requests ?? {};
  return (range.spec?.limits ?? []).flatMap(item => {
    if (item.type !== 'PersistentVolumeClaim') return [];
    const low = Object.entries(item.min ?? {}).flatMap(([n, v]) => minimum(item, n, v, { requests, limits: {} }) ?? []);
    const high = Object.entries(item.max ?? {}).flatMap(([name, most]) => {
      const head = `maximum ${name} usage per ${item.type} is ${show(most)}`;
      const request = requests[name];
      if (request === undefined) return [`${head}.  No request is specified`];
      return compareQuantity(request, most) > 0 ? [`${head}, but request is ${show(request)}`] : [];
    });
    return [...low, ...high];
  });
}

/** Containers of a pod cannot change after creation, apart from a resize. */
function podFor(request: AdmissionRequest): (Pod & { spec: PodSpec }) | undefined {
  const created = request.operation === 'CREATE' && isFor(request, '/pods');
  const resized = request.operation === 'UPDATE' && isFor(request, '/pods', 'resize');
  const pod = created || resized ? objectOf<Pod>(request) : undefined;
  return pod?.spec ? (pod as Pod & { spec: PodSpec }) : undefined;
}

/** Defaults and bounds of what containers, pods and claims of a namespace ask for. */
export const limitRanger: AdmissionPluginFactory = {
  name: 'LimitRanger',
  create({ client, informers }) {
    const informer = informers.informer('v1/limitranges');
    async function rangesIn(namespace: string): Promise<readonly LimitRange[]> {
      if (informer.hasSynced) return informer.store.byIndex('namespace', namespace);
      return (await client.resource('v1/limitranges', namespace).list()).items;
    }
    return {
      name: 'LimitRanger',
      resources: ['/pods', '/persistentvolumeclaims'],
      handles: on('CREATE', 'UPDATE'),
      async admit(request) {
        const pod = podFor(request);
        if (pod) for (const range of await rangesIn(request.namespace)) mutatePod(pod, range);
      },
      async validate(request) {
        const pod = podFor(request);
        const isClaim = isFor(request, '/persistentvolumeclaims');
        if (!pod && !isClaim) return;
        for (const range of await rangesIn(request.namespace)) {
          const found = pod ? podViolations(pod.spec, range) : claimViolations(objectOf(request), range);
          if (found.length > 0) throw forbid(request, found.length > 1 ? `[${found.join(', ')}]` : (found[0] ?? ''));
        }
      },
    };
  },
};
