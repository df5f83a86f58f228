/** Defaults of pod-level resources, from those of the containers (KEP-2837). */
import type { PodSpec } from '../../../../api/types/core-v1.ts';
import { isHugePages, isOvercommitAllowed } from '../resource-names.ts';
import { aggregateLimits, aggregateRequests } from './aggregate.ts';

type List = Record<string, string>;

const isSupported = (name: string) => name === 'cpu' || name === 'memory' || isHugePages(name);
const isEmpty = (list: List | undefined) => Object.keys(list ?? {}).length === 0;

/** `own`, and what `more` has besides, of the resources that pass. */
function fill(own: List | undefined, more: List, passes: (name: string) => boolean): List {
  const added = Object.entries(more).filter(([name]) => own?.[name] === undefined && passes(name));
  return { ...own, ...Object.fromEntries(added) };
}

function allLimited(spec: PodSpec, name: string): boolean {
  const sidecars = (spec.initContainers ?? []).filter(c => c.restartPolicy === 'Always');
  return [...(spec.containers ?? []), ...sidecars].every(c => c.resources?.limits?.[name] !== undefined);
}

/** Nothing happens unless the pod says something about its own resources. In place. */
export function defaultPodResources(spec: PodSpec): void {
  const { resources } = spec;
  if (!resources || (isEmpty(resources.limits) && isEmpty(resources.requests))) return;
  const limits = aggregateLimits(spec);
  const huge = fill(resources.limits, limits, name => isHugePages(name) && resources.requests?.[name] === undefined);
  if (!isEmpty(huge)) resources.limits = huge;
  if (!isEmpty(resources.limits)) {
    const wanted = fill(resources.requests, aggregateRequests(spec), n => isSupported(n) && isOvercommitAllowed(n));
    resources.requests = fill(wanted, resources.limits ?? {}, isSupported);
    return;
  }
  const shared = fill(resources.limits, limits, n => isSupported(n) && isOvercommitAllowed(n) && allLimited(spec, n));
  if (!isEmpty(shared)) resources.limits = shared;
}
