import type { Node } from '../../../api/types/core-v1.ts';
import { ageColumn, nameColumn, orNone, text, wideText } from '../columns.ts';
import { clusterScoped } from '../define.ts';

const rolePrefix = 'node-role.kubernetes.io/';

function roles(node: Node): string {
  const found = new Set<string>();
  for (const [key, value] of Object.entries(node.metadata.labels ?? {})) {
    if (key.startsWith(rolePrefix) && key.length > rolePrefix.length) found.add(key.slice(rolePrefix.length));
    else if (key === 'kubernetes.io/role' && value) found.add(value);
  }
  return orNone([...found].sort().join(','));
}

function readiness(node: Node): string {
  const ready = node.status?.conditions?.find(c => c.type === 'Ready');
  const words = [ready ? (ready.status === 'True' ? 'Ready' : 'NotReady') : 'Unknown'];
  if (node.spec.unschedulable) words.push('SchedulingDisabled');
  return words.join(',');
}

const address = (node: Node, type: string) => orNone(node.status?.addresses?.find(a => a.type === type)?.address);
const info = (node: Node, key: 'osImage' | 'kernelVersion' | 'containerRuntimeVersion') =>
  node.status?.nodeInfo?.[key] || '<unknown>';

export const nodes = clusterScoped<Node>({
  resource: '/nodes',
  default(node) {
    node.spec ??= {};
    node.status ??= {};
    if (node.status.capacity) node.status.allocatable ??= { ...node.status.capacity };
    if (node.spec.podCIDRs?.[0]) node.spec.podCIDR ||= node.spec.podCIDRs[0];
    else if (node.spec.podCIDR) node.spec.podCIDRs = [node.spec.podCIDR];
  },
  prepareForUpdate(node, old) {
    if (old.status) node.status = structuredClone(old.status);
  },
  columns: [
    nameColumn,
    text('Status', readiness),
    text('Roles', roles),
    ageColumn,
    text('Version', node => node.status?.nodeInfo?.kubeletVersion ?? ''),
    wideText('Internal-IP', node => address(node, 'InternalIP')),
    wideText('External-IP', node => address(node, 'ExternalIP')),
    wideText('OS-Image', node => info(node, 'osImage')),
    wideText('Kernel-Version', node => info(node, 'kernelVersion')),
    wideText('Container-Runtime', node => info(node, 'containerRuntimeVersion')),
  ],
  selectableFields: { 'spec.unschedulable': node => String(node.spec.unschedulable ?? false) },
});
