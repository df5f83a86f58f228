import type { Unstructured } from '../../api/object.ts';
import type { CustomResourceDefinition } from '../../api/types/apiextensions-v1.ts';
import { rfc3339 } from '../../base/clock.ts';
import type { Hooks } from '../server/scope.ts';
import { condition, setConditions } from './conditions.ts';
import { cleanupFinalizer } from './controller.ts';

const pending = condition(
  'Terminating',
  'True',
  'InstanceDeletionPending',
  'CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon',
);

/** Definitions wait for the end of their objects, whatever the propagation, and without a grace period. */
export const definitionHooks: Hooks = {
  firstDelete(obj: Unstructured, now: number) {
    const { metadata, status = {} } = obj as unknown as CustomResourceDefinition;
    const finalizers = metadata.finalizers ?? [];
    metadata.deletionTimestamp = rfc3339(now);
    if (!finalizers.includes(cleanupFinalizer)) metadata.finalizers = [...finalizers, cleanupFinalizer];
    obj['status'] = { ...status, conditions: setConditions(status.conditions ?? [], [pending], now) };
  },
};
