/** The restricted level: current best practice for hardening. Comes on top of the baseline. */
import type { Volume } from '../../../api/types/core-v1.ts';
import { allowedSeccomp, procMount, seccompTypes } from './baseline.ts';
import {
  type Check,
  containersText,
  containersThat,
  inUserNamespace,
  isWindows,
  type PodCheck,
  plural,
  quoted,
  settersText,
  sorted,
  unless,
} from './check.ts';

const privilegeEscalation: PodCheck = spec => {
  const containers = containersThat(spec, c => c.securityContext?.allowPrivilegeEscalation !== false);
  if (containers.length === 0) return undefined;
  return {
    reason: 'allowPrivilegeEscalation != false',
    detail: `${containersText(containers)} must set securityContext.allowPrivilegeEscalation=false`,
  };
};

const capabilities: PodCheck = spec => {
  const found: string[] = [];
  const keeping = containersThat(spec, c => !c.securityContext?.capabilities?.drop?.includes('ALL'));
  const adding = containersThat(spec, c => {
    const bad = (c.securityContext?.capabilities?.add ?? []).filter(name => name !== 'NET_BIND_SERVICE');
    found.push(...bad);
    return bad.length > 0;
  });
  const details = [
    ...(keeping.length > 0 ? [`${containersText(keeping)} must set securityContext.capabilities.drop=["ALL"]`] : []),
    ...(adding.length > 0
      ? [`${containersText(adding)} must not include ${quoted(sorted(found))} in securityContext.capabilities.add`]
      : []),
  ];
  return details.length > 0 ? { reason: 'unrestricted capabilities', detail: details.join('; ') } : undefined;
};

const allowedVolumes: readonly (keyof Volume)[] = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
];
const knownVolumes: readonly (keyof Volume)[] = [
  'hostPath',
  'gcePersistentDisk',
  'awsElasticBlockStore',
  'gitRepo',
  'nfs',
  'iscsi',
  'glusterfs',
  'rbd',
  'flexVolume',
  'cinder',
  'cephfs',
  'flocker',
  'fc',
  'azureFile',
  'vsphereVolume',
  'quobyte',
  'azureDisk',
  'photonPersistentDisk',
  'portworxVolume',
  'scaleIO',
  'storageos',
];

const volumeTypes: PodCheck = spec => {
  const bad = (spec.volumes ?? []).filter(v => !allowedVolumes.some(type => v[type] !== undefined));
  if (bad.length === 0) return undefined;
  const types = sorted(bad.map(v => knownVolumes.find(type => v[type] !== undefined) ?? 'unknown'));
  const volumes = `${plural('volume', 'volumes', bad.length)} ${quoted(bad.map(v => v.name))}`;
  const what = plural('restricted volume type', 'restricted volume types', types.length);
  return {
    reason: 'restricted volume types',
    detail: `${volumes} ${plural('uses', 'use', bad.length)} ${what} ${quoted(types)}`,
  };
};

const nonRoot: PodCheck = spec => {
  const pod = spec.securityContext?.runAsNonRoot;
  const explicit = settersText(
    pod === false,
    containersThat(spec, c => c.securityContext?.runAsNonRoot === false),
  );
  const reason = 'runAsNonRoot != true';
  if (explicit) return { reason, detail: `${explicit} must not set securityContext.runAsNonRoot=false` };
  const implicit = containersThat(spec, c => c.securityContext?.runAsNonRoot === undefined && pod !== true);
  if (implicit.length === 0) return undefined;
  return { reason, detail: `pod or ${containersText(implicit)} must set securityContext.runAsNonRoot=true` };
};

const nonZeroUser: PodCheck = spec => {
  const setters = settersText(
    spec.securityContext?.runAsUser === 0,
    containersThat(spec, c => c.securityContext?.runAsUser === 0),
  );
  return setters ? { reason: 'runAsUser=0', detail: `${setters} must not set runAsUser=0` } : undefined;
};

const seccomp: PodCheck = (spec, metadata) => {
  const explicit = seccompTypes(spec, metadata);
  if (explicit) return explicit;
  const pod = spec.securityContext?.seccompProfile;
  if (pod && allowedSeccomp(pod.type)) return undefined;
  const implicit = containersThat(spec, c => !c.securityContext?.seccompProfile);
  if (implicit.length === 0) return undefined;
  return {
    reason: 'seccompProfile',
    detail: `pod or ${containersText(implicit)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`,
  };
};

/** In the order in which their complaints are shown. */
export const restrictedChecks: readonly Check[] = [
  {
    id: 'allowPrivilegeEscalation',
    versions: [
      { since: 8, check: privilegeEscalation },
      { since: 25, check: unless(isWindows, privilegeEscalation) },
    ],
  },
  {
    id: 'capabilities_restricted',
    overrides: ['capabilities_baseline'],
    versions: [
      { since: 22, check: capabilities },
      { since: 25, check: unless(isWindows, capabilities) },
    ],
  },
  { id: 'procMount_restricted', overrides: ['procMount'], versions: [{ since: 35, check: procMount }] },
  { id: 'restrictedVolumes', overrides: ['hostPathVolumes'], versions: [{ since: 0, check: volumeTypes }] },
  {
    id: 'runAsNonRoot',
    versions: [
      { since: 0, check: nonRoot },
      { since: 35, check: unless(inUserNamespace, nonRoot) },
    ],
  },
  {
    id: 'runAsUser',
    versions: [
      { since: 23, check: nonZeroUser },
      { since: 35, check: unless(inUserNamespace, nonZeroUser) },
    ],
  },
  {
    id: 'seccompProfile_restricted',
    overrides: ['seccompProfile_baseline'],
    versions: [
      { since: 19, check: seccomp },
      { since: 25, check: unless(isWindows, seccomp) },
    ],
  },
];
