/** Node labels that were given up (pkg/api/node). */
import type { NodeSelectorTerm } from '../../../api/types/core-v1.ts';
import { isLabelValue } from '../../../api/validation/names.ts';

const deprecated: Readonly<Record<string, string>> = {
  'beta.kubernetes.io/arch': 'deprecated since v1.14; use "kubernetes.io/arch" instead',
  'beta.kubernetes.io/os': 'deprecated since v1.14; use "kubernetes.io/os" instead',
  'failure-domain.beta.kubernetes.io/region': 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
  'failure-domain.beta.kubernetes.io/zone': 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
  'beta.kubernetes.io/instance-type': 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
  'app.kubernetes.io/created-by': 'deprecated since v1.9',
  'scheduler.alpha.kubernetes.io/preferAvoidPods': 'deprecated since v1.22; use Taints and Tolerations instead',
  'node-role.kubernetes.io/master': 'use "node-role.kubernetes.io/control-plane" instead',
};

/** Why a node label should not be used any more; undefined when it is fine. */
export const nodeLabelComplaint = (label: string): string | undefined =>
  Object.hasOwn(deprecated, label) ? deprecated[label] : undefined;

/** A node label used as a key, such as of a node selector's term. */
export function nodeLabelWarnings(label: string, path: string): string[] {
  const why = nodeLabelComplaint(label);
  return why === undefined ? [] : [`${path}: ${label} is ${why}`];
}

/** @param checkValues the term is a preference, whose values are not validated. */
export function nodeTermWarnings(term: NodeSelectorTerm | undefined, checkValues: boolean, path: string): string[] {
  return (term?.matchExpressions ?? []).flatMap(({ key, values = [] }, i) => {
    const at = `${path}.matchExpressions[${i}]`;
    const wrong = values.flatMap((value, v) =>
      isLabelValue(value).map(why => `${at}.values[${v}]: ${value} is invalid, ${why}`),
    );
    return [...nodeLabelWarnings(key, `${at}.key`), ...(checkValues ? wrong : [])];
  });
}
