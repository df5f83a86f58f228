/** An owner that stands twice is kept once (k8s.io/apiserver/pkg/endpoints/handlers/rest.go). */
import type { Unstructured } from '../../api/object.ts';
import type { OwnerReference } from '../../api/types/meta-v1.ts';
import type { Scope } from './scope.ts';

/** One text for owners that are equal. */
const textOf = ({ apiVersion, kind, name, uid, controller, blockOwnerDeletion }: OwnerReference) =>
  JSON.stringify([apiVersion, kind, name, uid, controller, blockOwnerDeletion]);

/** In place. `when` tells the client who brought them: its request, or what came of it. */
export function dedupeOwners(scope: Scope, { metadata }: Unstructured, when: 'sent' | 'admitted'): void {
  const owners = metadata?.ownerReferences;
  if (!owners || owners.length < 2) return;
  const kept = new Map<string, OwnerReference>();
  const again: string[] = [];
  for (const owner of owners) {
    const text = textOf(owner);
    if (kept.has(text)) again.push(owner.uid);
    else kept.set(text, owner);
  }
  if (again.length === 0) return;
  metadata.ownerReferences = [...kept.values()];
  const after = when === 'admitted' ? ' after mutating admission happens' : '';
  scope.warn(
    `.metadata.ownerReferences contains duplicate entries${after}; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: ${again.join(', ')}`,
  );
}
