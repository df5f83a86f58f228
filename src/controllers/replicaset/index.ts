import type { Controller } from '../../controller/contract.ts';
import { selectorFor } from '../support/ownership.ts';
import { replicaLoop } from './replicas.ts';

/** pkg/controller/replicaset of v1.35. */
export const replicaSetController: Controller = {
  name: 'replicaset-controller',
  aliases: ['replicaset'],
  setUp: context =>
    replicaLoop(context, {
      kind: { apiVersion: 'apps/v1', kind: 'ReplicaSet' },
      owners: context.informers.informer('apps/v1/replicasets'),
      client: namespace => context.client.replicasets(namespace),
      selector: rs => selectorFor(rs.spec?.selector),
      countsTerminating: true,
    }),
};
