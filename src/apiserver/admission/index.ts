/** All admission plugins in the order in which they are asked (pkg/kubeapiserver/options/plugins.go of v1.35). */
import { alwaysPullImages } from './always-pull-images.ts';
import { certificateApproval, certificateSigning, certificateSubjectRestriction } from './certificates.ts';
import type { AdmissionEnvironment, AdmissionPlugin, AdmissionPluginFactory } from './contract.ts';
import { defaultTolerationSeconds } from './default-toleration-seconds.ts';
import { limitRanger } from './limit-ranger.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';
import { defaultIngressClass, denyServiceExternalIPs } from './network.ts';
import { nodeRestriction } from './node-restriction/plugin.ts';
import { podSecurity } from './pod-security/plugin.ts';
import { priority } from './priority.ts';
import { rbacEscalation } from './rbac-escalation.ts';
import { resourceQuota } from './resource-quota/plugin.ts';
import { runtimeClass } from './runtime-class.ts';
import { serviceAccount } from './service-account.ts';
import { defaultStorageClass, persistentVolumeClaimResize, storageObjectInUseProtection } from './storage.ts';
import { taintNodesByCondition } from './taint-nodes-by-condition.ts';

export const admissionPlugins: readonly AdmissionPluginFactory[] = [
  namespaceLifecycle,
  limitRanger,
  serviceAccount,
  nodeRestriction,
  taintNodesByCondition,
  alwaysPullImages,
  podSecurity,
  priority,
  defaultTolerationSeconds,
  defaultStorageClass,
  storageObjectInUseProtection,
  persistentVolumeClaimResize,
  runtimeClass,
  certificateApproval,
  certificateSigning,
  certificateSubjectRestriction,
  defaultIngressClass,
  denyServiceExternalIPs,
  rbacEscalation,
  resourceQuota,
];

/** Not optional: without it, the right to write roles is the right to everything. */
const mandatory = new Set([rbacEscalation.name]);

export interface AdmissionSelection {
  /** Switched on although off by default. */
  readonly enable?: readonly string[];
  readonly disable?: readonly string[];
}

/** Makes the plugins of one server. Throws an Error for a name that no plugin has. */
export function createAdmissionPlugins(
  environment: AdmissionEnvironment,
  selection: AdmissionSelection = {},
): AdmissionPlugin[] {
  const { enable = [], disable = [] } = selection;
  for (const name of [...enable, ...disable])
    if (!admissionPlugins.some(p => p.name === name)) throw new Error(`no admission plugin is named ${name}`);
  return admissionPlugins
    .filter(
      p => (mandatory.has(p.name) || !disable.includes(p.name)) && (!p.disabledByDefault || enable.includes(p.name)),
    )
    .map(p => p.create(environment));
}

export { podSecurityWith } from './pod-security/plugin.ts';
export { ensureSystemPriorityClasses } from './priority.ts';
