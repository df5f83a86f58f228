/** ComponentStatus: deprecated, never stored, answered from the server's own health. */

import type { Unstructured } from '../../api/object.ts';
import type { ApiResponse } from '../../api/transport.ts';
import { errors, messageOf } from '../../base/errors.ts';
import { respondValue } from './output.ts';
import { negotiated, objectOffer } from './read.ts';
import type { Scope, Served, VerbHandler } from './scope.ts';
import { includeObject, table } from './table.ts';

async function statuses(scope: Scope): Promise<Unstructured[]> {
  let message = 'ok';
  let status = 'True';
  await scope.core.store.health().catch(e => {
    status = 'False';
    message = messageOf(e);
  });
  const healthy = { type: 'Healthy', status: 'True', message: 'ok' };
  const of = (name: string, condition: object) =>
    ({ kind: 'ComponentStatus', apiVersion: 'v1', metadata: { name }, conditions: [condition] }) as Unstructured;
  return [of('controller-manager', healthy), of('etcd-0', { ...healthy, status, message }), of('scheduler', healthy)];
}

async function answer(scope: Scope, served: Served, name: string | undefined): Promise<ApiResponse> {
  const media = negotiated(scope, served, objectOffer);
  const all = await statuses(scope);
  const found = name === undefined ? all : all.filter(s => s.metadata.name === name);
  if (name !== undefined && found.length === 0)
    throw errors.notFound({ group: '', resource: 'componentstatuses' }, name);
  if (media.shape === 'table')
    return respondValue(
      200,
      table(served, found, includeObject(scope.request.query), scope.core.clock.now(), {}),
      media,
    );
  if (name !== undefined) return respondValue(200, found[0] ?? {}, media);
  return respondValue(200, { kind: 'ComponentStatusList', apiVersion: 'v1', metadata: {}, items: found }, media);
}

export const componentStatusVerbs: Readonly<Record<string, VerbHandler>> = {
  get: (scope, served) => answer(scope, served, scope.info.name),
  list: (scope, served) => answer(scope, served, undefined),
};
