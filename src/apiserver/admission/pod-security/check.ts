/** What all checks of the pod security standards share. Wording is that of k8s.io/pod-security-admission. */
import type { Container, PodSpec } from '../../../api/types/core-v1.ts';
import type { ObjectMeta } from '../../../api/types/meta-v1.ts';
import { containersOf } from '../helpers.ts';

export interface Violation {
  readonly reason: string;
  readonly detail: string;
}

/** Undefined: the pod keeps the rule. */
export type PodCheck = (spec: PodSpec, metadata: Pick<ObjectMeta, 'annotations'>) => Violation | undefined;

export interface Check {
  readonly id: string;
  /** Ascending by minor version. The last one whose version is not newer than the policy's counts. */
  readonly versions: readonly { readonly since: number; readonly check: PodCheck }[];
  /** Baseline checks that a restricted check stands in for. */
  readonly overrides?: readonly string[];
}

export const quoted = (items: readonly string[]): string => items.map(i => `"${i}"`).join(', ');
export const plural = (one: string, many: string, count: number): string => (count === 1 ? one : many);
export const sorted = (items: Iterable<string>): string[] => [...new Set(items)].sort();

/** Names of the containers for which `bad` holds. */
export function containersThat(spec: PodSpec, bad: (container: Container) => boolean): string[] {
  return Array.from(containersOf(spec))
    .filter(bad)
    .map(c => c.name);
}

/** `container "a"` or `containers "a", "b"` */
export const containersText = (names: readonly string[]): string =>
  `${plural('container', 'containers', names.length)} ${quoted(names)}`;

/** `pod`, `container "a"`, or both joined by "and". Empty when nothing is bad. */
export function settersText(pod: boolean, containers: readonly string[]): string {
  return [...(pod ? ['pod'] : []), ...(containers.length > 0 ? [containersText(containers)] : [])].join(' and ');
}

/** Pods in a user namespace of their own are root only there. */
export const inUserNamespace = (spec: PodSpec): boolean => spec.hostUsers === false;

export const unless =
  (exempt: (spec: PodSpec) => boolean, check: PodCheck): PodCheck =>
  (spec, metadata) =>
    exempt(spec) ? undefined : check(spec, metadata);

export const isWindows = (spec: PodSpec): boolean => spec.os?.name === 'windows';
