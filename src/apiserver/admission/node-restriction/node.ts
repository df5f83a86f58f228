/** What a kubelet may change of its own node: not the labels and taints by which workloads are steered. */
import type { Node } from '../../../api/types/core-v1.ts';
import { semanticEqual } from '../../../api/util/values.ts';
import type { AdmissionRequest } from '../contract.ts';
import { forbid, objectOf, oldObjectOf } from '../helpers.ts';

const kubeletLabels = new Set([
  'kubernetes.io/hostname',
  'kubernetes.io/os',
  'kubernetes.io/arch',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/arch',
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
  'node.kubernetes.io/instance-type',
  'beta.kubernetes.io/instance-type',
]);
const kubeletDomains = ['kubelet.kubernetes.io', 'node.kubernetes.io'];
const restrictedDomain = 'node-restriction.kubernetes.io';
const within = (domain: string, parent: string) => domain === parent || domain.endsWith(`.${parent}`);

function isForbiddenLabel(key: string): boolean {
  const slash = key.indexOf('/');
  const domain = slash < 0 ? '' : key.slice(0, slash);
  if (within(domain, restrictedDomain)) return true;
  if (!within(domain, 'kubernetes.io') && !within(domain, 'k8s.io')) return false;
  return !kubeletLabels.has(key) && !kubeletDomains.some(d => within(domain, d));
}

type Labels = Readonly<Record<string, string>>;

export function forbiddenLabelChanges(labels: Labels = {}, old: Labels = {}): string[] {
  const keys = new Set([...Object.keys(labels), ...Object.keys(old)]);
  return [...keys].filter(key => labels[key] !== old[key] && isForbiddenLabel(key)).sort();
}

export function admitNode(request: AdmissionRequest, node: string): void {
  const quoted = JSON.stringify(node);
  if (request.name !== node)
    throw forbid(request, `node ${quoted} is not allowed to modify node ${JSON.stringify(request.name)}`);
  if (request.operation === 'DELETE') return;
  const next = objectOf<Node>(request);
  const old = request.operation === 'UPDATE' ? oldObjectOf<Node>(request) : undefined;
  const labels = forbiddenLabelChanges(next.metadata.labels, old?.metadata.labels);
  if (next.spec?.configSource && !semanticEqual(next.spec.configSource, old?.spec?.configSource))
    throw forbid(
      request,
      old
        ? `node ${quoted} is not allowed to update configSource to a new non-nil configSource`
        : `node ${quoted} is not allowed to create pods with a non-nil configSource`,
    );
  if (!old) {
    if (labels.length > 0)
      throw forbid(request, `node ${quoted} is not allowed to set the following labels: ${labels.join(', ')}`);
    return;
  }
  if (!semanticEqual(next.spec?.taints ?? [], old.spec?.taints ?? []))
    throw forbid(request, `node ${quoted} is not allowed to modify taints`);
  if (labels.length > 0) throw forbid(request, `is not allowed to modify labels: ${labels.join(', ')}`);
  if (!semanticEqual(next.metadata.ownerReferences ?? [], old.metadata.ownerReferences ?? []))
    throw forbid(request, `node ${quoted} is not allowed to modify ownerReferences`);
}
