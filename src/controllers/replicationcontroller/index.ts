import { selectorFromSet } from '../../api/selectors/index.ts';
import type { Controller } from '../../controller/contract.ts';
import { replicaLoop } from '../replicaset/replicas.ts';

/** A ReplicationController is a ReplicaSet whose selector is a plain map, as upstream's adapter sees it. */
export const replicationController: Controller = {
  name: 'replicationcontroller-controller',
  account: 'replication-controller',
  component: 'replication-controller',
  aliases: ['replicationcontroller'],
  setUp: context =>
    replicaLoop(context, {
      kind: { apiVersion: 'v1', kind: 'ReplicationController' },
      owners: context.informers.informer('v1/replicationcontrollers'),
      client: namespace => context.client.replicationcontrollers(namespace),
      selector: rc => selectorFromSet(rc.spec?.selector),
      countsTerminating: false,
    }),
};
