import type { IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from '../../../api/types/networking-v1.ts';
import { cidrContains, parseCidr } from '../../../api/validation/ip.ts';
import {
  cidrBlock,
  type Errors,
  each,
  forbidden,
  oneOf,
  optional,
  portNumber,
  portNumberOrName,
  requiredAnd,
} from '../checks.ts';
import { ageColumn, formatSelector, nameColumn, text } from '../columns.ts';
import { namespaced } from '../define.ts';
import { field } from '../field-errors.ts';
import { cidrWarnings } from '../meta/ip-warnings.ts';
import { validateLabelSelector } from '../meta/label-selector.ts';

/** The end of a range needs a numeric start. */
function validateEndPort(endPort: number, port: number | string | undefined, path: string): Errors {
  if (port === undefined) return [field.invalid(path, endPort, 'may not be specified when `port` is not specified')];
  if (typeof port === 'string')
    return [field.invalid(path, endPort, 'may not be specified when `port` is non-numeric')];
  return [
    ...(endPort < port ? [field.invalid(path, endPort, 'must be greater than or equal to `port`')] : []),
    ...portNumber(endPort, path),
  ];
}

function validatePort({ port, endPort, protocol }: NetworkPolicyPort, path: string): Errors {
  return [
    ...optional(protocol, `${path}.protocol`, oneOf(['TCP', 'UDP', 'SCTP'])),
    ...optional(port, `${path}.port`, portNumberOrName),
    ...optional(endPort, `${path}.endPort`, (value, at) => validateEndPort(value, port, at)),
  ];
}

/** Exceptions lie strictly inside the block. */
function validateIpBlock(block: IPBlock, path: string): Errors {
  const whole = parseCidr(block.cidr ?? '');
  if (!whole) return requiredAnd(block.cidr, `${path}.cidr`, cidrBlock);
  return [
    ...each(block.except, `${path}.except`, (text, at) => {
      const part = parseCidr(text);
      if (!part) return cidrBlock(text, at);
      const inside =
        part.family === whole.family &&
        cidrContains(whole, { ...part.address, value: part.network }) &&
        part.prefix > whole.prefix;
      return inside ? [] : [field.invalid(at, text, 'must be a strict subset of `cidr`')];
    }),
  ];
}

function validatePeer(peer: NetworkPolicyPeer, path: string): Errors {
  const selectors = peer.podSelector || peer.namespaceSelector;
  return [
    ...validateLabelSelector(peer.podSelector, `${path}.podSelector`),
    ...validateLabelSelector(peer.namespaceSelector, `${path}.namespaceSelector`),
    ...optional(peer.ipBlock, `${path}.ipBlock`, validateIpBlock),
    ...(!selectors && !peer.ipBlock ? [field.required(path, 'must specify a peer')] : []),
    ...forbidden(selectors && peer.ipBlock, path, 'may not specify both ipBlock and another peer'),
  ];
}

function validatePolicyTypes(types: readonly string[] | undefined): Errors {
  const path = 'spec.policyTypes';
  if ((types?.length ?? 0) > 2) return [field.invalid(path, types, 'may not specify more than two policyTypes')];
  return each(types, path, oneOf(['Ingress', 'Egress']));
}

function validatePolicy({ spec }: NetworkPolicy): Errors {
  return [
    ...validateLabelSelector(spec.podSelector, 'spec.podSelector'),
    ...each(spec.ingress, 'spec.ingress', (rule, at) => [
      ...each(rule.ports, `${at}.ports`, validatePort),
      ...each(rule.from, `${at}.from`, validatePeer),
    ]),
    ...each(spec.egress, 'spec.egress', (rule, at) => [
      ...each(rule.ports, `${at}.ports`, validatePort),
      ...each(rule.to, `${at}.to`, validatePeer),
    ]),
    ...validatePolicyTypes(spec.policyTypes),
  ];
}

function warnings({ spec }: NetworkPolicy): string[] {
  const ofBlock = ({ ipBlock }: NetworkPolicyPeer, path: string) => [
    ...cidrWarnings(ipBlock?.cidr, `${path}.ipBlock.cidr`),
    ...(ipBlock?.except ?? []).flatMap((text, i) => cidrWarnings(text, `${path}.ipBlock.except[${i}]`)),
  ];
  const ofPeers = (peers: readonly NetworkPolicyPeer[] | undefined, path: string) =>
    (peers ?? []).flatMap((peer, i) => ofBlock(peer, `${path}[${i}]`));
  return [
    ...(spec.ingress ?? []).flatMap((rule, i) => ofPeers(rule.from, `spec.ingress[${i}].from`)),
    ...(spec.egress ?? []).flatMap((rule, i) => ofPeers(rule.to, `spec.egress[${i}].to`)),
  ];
}

export const networkPolicies = namespaced<NetworkPolicy>({
  resource: 'networking.k8s.io/networkpolicies',
  generation: true,
  validate: validatePolicy,
  warnings,
  default({ spec }) {
    spec.podSelector ??= {};
    for (const rule of [...(spec.ingress ?? []), ...(spec.egress ?? [])]) {
      for (const port of rule.ports ?? []) port.protocol ??= 'TCP';
    }
    if (!spec.policyTypes?.length) spec.policyTypes = spec.egress?.length ? ['Ingress', 'Egress'] : ['Ingress'];
  },
  columns: [nameColumn, text('Pod-Selector', obj => formatSelector(obj.spec.podSelector)), ageColumn],
});
