import type { Controller } from '../controller/contract.ts';
import { deploymentController } from './deployment/index.ts';
import { replicaSetController } from './replicaset/index.ts';
import { replicationController } from './replicationcontroller/index.ts';

/** Every controller of the manager, in the order in which they are set up. `--controllers` chooses among them. */
export const controllers: readonly Controller[] = [replicaSetController, deploymentController, replicationController];
