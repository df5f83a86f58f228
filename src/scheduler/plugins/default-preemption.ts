import { selectorFromObject } from '../../api/selectors/index.ts';
import type { PodDisruptionBudget } from '../../api/types/policy-v1.ts';
import { rfc3339 } from '../../base/clock.ts';
import { isNotFound } from '../../base/errors.ts';
import { histogram } from '../cycle/message.ts';
import {
  type Candidate,
  definePlugin,
  type Evict,
  type PluginFactory,
  type PluginHandle,
  type PostFilterContext,
  type Room,
} from '../framework/plugin.ts';
import type { PodInfo } from '../framework/pod-info.ts';
import { type Rejection, rejections } from '../framework/status.ts';
import type { NodeInfo } from '../snapshot/snapshot.ts';

const name = 'DefaultPreemption';
const reject = rejections(name);
const notHelpful = reject('UnschedulableAndUnresolvable', 'Preemption is not helpful for scheduling');
const noVictims = reject('UnschedulableAndUnresolvable', 'No preemption victims found for incoming pod');

interface Args {
  minCandidateNodesPercentage?: number;
  minCandidateNodesAbsolute?: number;
}

const startOf = ({ pod }: PodInfo) => pod.status?.startTime ?? pod.metadata.creationTimestamp ?? '';
/** Higher priority first, then who runs longer. */
const byImportance = (a: PodInfo, b: PodInfo) =>
  b.priority - a.priority || (startOf(a) < startOf(b) ? -1 : startOf(a) > startOf(b) ? 1 : 0);

/** Undefined when it may; otherwise why not. */
function whyNot(pod: PodInfo, { snapshot, rejections: verdicts }: PostFilterContext): string | undefined {
  if (pod.pod.spec.preemptionPolicy === 'Never') return 'not eligible due to preemptionPolicy=Never.';
  const nominated = snapshot.node(pod.pod.status?.nominatedNodeName ?? '');
  if (!nominated || verdicts[nominated.row]?.code === 'UnschedulableAndUnresolvable') return undefined;
  for (const other of nominated.pods.values())
    if (other.terminating && other.priority < pod.priority)
      return 'not eligible due to a terminating pod on the nominated node.';
  return undefined;
}
/** Splits pods by whether evicting them all, in this order, would break a budget. */
export function splitByBudget(
  pods: readonly PodInfo[],
  budgets: readonly PodDisruptionBudget[],
): { violating: PodInfo[]; free: PodInfo[] } {
  const left = budgets.map(b => ({
    budget: b,
    selector: selectorFromObject(b.spec.selector),
    allowed: b.status?.disruptionsAllowed ?? 0,
  }));
  const violating: PodInfo[] = [];
  const free: PodInfo[] = [];
  for (const pod of pods) {
    let breaks = false;
    if (Object.keys(pod.labels).length > 0)
      for (const each of left) {
        const { metadata, status } = each.budget;
        if (metadata.namespace !== pod.namespace || each.selector.everything || !each.selector.matches(pod.labels))
          continue;
        // The eviction was counted already.
        if (status?.disruptedPods?.[pod.pod.metadata.name] !== undefined) continue;
        each.allowed--;
        if (each.allowed < 0) breaks = true;
      }
    (breaks ? violating : free).push(pod);
  }
  return { violating, free };
}

/** The fewest and least important pods that have to leave the node, or why that does not help. */
function selectVictims(
  context: PostFilterContext,
  node: NodeInfo,
  budgets: readonly PodDisruptionBudget[],
): Candidate | Rejection {
  const { snapshot, pod } = context;
  const lower = [...node.pods.values()].filter(p => p.priority < pod.priority);
  if (lower.length === 0) return noVictims;
  return snapshot.trial(node.row, trial => {
    for (const each of lower) trial.remove(each);
    const rejection = context.fits(node);
    if (rejection) return rejection;
    const { violating, free } = splitByBudget(lower.sort(byImportance), budgets);
    const victims: PodInfo[] = [];
    const stays = (each: PodInfo): boolean => {
      trial.add(each);
      if (!context.fits(node)) return true;
      trial.remove(each);
      victims.push(each);
      return false;
    };
    let violations = 0;
    for (const each of violating) if (!stays(each)) violations++;
    for (const each of free) stays(each);
    return { node, victims: victims.sort(byImportance), violations };
  });
}

/** Smaller is better, field by field (pickOneNodeForPreemption). */
function cost({ victims, violations }: Candidate): readonly (number | string)[] {
  const highest = Math.max(...victims.map(v => v.priority));
  // Shifted so that pods of negative priority do not make more victims look cheaper.
  const sum = victims.reduce((total, p) => total + p.priority + 2 ** 31, 0);
  const earliest =
    victims
      .filter(p => p.priority === highest)
      .map(startOf)
      .sort()[0] ?? '';
  return [violations, highest, sum, victims.length, earliest];
}

function better(a: Candidate, b: Candidate): boolean {
  const [left, right] = [cost(a), cost(b)];
  for (let i = 0; i < left.length; i++) {
    const [x, y] = [left[i] ?? 0, right[i] ?? 0];
    if (x === y) continue;
    // Of the most important victims, those that started last.
    return i === left.length - 1 ? x > y : x < y;
  }
  return false;
}

function candidatesOf(
  context: PostFilterContext,
  args: Args,
): { found: Candidate[]; statuses: Map<number, Rejection> } {
  const { snapshot, rejections: verdicts, random } = context;
  const budgets = snapshot.lookup.of('policy/v1/poddisruptionbudgets').list();
  const possible = [...snapshot.order].filter(row => verdicts[row]?.code === 'Unschedulable');
  const percentage = args.minCandidateNodesPercentage ?? 10;
  const wanted = Math.min(
    possible.length,
    Math.max(Math.floor((possible.length * percentage) / 100), args.minCandidateNodesAbsolute ?? 100),
  );
  const offset = possible.length > 0 ? random.int(possible.length) : 0;
  const statuses = new Map<number, Rejection>();
  const found: Candidate[] = [];
  let unhurt = false;
  for (let i = 0; i < possible.length; i++) {
    const row = possible[(offset + i) % possible.length] ?? 0;
    const node = snapshot.nodes[row];
    if (!node) continue;
    const outcome = selectVictims(context, node, budgets);
    if ('code' in outcome) {
      statuses.set(row, outcome);
      continue;
    }
    found.push(outcome);
    unhurt ||= outcome.violations === 0;
    if (unhurt && found.length >= wanted) break;
  }
  return { found, statuses };
}

function message(context: PostFilterContext, statuses: ReadonlyMap<number, Rejection>): string {
  const { order } = context.snapshot;
  const all = [...order].map(row => statuses.get(row) ?? notHelpful);
  return `preemption: 0/${order.length} nodes are available: ${histogram(all)}.`;
}

function evict(context: PostFilterContext, { node, victims }: Candidate, { clock }: PluginHandle): Evict {
  const { pod, profile } = context;
  return {
    victims,
    async run({ client, recorder, signal }) {
      await Promise.all(
        victims.map(async victim => {
          const { name: victimName, namespace, uid } = victim.pod.metadata;
          const condition = {
            type: 'DisruptionTarget',
            status: 'True',
            reason: 'PreemptionByScheduler',
            message: `${profile}: preempting to accommodate a higher priority pod`,
            lastTransitionTime: rfc3339(clock.now()),
          };
          const pods = client.pods(namespace);
          try {
            if (!victim.terminating) {
              const patch = { metadata: { uid }, status: { conditions: [condition] } };
              await pods.patch(victimName, 'strategic', patch, { subresource: 'status', signal });
            }
            await pods.delete(victimName, { ...(uid && { preconditions: { uid } }), signal });
          } catch (error) {
            if (isNotFound(error)) return;
            throw error;
          }
          recorder.event(victim.pod, 'Normal', 'Preempted', `Preempted by pod ${pod.uid} on node ${node.name}`);
        }),
      );
    },
  };
}

/** When nothing fits: the node where the least harm makes room. */
export const defaultPreemption: PluginFactory = {
  name,
  create(args: Args, handle) {
    return definePlugin({
      name,
      postFilter(context) {
        const not = whyNot(context.pod, context);
        if (not !== undefined) return { message: `preemption: ${not}` };
        const { found, statuses } = candidatesOf(context, args);
        const choose = (left: readonly Candidate[]): Room | undefined => {
          const [first, ...rest] = left;
          if (!first) return undefined;
          const best = rest.reduce((a, b) => (better(b, a) ? b : a), first);
          return { node: best.node.name, evict: evict(context, best, handle) };
        };
        const room = choose(found);
        if (!room) return { message: message(context, statuses), clear: true };
        return { ...room, among: { candidates: found, choose } };
      },
    });
  },
};
