import type { Container, EphemeralContainer, PodSpec } from '../../../../api/types/core-v1.ts';

export type AnyContainer = Container | EphemeralContainer;

/** Init containers, containers and ephemeral ones, in this order, with their paths. */
export function containersOf(spec: PodSpec, path: string): readonly (readonly [AnyContainer, string])[] {
  return (['initContainers', 'containers', 'ephemeralContainers'] as const).flatMap(key =>
    (spec[key] ?? []).map((container, i) => [container, `${path}.${key}[${i}]`] as const),
  );
}
