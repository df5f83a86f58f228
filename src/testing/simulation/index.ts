/** Deterministic simulation: a whole cluster, and your operator in it, on virtual time from a seed, with faults. See docs/simulation.md. */
export { defaultActions } from './actions/index.ts';
export * from './contract.ts';
export { defaultFaults, type FaultRates, type LifeFault, noFaults } from './faults.ts';
export { defaultInvariants } from './invariants/index.ts';
export { ConnectionLost, type SeenRequest } from './network.ts';
export { replayArguments, type ShrinkLimits, type Shrunk, shrink } from './shrink.ts';
export { simulate } from './simulate.ts';
export type { Change, View } from './view.ts';
