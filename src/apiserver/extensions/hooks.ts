/** Definitions get their finalizer when they are made, so that none goes before its objects. */
import type { Hooks } from '../server/scope.ts';
import { cleanupFinalizer } from './controller.ts';

export const definitionHooks: Hooks = {
  async beginCreate(obj) {
    const finalizers = obj.metadata.finalizers ?? [];
    if (!finalizers.includes(cleanupFinalizer)) obj.metadata.finalizers = [...finalizers, cleanupFinalizer];
    return undefined;
  },
};
