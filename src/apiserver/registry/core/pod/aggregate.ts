/** What a pod's containers ask for together (k8s.io/component-helpers/resource). */
import {
  addQuantity,
  compareQuantity,
  formatQuantity,
  type Quantity,
  tryParseQuantity,
} from '../../../../api/quantity.ts';
import type { Container, PodSpec } from '../../../../api/types/core-v1.ts';

type Totals = Map<string, Quantity>;
type Kind = 'requests' | 'limits';

function listOf(container: Container, kind: Kind): Totals {
  const totals: Totals = new Map();
  for (const [name, value] of Object.entries(container.resources?.[kind] ?? {})) {
    const quantity = tryParseQuantity(value);
    if (quantity) totals.set(name, quantity);
  }
  return totals;
}

function add(totals: Totals, more: Totals): void {
  for (const [name, value] of more) {
    const before = totals.get(name);
    totals.set(name, before ? addQuantity(before, value) : value);
  }
}

function max(totals: Totals, other: Totals): void {
  for (const [name, value] of other) {
    const before = totals.get(name);
    if (!before || compareQuantity(value, before) > 0) totals.set(name, value);
  }
}

/**
 * Containers and sidecars run together; an ordinary init container runs beside the sidecars started before it. The pod needs the
 * largest of these moments.
 */
function aggregate(spec: PodSpec, kind: Kind): Record<string, string> {
  const totals: Totals = new Map();
  for (const container of spec.containers ?? []) add(totals, listOf(container, kind));
  const sidecars: Totals = new Map();
  const peak: Totals = new Map();
  for (const container of spec.initContainers ?? []) {
    const own = listOf(container, kind);
    if (container.restartPolicy === 'Always') {
      add(totals, own);
      add(sidecars, own);
      max(peak, sidecars);
    } else {
      const moment = new Map(sidecars);
      add(moment, own);
      max(peak, moment);
    }
  }
  max(totals, peak);
  return Object.fromEntries([...totals].map(([name, value]) => [name, formatQuantity(value)]));
}

export const aggregateRequests = (spec: PodSpec): Record<string, string> => aggregate(spec, 'requests');
export const aggregateLimits = (spec: PodSpec): Record<string, string> => aggregate(spec, 'limits');
