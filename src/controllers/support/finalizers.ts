import type { KubeObject } from '../../api/object.ts';
import { isNotFound } from '../../base/errors.ts';
import type { ResourceClient } from '../../client/contract.ts';

/** Puts a finalizer on an object or takes it off; nothing is written when it is so already. The object's revision is the precondition. */
export async function setFinalizer<T extends KubeObject>(
  client: ResourceClient<T>,
  obj: T,
  finalizer: string,
  wanted: boolean,
): Promise<void> {
  const present = obj.metadata.finalizers ?? [];
  if (present.includes(finalizer) === wanted) return;
  const finalizers = wanted ? [...present, finalizer] : present.filter(f => f !== finalizer);
  await client.update({ ...obj, metadata: { ...obj.metadata, finalizers } }).catch(e => {
    if (!isNotFound(e)) throw e;
  });
}
