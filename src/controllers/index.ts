import type { Controller } from '../controller/contract.ts';
import { cronJobController } from './cronjob/index.ts';
import { daemonSetController } from './daemonset/index.ts';
import { deploymentController } from './deployment/index.ts';
import { endpointsController } from './endpoints/index.ts';
import { endpointSliceController } from './endpointslice/index.ts';
import { garbageCollector } from './garbagecollector/index.ts';
import { jobController } from './job/index.ts';
import { namespaceController } from './namespace/index.ts';
import { replicaSetController } from './replicaset/index.ts';
import { replicationController } from './replicationcontroller/index.ts';
import { serviceAccountController } from './serviceaccount/index.ts';
import { statefulSetController } from './statefulset/index.ts';
import { ttlAfterFinishedController } from './ttl-after-finished/index.ts';

export { rootCaPublisher } from './serviceaccount/index.ts';
export { type TokenControllerOptions, tokenController } from './serviceaccount/tokens.ts';

/** The controllers that need to be told nothing, in the order in which they are set up. `all.ts` has the whole list. */
export const controllers: readonly Controller[] = [
  endpointsController,
  endpointSliceController,
  replicationController,
  namespaceController,
  serviceAccountController,
  garbageCollector,
  daemonSetController,
  jobController,
  deploymentController,
  replicaSetController,
  statefulSetController,
  cronJobController,
  ttlAfterFinishedController,
];
