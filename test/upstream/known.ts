/** What changed in Kubernetes between 1.20 and 1.35, so that our answers rightly differ, and the one place where ours are still unlike. */
import type { Difference, Json } from './exchange.ts';

interface Known {
  /** Where in the answer; list items are "N". */
  readonly at: RegExp;
  /** Scenario, method and target of the request. */
  readonly of?: RegExp;
  /** The original's value as JSON text; "undefined" when absent. */
  readonly original?: RegExp;
  readonly ours?: RegExp;
  readonly why: string;
}

const absent = /^undefined$/;
const message = /(^body\.message|causes|^outcome)/;

/** Fields and answers that later versions added, or took away. */
const newer: readonly Known[] = [
  { at: /^body\.items$/, original: /^null$|^undefined$/, ours: /^\[\]$/, why: '1.25 never answers null for no items' },
  {
    at: /labels(\.kubernetes\.io\/metadata\.name)?$/,
    original: absent,
    ours: /^"|metadata\.name/,
    why: 'the label of every namespace since 1.21',
  },
  {
    at: /spec\.(internalTrafficPolicy|ipFamilyPolicy|ipFamilies)$/,
    original: absent,
    why: 'defaulted since 1.21 and 1.22',
  },
  { at: /spec\.clusterIPs?$/, of: /dryRun/, original: absent, why: 'a dry run shows an address since 1.22' },
  { at: /rollingUpdate\.maxSurge$/, of: /daemon/i, original: absent, why: 'since 1.21' },
  { at: /persistentVolumeClaimRetentionPolicy$/, original: absent, why: 'since 1.23' },
  { at: /status\.availableReplicas$/, of: /statefulset/i, original: absent, why: 'since 1.22' },
  {
    at: /spec\.(completionMode|suspend|podReplacementPolicy|manualSelector)$/,
    of: /job/i,
    original: absent,
    why: 'since 1.21 and later',
  },
  { at: /(controller-uid|job-name)$/, of: /job/i, why: 'prefixed labels since 1.27' },
  {
    at: /spec\.(storageCapacity|requiresRepublish|seLinuxMount)$/,
    of: /CSIDriver/,
    original: absent,
    why: 'since 1.21 and later',
  },
  { at: /metadata\.generation$/, original: absent, why: 'counted for these kinds since' },
  {
    at: /^warnings$/,
    original: absent,
    ours: /is deprecated|unknown field/,
    why: 'warnings of fields since 1.25, of deprecated kinds since',
  },
  { at: /columnDefinitions/, why: 'columns that were added, moved or retyped since' },
  {
    at: /rows\.N\.cells/,
    of: /ServiceAccount|life of v1 Pod|ResourceQuota|PersistentVolume|Job|PriorityClass|CSIDriver|HorizontalPodAutoscaler/,
    why: 'columns that were added or moved since',
  },
  {
    at: /resourceVersion$/,
    of: /pods/,
    why: 'an immediate deletion is one revision here; managed fields kept the status then',
  },
  { at: /(qosClass|observedGeneration)$/, of: /pods/, original: absent, why: 'kept since 1.27, and since 1.33' },
  { at: /message|details\.kind/, of: /log$/, why: 'the node is named, not the pod' },
  { at: /managedFields.*f:nodeSelector/, of: /apply/, ours: absent, why: 'node selectors are atomic since 1.21' },
  { at: /metadata\.finalizers$/, of: /strategic/, ours: absent, why: 'what a patch should delete was added then' },
  {
    at: /^(outcome|body\.message)$/,
    original: /Incorrect version specified|expected objects of the same type/,
    ours: /invalid object type: /,
    why: 'kind and version are checked first since',
  },
  { at: message, original: /typed patch object/, ours: /typed patch object \(.*\):/, why: 'the object is named since' },
  { at: message, original: /pod updates may not change/, why: 'more may change, and no dump of the object follows' },
  { at: /^outcome$/, of: /DELETE/, original: /"status":500/, ours: /400/, why: 'a bad request since' },
  { at: /^outcome$/, of: /token$/, ours: /nodes/, why: 'tokens may be bound to nodes since 1.29' },
  {
    at: /(autoscalers|ingress\w+|leases|runtimeclasses|csidrivers|webhookconfigurations|apiservices)\.storageVersionHash$/,
    of: /discovery/,
    why: 'stored as beta versions then',
  },
  { at: /version$/, of: /discovery/, original: /v1beta1/, why: 'the eviction of v1, since 1.22' },
  { at: /services\.verbs$/, why: 'collections of services are deleted since 1.23' },
  { at: message, original: /^"406: Not Acceptable"$/, why: 'with the media types there are since' },
  { at: /singularName$/, original: /^""$/, why: 'named in discovery since 1.27' },
  { at: /^body\.resources\.[\w/]+$/, original: absent, why: 'resources that came since' },
  {
    at: /^outcome$/,
    of: /DELETE .*services/,
    ours: /"Service(List)?"/,
    why: 'deleted services are given back, and by collection, since 1.22 and 1.23',
  },
  { at: /^outcome$/, of: /services/, ours: /ipMode/, why: 'the status of services is validated since 1.30' },
  { at: /(labels|ingress)$/, of: /status of services/, ours: absent, why: 'follows from the refused status' },
  { at: /^outcome$/, of: /fieldSelector=(spec\.type|status\.replicas)/, ours: /List"/, why: 'selectable since' },
  {
    at: /(outcome|resourceVersion|annotations)$/,
    of: /life of v1 PersistentVolume/,
    why: '1.20 kept the status in managed fields, so writing the same made a revision',
  },
  { at: /resourceVersion$/, of: /status of nodes/, why: 'likewise' },
  { at: /nonResourceRules|resourceRules/, why: 'other roles, in another order' },
  {
    at: /^outcome$/,
    of: /patch/i,
    original: /"status":200/,
    ours: /422/,
    why: 'JSON patch refuses to replace what is not there since 1.2x of its library',
  },
  { at: /^outcome$/, of: /apiservices.*fieldManager/, original: /"status":0/, why: '1.20 panics' },
  { at: /metadata\.(annotations|labels)/, of: /APIService|apiservices/, why: 'follows from the panic' },
  {
    at: /spec\.parts|generation$|^outcome$/,
    of: /custom resources/,
    original: /conflict with|parts|^\d+$|"name":"p"/,
    why: '1.20 took lists of custom resources as atomic',
  },
];

/** In generated objects: what later versions accept, refuse or default otherwise. */
const judged = ([kinds, at, why]: readonly [kinds: string, at: RegExp, why: string]): Known => ({
  of: new RegExp(`^generated objects: .*/(${kinds})[?]`),
  at,
  why,
});
const generatedOnly: readonly Known[] = (
  [
    ['csidrivers', /spec\.|^wrong/, 'fields that were alpha then'],
    ['deployments|replicasets|daemonsets', /^(outcome|wrong)/, 'procMount is validated, and paths have indexes, since'],
    ['statefulsets', /^(outcome|wrong)/, 'templates of stateful sets are validated since 1.2x'],
    ['horizontalpodautoscalers', /^(outcome|wrong)/, 'the target must name a group since'],
    ['services', /^(outcome|wrong)/, 'dual stack, and load balancers, came since'],
    ['runtimeclasses', /^wrong/, 'the path said it twice'],
    ['leases', /^outcome/, 'times without fractions are read, too'],
    ['csinodes', /^wrong/, 'an empty name is missing, and not also invalid'],
    ['persistentvolumes', /^wrong/, 'the second type of volume is reported first'],
    ['(validating|mutating)webhookconfigurations', /^wrong/, 'an empty URL is missing here'],
    ['limitranges', /limits/, 'empty maps are kept'],
    ['nodes', /configSource/, 'nobody reads it any more'],
    ['events', /^outcome/, 'microseconds may be missing'],
  ] as const
).map(judged);

/** The same said in other words. */
const reworded: readonly Known[] = [
  {
    at: message,
    original: /(map\[|\{|\(nil\)|0x|\[\]string|\\"null\\")/,
    ours: /[Vv]alue: ?(\{|\[|\\?"|null|0|\\?\{)/,
    why: 'values in messages are JSON since 1.34',
  },
  {
    at: message,
    original:
      /error found in #10 byte|json parse error|unexpected end of JSON|unexpected EOF|cannot unmarshal|yaml: line|Invalid JSON Patch/,
    why: 'another decoder since 1.23, and ours',
  },
  {
    at: message,
    original:
      /uid must not be|kind must not be|name must not be|must have at most|invalid character U\+0007|\\"nil\\"|expected: '='|invalid label key|strconv\.ParseInt|continue key|Timeout: Too large|forbidden for watch|must be a valid IP|scheme\.go/,
    why: 'worded otherwise since',
  },
  { at: message, original: /no new finalizers/, why: '1.20 said it twice' },
  {
    at: message,
    original: /spec\.name in body|spec\.tags in body|in body must be of type|spec\.parts\.name|must be Gadget/,
    why: 'reasons of their own since 1.2x',
  },
  { at: /causes\.N\.reason$/, of: /custom resources/, ours: /TooLong|TooMany|TypeInvalid/, why: 'likewise' },
  {
    at: message,
    original: /StorageError|patch: Invalid value: \\*"\{/,
    why: 'Go values in messages',
  },
  { at: message, of: /refused/, why: 'worded by several later versions' },
  { at: /(group|message)$/, of: /ingresses/, original: /extensions/, why: 'the group of old' },
  { at: /^outcome$/, original: /"status":500.*(resourceVersion|strconv)/, why: 'a bad request or a conflict since' },
  { at: /^(body|type)$/, of: /GET \/(healthz\/)?nothing$/, why: 'plain text since; then it listed the paths' },
  { at: /^(outcome|body\.message|body\.details.*)$/, of: /ephemeralcontainers/, why: 'behind a feature gate then' },
];

/** What depends on time and place. */
const circumstances: readonly Known[] = [
  {
    at: /^outcome$/,
    of: /customresourcedefinitions/,
    ours: /not found/,
    why: 'it takes the original a moment longer to end a definition',
  },
  { at: /serverAddress$/, why: 'ports are drawn by chance' },
];

/** Unlike, and known to be. */
const open: readonly Known[] = [
  {
    at: /conditions$|cells|resourceVersion$|^outcome$/,
    of: /apiregistration/,
    why: 'nobody here says yet whether the API of another server is available',
  },
];

export const known: readonly Known[] = [...newer, ...generatedOnly, ...reworded, ...circumstances, ...open];

const places = (at: string) => at.replaceAll(/\.\d+(?=\.|$)/g, '.N');
const textOf = (value: Json) => JSON.stringify(value) ?? 'undefined';

export function matches(rule: Known, { scenario, request, at, original, ours }: Difference): boolean {
  const says = (pattern: RegExp | undefined, text: string) => pattern === undefined || pattern.test(text);
  return (
    rule.at.test(places(at)) &&
    says(rule.of, `${scenario}: ${request.method} ${request.target}`) &&
    says(rule.original, textOf(original)) &&
    says(rule.ours, textOf(ours))
  );
}
