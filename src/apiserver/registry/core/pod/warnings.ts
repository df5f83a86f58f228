/** What a pod or template may contain but should not (pkg/api/pod/warnings.go). */
import type { KubeObject } from '../../../../api/object.ts';
import type { Affinity, PodAffinity, PodSpec, PodTemplateSpec } from '../../../../api/types/core-v1.ts';
import { isDns1123Label } from '../../../../api/validation/names.ts';
import { same } from '../../checks.ts';
import { ipWarnings } from '../../meta/ip-warnings.ts';
import { nodeLabelComplaint, nodeLabelWarnings, nodeTermWarnings } from '../node-labels.ts';
import { appArmorOfAnnotation, appArmorPrefix } from './app-armor.ts';
import { byteWarnings } from './byte-warnings.ts';
import { type AnyContainer, containersOf } from './containers-of.ts';
import { portWarnings } from './port-warnings.ts';
import { volumeWarnings } from './volume-warnings.ts';

const podSeccomp = 'seccomp.security.alpha.kubernetes.io/pod';
const containerSeccomp = 'container.seccomp.security.alpha.kubernetes.io/';
const useSeccompField = 'non-functional in v1.27+; use the "seccompProfile" field instead';
const useAppArmorField = 'deprecated since v1.30; use the "appArmorProfile" field instead';
const deadAnnotations: Readonly<Record<string, string>> = {
  'scheduler.alpha.kubernetes.io/critical-pod': 'non-functional in v1.16+; use the "priorityClassName" field instead',
  'security.alpha.kubernetes.io/sysctls': 'non-functional in v1.11+; use the "sysctls" field instead',
  'security.alpha.kubernetes.io/unsafe-sysctls': 'non-functional in v1.11+; use the "sysctls" field instead',
};
const quote = (text: string) => JSON.stringify(text);
type Annotations = Readonly<Record<string, string>>;
/** A later value may use the one before it; else that one is lost. */
function envWarnings({ env = [] }: AnyContainer, path: string): string[] {
  const seen = new Set<string>();
  return env.flatMap(({ name, value = '', valueFrom }, i) => {
    if (!seen.has(name)) {
      seen.add(name);
      return [];
    }
    const reference = `$(${name})`;
    if (!valueFrom && value !== reference && value.includes(reference)) return [];
    return [`${path}.env[${i}]: hides previous definition of ${quote(name)}, which may be dropped when using apply`];
  });
}

function profileWarnings(
  container: AnyContainer,
  spec: PodSpec,
  annotations: Annotations,
  at: string,
  isTemplate: boolean,
): string[] {
  const { name, securityContext: own } = container;
  const seccomp = containerSeccomp + name;
  const armor = appArmorPrefix + name;
  const profile = annotations[armor];
  const ofPod = spec.securityContext?.appArmorProfile;
  const needless = ofPod !== undefined && same(ofPod, appArmorOfAnnotation(profile));
  return [
    ...(!own?.seccompProfile && annotations[seccomp] !== undefined ? [`${at}[${seccomp}]: ${useSeccompField}`] : []),
    ...(isTemplate && !own?.appArmorProfile && profile !== undefined && !needless
      ? [`${at}[${armor}]: ${useAppArmorField}`]
      : []),
  ];
}

function duplicates(values: readonly string[], say: (index: number, value: string) => string): string[] {
  return values.flatMap((value, i) => (values.indexOf(value) < i ? [say(i, value)] : []));
}

function spreadWarnings({ topologySpreadConstraints: constraints = [] }: PodSpec, path: string): string[] {
  return constraints.flatMap((constraint, i) => [
    ...nodeLabelWarnings(constraint.topologyKey, `${path}.topologySpreadConstraints[${i}].topologyKey`),
    ...nullSelector(constraint.labelSelector, `${path}.topologySpreadConstraints[${i}].labelSelector`),
  ]);
}

const nullSelector = (selector: unknown, path: string): string[] =>
  selector ? [] : [`${path}: a null labelSelector results in matching no pod`];

function nodeAffinityWarnings({ nodeAffinity }: Affinity, path: string): string[] {
  const must = 'requiredDuringSchedulingIgnoredDuringExecution';
  const should = 'preferredDuringSchedulingIgnoredDuringExecution';
  return [
    ...(nodeAffinity?.[must]?.nodeSelectorTerms ?? []).flatMap((term, i) =>
      nodeTermWarnings(term, false, `${path}.nodeAffinity.${must}.nodeSelectorTerms[${i}]`),
    ),
    ...(nodeAffinity?.[should] ?? []).flatMap((term, i) =>
      nodeTermWarnings(term.preference, true, `${path}.nodeAffinity.${should}[${i}].preference`),
    ),
  ];
}

function podAffinityWarnings(affinity: PodAffinity | undefined, path: string): string[] {
  const must = 'requiredDuringSchedulingIgnoredDuringExecution';
  const should = 'preferredDuringSchedulingIgnoredDuringExecution';
  return [
    ...(affinity?.[must] ?? []).flatMap((term, i) =>
      nullSelector(term.labelSelector, `${path}.${must}[${i}].labelSelector`),
    ),
    ...(affinity?.[should] ?? []).flatMap((term, i) =>
      nullSelector(term.podAffinityTerm?.labelSelector, `${path}.${should}[${i}].podAffinityTerm.labelSelector`),
    ),
  ];
}

function containerWarnings(spec: PodSpec, annotations: Annotations, prefix: string): string[] {
  const at = `${prefix}metadata.annotations`;
  return containersOf(spec, `${prefix}spec`).flatMap(([container, path]) => [
    ...profileWarnings(container, spec, annotations, at, prefix !== ''),
    ...byteWarnings(container.resources?.limits, `${path}.resources.limits`),
    ...byteWarnings(container.resources?.requests, `${path}.resources.requests`),
    ...envWarnings(container, path),
  ]);
}

function placementWarnings(spec: PodSpec, path: string): string[] {
  const selectors = Object.keys(spec.nodeSelector ?? {}).flatMap(key => {
    const why = nodeLabelComplaint(key);
    return why === undefined ? [] : [`${path}.nodeSelector[${key}]: ${why}`];
  });
  return [
    ...selectors,
    ...nodeAffinityWarnings(spec.affinity ?? {}, `${path}.affinity`),
    ...spreadWarnings(spec, path),
  ];
}

function nameWarnings(spec: PodSpec, path: string): string[] {
  const secrets = (spec.imagePullSecrets ?? []).map(({ name = '' }) => name);
  const at = `${path}.imagePullSecrets`;
  return [
    ...duplicates(
      (spec.hostAliases ?? []).map(({ ip }) => ip),
      (i, ip) => `${path}.hostAliases[${i}].ip: duplicate ip ${quote(ip)}`,
    ),
    ...duplicates(secrets, (i, name) => `${at}[${i}].name: duplicate name ${quote(name)}`),
    ...secrets.flatMap((name, i) => (name ? [] : [`${at}[${i}].name: invalid empty name ""`])),
  ];
}

function annotationWarnings(annotations: Annotations, at: string): string[] {
  return Object.entries(deadAnnotations).flatMap(([key, why]) =>
    annotations[key] === undefined ? [] : [`${at}[${key}]: ${why}`],
  );
}

const oldSeccomp = (spec: PodSpec, annotations: Annotations, at: string): string[] =>
  !spec.securityContext?.seccompProfile && annotations[podSeccomp] !== undefined
    ? [`${at}[${podSeccomp}]: ${useSeccompField}`]
    : [];

function graceWarnings({ terminationGracePeriodSeconds: grace = 0 }: PodSpec, path: string): string[] {
  return grace < 0
    ? [`${path}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`]
    : [];
}

function addressWarnings({ dnsConfig, hostAliases = [] }: PodSpec, path: string): string[] {
  return [
    ...(dnsConfig?.nameservers ?? []).flatMap((ip, i) => ipWarnings(ip, `${path}.dnsConfig.nameservers[${i}]`)),
    ...hostAliases.flatMap(({ ip }, i) => ipWarnings(ip, `${path}.hostAliases[${i}].ip`)),
  ];
}

/** Warnings of a pod (`path` "") or of a template under a path. */
export function podWarnings(template: PodTemplateSpec | undefined, path: string): string[] {
  const spec = template?.spec;
  if (!spec) return [];
  const prefix = path ? `${path}.` : '';
  const at = `${prefix}spec`;
  const annotations = template.metadata?.annotations ?? {};
  const notes = `${prefix}metadata.annotations`;
  return [
    ...placementWarnings(spec, at),
    ...annotationWarnings(annotations, notes),
    ...volumeWarnings(spec.volumes, `${at}.volumes`),
    ...nameWarnings(spec, at),
    ...byteWarnings(spec.overhead, `${at}.overhead`),
    ...oldSeccomp(spec, annotations, notes),
    ...containerWarnings(spec, annotations, prefix),
    ...portWarnings(containersOf(spec, at)),
    ...graceWarnings(spec, at),
    ...podAffinityWarnings(spec.affinity?.podAffinity, `${at}.affinity.podAffinity`),
    ...podAffinityWarnings(spec.affinity?.podAntiAffinity, `${at}.affinity.podAntiAffinity`),
    ...addressWarnings(spec, at),
  ];
}

/** Names of workloads go into names of pods, and these into hostnames. */
export function hostnameWarnings(name: string, usedIn = 'Pod names and hostnames'): string[] {
  const complaints = isDns1123Label(name);
  return complaints.length === 0
    ? []
    : [
        `metadata.name: this is used in ${usedIn}, which can result in surprising behavior; a DNS label is recommended: [${complaints.join(' ')}]`,
      ];
}

/** Warnings of a kind with a template: on create, and on updates that count (upstream compares generations). */
export function templateWarnings<T extends KubeObject>(
  read: (obj: T) => PodTemplateSpec | undefined,
  path: string,
): (obj: T, old?: T) => string[] {
  return (obj, old) => (old && old.metadata.generation === obj.metadata.generation ? [] : podWarnings(read(obj), path));
}
