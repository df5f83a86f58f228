import type { Invariant } from '../contract.ts';
import { capacityInvariants } from './capacity.ts';
import { controllerInvariants } from './controllers.ts';
import { deletionInvariants } from './deletion.ts';
import { objectInvariants } from './objects.ts';
import { placement, silentNodes } from './placement.ts';
import { processInvariants } from './processes.ts';
import { settledInvariants } from './settled.ts';
import { volumeInvariants } from './volumes.ts';

/** What must hold in a cluster of built-in kinds. New ones for each run: some remember. */
export function defaultInvariants(): readonly Invariant[] {
  return [
    ...objectInvariants(),
    ...processInvariants,
    ...capacityInvariants(),
    ...controllerInvariants(),
    ...deletionInvariants(),
    placement(),
    silentNodes(),
    ...volumeInvariants(),
    ...settledInvariants,
  ];
}
