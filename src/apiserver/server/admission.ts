/** Runs the admission plugins in their order. */
import type { Unstructured } from '../../api/object.ts';
import type { AdmissionPlugin, AdmissionRequest, Operation } from '../admission/contract.ts';
import type { Scope, Served } from './scope.ts';

export interface AdmissionInput {
  readonly operation: Operation;
  readonly subresource?: string;
  readonly name: string;
  readonly object: Unstructured | undefined;
  readonly oldObject: Unstructured | undefined;
  readonly options: Readonly<Record<string, unknown>>;
  readonly dryRun: boolean;
}

export function admissionRequest(scope: Scope, served: Served, input: AdmissionInput): AdmissionRequest {
  return {
    operation: input.operation,
    resource: served.info,
    subresource: input.subresource ?? scope.info.subresource,
    namespace: scope.info.namespace,
    name: input.name,
    object: input.object,
    oldObject: input.oldObject && deepFreeze(input.oldObject),
    options: input.options,
    user: scope.user,
    dryRun: input.dryRun,
    warn: text => scope.warn(text),
    annotate: (key, value) => scope.annotations.set(key, value),
  };
}

export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const child of Object.values(value)) deepFreeze(child);
  return value;
}

export async function admit(plugins: readonly AdmissionPlugin[], request: AdmissionRequest): Promise<void> {
  for (const plugin of plugins) {
    if (!plugin.admit || !plugin.handles(request.operation)) continue;
    const pending = plugin.admit(request);
    if (pending) await pending;
  }
}

/** Gives the way to undo what plugins reserved. Undoes it by itself when a later plugin refuses. */
export async function validateAdmission(
  plugins: readonly AdmissionPlugin[],
  request: AdmissionRequest,
): Promise<() => Promise<void>> {
  const passed: AdmissionPlugin[] = [];
  const undo = async () => {
    for (const plugin of passed.reverse()) await plugin.rollback?.(request);
  };
  for (const plugin of plugins) {
    if (!plugin.validate || !plugin.handles(request.operation)) continue;
    try {
      const pending = plugin.validate(request);
      if (pending) await pending;
    } catch (e) {
      await undo();
      throw e;
    }
    if (plugin.rollback) passed.push(plugin);
  }
  return undo;
}
