/** Holds pods to the level that their namespace asks for, and warns of workloads whose pods will not run. */
import { controllerOf } from '../../../api/object.ts';
import type { Namespace, Pod, PodSpec, PodTemplateSpec } from '../../../api/types/core-v1.ts';
import type { ObjectMeta } from '../../../api/types/meta-v1.ts';
import { errors } from '../../../base/errors.ts';
import { aggregate } from '../../registry/field-errors.ts';
import type { AdmissionEnvironment, AdmissionPlugin, AdmissionPluginFactory, AdmissionRequest } from '../contract.ts';
import { containersOf, forbid, lookUp, objectOf, oldObjectOf, on } from '../helpers.ts';
import type { Violation } from './check.ts';
import {
  compareLevels,
  defaultPolicy,
  describe,
  evaluate,
  type LevelVersion,
  type Mode,
  type Policy,
  policyOf,
  reasons,
  samePolicy,
  showPolicy,
  versionLabel,
} from './policy.ts';

const annotationPrefix = 'pod-security.kubernetes.io/';
const ignoredSubresources = new Set(['exec', 'attach', 'binding', 'eviction', 'log', 'portforward', 'proxy', 'status']);
/** As many pods are looked at when a namespace is tightened. */
const maxPodsToCheck = 3000;

export interface PodSecurityConfiguration {
  readonly defaults?: Policy;
  readonly exemptions?: {
    readonly usernames?: readonly string[];
    readonly namespaces?: readonly string[];
    readonly runtimeClasses?: readonly string[];
  };
}

type Template = Partial<PodTemplateSpec> | undefined;
const templateOf = (object: { spec?: { template?: Template } }): Template => object.spec?.template;
const jobTemplateOf = (object: { spec?: { jobTemplate?: { spec?: { template?: Template } } } }): Template =>
  object.spec?.jobTemplate?.spec?.template;

const workloads: Readonly<Record<string, (object: never) => Template>> = {
  '/replicationcontrollers': templateOf,
  '/podtemplates': (object: { template?: Template }) => object.template,
  'apps/replicasets': templateOf,
  'apps/deployments': templateOf,
  'apps/statefulsets': templateOf,
  'apps/daemonsets': templateOf,
  'batch/jobs': templateOf,
  'batch/cronjobs': jobTemplateOf,
};

/** Only images can change in a pod, apart from ephemeral containers that are added. */
function isSignificant(spec: PodSpec, old: PodSpec): boolean {
  const images = (s: PodSpec) => Array.from(containersOf(s), c => `${c.name}=${c.image}`).join();
  return images(spec) !== images(old);
}

function decorate(podName: string, count: number): string {
  if (count === 1) return podName;
  return count === 2 ? `${podName} (and 1 other pod)` : `${podName} (and ${count - 1} other pods)`;
}

/** One pod of each controller first, then the rest. */
function inOrder(pods: readonly Pod[]): Pod[] {
  const seen = new Set<string>();
  const [first, later]: [Pod[], Pod[]] = [[], []];
  for (const pod of pods) {
    const owner = controllerOf(pod)?.uid;
    if (owner && seen.has(owner)) later.push(pod);
    else first.push(pod);
    if (owner) seen.add(owner);
  }
  return [...first, ...later];
}

function namespaceWarnings(name: string, pods: readonly Pod[], enforce: LevelVersion): string[] {
  const checked = inOrder(pods).slice(0, maxPodsToCheck);
  const found = new Map<string, string[]>();
  for (const pod of checked) {
    const text = pod.spec ? reasons(evaluate(enforce, pod.spec, pod.metadata)) : '';
    if (text) found.set(text, [...(found.get(text) ?? []), pod.metadata.name]);
  }
  const lines = [...found]
    .map(([text, names]) => `${decorate([...names].sort()[0] ?? '', names.length)}: ${text}`)
    .sort();
  return [
    ...(checked.length < pods.length
      ? [
          `new PodSecurity enforce level only checked against the first ${checked.length} of ${pods.length} existing pods`,
        ]
      : []),
    ...(lines.length > 0
      ? [
          `existing pods in namespace ${JSON.stringify(name)} violate the new PodSecurity enforce level ${JSON.stringify(showPolicy(enforce))}`,
        ]
      : []),
    ...lines,
  ];
}

function create(environment: AdmissionEnvironment, configuration: PodSecurityConfiguration): AdmissionPlugin {
  const { client, informers } = environment;
  const { defaults = defaultPolicy, exemptions = {} } = configuration;
  const informer = informers.informer('v1/namespaces');
  const namespaces = client.resource('v1/namespaces');

  const exempt = (request: AdmissionRequest, spec?: PodSpec): string | undefined => {
    if (exemptions.namespaces?.includes(request.namespace)) return 'namespace';
    if (exemptions.usernames?.includes(request.user.name)) return 'user';
    return spec?.runtimeClassName && exemptions.runtimeClasses?.includes(spec.runtimeClassName)
      ? 'runtimeClass'
      : undefined;
  };

  async function review(
    request: AdmissionRequest,
    spec: PodSpec,
    metadata: Pick<ObjectMeta, 'annotations'>,
    enforced: boolean,
  ): Promise<void> {
    const exemption = exempt(request, spec);
    if (exemption) return request.annotate(`${annotationPrefix}exempt`, exemption);
    const namespace = await lookUp(informer, namespaces, request.namespace);
    if (!namespace) throw errors.internal(`failed to lookup namespace ${JSON.stringify(request.namespace)}`);
    const { policy, errors: problems } = policyOf(namespace.metadata.labels, defaults);
    if (problems.length > 0)
      request.annotate(`${annotationPrefix}error`, `Failed to parse policy: ${aggregate(problems).message}`);
    apply(request, policy, mode => evaluate(policy[mode], spec, metadata), enforced);
  }

  async function reviewNamespace(request: AdmissionRequest): Promise<void> {
    if (request.subresource) return;
    const namespace = objectOf<Namespace>(request);
    const next = policyOf(namespace.metadata.labels, defaults);
    const old = request.oldObject && policyOf(oldObjectOf<Namespace>(request).metadata.labels, defaults);
    if (next.errors.length > 0 && JSON.stringify(next.errors) !== JSON.stringify(old?.errors)) {
      const { causes, message } = aggregate(next.errors);
      throw errors.invalid({ group: '', kind: 'Namespace' }, request.name, causes, message);
    }
    const { enforce } = next.policy;
    const before = old?.policy.enforce;
    if (exemptions.namespaces?.includes(request.name)) return warnOfExemption(request, next.policy, namespace);
    if (!before || samePolicy(enforce, before) || enforce.level === 'privileged') return;
    if (enforce.version === before.version && compareLevels(enforce.level, before.level) < 1) return;
    const pods = (await client.resource('v1/pods', request.name).list()).items;
    for (const warning of namespaceWarnings(request.name, pods, enforce)) request.warn(warning);
  }

  function warnOfExemption(request: AdmissionRequest, policy: Policy, namespace: Namespace): void {
    const modes: Mode[] = ['enforce', 'audit', 'warn'];
    const labels = namespace.metadata.labels ?? {};
    const set = modes.filter(
      m => policy[m].level !== 'privileged' && (`${annotationPrefix}${m}` in labels || versionLabel(m) in labels),
    );
    if (set.length === 0) return;
    const shown = set.map(m => `${m}=${showPolicy(policy[m])}`).join(', ');
    request.warn(
      `namespace ${JSON.stringify(request.name)} is exempt from Pod Security, and the policy (${shown}) will be ignored`,
    );
  }

  return {
    name: 'PodSecurity',
    resources: ['/namespaces', '/pods', ...Object.keys(workloads)],
    handles: on('CREATE', 'UPDATE'),
    async validate(request) {
      const key = `${request.resource.group}/${request.resource.plural}`;
      if (key === '/namespaces') return reviewNamespace(request);
      if (key === '/pods') {
        if (ignoredSubresources.has(request.subresource)) return;
        const { spec, metadata } = objectOf<Pod>(request);
        const old = request.oldObject && oldObjectOf<Pod>(request).spec;
        if (spec && (!old || isSignificant(spec, old))) await review(request, spec, metadata, true);
        return;
      }
      const extract = request.subresource ? undefined : workloads[key];
      const template = extract?.(request.object as never);
      if (template?.spec) await review(request, template.spec, template.metadata ?? {}, false);
    },
  };
}

function apply(
  request: AdmissionRequest,
  policy: Policy,
  violations: (mode: Mode) => Violation[],
  enforced: boolean,
): void {
  const would = (mode: Mode, found: readonly Violation[]) =>
    `would violate PodSecurity ${JSON.stringify(showPolicy(policy[mode]))}: ${describe(found)}`;
  if (enforced) request.annotate(`${annotationPrefix}enforce-policy`, showPolicy(policy.enforce));
  const audited = violations('audit');
  if (audited.length > 0) request.annotate(`${annotationPrefix}audit-violations`, would('audit', audited));
  const broken = enforced ? violations('enforce') : [];
  if (broken.length > 0)
    throw forbid(request, `violates PodSecurity ${JSON.stringify(showPolicy(policy.enforce))}: ${describe(broken)}`);
  const warned = violations('warn');
  if (warned.length > 0) request.warn(would('warn', warned));
}

export const podSecurityWith = (configuration: PodSecurityConfiguration): AdmissionPluginFactory => ({
  name: 'PodSecurity',
  create: environment => create(environment, configuration),
});

export const podSecurity: AdmissionPluginFactory = podSecurityWith({});
