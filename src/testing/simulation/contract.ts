/** The shapes a simulation is put together from: actions, invariants, and what comes of a run. */
import type { ApiResponse } from '../../api/transport.ts';
import type { Random } from '../../base/random.ts';
import type { Client } from '../../client/contract.ts';
import type { Controller } from '../../controller/contract.ts';
import type { FaultRates, LifeFault } from './faults.ts';
import type { SeenRequest } from './network.ts';
import type { Change, View } from './view.ts';

/** What an action may use. */
export interface ActionContext {
  /** A user's client, over a network as bad as everybody's. Errors of the API are part of life: actions need not catch them. */
  readonly client: Client;
  /** Drawn from the seed and the number of the step: leaving out other steps does not change it. */
  readonly random: Random;
  /** The true state. */
  readonly view: View;
  /** Nodes and their containers. */
  readonly nodes: readonly string[];
  /** Ends one running container of a pod (by uid), as if its process had died. */
  killContainer(podUid: string, exitCode: number): Promise<void>;
}

/** Something a user does. Chooses its target from `view`; does nothing when there is none. */
export interface Action {
  readonly name: string;
  /** How often, relative to the others. */
  readonly weight: number;
  /** Says what was done, for the story; undefined when there was nothing to do. */
  run(context: ActionContext): Promise<string | undefined>;
}

/** Something that must hold whatever happens. Each finding is a sentence. May keep state: one instance serves one run. */
export interface Invariant {
  readonly name: string;
  /** After each change of the store. */
  onChange?(change: Change, view: View): Iterable<string> | undefined;
  /** When a request reaches the server. */
  onRequest?(request: SeenRequest, view: View): Iterable<string> | undefined;
  onResponse?(request: SeenRequest, response: ApiResponse, view: View): Iterable<string> | undefined;
  /** When faults have stopped: what is not yet as it should be. Asked again until nothing is left or time is up. */
  unsettled?(view: View): Iterable<string>;
}

export interface SimulationOptions {
  readonly seed: number;
  /** Actions and life-cycle faults; default 60. */
  readonly steps?: number;
  /** Run only these steps (from 0), as a shortened history does. */
  readonly only?: readonly number[];
  /** Simulated nodes; default 5. */
  readonly nodes?: number;
  /** What the API server keeps its state in: `embedded` is SQLite, in a file in the system's temporary directory. Default `memory`. */
  readonly storage?: 'memory' | 'embedded';
  /** Default `defaultFaults`; what is given replaces single rates. */
  readonly faults?: Partial<FaultRates>;
  /** Which life-cycle faults there are; default all. */
  readonly lifeFaults?: readonly LifeFault[];
  /** Beside the built-in ones: the controllers under test. Called once per start of a manager. */
  readonly controllers?: () => readonly Controller[];
  /** Built-in controllers by name, as `--controllers`; default all. */
  readonly enabled?: readonly string[];
  /** What users do; default `defaultActions`. */
  readonly actions?: readonly Action[];
  /** Default `defaultInvariants`. Called once per run. */
  readonly invariants?: () => readonly Invariant[];
  /** Runs before the first step, on a quiet network: to create custom resources, say. */
  readonly prepare?: (client: Client) => Promise<void>;
  /** Mean virtual time between steps; default 5 s. */
  readonly stepMs?: number;
  /** Lets the seed also draw which actions and faults are frequent, and the pace; default true. */
  readonly swarm?: boolean;
  /** Virtual time for the cluster to settle when faults have stopped; default 20 min. */
  readonly settleMs?: number;
  /** Told each line of the story at once. */
  readonly onLine?: (line: string) => void;
  /** Keeps log lines of warnings in the story. Default false. */
  readonly verbose?: boolean;
}

export interface Finding {
  readonly invariant: string;
  readonly message: string;
  /** Virtual time. */
  readonly atMs: number;
  readonly revision: number;
}

export interface SimulationReport {
  readonly seed: number;
  readonly steps: number;
  /** Empty when all is well. */
  readonly findings: readonly Finding[];
  /** Equal for equal options, always: over every request, answer and stored byte. */
  readonly fingerprint: string;
  readonly revision: number;
  readonly requests: number;
  readonly story: readonly string[];
  /** Virtual time that passed. */
  readonly elapsedMs: number;
}
