/** Keeps the account of which manager set which field, on every write that is not an apply. */
import { type FieldSet, setOf, trackUpdate as track, type WriteContext } from '../../api/apply/index.ts';
import type { Unstructured } from '../../api/object.ts';
import { apiVersionOf } from '../../api/schema.ts';
import { toServed } from './output.ts';
import type { Served } from './scope.ts';

const statusReset = setOf(['f:status']);
const resets = new WeakMap<Served, FieldSet>();

/** Of custom resources, upstream knows of these only. */
const customReset = setOf(['f:spec']);

/** Fields that a write through this endpoint cannot set: the status on the main resource, everything else on the status. */
function resetFields(served: Served, subresource: string): FieldSet | undefined {
  if (!('status' in served.info.subresources)) return undefined;
  if (subresource === '') return statusReset;
  if (subresource !== 'status') return undefined;
  if (served.custom) return customReset;
  let set = resets.get(served);
  if (!set) {
    const others = [...served.info.schema.fields.keys()].filter(name => !['metadata', 'status'].includes(name));
    const metadata = served.strategy.subresources?.['status']?.resets ?? [];
    set = setOf(...[...others, ...metadata].map(path => path.split('.').map(name => `f:${name}`)));
    resets.set(served, set);
  }
  return set;
}

export function writeContext(served: Served, manager: string, subresource: string, now: number): WriteContext {
  const reset = resetFields(served, subresource);
  return {
    manager,
    schema: served.info.schema,
    apiVersion: apiVersionOf(served.info),
    subresource,
    now,
    ...(reset && { resetFields: reset }),
    ...(served.versions && { versions: served.versions }),
  };
}

/** Fields are named as in the version that the client wrote. */
function inServedVersion(served: Served, obj: Unstructured): Unstructured {
  return served.conversion ? toServed(served, obj) : obj;
}

const structs = ['metadata', 'spec', 'template', 'jobTemplate'];

/** The parts of `value` that upstream's empty object has, too: a client that left them empty does not own them. */
function emptyStructs(value: object): Record<string, unknown> {
  const parts = value as Record<string, unknown>;
  const found: Record<string, unknown> = {};
  for (const name of structs) {
    const part = parts[name];
    if (typeof part === 'object' && part !== null) found[name] = emptyStructs(part);
  }
  return found;
}

/** Custom objects have no parts before somebody sets them. */
export function trackCreate(served: Served, obj: Unstructured, manager: string, now: number): void {
  const { apiVersion, kind } = obj;
  const empty = served.custom ? undefined : ({ ...emptyStructs(obj), apiVersion, kind } as unknown as Unstructured);
  trackUpdate(served, empty, obj, manager, '', now);
}

export function trackUpdate(
  served: Served,
  live: Unstructured | undefined,
  obj: Unstructured,
  manager: string,
  subresource: string,
  now: number,
): void {
  const fields = track({
    ...writeContext(served, manager, subresource, now),
    old: live && inServedVersion(served, live),
    updated: inServedVersion(served, obj),
  });
  if (fields) obj.metadata.managedFields = fields;
  else delete obj.metadata.managedFields;
}
