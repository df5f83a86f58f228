/** What a pod or template may contain but should not (pkg/api/pod/warnings.go). */

import { tryParseQuantity } from '../../../../api/quantity.ts';
import type { Container, PodSpec, PodTemplateSpec, Volume } from '../../../../api/types/core-v1.ts';
import type { ObjectMeta } from '../../../../api/types/meta-v1.ts';
import { isHugePages, isNative } from '../resource-names.ts';

const byteResources = new Set(['memory', 'ephemeral-storage', 'storage']);
const NANO = 1_000_000_000n;
const deprecatedLabels: Record<string, string> = {
  'beta.kubernetes.io/arch': 'deprecated since v1.14; use "kubernetes.io/arch" instead',
  'beta.kubernetes.io/os': 'deprecated since v1.14; use "kubernetes.io/os" instead',
  'failure-domain.beta.kubernetes.io/region': 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
  'failure-domain.beta.kubernetes.io/zone': 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
  'beta.kubernetes.io/instance-type': 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
};
const deprecatedVolumes: Partial<Record<keyof Volume, string>> = {
  gitRepo: 'deprecated in v1.11',
  storageos: 'deprecated in v1.22, non-functional in v1.25+',
  scaleIO: 'deprecated in v1.16, non-functional in v1.22+',
  flocker: 'deprecated in v1.22, non-functional in v1.25+',
  quobyte: 'deprecated in v1.22, non-functional in v1.25+',
  glusterfs: 'deprecated in v1.25, non-functional in v1.26+',
  cephfs: 'deprecated in v1.28, non-functional in v1.31+',
  rbd: 'deprecated in v1.28, non-functional in v1.31+',
};
const podSeccomp = 'seccomp.security.alpha.kubernetes.io/pod';
const containerSeccomp = 'container.seccomp.security.alpha.kubernetes.io/';
const containerAppArmor = 'container.apparmor.security.beta.kubernetes.io/';

function volumeWarnings(volumes: readonly Volume[] | undefined, path: string): string[] {
  return (volumes ?? []).flatMap((volume, i) =>
    Object.entries(deprecatedVolumes).flatMap(([key, why]) =>
      volume[key as keyof Volume] ? [`${path}.volumes[${i}].${key}: ${why}`] : [],
    ),
  );
}

/** Bytes are whole. */
export function fractionWarnings(list: Record<string, string> | undefined, path: string): string[] {
  return Object.entries(list ?? {}).flatMap(([name, value]) => {
    const counted = byteResources.has(name) || isHugePages(name);
    const quantity = counted && isNative(name) ? tryParseQuantity(value) : undefined;
    return quantity && quantity.nano % NANO !== 0n
      ? [`${path}[${name}]: fractional byte value ${JSON.stringify(value)} is invalid, must be an integer`]
      : [];
  });
}

function containerWarnings(container: Container, path: string): string[] {
  const names = new Set<string>();
  const env = (container.env ?? []).flatMap(({ name }, i) => {
    if (!names.has(name)) {
      names.add(name);
      return [];
    }
    const why = `hides previous definition of ${JSON.stringify(name)}, which may be unexpected when using apply`;
    return [`${path}.env[${i}]: ${why}`];
  });
  return [
    ...fractionWarnings(container.resources?.limits, `${path}.resources.limits`),
    ...fractionWarnings(container.resources?.requests, `${path}.resources.requests`),
    ...env,
  ];
}

function portWarnings(containers: readonly Container[] | undefined, path: string): string[] {
  const seen = new Map<string, string>();
  return (containers ?? []).flatMap((container, c) =>
    (container.ports ?? []).flatMap((port, p) => {
      const at = `${path}[${c}].ports[${p}]`;
      const key = `${port.containerPort}/${port.protocol}/${port.hostPort ?? 0}/${port.hostIP ?? ''}`;
      const before = seen.get(key);
      seen.set(key, at);
      return before ? [`${at}: duplicate port definition with ${before}`] : [];
    }),
  );
}

function annotationWarnings(meta: Partial<ObjectMeta> | undefined, path: string): string[] {
  return Object.keys(meta?.annotations ?? {}).flatMap(key => {
    const at = `${path}.annotations[${key}]`;
    if (key === podSeccomp) return [`${at}: non-functional in v1.27+; use the "seccompProfile" field instead`];
    if (key.startsWith(containerSeccomp)) {
      return [`${at}: non-functional in v1.27+; use the "seccompProfile" field instead`];
    }
    if (key.startsWith(containerAppArmor))
      return [`${at}: deprecated since v1.30; use the "appArmorProfile" field instead`];
    return [];
  });
}

function specWarnings(spec: PodSpec, path: string): string[] {
  const selectors = Object.keys(spec.nodeSelector ?? {}).flatMap(key =>
    deprecatedLabels[key] ? [`${path}.nodeSelector[${key}]: ${deprecatedLabels[key]}`] : [],
  );
  const grace = spec.terminationGracePeriodSeconds;
  return [
    ...selectors,
    ...(spec.imagePullSecrets ?? []).flatMap((ref, i) =>
      ref.name ? [] : [`${path}.imagePullSecrets[${i}].name: invalid empty name ""`],
    ),
    ...volumeWarnings(spec.volumes, path),
    ...(spec.initContainers ?? []).flatMap((c, i) => containerWarnings(c, `${path}.initContainers[${i}]`)),
    ...(spec.containers ?? []).flatMap((c, i) => containerWarnings(c, `${path}.containers[${i}]`)),
    ...portWarnings(spec.containers, `${path}.containers`),
    ...fractionWarnings(spec.overhead, `${path}.overhead`),
    ...(grace !== undefined && grace < 0
      ? [`${path}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`]
      : []),
  ];
}

/** Warnings of a pod (`path` "") or of a template under a path. */
export function podWarnings(template: PodTemplateSpec | undefined, path: string): string[] {
  const prefix = path ? `${path}.` : '';
  if (!template?.spec) return [];
  return [
    ...specWarnings(template.spec, `${prefix}spec`),
    ...annotationWarnings(template.metadata, `${prefix}metadata`),
  ];
}
