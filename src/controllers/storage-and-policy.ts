import type { Controller } from '../controller/contract.ts';
import { attachDetachController } from './attachdetach/index.ts';
import { bootstrapSigner } from './bootstrap-signer/index.ts';
import { clusterRoleAggregationController } from './clusterrole-aggregation/index.ts';
import { deviceTaintEvictionController } from './device-taint-eviction/index.ts';
import { disruptionController } from './disruption/index.ts';
import { endpointSliceMirroringController } from './endpointslice-mirroring/index.ts';
import { ephemeralVolumeController } from './ephemeral-volume/index.ts';
import { persistentVolumeBinder } from './persistentvolume-binder/index.ts';
import { persistentVolumeExpander } from './persistentvolume-expander/index.ts';
import { pvProtectionController } from './pv-protection/index.ts';
import { pvcProtectionController } from './pvc-protection/index.ts';
import { resourceClaimController } from './resourceclaim/index.ts';
import { resourceQuotaController } from './resourcequota/index.ts';
import { serviceCidrsController } from './service-cidrs/index.ts';
import { tokenCleaner } from './token-cleaner/index.ts';
import { vacProtectionController } from './vac-protection/index.ts';
import { policyStatusController } from './vap-status/index.ts';

/** Storage, policy, scaling and upkeep: controllers that need to be told nothing. */
export const storageAndPolicyControllers: readonly Controller[] = [
  persistentVolumeBinder,
  persistentVolumeExpander,
  pvcProtectionController,
  pvProtectionController,
  ephemeralVolumeController,
  attachDetachController,
  disruptionController,
  resourceQuotaController,
  endpointSliceMirroringController,
  bootstrapSigner,
  tokenCleaner,
  clusterRoleAggregationController,
  serviceCidrsController,
  resourceClaimController,
  deviceTaintEvictionController,
  vacProtectionController,
  policyStatusController(),
];
