/** Makes and maintains the server's own flow schemas and priority levels. */
import type { KubeObject } from '../../../api/object.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../../../base/errors.ts';
import type { Client, ResourceClient } from '../../../client/contract.ts';
import { same } from '../checks.ts';
import type { Strategy } from '../strategy.ts';
import { mandatory, suggested } from './bootstrap.ts';
import { flowSchemas } from './flow-schema.ts';
import { priorityLevelConfigurations } from './priority-level.ts';

const autoUpdate = 'apf.kubernetes.io/autoupdate-spec';

/** Another server may do the same at the same moment: what it did is as good. */
function otherServerWasFaster(error: unknown): void {
  if (!isAlreadyExists(error) && !isConflict(error) && !isNotFound(error)) throw error;
}

async function ensureAll<T extends KubeObject & { spec: object }>(
  store: Pick<ResourceClient<T>, 'list' | 'create' | 'update'>,
  wanted: readonly T[],
  strategy: Strategy<T>,
): Promise<void> {
  const present = new Map((await store.list()).items.map(obj => [obj.metadata.name, obj] as const));
  const ensureOne = async (template: T) => {
    const obj = structuredClone(template);
    strategy.default?.(obj);
    const found = present.get(obj.metadata.name);
    if (!found) await store.create(obj);
    else if (found.metadata.annotations?.[autoUpdate] !== 'false' && !same(found.spec, obj.spec)) {
      await store.update({ ...found, spec: obj.spec });
    }
  };
  await Promise.all(wanted.map(template => ensureOne(template).catch(otherServerWasFaster)));
}

/** Creates what is missing and restores what drifted, unless an administrator took it over by annotation. Idempotent. */
export async function ensureFlowControl(client: Client): Promise<void> {
  await ensureAll(
    client.resource('flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations'),
    [...mandatory.priorityLevels, ...suggested.priorityLevels],
    priorityLevelConfigurations,
  );
  await ensureAll(
    client.resource('flowcontrol.apiserver.k8s.io/v1/flowschemas'),
    [...mandatory.flowSchemas, ...suggested.flowSchemas],
    flowSchemas,
  );
}
