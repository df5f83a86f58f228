import type { Invariant } from '../contract.ts';
import { capacityInvariants } from './capacity.ts';
import { controllerInvariants } from './controllers.ts';
import { objectInvariants } from './objects.ts';
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
    ...volumeInvariants(),
    ...settledInvariants,
  ];
}
