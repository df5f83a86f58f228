/** Definitions are checked and get their finalizer when they are written. */
import type { Unstructured } from '../../api/object.ts';
import type { CustomResourceDefinition } from '../../api/types/apiextensions-v1.ts';
import { errors } from '../../base/errors.ts';
import { aggregate, type FieldError } from '../registry/field-errors.ts';
import type { Hooks } from '../server/scope.ts';
import { cleanupFinalizer } from './controller.ts';
import { validateDefinition, validateDefinitionUpdate } from './validate.ts';

const typed = (obj: Unstructured) => obj as unknown as CustomResourceDefinition;

function refuse(obj: Unstructured, found: readonly FieldError[]): void {
  if (found.length === 0) return;
  const { causes, message } = aggregate(found);
  throw errors.invalid(
    { group: 'apiextensions.k8s.io', kind: 'CustomResourceDefinition' },
    obj.metadata.name,
    causes,
    message,
  );
}

export const definitionHooks: Hooks = {
  async beginCreate(obj) {
    refuse(obj, validateDefinition(typed(obj)));
    const finalizers = obj.metadata.finalizers ?? [];
    if (!finalizers.includes(cleanupFinalizer)) obj.metadata.finalizers = [...finalizers, cleanupFinalizer];
    return undefined;
  },
  async beginUpdate(obj, old) {
    if (!obj.metadata.deletionTimestamp) refuse(obj, validateDefinitionUpdate(typed(obj), typed(old)));
    return undefined;
  },
};
