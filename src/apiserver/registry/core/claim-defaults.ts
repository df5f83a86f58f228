import type { PersistentVolumeClaimSpec } from '../../../api/types/core-v1.ts';

/** Defaults of a claim's spec, also inside ephemeral volumes and stateful sets. */
export function defaultClaimSpec(spec: PersistentVolumeClaimSpec | undefined): void {
  if (!spec) return;
  spec.volumeMode ??= 'Filesystem';
  spec.resources ??= {};
}
