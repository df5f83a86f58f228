/** Runs the admission plugins in their order. */
import type { Unstructured } from '../../api/object.ts';
import { type Awaitable, after, settle } from '../../base/awaitable.ts';
import type { AdmissionPlugin, AdmissionRequest, Operation } from '../admission/contract.ts';
import type { Scope, Served, Undo } from './scope.ts';

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
  for (const key in value) deepFreeze(value[key]);
  return value;
}

/** The plugins that have a say in requests of one sort, in order. */
interface Concerned {
  readonly admitting: readonly (AdmissionPlugin & Required<Pick<AdmissionPlugin, 'admit'>>)[];
  readonly validating: readonly (AdmissionPlugin & Required<Pick<AdmissionPlugin, 'validate'>>)[];
}
const concernedBySort = new WeakMap<readonly AdmissionPlugin[], Map<string, Concerned>>();

function concerned(plugins: readonly AdmissionPlugin[], { operation, resource }: AdmissionRequest): Concerned {
  let bySort = concernedBySort.get(plugins);
  if (!bySort) concernedBySort.set(plugins, (bySort = new Map()));
  const name = `${resource.group}/${resource.plural}`;
  const sort = `${operation} ${name}`;
  let found = bySort.get(sort);
  if (!found) {
    const chosen = plugins.filter(p => p.handles(operation) && (!p.resources || p.resources.includes(name)));
    found = {
      admitting: chosen.filter(p => p.admit !== undefined) as Concerned['admitting'][number][],
      validating: chosen.filter(p => p.validate !== undefined) as Concerned['validating'][number][],
    };
    bySort.set(sort, found);
  }
  return found;
}

/** At once when no plugin has to ask for anything. */
export function admit(plugins: readonly AdmissionPlugin[], request: AdmissionRequest): Awaitable<void> {
  return inOrder(concerned(plugins, request).admitting, plugin => plugin.admit(request));
}

/** Gives the way to undo what plugins reserved; undefined when they reserved nothing. Undoes it by itself when a later plugin refuses. */
export function validateAdmission(
  plugins: readonly AdmissionPlugin[],
  request: AdmissionRequest,
): Awaitable<Undo | undefined> {
  const passed: AdmissionPlugin[] = [];
  const undo = async () => {
    for (const plugin of passed.reverse()) await plugin.rollback?.(request);
  };
  return settle(
    () =>
      inOrder(concerned(plugins, request).validating, plugin =>
        after(plugin.validate(request), () => {
          if (plugin.rollback) passed.push(plugin);
        }),
      ),
    () => (passed.length > 0 ? undo : undefined),
    async e => {
      await undo();
      throw e;
    },
  );
}

function inOrder<T>(items: readonly T[], visit: (item: T) => Awaitable<void> | undefined, from = 0): Awaitable<void> {
  for (let i = from; i < items.length; i++) {
    const pending = visit(items[i] as T);
    if (pending instanceof Promise) return pending.then(() => inOrder(items, visit, i + 1));
  }
}
