/** How much of each resource an object uses, and which quotas it counts against (pkg/quota/v1/evaluator/core of v1.35). */
import type { KubeObject } from '../object.ts';
import { compareQuantity, formatQuantity, quantityOf, unitsOf } from '../quantity.ts';
import type {
  Container,
  PersistentVolumeClaim,
  Pod,
  PodAffinityTerm,
  PodSpec,
  ResourceQuota,
  ScopedResourceSelectorRequirement,
  Service,
} from '../types/core-v1.ts';
import type { ResourceClaim } from '../types/resource-v1.ts';
import { podLimits, podRequests, qosClass } from './pod-resources.ts';
import { addLists, type ResourceList } from './resource-list.ts';

export interface QuotaEvaluator {
  /** "group/plural"; the core group's is "/pods". */
  readonly resource: string;
  /** Changes count too, not only creation. */
  readonly countsUpdates: boolean;
  /** Which of these names of a quota concern the resource. */
  matchingResources(names: readonly string[]): string[];
  matchesScope(scope: ScopedResourceSelectorRequirement, obj: KubeObject): boolean;
  /** `now` in milliseconds: pods that should be gone by then do not count. */
  usage(obj: KubeObject, now: number): ResourceList;
  /** What the object must specify but does not, in upstream's words; undefined when nothing. */
  missing?(required: readonly string[], obj: KubeObject): string | undefined;
}

export const objectCountName = (group: string, plural: string): string =>
  group ? `count/${plural}.${group}` : `count/${plural}`;

const among =
  (known: readonly string[], more: (name: string) => boolean = () => false) =>
  (names: readonly string[]) =>
    names.filter(n => known.includes(n) || more(n));

function selectsValue(scope: ScopedResourceSelectorRequirement, values: readonly string[]): boolean {
  const wanted = scope.values ?? [];
  switch (scope.operator) {
    case 'Exists':
      return values.length > 0;
    case 'DoesNotExist':
      return values.length === 0;
    case 'In':
      return values.some(v => wanted.includes(v));
    case 'NotIn':
      return values.length === 0 || values.some(v => !wanted.includes(v));
    default:
      return false;
  }
}

// Pods

const podResources = [
  'count/pods',
  'pods',
  ...['cpu', 'memory', 'ephemeral-storage'].flatMap(r => [r, `requests.${r}`, `limits.${r}`]),
];
const isNative = (name: string) => !name.includes('/') || name.includes('kubernetes.io/');
const isExtended = (name: string) => !isNative(name) && !name.startsWith('requests.');
const isQuotaOfExtended = (name: string) => name.startsWith('requests.') && !isNative(name);
const isHugePages = (name: string) => name.startsWith('hugepages-') || name.startsWith('requests.hugepages-');

function computeUsage(requests: ResourceList, limits: ResourceList): Record<string, string> {
  const out: Record<string, string> = { pods: '1' };
  for (const [name, quantity] of Object.entries(requests)) {
    if (name === 'cpu' || name === 'memory' || name === 'ephemeral-storage' || name.startsWith('hugepages-'))
      out[name] = quantity;
    else if (!isExtended(name)) continue;
    out[`requests.${name}`] = quantity;
  }
  for (const name of ['cpu', 'memory', 'ephemeral-storage']) {
    const limit = limits[name];
    if (limit !== undefined) out[`limits.${name}`] = limit;
  }
  return out;
}

/** Finished pods, and those whose grace period is over, leave only a count of objects. */
function isCharged(pod: Pod, now: number): boolean {
  if (pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded') return false;
  const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata;
  if (deletionTimestamp === undefined || deletionGracePeriodSeconds === undefined) return true;
  return now <= Date.parse(deletionTimestamp) + deletionGracePeriodSeconds * 1000;
}

function crossesNamespaces(spec: PodSpec): boolean {
  const term = (t: PodAffinityTerm) => !!t.namespaces?.length || t.namespaceSelector !== undefined;
  return [spec.affinity?.podAffinity, spec.affinity?.podAntiAffinity].some(
    a =>
      a?.requiredDuringSchedulingIgnoredDuringExecution?.some(term) ||
      a?.preferredDuringSchedulingIgnoredDuringExecution?.some(p => term(p.podAffinityTerm)),
  );
}

function podMatchesScope(scope: ScopedResourceSelectorRequirement, pod: Pod): boolean {
  const spec = pod.spec ?? { containers: [] };
  const terminating = spec.activeDeadlineSeconds !== undefined && spec.activeDeadlineSeconds >= 0;
  switch (scope.scopeName) {
    case 'Terminating':
      return terminating;
    case 'NotTerminating':
      return !terminating;
    case 'BestEffort':
      return qosClass(spec) === 'BestEffort';
    case 'NotBestEffort':
      return qosClass(spec) !== 'BestEffort';
    case 'PriorityClass':
      return selectsValue(scope, spec.priorityClassName ? [spec.priorityClassName] : []);
    case 'CrossNamespacePodAffinity':
      return crossesNamespaces(spec);
    default:
      return false;
  }
}

/** Quotas of these make every container say what it needs. */
const mustSpecify = ['cpu', 'memory', 'requests.cpu', 'requests.memory', 'limits.cpu', 'limits.memory'];

function podMissing(required: readonly string[], pod: Pod): string | undefined {
  const wanted = required.filter(r => mustSpecify.includes(r)).sort();
  const containers: Container[] = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])];
  const lines = wanted.flatMap(name => {
    const without = containers.filter(
      c => !(name in computeUsage(c.resources?.requests ?? {}, c.resources?.limits ?? {})),
    );
    if (without.length === 0 || coveredByPod(pod, name)) return [];
    return [`${name} for: ${[...new Set(without.map(c => c.name))].sort().join(',')}`];
  });
  return lines.length > 0 ? `must specify ${lines.join('; ')}` : undefined;
}

/** Resources given for the whole pod spare its containers. */
function coveredByPod(pod: Pod, name: string): boolean {
  const { requests = {}, limits = {} } = pod.spec?.resources ?? {};
  return name in computeUsage(requests, limits);
}

const pods: QuotaEvaluator = {
  resource: '/pods',
  countsUpdates: false,
  matchingResources: among(podResources, n => isHugePages(n) || isQuotaOfExtended(n)),
  matchesScope: (scope, obj) => podMatchesScope(scope, obj as Pod),
  usage(obj, now) {
    const pod = obj as Pod;
    const count = { 'count/pods': '1' };
    if (!pod.spec || !isCharged(pod, now)) return count;
    return { ...count, ...computeUsage(podRequests(pod.spec), podLimits(pod.spec)) };
  },
  missing: (required, obj) => podMissing(required, obj as Pod),
};

// Services

const services: QuotaEvaluator = {
  resource: '/services',
  countsUpdates: true,
  matchingResources: among(['count/services', 'services', 'services.nodeports', 'services.loadbalancers']),
  matchesScope: () => false,
  usage(obj) {
    const { type, ports = [], allocateLoadBalancerNodePorts } = (obj as Service).spec ?? {};
    const balanced = type === 'LoadBalancer';
    const counted =
      balanced && allocateLoadBalancerNodePorts === false
        ? ports.filter(p => p.nodePort)
        : balanced || type === 'NodePort'
          ? ports
          : [];
    return {
      'count/services': '1',
      services: '1',
      'services.nodeports': String(counted.length),
      'services.loadbalancers': balanced ? '1' : '0',
    };
  },
};

// Claims

const claimResources = ['persistentvolumeclaims', 'requests.storage'];
const classSuffix = '.storageclass.storage.k8s.io/';

function attributesClasses(claim: PersistentVolumeClaim): string[] {
  const names = [
    claim.spec?.volumeAttributesClassName,
    claim.status?.currentVolumeAttributesClassName,
    claim.status?.modifyVolumeStatus?.targetVolumeAttributesClassName,
  ];
  return [...new Set(names.filter(n => n !== undefined && n !== ''))] as string[];
}

/** Whole bytes: what is asked for, or what is being made of it, if that is more. */
function storageOf(claim: PersistentVolumeClaim): string | undefined {
  const requested = claim.spec?.resources?.requests?.['storage'];
  if (requested === undefined) return undefined;
  const allocated = claim.status?.allocatedResources?.['storage'];
  const most = allocated !== undefined && compareQuantity(allocated, requested) > 0 ? allocated : requested;
  return /^\d+([KMGTPE]i)?$/.test(most) ? most : formatQuantity(quantityOf(unitsOf(most)));
}

const claims: QuotaEvaluator = {
  resource: '/persistentvolumeclaims',
  countsUpdates: true,
  matchingResources: among(['count/persistentvolumeclaims', ...claimResources], n =>
    claimResources.some(r => n.endsWith(classSuffix + r)),
  ),
  matchesScope: (scope, obj) =>
    scope.scopeName === 'VolumeAttributesClass' && selectsValue(scope, attributesClasses(obj as PersistentVolumeClaim)),
  usage(obj) {
    const claim = obj as PersistentVolumeClaim;
    const storageClass =
      claim.metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] ?? claim.spec?.storageClassName;
    const storage = storageOf(claim);
    const plain = { persistentvolumeclaims: '1', ...(storage !== undefined && { 'requests.storage': storage }) };
    const byClass = storageClass
      ? Object.entries(plain).map(([name, v]): [string, string] => [`${storageClass}${classSuffix}${name}`, v])
      : [];
    return { 'count/persistentvolumeclaims': '1', ...plain, ...Object.fromEntries(byClass) };
  },
};

const deviceSuffix = '.deviceclass.resource.k8s.io/devices';

/** The most that a claim can take: of alternatives the largest, and for "All" what one claim may hold. */
function devicesOf(claim: ResourceClaim): Record<string, string> {
  let out: Record<string, string> = {};
  const most = 32;
  for (const request of claim.spec.devices?.requests ?? []) {
    const options = request.exactly ? [request.exactly] : (request.firstAvailable ?? []);
    let largest: Record<string, string> = {};
    for (const { deviceClassName, allocationMode, count } of options) {
      const number = allocationMode === 'All' ? most : (count ?? 1);
      const key = `${deviceClassName}${deviceSuffix}`;
      if (unitsOf(largest[key] ?? '0') < number) largest = { ...largest, [key]: String(number) };
    }
    out = addLists(out, largest);
  }
  return out;
}

const resourceClaims: QuotaEvaluator = {
  resource: 'resource.k8s.io/resourceclaims',
  countsUpdates: true,
  matchingResources: among(['count/resourceclaims.resource.k8s.io'], n => n.endsWith(deviceSuffix)),
  matchesScope: () => false,
  usage: obj => ({ 'count/resourceclaims.resource.k8s.io': '1', ...devicesOf(obj as ResourceClaim) }),
};

// Everything else

/** Core kinds that have a quota name of their own besides the count. */
const aliases = ['configmaps', 'resourcequotas', 'replicationcontrollers', 'secrets'];

function objectCount(group: string, plural: string): QuotaEvaluator {
  const names = [objectCountName(group, plural), ...(group === '' && aliases.includes(plural) ? [plural] : [])];
  return {
    resource: `${group}/${plural}`,
    countsUpdates: false,
    matchingResources: among(names),
    matchesScope: () => false,
    usage: () => Object.fromEntries(names.map(name => [name, '1'])),
  };
}

const special = new Map([pods, services, claims, resourceClaims].map(e => [e.resource, e]));
const counts = new Map<string, QuotaEvaluator>();

export function evaluatorFor(group: string, plural: string): QuotaEvaluator {
  const resource = `${group}/${plural}`;
  let evaluator = special.get(resource) ?? counts.get(resource);
  if (!evaluator) counts.set(resource, (evaluator = objectCount(group, plural)));
  return evaluator;
}

/** The resource ("group", "plural") whose objects a name of a quota counts; undefined for names nobody counts. */
export function resourceOfQuotaName(name: string): { group: string; plural: string } | undefined {
  if (name.startsWith('count/')) {
    const [plural = '', ...group] = name.slice('count/'.length).split('.');
    return { group: group.join('.'), plural };
  }
  for (const evaluator of special.values())
    if (evaluator.matchingResources([name]).length > 0) {
      const [group = '', plural = ''] = evaluator.resource.split('/');
      return { group, plural };
    }
  return aliases.includes(name) ? { group: '', plural: name } : undefined;
}

/** Scopes as requirements: plain ones mean "exists". */
export function scopesOf(quota: ResourceQuota): ScopedResourceSelectorRequirement[] {
  return [
    ...(quota.spec.scopes ?? []).map(scopeName => ({ scopeName, operator: 'Exists' })),
    ...(quota.spec.scopeSelector?.matchExpressions ?? []),
  ];
}

/** Does the object count against the quota? `names`: the quota's resources. */
export function quotaMatches(
  evaluator: QuotaEvaluator,
  quota: ResourceQuota,
  obj: KubeObject,
  names: readonly string[] = Object.keys(quota.status?.hard ?? quota.spec.hard ?? {}),
): boolean {
  return evaluator.matchingResources(names).length > 0 && scopesOf(quota).every(s => evaluator.matchesScope(s, obj));
}

/** What all these objects of one resource use of the quota. For the quota controller. */
export function totalUsage(
  evaluator: QuotaEvaluator,
  quota: ResourceQuota,
  objects: Iterable<KubeObject>,
  now: number,
): Record<string, string> {
  const names = evaluator.matchingResources(Object.keys(quota.spec.hard ?? {}));
  let total: Record<string, string> = Object.fromEntries(names.map(name => [name, '0']));
  for (const obj of objects) {
    if (!scopesOf(quota).every(s => evaluator.matchesScope(s, obj))) continue;
    const usage = evaluator.usage(obj, now);
    total = addLists(total, Object.fromEntries(names.flatMap(n => (usage[n] === undefined ? [] : [[n, usage[n]]]))));
  }
  return total;
}
