import type { Controller } from '../controller/contract.ts';
import { attachDetachController } from './attachdetach/index.ts';
import { disruptionController } from './disruption/index.ts';
import { ephemeralVolumeController } from './ephemeral-volume/index.ts';
import { persistentVolumeBinder } from './persistentvolume-binder/index.ts';
import { persistentVolumeExpander } from './persistentvolume-expander/index.ts';
import { pvProtectionController } from './pv-protection/index.ts';
import { pvcProtectionController } from './pvc-protection/index.ts';
import { resourceQuotaController } from './resourcequota/index.ts';

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
];
