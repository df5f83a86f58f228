/** How fast and how far a target may be scaled (normalization in pkg/controller/podautoscaler/horizontal.go of v1.35). Pure. Times in ms. */
import type { HorizontalPodAutoscalerBehavior, HPAScalingRules } from '../../api/types/autoscaling-v2.ts';

export interface Recommendation {
  readonly replicas: number;
  readonly at: number;
}
export interface ScaleEvent {
  /** Replicas added or removed. */
  readonly change: number;
  readonly at: number;
}
/** What is remembered of one autoscaler. */
export interface History {
  readonly recommendations: readonly Recommendation[];
  readonly ups: readonly ScaleEvent[];
  readonly downs: readonly ScaleEvent[];
}
export const noHistory: History = { recommendations: [], ups: [], downs: [] };

export interface Bounds {
  readonly current: number;
  readonly min: number;
  readonly max: number;
  readonly behavior: HorizontalPodAutoscalerBehavior | undefined;
  /** For autoscalers whose behavior does not say. Upstream: 5 min. */
  readonly downscaleWindowMs: number;
  readonly now: number;
}
export interface Note {
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
}
export interface Normalized {
  readonly replicas: number;
  readonly ableToScale: Note;
  readonly scalingLimited: Note;
  readonly history: History;
}

const messages = {
  ScaleUpStabilized: 'recent recommendations were lower than current one, applying the lowest recent recommendation',
  ScaleDownStabilized:
    'recent recommendations were higher than current one, applying the highest recent recommendation',
  ReadyForNewScale: 'recommended size matches current size',
  ScaleUpLimit: 'the desired replica count is increasing faster than the maximum scale rate',
  ScaleDownLimit: 'the desired replica count is decreasing faster than the maximum scale rate',
  TooManyReplicas: 'the desired replica count is more than the maximum replica count',
  TooFewReplicas: 'the desired replica count is less than the minimum replica count',
  DesiredWithinRange: 'the desired count is within the acceptable range',
} as const;
type Reason = keyof typeof messages;
const note = (reason: Reason, status: 'True' | 'False' = 'True'): Note => ({
  status,
  reason,
  message: messages[reason],
});

export function normalize(desired: number, bounds: Bounds, history: History): Normalized {
  const stabilized = bounds.behavior
    ? stabilizeBoth(desired, bounds, history)
    : stabilizeDown(desired, bounds, history);
  const limited = bounds.behavior
    ? limitByBehavior(stabilized.replicas, bounds, history)
    : limitByDefault(stabilized.replicas, bounds);
  return {
    replicas: limited.replicas,
    ableToScale: note(stabilized.replicas === desired ? 'ReadyForNewScale' : stabilized.reason),
    scalingLimited: note(limited.reason, limited.replicas === stabilized.replicas ? 'False' : 'True'),
    history: { ...history, recommendations: stabilized.recommendations },
  };
}

interface Stabilized {
  readonly replicas: number;
  readonly reason: Reason;
  readonly recommendations: readonly Recommendation[];
}

function stabilizeDown(desired: number, { now, downscaleWindowMs }: Bounds, history: History): Stabilized {
  const recent = history.recommendations.filter(r => r.at >= now - downscaleWindowMs);
  return {
    replicas: Math.max(desired, ...recent.map(r => r.replicas)),
    reason: 'ScaleDownStabilized',
    recommendations: [...recent, { replicas: desired, at: now }],
  };
}

/** Never higher than the lowest recent one on the way up, nor lower than the highest on the way down. */
function stabilizeBoth(desired: number, bounds: Bounds, history: History): Stabilized {
  const { now, current, behavior, downscaleWindowMs } = bounds;
  const upMs = (behavior?.scaleUp?.stabilizationWindowSeconds ?? 0) * 1000;
  const downSeconds = behavior?.scaleDown?.stabilizationWindowSeconds;
  const downMs = downSeconds === undefined ? downscaleWindowMs : downSeconds * 1000;
  const within = (ms: number) => history.recommendations.filter(r => r.at > now - ms).map(r => r.replicas);
  const up = Math.min(desired, ...within(upMs));
  const down = Math.max(desired, ...within(downMs));
  return {
    replicas: Math.min(Math.max(current, up), down),
    reason: desired >= current ? 'ScaleUpStabilized' : 'ScaleDownStabilized',
    recommendations: [
      ...history.recommendations.filter(r => r.at >= now - Math.max(upMs, downMs)),
      { replicas: desired, at: now },
    ],
  };
}

interface Limited {
  readonly replicas: number;
  readonly reason: Reason;
}

/** At most twice as many, or four. */
function limitByDefault(desired: number, { current, min, max }: Bounds): Limited {
  const fastest = Math.max(2 * current, 4);
  const most = Math.min(max, fastest);
  if (desired < min) return { replicas: min, reason: 'TooFewReplicas' };
  if (desired > most) return { replicas: most, reason: max > fastest ? 'ScaleUpLimit' : 'TooManyReplicas' };
  return { replicas: desired, reason: 'DesiredWithinRange' };
}

function limitByBehavior(desired: number, { current, min, max, behavior, now }: Bounds, history: History): Limited {
  if (desired > current) {
    const fastest = Math.max(current, scaleUpLimit(current, history, behavior?.scaleUp, now));
    const most = Math.min(max, fastest);
    if (desired > most) return { replicas: most, reason: max > fastest ? 'ScaleUpLimit' : 'TooManyReplicas' };
  } else if (desired < current) {
    const fastest = Math.min(current, scaleDownLimit(current, history, behavior?.scaleDown, now));
    const least = Math.max(min, fastest);
    if (desired < least) return { replicas: least, reason: min < fastest ? 'ScaleDownLimit' : 'TooFewReplicas' };
  }
  return { replicas: desired, reason: 'DesiredWithinRange' };
}

/** Replicas at the beginning of a policy's period. */
function atStart(current: number, { ups, downs }: History, periodSeconds: number, now: number): number {
  const sum = (events: readonly ScaleEvent[]) =>
    events.filter(e => e.at > now - periodSeconds * 1000).reduce((total, e) => total + e.change, 0);
  return current - sum(ups) + sum(downs);
}

const upDefaults = [
  { type: 'Pods', value: 4, periodSeconds: 15 },
  { type: 'Percent', value: 100, periodSeconds: 15 },
];
const downDefaults = [{ type: 'Percent', value: 100, periodSeconds: 15 }];

export function scaleUpLimit(
  current: number,
  history: History,
  rules: HPAScalingRules | undefined,
  now: number,
): number {
  if (rules?.selectPolicy === 'Disabled') return current;
  const proposals = (rules?.policies ?? upDefaults).map(({ type, value, periodSeconds }) => {
    const start = atStart(current, history, periodSeconds, now);
    // Rounded up, or few replicas would never become more.
    return type === 'Pods' ? start + value : Math.ceil((start * (100 + value)) / 100);
  });
  return rules?.selectPolicy === 'Min' ? Math.min(...proposals) : Math.max(...proposals);
}

export function scaleDownLimit(
  current: number,
  history: History,
  rules: HPAScalingRules | undefined,
  now: number,
): number {
  if (rules?.selectPolicy === 'Disabled') return current;
  const proposals = (rules?.policies ?? downDefaults).map(({ type, value, periodSeconds }) => {
    const start = atStart(current, history, periodSeconds, now);
    return type === 'Pods' ? start - value : Math.trunc((start * (100 - value)) / 100);
  });
  return rules?.selectPolicy === 'Min' ? Math.max(...proposals) : Math.min(...proposals);
}

/** With what was just done; older events than any policy looks at are dropped. */
export function withScaleEvent(
  history: History,
  from: number,
  to: number,
  behavior: HorizontalPodAutoscalerBehavior,
  now: number,
): History {
  const longest = (rules: HPAScalingRules | undefined) =>
    Math.max(0, ...(rules?.policies ?? upDefaults).map(p => p.periodSeconds));
  const oldest = now - Math.max(longest(behavior.scaleUp), longest(behavior.scaleDown)) * 1000;
  const recent = (events: readonly ScaleEvent[]) => events.filter(e => e.at >= oldest);
  const event = { change: Math.abs(to - from), at: now };
  return {
    ...history,
    ups: to > from ? [...recent(history.ups), event] : recent(history.ups),
    downs: to < from ? [...recent(history.downs), event] : recent(history.downs),
  };
}
