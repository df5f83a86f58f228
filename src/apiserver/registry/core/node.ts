import type { Node, NodeStatus, Taint } from '../../../api/types/core-v1.ts';
import { parseCidr } from '../../../api/validation/ip.ts';
import { isLabelValue } from '../../../api/validation/names.ts';
import { cidrBlock, type Errors, each, forbidden, requiredOneOf, same } from '../checks.ts';
import { ageColumn, nameColumn, orNone, text, wideText } from '../columns.ts';
import { clusterScoped, statusSubresource } from '../define.ts';
import { field } from '../field-errors.ts';
import { internalForm } from '../internal-form.ts';
import { validateLabelName } from '../meta/object-meta.ts';
import { taintEffects } from './pod/scheduling.ts';
import { validateQuantity } from './resource-names.ts';

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

const shownTaint = { Key: '', Value: '', Effect: '', TimeAdded: null };
const onceEach = 'taints must be unique by key and effect pair';

/** A taint is known by its key and effect. */
function validateTaints(taints: readonly Taint[] | undefined): Errors {
  const seen = new Set<string>();
  return each(taints, 'metadata.taints', (taint, at) => {
    const id = `${taint.key}:${taint.effect}`;
    const twice = seen.has(id);
    seen.add(id);
    const complaints = isLabelValue(taint.value ?? '');
    return [
      ...validateLabelName(taint.key, `${at}.key`),
      ...(complaints.length > 0 ? [field.invalid(`${at}.value`, taint.value, complaints.join(';'))] : []),
      ...requiredOneOf(taint.effect, `${at}.effect`, taintEffects),
      ...(twice ? [field.duplicate(at, internalForm(shownTaint, taint), onceEach)] : []),
    ];
  });
}

function validatePodCidrs({ podCIDRs = [] }: Node['spec']): Errors {
  const path = 'spec.podCIDRs';
  const errors = each(podCIDRs, path, cidrBlock);
  const families = podCIDRs.map(text => parseCidr(text)?.family);
  if (podCIDRs.length > 2 || (podCIDRs.length === 2 && families[0] === families[1])) {
    errors.push(field.invalid(path, podCIDRs, 'may specify no more than one CIDR for each IP family'));
  }
  return errors;
}

const validateNode = ({ spec }: Node): Errors => [...validateTaints(spec.taints), ...validatePodCidrs(spec)];

const updatable =
  'node updates may only change labels, taints, or capacity (or configSource, if the DynamicKubeletConfig feature gate is enabled)';

/** Pod networks and the provider's id are set once. */
function validateNodeUpdate(node: Node, old: Node): Errors {
  const fixed = ({
    taints: _,
    unschedulable: __,
    podCIDR: ___,
    podCIDRs: ____,
    providerID: _____,
    ...rest
  }: Node['spec']) => rest;
  const cidrs = 'node updates may not change podCIDR except from "" to valid';
  const provider = 'node updates may not change providerID except from "" to valid';
  return [
    ...forbidden(old.spec.podCIDRs?.length && !same(node.spec.podCIDRs, old.spec.podCIDRs), 'spec.podCIDRs', cidrs),
    ...forbidden(old.spec.providerID && node.spec.providerID !== old.spec.providerID, 'spec.providerID', provider),
    ...forbidden(!same(fixed(node.spec), fixed(old.spec)), '', updatable),
  ];
}

function validateNodeStatus(node: Node): Errors {
  const seen = new Set<string>();
  const { addresses, capacity, allocatable } = node.status ?? {};
  const quantities = (key: 'capacity' | 'allocatable', list: Record<string, string> | undefined) =>
    Object.entries(list ?? {}).flatMap(([name, value]) => validateQuantity(name, value, `status.${key}[${name}]`));
  return [
    ...each(addresses, 'status.addresses', (address, at) => {
      const id = JSON.stringify(address);
      const twice = seen.has(id);
      seen.add(id);
      return twice ? [field.duplicate(at, internalForm({ Type: '', Address: '' }, address))] : [];
    }),
    ...quantities('capacity', capacity),
    ...quantities('allocatable', allocatable),
  ];
}

const noInfo = {
  ...{ machineID: '', systemUUID: '', bootID: '', kernelVersion: '', osImage: '', containerRuntimeVersion: '' },
  ...{ kubeletVersion: '', kubeProxyVersion: '', operatingSystem: '', architecture: '' },
};

/** What Go cannot leave out. */
function defaultStatus(status: NodeStatus): void {
  const { daemonEndpoints, nodeInfo } = status;
  status.daemonEndpoints = { ...daemonEndpoints, kubeletEndpoint: { Port: 0, ...daemonEndpoints?.kubeletEndpoint } };
  status.nodeInfo = { ...noInfo, ...nodeInfo };
}

export const nodes = clusterScoped<Node>({
  resource: '/nodes',
  validate: validateNode,
  validateUpdate: validateNodeUpdate,
  warnings: ({ spec }) => [
    ...(spec.externalID ? ['spec.externalID: this field is deprecated, and is unused by Kubernetes'] : []),
    ...(spec.configSource
      ? ['spec.configSource: the spec.configSource field is deprecated, and is unused by Kubernetes']
      : []),
  ],
  subresources: { status: statusSubresource<Node>({ validateUpdate: validateNodeStatus }) },
  default(node) {
    defaultStatus((node.status ??= {}));
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
