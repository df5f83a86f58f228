import type { PodSpec, Volume } from '../../../../api/types/core-v1.ts';

/** What the parts of a pod need to know of each other while they are validated. */
export interface PodContext {
  readonly volumes: ReadonlyMap<string, Volume>;
  readonly claimNames: ReadonlySet<string>;
  readonly restartPolicy: string;
  readonly gracePeriod: number | undefined;
  readonly hostUsers: boolean;
}

export function podContext(spec: PodSpec, volumes: ReadonlyMap<string, Volume>): PodContext {
  return {
    volumes,
    claimNames: new Set((spec.resourceClaims ?? []).map(c => c.name).filter(Boolean)),
    restartPolicy: spec.restartPolicy ?? '',
    gracePeriod: spec.terminationGracePeriodSeconds,
    hostUsers: spec.hostUsers ?? true,
  };
}
