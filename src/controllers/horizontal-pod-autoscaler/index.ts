/** Scales targets by metrics (pkg/controller/podautoscaler of v1.35). */
import { keyOf } from '../../api/object.ts';
import { parseApiVersion } from '../../api/schema.ts';
import { parseLabelSelector } from '../../api/selectors/index.ts';
import type {
  HorizontalPodAutoscaler,
  HorizontalPodAutoscalerCondition,
  MetricStatus,
} from '../../api/types/autoscaling-v2.ts';
import { semanticEqual } from '../../api/util/values.ts';
import { rfc3339 } from '../../base/clock.ts';
import { isConflict, messageOf } from '../../base/errors.ts';
import { type DiscoveredResource, discover } from '../../client/index.ts';
import type { Controller, ControllerContext, Loop } from '../../controller/contract.ts';
import { watch } from '../../controller/contract.ts';
import { withCondition } from '../support/conditions.ts';
import { type History, noHistory, normalize, withScaleEvent } from './limits.ts';
import { apiMetricsSource, type MetricsSource } from './metrics.ts';
import { MetricError, type Proposal, propose, type Target } from './propose.ts';

/** Upstream's retry.DefaultRetry. */
const updateAttempts = 5;

export interface HorizontalPodAutoscalerOptions {
  /** Default: the metrics APIs, through the API server. */
  readonly metrics?: MetricsSource;
  /** Between two looks at an autoscaler; default 15 s. */
  readonly syncPeriodMs?: number;
  /** Default 5 min. */
  readonly downscaleWindowMs?: number;
  /** Default 5 min. */
  readonly cpuInitializationMs?: number;
  /** Default 30 s. */
  readonly initialReadinessDelayMs?: number;
}

interface Scale {
  apiVersion: string;
  kind: string;
  metadata: { name: string };
  spec?: { replicas?: number };
  status?: { replicas?: number; selector?: string };
}

export function horizontalPodAutoscalerController(options: HorizontalPodAutoscalerOptions = {}): Controller {
  return {
    name: 'horizontal-pod-autoscaler-controller',
    account: 'horizontal-pod-autoscaler',
    component: 'horizontal-pod-autoscaler',
    aliases: ['horizontalpodautoscaling'],
    setUp: context => autoscalerLoop(context, options),
  };
}

function autoscalerLoop(context: ControllerContext, options: HorizontalPodAutoscalerOptions): Loop {
  const { informers, client, log } = context;
  const { syncPeriodMs = 15_000 } = options;
  const autoscalers = informers.informer('autoscaling/v2/horizontalpodautoscalers');
  const pods = informers.informer('v1/pods');
  const histories = new Map<string, History>();
  const selectors = new Map<string, string>();
  const scales = createScales(context);
  const metrics = options.metrics ?? apiMetricsSource(client);
  const podsOf = (namespace: string, selector: string) => {
    const parsed = parseLabelSelector(selector);
    return pods.store.byIndex('namespace', namespace).filter(pod => parsed.matches(pod.metadata.labels));
  };
  /** Other autoscalers whose targets share pods with this one's. */
  const rivals = (key: string, namespace: string, selector: string): string[] => {
    const mine = new Set(podsOf(namespace, selector).map(pod => pod.metadata.uid));
    return [...selectors]
      .filter(
        ([other, theirs]) =>
          other !== key &&
          other.startsWith(`${namespace}/`) &&
          podsOf(namespace, theirs).some(pod => mine.has(pod.metadata.uid)),
      )
      .map(([other]) => other);
  };
  return {
    sources: [
      watch<'autoscaling/v2/horizontalpodautoscalers'>(autoscalers, (hpa, old) =>
        old?.metadata.uid === hpa.metadata.uid && old?.metadata.generation === hpa.metadata.generation
          ? []
          : [keyOf(hpa)],
      ),
    ],
    async reconcile(key) {
      const hpa = autoscalers.store.get(key);
      if (!hpa) {
        histories.delete(key);
        selectors.delete(key);
        return;
      }
      try {
        const pass = createPass(context, hpa);
        await pass.run({ options, metrics, scales, podsOf, rivals, histories, selectors, key });
      } catch (e) {
        // As upstream: one pace, whatever happened.
        log.debug('An autoscaler could not be served', { key, error: messageOf(e) });
      }
      return { requeueAfter: syncPeriodMs };
    },
  };
}

interface Surroundings {
  readonly options: HorizontalPodAutoscalerOptions;
  readonly metrics: MetricsSource;
  readonly scales: Scales;
  readonly podsOf: (namespace: string, selector: string) => Target['pods'];
  readonly rivals: (key: string, namespace: string, selector: string) => string[];
  readonly histories: Map<string, History>;
  readonly selectors: Map<string, string>;
  readonly key: string;
}

/** One look at an autoscaler. Conditions gather on the way and are written at the end, whatever it is. */
function createPass(context: ControllerContext, hpa: HorizontalPodAutoscaler) {
  const { clock, client, recorder } = context;
  const { namespace = '' } = hpa.metadata;
  const { minReplicas: min = 1, maxReplicas: max, behavior } = hpa.spec;
  let conditions: HorizontalPodAutoscalerCondition[] = hpa.status?.conditions ?? [];
  const set = (type: string, status: string, reason: string, message: string) => {
    conditions = withCondition(conditions, { type, status, reason, message }, clock.now());
  };
  const warn = (reason: string, message: string) => recorder.event(hpa, 'Warning', reason, message);

  async function writeStatus(current: number, desired: number, metrics: MetricStatus[] | undefined, rescaled: boolean) {
    const { lastScaleTime, observedGeneration } = hpa.status ?? {};
    const status = {
      ...(observedGeneration !== undefined && { observedGeneration }),
      currentReplicas: current,
      desiredReplicas: desired,
      ...(metrics && metrics.length > 0 && { currentMetrics: metrics }),
      conditions,
      ...(rescaled ? { lastScaleTime: rfc3339(clock.now()) } : lastScaleTime && { lastScaleTime }),
    };
    if (semanticEqual(status, hpa.status)) return;
    await client
      .horizontalpodautoscalers(namespace)
      .updateStatus({ ...hpa, status })
      .catch(e => {
        warn('FailedUpdateStatus', messageOf(e));
        throw e;
      });
  }
  const keepStatus = (current: number) =>
    writeStatus(current, hpa.status?.desiredReplicas ?? 0, hpa.status?.currentMetrics, false);

  async function getScale(scales: Scales): Promise<Scale> {
    try {
      const scale = await scales.get(hpa);
      set('AbleToScale', 'True', 'SucceededGetScale', "the HPA controller was able to get the target's current scale");
      return scale;
    } catch (e) {
      warn('FailedGetScale', messageOf(e));
      const message = `the HPA controller was unable to get the target's current scale: ${messageOf(e)}`;
      set('AbleToScale', 'False', 'FailedGetScale', message);
      await keepStatus(hpa.status?.currentReplicas ?? 0);
      throw e;
    }
  }

  /** The pods' selector; throws, with the condition set, when there is none to go by. */
  function selectorOf(scale: Scale, { key, rivals, selectors }: Surroundings): string {
    const { selector = '' } = scale.status ?? {};
    const refuse = (reason: string, event: string, text: string, message: string): never => {
      warn(event, text);
      set('ScalingActive', 'False', reason, message);
      throw new Error(text);
    };
    if (selector === '')
      return refuse(
        'InvalidSelector',
        'SelectorRequired',
        'selector is required',
        "the HPA target's scale is missing a selector",
      );
    try {
      parseLabelSelector(selector);
    } catch (e) {
      const text = `couldn't convert selector into a corresponding internal selector object: ${messageOf(e)}`;
      return refuse('InvalidSelector', 'InvalidSelector', text, text);
    }
    selectors.set(key, selector);
    const others = rivals(key, namespace, selector);
    if (others.length > 0) {
      const text = `pods by selector ${selector} are controlled by multiple HPAs: [${[key, ...others].join(' ')}]`;
      return refuse('AmbiguousSelector', 'AmbiguousSelector', text, text);
    }
    return selector;
  }

  async function measure(
    scale: Scale,
    surroundings: Surroundings,
  ): Promise<{ best: Proposal; statuses: MetricStatus[] }> {
    const { options, metrics, podsOf } = surroundings;
    const selector = selectorOf(scale, surroundings);
    const specReplicas = scale.spec?.replicas ?? 0;
    const target: Target = {
      hpa,
      specReplicas,
      statusReplicas: scale.status?.replicas ?? 0,
      selector,
      pods: podsOf(namespace, selector),
    };
    const readiness = {
      now: clock.now(),
      cpuInitializationMs: options.cpuInitializationMs ?? 300_000,
      initialReadinessDelayMs: options.initialReadinessDelayMs ?? 30_000,
    };
    const specs = hpa.spec.metrics ?? [];
    const proposals: Proposal[] = [];
    const failures: MetricError[] = [];
    for (const spec of specs) {
      try {
        proposals.push(await propose(metrics, target, spec, readiness));
      } catch (e) {
        if (!(e instanceof MetricError)) throw e;
        warn(e.reason, e.detail);
        failures.push(e);
      }
    }
    const best = proposals.reduce<Proposal | undefined>((a, b) => (a && a.replicas >= b.replicas ? a : b), undefined);
    const [failure] = failures;
    // What could not be measured may need the replicas that the rest does not.
    if (!best || (failure && best.replicas < specReplicas)) {
      const detail = failure?.detail ?? 'no metrics';
      set(
        'ScalingActive',
        'False',
        failure?.reason ?? 'InvalidMetricSourceType',
        `the HPA was unable to compute the replica count: ${detail}`,
      );
      throw new Error(
        `invalid metrics (${failures.length} invalid out of ${specs.length}), first error is: ${failure?.message ?? detail}`,
      );
    }
    const message = `the HPA was able to successfully calculate a replica count from ${best.name}`;
    set('ScalingActive', 'True', 'ValidMetricFound', message);
    return { best, statuses: proposals.map(p => p.status) };
  }

  interface Decision {
    readonly desired: number;
    readonly why: string;
    readonly statuses?: MetricStatus[];
  }
  async function decide(scale: Scale, current: number, surroundings: Surroundings): Promise<Decision> {
    if (current > max) return { desired: max, why: 'Current number of replicas above Spec.MaxReplicas' };
    if (current < min) return { desired: min, why: 'Current number of replicas below Spec.MinReplicas' };
    const { key, histories, options } = surroundings;
    const { best, statuses } = await measure(scale, surroundings).catch(async e => {
      await keepStatus(current);
      warn('FailedComputeMetricsReplicas', messageOf(e));
      throw e;
    });
    const why = best.replicas > current ? `${best.name} above target` : 'All metrics below target';
    const { downscaleWindowMs = 300_000 } = options;
    const bounds = { current, min, max, behavior, downscaleWindowMs, now: clock.now() };
    const normal = normalize(best.replicas, bounds, histories.get(key) ?? noHistory);
    histories.set(key, normal.history);
    set('AbleToScale', normal.ableToScale.status, normal.ableToScale.reason, normal.ableToScale.message);
    set('ScalingLimited', normal.scalingLimited.status, normal.scalingLimited.reason, normal.scalingLimited.message);
    return { desired: normal.replicas, why, statuses };
  }

  /** What else changes the target meanwhile, such as its own controller's status, is no reason to give up. */
  async function putScale(scale: Scale, desired: number, scales: Scales): Promise<void> {
    for (let left = updateAttempts, at = scale; ; left--) {
      try {
        await scales.put(hpa, { ...at, spec: { ...at.spec, replicas: desired } });
        return;
      } catch (e) {
        if (!isConflict(e) || left <= 1) throw e;
      }
      at = await scales.get(hpa);
    }
  }

  async function rescale(
    scale: Scale,
    current: number,
    { desired, why }: Decision,
    { key, scales, histories }: Surroundings,
  ) {
    try {
      await putScale(scale, desired, scales);
    } catch (e) {
      warn('FailedRescale', `New size: ${desired}; reason: ${why}; error: ${messageOf(e)}`);
      set(
        'AbleToScale',
        'False',
        'FailedUpdateScale',
        `the HPA controller was unable to update the target scale: ${messageOf(e)}`,
      );
      await keepStatus(current);
      throw e;
    }
    set(
      'AbleToScale',
      'True',
      'SucceededRescale',
      `the HPA controller was able to update the target scale to ${desired}`,
    );
    recorder.event(hpa, 'Normal', 'SuccessfulRescale', `New size: ${desired}; reason: ${why}`);
    if (behavior)
      histories.set(key, withScaleEvent(histories.get(key) ?? noHistory, current, desired, behavior, clock.now()));
  }

  return {
    async run(surroundings: Surroundings): Promise<void> {
      const scale = await getScale(surroundings.scales);
      const current = scale.spec?.replicas ?? 0;
      const { key, histories } = surroundings;
      if (!histories.has(key))
        histories.set(key, { ...noHistory, recommendations: [{ replicas: current, at: clock.now() }] });
      if (current === 0 && min !== 0) {
        const message = 'scaling is disabled since the replica count of the target is zero';
        set('ScalingActive', 'False', 'ScalingDisabled', message);
        return writeStatus(current, current, undefined, false);
      }
      const decision = await decide(scale, current, surroundings);
      const changes = decision.desired !== current;
      if (changes) await rescale(scale, current, decision, surroundings);
      await writeStatus(current, decision.desired, decision.statuses, changes);
    },
  };
}

interface Scales {
  get(hpa: HorizontalPodAutoscaler): Promise<Scale>;
  put(hpa: HorizontalPodAutoscaler, scale: Scale): Promise<void>;
}

function createScales({ client, signal }: ControllerContext): Scales {
  let known: readonly DiscoveredResource[] = [];
  async function resourceOf({ spec }: HorizontalPodAutoscaler): Promise<DiscoveredResource> {
    const { kind, apiVersion = 'v1' } = spec.scaleTargetRef;
    const { group } = parseApiVersion(apiVersion);
    const find = () => known.find(r => r.group === group && r.kind === kind);
    if (!find()) known = (await discover(client, { signal })).resources;
    const found = find();
    if (!found) throw new Error(`no matches for kind "${kind}" in group "${group}"`);
    return found;
  }
  return {
    async get(hpa) {
      const target = client.resource(await resourceOf(hpa), hpa.metadata.namespace);
      return target.getSubresource<Scale>(hpa.spec.scaleTargetRef.name, 'scale');
    },
    async put(hpa, scale) {
      const target = client.resource(await resourceOf(hpa), hpa.metadata.namespace);
      await target.updateSubresource<Scale, Scale>(hpa.spec.scaleTargetRef.name, 'scale', scale);
    },
  };
}
