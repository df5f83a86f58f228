/** Taints and tolerations (k8s.io/component-helpers/scheduling/corev1). */
import type { Taint, Toleration } from '../../api/types/core-v1.ts';

export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false;
  if (toleration.key && toleration.key !== taint.key) return false;
  switch (toleration.operator || 'Equal') {
    case 'Equal':
      return (toleration.value ?? '') === (taint.value ?? '');
    case 'Exists':
      return true;
    default:
      return false;
  }
}

export const isHard = ({ effect }: Taint) => effect === 'NoSchedule' || effect === 'NoExecute';

/** The first taint that keeps the pod away, or undefined. */
export function untolerated(
  taints: readonly Taint[],
  tolerations: readonly Toleration[] | undefined,
): Taint | undefined {
  if (taints.length === 0) return undefined;
  return taints.find(taint => isHard(taint) && !(tolerations ?? []).some(t => tolerates(t, taint)));
}
